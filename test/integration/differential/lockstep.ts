/** Runs one session in both worlds, command by command, and compares what the clients and the broker have come to after each. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RabbitMqBroker } from '../../support/rabbitmq-broker.js'
import { type Args, type MethodName, WireClient, type WireOptions } from '../../support/wire-client.js'
import { type BrokerView, viewBroker } from './broker-view.js'
import { compareTranscripts, formatTranscript, type Transcript } from './lanes.js'
import type { Event, Side } from './side.js'

/** How long nothing may change before a difference is believed. */
const PATIENCE_MS = Number(process.env['WARREN_DIFFERENTIAL_PATIENCE'] ?? 4000)

/** The two worlds have come to different ends. */
export class Difference extends Error {}

/** Whether one side shows that a step was processed; it's also told how many connections the broker has from it. */
export type Evidence = (side: Side, connections: number) => boolean

/** One session in both worlds. */
export class Lockstep {
  readonly sides: readonly [Side, Side]
  /** The steps so far, for people. */
  readonly log: string[] = []
  /** The broker's state in the direct world, after the last step. */
  state: readonly string[] = []
  /** What came in the last step. */
  last: Transcript = new Map()
  readonly #broker: RabbitMqBroker
  #received = 0

  constructor(
    broker: RabbitMqBroker,
    readonly direct: Side,
    readonly warren: Side,
  ) {
    this.#broker = broker
    this.sides = [direct, warren]
  }

  /** Must be called first: remembers how many messages the broker has seen. */
  async begin(): Promise<void> {
    this.#received = (await this.#view()).received
  }

  async connect(client: number, options: WireOptions): Promise<void> {
    this.log.push(`${client} connects ${JSON.stringify(options)}`)
    for (const side of this.sides) await side.connect(client, options)
    await this.#settle(() => true)
  }

  /** Sends a method and waits for one of the answers, or for a Close. */
  request<N extends MethodName>(
    client: number,
    channel: number,
    name: N,
    args: (side: Side) => Partial<Args<N>>,
    answers: readonly MethodName[],
  ): Promise<readonly Event[]> {
    const send = (side: Side): void => side.wire(client).method(channel, name, args(side))
    return this.step(
      `${client}.${channel} ${name} ${JSON.stringify(args(this.direct))}`,
      send,
      (side) => hasAny(side, client, channel, answers),
      client,
      channel,
    )
  }

  /** Sends a method that isn't answered, and behind it one that is and changes nothing. */
  tell<N extends MethodName>(
    client: number,
    channel: number,
    name: N,
    args: (side: Side) => Partial<Args<N>>,
  ): Promise<readonly Event[]> {
    const send = (side: Side): void => {
      side.wire(client).method(channel, name, args(side))
      side.wire(client).method(channel, 'channel.flow', { active: true })
    }
    return this.step(
      `${client}.${channel} ${name} ${JSON.stringify(args(this.direct))}, channel.flow`,
      send,
      (side) => hasAny(side, client, channel, ['channel.flow-ok']),
      client,
      channel,
    )
  }

  /**
   * One step. `evidence` tells whether a side has been processed; a step that publishes without any answer ends when the broker has
   * counted the messages of those sides that show none. Returns what came on the given channel.
   */
  async step(
    what: string,
    act: (side: Side) => void | Promise<void>,
    evidence: Evidence,
    client = 0,
    channel = 0,
    isPublish = false,
  ): Promise<readonly Event[]> {
    this.log.push(what)
    for (const side of this.sides) await act(side)
    await this.#settle(evidence, isPublish)
    return this.last.get(`${client}.${channel}`) ?? []
  }

  /** When everybody has left: compares what lies in the queues, by taking it out directly. */
  async compareContents(options: WireOptions): Promise<void> {
    // One that nobody was told the name of can't be asked for, and an exclusive one may have gone meanwhile.
    const queues = this.state.flatMap((line) => /^queue ([^?]*) exclusive=false/.exec(line)?.[1] ?? [])
    const contents: string[][] = []
    for (const side of this.sides) {
      const wire = await WireClient.connect(this.direct.port, { ...options, vhost: side.vhost })
      try {
        await wire.openChannel(1)
        const found: string[] = []
        for (const queue of queues) found.push(...(await takeAll(wire, side, queue)))
        contents.push(found)
      } finally {
        await wire.close()
      }
    }
    const [direct, warren] = contents
    if (isSame([direct, warren])) return
    const list = (lines: string[]): string => lines.map((line) => `    ${line}`).join('\n')
    throw new Difference(
      `${this.#script()}\nIn the queues lies, directly:\n${list(direct)}\nand through Warren:\n${list(warren)}`,
    )
  }

