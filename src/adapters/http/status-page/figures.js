/** The figures at the top of the page, each with a plot. */
import { age, bytes, count, exact, milliseconds, states, sum } from './format.js'
import { find, make, setText } from './elements.js'
import { Plot } from './plot.js'

/** A card: what it's called, the lines of its plot, and how their values are written. */
const CARDS = {
  clients: ['Clients', [''], count],
  channels: ['Client channels', [''], count],
  upstreams: ['Upstream connections', [''], count],
  upstreamChannels: ['Upstream channels', [''], count],
  messages: ['Messages per second', ['published', 'delivered'], count],
  traffic: ['Traffic per second', ['in', 'out'], bytes, 1024],
  connects: ['New clients per second', ['let in', 'refused'], count],
  buffer: ['Publish buffer', [''], count],
  lag: ['Event loop lag (p99)', [''], milliseconds],
  process: ['Process', [''], (n) => `${n.toFixed(0)} %`],
}

export class Figures {
  #cards = {}
  #before

  constructor() {
    for (const [id, [name, keys, format, thousand]] of Object.entries(CARDS)) {
      const card = {
        value: make('span', { textContent: '–' }),
        unit: make('small'),
        note: make('div', { className: 'note' }),
        keys: keys.map(() => document.createTextNode('')),
        plot: new Plot(name, keys, format, thousand),
      }
      if (keys.length > 1)
        card.keys.forEach((text, at) =>
          card.note.append(
            make(
              'span',
              { className: 'legend' },
              make('span', { className: at === 0 ? 'key' : 'key two' }),
              text,
            ),
          ),
        )
      this.#cards[id] = card
      find('figures').append(
        make(
          'div',
          { className: 'card' },
          make('h2', { className: 'name', textContent: name }),
          make('div', { className: 'value' }, card.value, ' ', card.unit),
          card.note,
          card.plot.element,
        ),
      )
    }
    const draw = () => Object.values(this.#cards).forEach(({ plot }) => plot.draw())
    addEventListener('resize', draw)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  }

  /** Shows a summary as the server gives it; rates are those since the one before. */
  show(now) {
    const at = performance.now()
    const before = this.#before
    this.#before = { now, at }
    const seconds = before === undefined ? 0 : (at - before.at) / 1000
    const rate = (read) => (seconds > 0 ? Math.max(0, read(now) - read(before.now)) / seconds : 0)
    const traffic = (name) => rate(({ traffic }) => traffic[name])
    const limitOf = (limit) => (limit > 0 ? `of ${exact(limit)}` : '')

    const clients = sum(now.clients)
    this.#put(
      'clients',
      exact(clients),
      limitOf(now.client_limit),
      states(now.clients),
      [clients],
      now.client_limit,
    )
    this.#put(
      'channels',
      count(now.client_channels),
      '',
      `${exact(now.traffic.recycled_channels)} upstream channels recycled`,
      [now.client_channels],
    )
    const upstreams = sum(now.upstreams)
    this.#put(
      'upstreams',
      exact(upstreams),
      limitOf(now.upstream_limit),
      states(now.upstreams),
      [upstreams],
      now.upstream_limit,
    )
    const { bound, spare, closing } = now.upstream_channels
    const capacity = now.upstream_channel_capacity
    this.#put(
      'upstreamChannels',
      count(bound),
      limitOf(capacity),
      `in use; ${spare} spare, ${closing} closing`,
      [bound],
    )
    const messages = [traffic('publishes'), traffic('deliveries') + traffic('gets')]
    this.#put('messages', count(messages[0] + messages[1]), '/s', messages.map(count), messages)
    const flow = [traffic('bytes_in'), traffic('bytes_out')]
    const [amount, unit] = bytes(flow[0] + flow[1]).split(' ')
    this.#put('traffic', amount, `${unit}/s`, flow.map(bytes), flow)
    const comers = [traffic('accepted'), rate(({ refusals }) => sum(refusals))]
    const totals = [`${exact(now.traffic.accepted)} so far`, exact(sum(now.refusals))]
    this.#put('connects', count(comers[0]), '/s', totals, comers)
    this.#cards.connects.note.title = `since the start; refused: ${states(now.refusals)}`
    const aside = now.aside.messages > 0 ? `; ${exact(now.aside.messages)} set aside` : ''
    this.#put(
      'buffer',
      exact(now.buffered.messages),
      now.buffered.messages === 1 ? 'message' : 'messages',
      `${bytes(now.buffered.bytes)}; pools: ${states(now.pools)}${aside}`,
      [now.buffered.messages],
    )
    const lag = now.process.event_loop_lag_p99_seconds * 1000
    const median = now.process.event_loop_lag_p50_seconds * 1000
    this.#put('lag', lag.toFixed(lag < 10 ? 1 : 0), 'ms', `median ${median.toFixed(1)} ms`, [lag])
    const cpu = rate(({ process }) => process.cpu_seconds) * 100
    const memory = `${bytes(now.process.resident_bytes)} of memory`
    this.#put('process', cpu.toFixed(0), '% CPU', memory, [cpu])
    setText(find('where'), `${now.host} · version ${now.version} · up ${age(now.uptime_seconds)}`)
  }

  #put(id, text, unit, note, values, limit = 0) {
    const card = this.#cards[id]
    setText(card.value, text)
    setText(card.unit, unit)
    if (typeof note === 'string') {
      setText(card.note, note)
      card.note.title = note
    } else card.keys.forEach((key, at) => (key.data = `${card.plot.keys[at]} ${note[at]}`))
    card.plot.add(values, limit)
  }
}