  #script(): string {
    return ['The session, up to what differs:', ...this.log.map((line) => `  ${line}`)].join('\n')
  }

  /** Waits until both worlds have come to rest in the same state. */
  async #settle(evidence: Evidence, isPublish = false): Promise<void> {
    let unchangedSince = Date.now()
    let before = ''
    let different = 0
    for (let look = 0; ; look++) {
      const view = await this.#view()
      // What lay in the sockets when the broker was looked at is read in this turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve))
      const isWhole = this.sides.map((side) => side.collect())
      const shown = this.sides.filter((side, at) => evidence(side, view.vhosts[at].connections)).length
      const isDone = shown + (isPublish ? view.received - this.#received : 0) >= this.sides.length
      const transcripts = compareTranscripts(this.direct.fresh, this.warren.fresh, this.direct.style)
      const states = this.#states(view)
      const isDirectDone = view.isAtRest && isWhole[0] && isDone
      if (isDirectDone && transcripts === 'equal' && isSame(states)) {
        this.#received = view.received
        this.state = states[0]
        this.last = new Map(this.direct.fresh)
        for (const side of this.sides) side.fresh.clear()
        return
      }
      different = isDirectDone && transcripts === 'different' ? different + 1 : 0
      const now = JSON.stringify([states, [...this.direct.fresh], [...this.warren.fresh]])
      if (now !== before) unchangedSince = Date.now()
      before = now
      if (different >= 3 || Date.now() - unchangedSince > PATIENCE_MS)
        throw new Difference(this.#describe(view, isDone, states))
      if (look > 10) await delay(5)
    }
  }

  #view(): Promise<BrokerView> {
    return viewBroker(
      this.#broker,
      this.sides.map(({ vhost }) => vhost),
    )
  }

  /** What the broker holds for each side. Connections are left out: to share them is what Warren is for. */
  #states(view: BrokerView): string[][] {
    return this.sides.map((side, at) => view.vhosts[at].lines.map((line) => side.normalise(line)).sort())
  }

  #describe(view: BrokerView, isDone: boolean, [direct, warren]: string[][]): string {
    const only = (some: string[], others: string[]): string =>
      some
        .filter((line) => !others.includes(line))
        .map((line) => `    ${line}\n`)
        .join('')
    return [
      this.#script(),
      'What the clients got in this step, directly:',
      formatTranscript(this.direct.fresh),
      'and through Warren:',
      formatTranscript(this.warren.fresh),
      `The broker's state, where it differs, directly:\n${only(direct, warren)}  through Warren:\n${only(warren, direct)}`,
      `(broker ${view.isAtRest ? 'at rest' : 'busy'}, ${isDone ? 'all' : 'not all'} processed)`,
    ].join('\n')
  }
}

/** Whether the client has got one of these on the channel, or a Close of it or of its connection. */
export function hasAny(side: Side, client: number, channel: number, names: readonly MethodName[]): boolean {
  const got = (where: number, wanted: readonly string[]): boolean =>
    side.fresh.get(`${client}.${where}`)?.some(({ name }) => wanted.includes(name)) === true
  return got(channel, [...names, 'channel.close']) || got(0, ['connection.close', 'end of socket'])
}

async function takeAll(wire: WireClient, side: Side, queue: string): Promise<string[]> {
  const found: string[] = []
  for (;;) {
    wire.method(1, 'queue.declare', { queue: side.actual(queue), passive: true })
    if ((await wire.expectMethod('queue.declare-ok')).messageCount === 0) return found
    const { args, properties, body } = await wire.get(1, side.actual(queue))
    const { redelivered, exchange, routingKey } = args
    const message = JSON.stringify({ redelivered, exchange, routingKey, properties, size: body.length })
    found.push(`${queue}: ${side.normalise(message)} ${body.subarray(0, 16).toString()}`)
  }
}

function isSame([one, other]: string[][]): boolean {
  return one.length === other.length && one.every((line, at) => line === other[at])
}
