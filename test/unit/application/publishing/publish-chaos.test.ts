import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import type { Received } from '../../../support/fake-frames.js'
import { FakeJournal } from '../../../support/fake-journal.js'
import { World } from '../../../support/fake-world.js'
import { randomFrom } from '../../../support/random-numbers.js'
import { publishFrames, type Args, type Message } from '../../../support/wire-format.js'

/** More by hand: `CHAOS_SEEDS=1000-3000`. */
const [FIRST, LAST] = (process.env['CHAOS_SEEDS'] ?? '1-60').split('-').map(Number)
const STEPS = 150
const LOST = 'message lost: the broker refuses it, and as many as may be are set aside already'
const CHANNELS = 3
const MOST_CLIENTS = 5

/** One life of a channel number of one client. `done`: the server has answered its end with Close-Ok. */
interface Line {
  readonly name: string
  readonly channel: number
  readonly asksForConfirms: boolean
  state: 'asked' | 'open' | 'closing' | 'done' | 'refused'
  /** Bodies, in order. */
  readonly sent: string[]
  /** By number, what the client was told of its message. */
  readonly told: Map<number, 'ack' | 'nack'>
  /** The rest of a message whose first half has been sent. */
  rest: Buffer | undefined
}

interface Actor {
  readonly name: string
  readonly client: FakeClient
  readonly lines: Line[]
  readonly current: Map<number, Line>
  seen: number
  /** It has said Connection.Close, or has gone without. */
  isLeaving: boolean
  /** The server said Connection.Close. */
  isRefused: boolean
}

describe('Whatever becomes of the broker while clients publish', () => {
  let world: World
  let random: () => number
  let actors: Actor[]
  let everybody: Actor[]
  let wrongs: string[]

  const below = (limit: number): number => Math.floor(random() * limit)
  const oneOf = <T>(items: readonly T[]): T | undefined => items[below(items.length)]

  // ---- what clients learn ------------------------------------------------------------------------------------------

  const tell = (line: Line | undefined, { name, args }: Received): void => {
    if (line === undefined) return void wrongs.push(`${name} on a channel that isn't open`)
    const { deliveryTag, multiple } = args as Args<'basic.ack'>
    const tag = Number(deliveryTag)
    if (!line.asksForConfirms) wrongs.push(`${line.name} was told of ${tag}, but had not asked`)
    if (tag < 1 || tag > line.sent.length) wrongs.push(`${line.name} was told of ${tag}, never published`)
    if (line.told.has(tag)) wrongs.push(`${line.name} was told of ${tag} twice`)
    for (let at = multiple ? 1 : tag; at <= tag; at++)
      if (!line.told.has(at)) line.told.set(at, name === 'basic.ack' ? 'ack' : 'nack')
  }

  /** A frame that was begun is finished before anything else. */
  const finish = (actor: Actor): void => {
    for (const line of actor.current.values()) {
      if (line.rest !== undefined) actor.client.send(line.rest)
      line.rest = undefined
    }
  }

  const listen = (actor: Actor): void => {
    const { client, current } = actor
    for (; actor.seen < client.log.methods.length; actor.seen++) {
      const received = client.log.methods[actor.seen]
      const { name, channel } = received
      const line = current.get(channel)
      if (name === 'basic.ack' || name === 'basic.nack') tell(line, received)
      else if (name === 'channel.open-ok') line!.state = 'open'
      else if (name === 'channel.close-ok') {
        if (line!.state === 'closing') line!.state = 'done'
        current.delete(channel)
      } else if (name === 'channel.close') {
        finish(actor)
        client.method(channel, 'channel.close-ok')
        // After crossing Closes the answer to ours is still to come.
        if (line!.state !== 'closing') current.delete(channel)
        line!.state = 'refused'
      } else if (name === 'connection.close') {
        actor.isRefused = true
        for (const open of current.values()) open.state = 'refused'
        client.method(0, 'connection.close-ok')
      } else if (name === 'connection.close-ok') {
        for (const open of current.values()) if (open.state !== 'refused') open.state = 'done'
      }
    }
  }

  // ---- what clients do ---------------------------------------------------------------------------------------------

  const open = (actor: Actor, channel: number): void => {
    const line: Line = {
      name: `${actor.name}/${channel}#${actor.lines.length}`,
      channel,
      asksForConfirms: below(2) === 0,
      state: 'asked',
      sent: [],
      told: new Map(),
      rest: undefined,
    }
    actor.lines.push(line)
    actor.current.set(channel, line)
    actor.client.method(channel, 'channel.open')
    if (line.asksForConfirms) actor.client.method(channel, 'confirm.select', { nowait: below(2) === 0 })
  }

  const message = (line: Line): Buffer => {
    const body = `${line.name} ${line.sent.length}`
    line.sent.push(body)
    const properties: Message['properties'] = below(20) === 0 ? { expiration: '3000' } : {}
    return publishFrames(line.channel, { body, routingKey: body, frameMax: 14, properties })
  }

  const publish = (actor: Actor, line: Line): void => {
    for (let count = below(4); count >= 0; count--) actor.client.send(message(line))
  }

  const clientActions: ((actor: Actor, line: Line) => void)[] = [
    publish,
    publish,
    function publishHalf(actor, line) {
      const frames = message(line)
      const cut = below(frames.length)
      actor.client.send(frames.subarray(0, cut))
      line.rest = frames.subarray(cut)
    },
    function declare(actor, { channel }) {
      if (below(4) === 0) actor.client.method(channel, 'queue.declare', { queue: 'q' })
    },
    function consume(actor, { channel }) {
      if (below(4) === 0) actor.client.method(channel, 'basic.qos', { prefetchCount: 1 })
      if (below(10) === 0) actor.client.method(channel, 'basic.consume', { queue: 'q' })
    },
    function close(actor, line) {
      if (below(2) === 0) return
      line.state = 'closing'
      actor.client.closeChannel(line.channel)
    },
    function leave(actor) {
      if (below(4) > 0) return
      actor.isLeaving = true
      actor.client.close()
    },
    function die(actor) {
      if (below(6) > 0) return
      actor.isLeaving = true
      actor.client.peer.reset()
      // What Warren hadn't read is lost.
      for (const line of actor.lines) if (line.state !== 'done') line.state = 'refused'
    },
  ]

  const join = async (): Promise<void> => {
    const client = world.dial()
    await client.connect().catch(() => undefined)
    if (!client.names().includes('connection.open-ok')) return client.peer.end()
    client.stubborn = true
    const name = `c${everybody.length}`
    const isNew = { seen: client.log.methods.length, isLeaving: false, isRefused: false }
    const actor: Actor = { name, client, lines: [], current: new Map(), ...isNew }
    actors.push(actor)
    everybody.push(actor)
  }

  const act = (actor: Actor): void => {
    finish(actor)
    listen(actor)
    const line = actor.current.get(1 + below(CHANNELS))
    if (line === undefined) {
      const free = Array.from({ length: CHANNELS }, (_, at) => at + 1).find((n) => !actor.current.has(n))
      if (free !== undefined) open(actor, free)
    } else if (line.state === 'open') oneOf(clientActions)!(actor, line)
  }

  // ---- what becomes of the broker ----------------------------------------------------------------------------------

  const confirmAll = (upstream: BrokerConnection): void => {
    for (const channel of upstream.openChannels)
      for (const tag of upstream.unconfirmed(channel)) upstream.confirm(channel, tag)
  }

  const brokerActions: ((upstream: BrokerConnection, channel: number) => void)[] = [
    function confirmOne(upstream, channel) {
      const tag = oneOf(upstream.unconfirmed(channel))
      if (tag !== undefined) upstream.confirm(channel, tag)
    },
    function confirmSeveral(upstream, channel) {
      const tag = oneOf(upstream.unconfirmed(channel))
      if (tag !== undefined) upstream.confirm(channel, tag, true)
    },
    function refuseOne(upstream, channel) {
      const tag = below(3) === 0 ? oneOf(upstream.unconfirmed(channel)) : undefined
      if (tag !== undefined) upstream.confirm(channel, tag, false, 'basic.nack')
    },
    confirmAll,
    function confirmAlways() {
      world.broker.confirms = true
    },
    function confirmLater() {
      world.broker.confirms = false
    },
    function closeChannel(upstream, channel) {
      if (below(3) === 0) upstream.closeChannel(channel, { code: 404, text: 'NOT_FOUND - no exchange' })
    },
    function hold() {
      world.broker.holdsCloseOk = true
    },
    function answer(upstream) {
      world.broker.holdsCloseOk = false
      upstream.answerCloses()
    },
    function stopReading({ peer }) {
      peer.stall(below(2) * 1024 * 1024)
    },
    function startReading({ peer }) {
      peer.drain()
    },
    function lose(upstream) {
      if (below(2) === 0) upstream.peer.reset()
      else upstream.close({ code: 320, text: 'CONNECTION_FORCED - closed by an operator' })
    },
    function crash() {
      world.brokerDown()
      for (const { peer } of world.broker.open) peer.reset()
    },
    function openSlowly() {
      world.broker.silentBefore = 'open-ok'
    },
  ]

  const comeUp = (): void => {
    world.brokerUp()
    world.broker.silentBefore = undefined
    for (const connection of world.broker.connections) connection.finishOpen()
  }

  const step = async (): Promise<void> => {
    if (below(12) === 0) comeUp()
    if (actors.length < MOST_CLIENTS && below(4) === 0) return join()
    const actor = oneOf(actors)
    const upstream = oneOf(world.broker.open)
    if (below(3) > 0 && actor !== undefined) act(actor)
    else if (upstream !== undefined) {
      const channel = oneOf(upstream.openChannels)
      if (channel !== undefined) oneOf(brokerActions)!(upstream, channel)
    }
    if (below(2) === 0) await settle()
    if (below(8) === 0) await world.advance(1000)
    for (const other of actors) listen(other)
    actors = actors.filter(({ client, isLeaving, isRefused }) => {
      return !isLeaving && !isRefused && client.ended === 'open'
    })
  }

  /** Everything is in order again, and stays so. */
  const recover = async (): Promise<void> => {
    comeUp()
    world.broker.confirms = true
    world.broker.holdsCloseOk = false
    for (const upstream of world.broker.open) {
      upstream.peer.drain()
      upstream.answerCloses()
      confirmAll(upstream)
    }
    await settle()
  }

  // ---- what must be true -------------------------------------------------------------------------------------------

  /** Messages of which Warren has said, in its log, that they weren't delivered. */
  const givenUp = (): Set<unknown> =>
    new Set(
      world.logger.lines
        .filter(({ message: text }) =>
          [
            'message set aside: the broker refuses it',
            'message expired in the publish buffer',
            LOST,
          ].includes(text),
        )
        .map(({ fields }) => fields['routingKey']),
    )

  const checkPromises = (guarantee: string): void => {
    const { stored } = world.broker
    const excused = givenUp()
    for (const { lines } of everybody)
      for (const { name, sent, told, state, asksForConfirms } of lines) {
        for (const [number, answer] of told)
          if (answer === 'ack' && !stored.has(sent[number - 1]))
            wrongs.push(`${name} was told that ${number} is confirmed, but it's lost`)
        if (asksForConfirms || guarantee !== 'confirmed' || (state !== 'done' && state !== 'open')) continue
        for (const body of sent)
          if (!stored.has(body) && !excused.has(body)) wrongs.push(`${body} was accepted, but is lost`)
      }
  }

  const checkOrder = (): void => {
    const last = new Map<string, number>()
    for (const body of new Set(world.broker.arrivals)) {
      const [line, number] = body.split(' ')
      if (Number(number) < (last.get(line) ?? -1)) wrongs.push(`${body} came after ${last.get(line)}`)
      last.set(line, Number(number))
    }
  }

  for (let seed = FIRST; seed <= LAST; seed++) {
    it(`nothing confirmed is missing, nothing is told twice, and order is kept (seed ${seed})`, async () => {
      random = randomFrom(seed)
      const publishGuarantee = seed % 2 === 0 ? 'confirmed' : 'forwarded'
      const separateRoles = (seed >> 1) % 2 === 0
      const maxChannels = 2 + below(8)
      const publishBufferSize = below(2) === 0 ? 50 : 1 + below(8)
      const journal = seed % 3 === 0 ? new FakeJournal() : undefined
      world = await World.start({
        journal,
        settings: { pool: { publishBufferSize, publishGuarantee, separateRoles, maxChannels } },
        broker: (broker) => (broker.answersRequests = true),
      })
      ;[actors, everybody, wrongs] = [[], [], []]
      for (let count = 0; count < STEPS; count++) await step()
      await recover()
      for (const actor of actors) finish(actor)
      await world.advance(40_000)
      await recover()
      await world.advance(1000)
      // What isn't counted down would hold up all publishers some day.
      const { buffered, unconfirmed } = world.container.get<Overview>(identifiers.Overview).summary()
      expect([buffered, unconfirmed]).to.deep.equal([
        { messages: 0, bytes: 0 },
        { messages: 0, bytes: 0 },
      ])
      for (const actor of everybody) listen(actor)
      for (const { client, isRefused, lines } of actors)
        for (const { name, state, asksForConfirms, sent, told } of lines)
          if (asksForConfirms && state === 'open' && !isRefused && client.ended === 'open')
            for (let number = 1; number <= sent.length; number++)
              if (!told.has(number)) wrongs.push(`${name} was never told of ${number}`)
      for (const actor of actors) {
        if (actor.isRefused) continue
        actor.isLeaving = true
        actor.client.close()
      }
      await world.advance(2000)
      for (const actor of everybody) {
        listen(actor)
        const names = actor.client.names(0)
        if (actors.includes(actor) && !names.includes('connection.close-ok') && !actor.isRefused)
          wrongs.push(`${actor.name} got no answer to its goodbye`)
        actor.client.peer.end()
      }
      // What the broker has is forgotten; what it refuses is kept for an operator.
      const { aside } = world.container.get<Overview>(identifiers.Overview).summary()
      if (journal !== undefined) expect(journal.kept.length).to.equal(aside.messages)
      checkPromises(publishGuarantee)
      checkOrder()
      expect(wrongs).to.deep.equal([])
      for (const { client } of everybody)
        if (client.refusal?.text !== "CHANNEL_ERROR - second 'channel.open' seen")
          expect(client.refusal?.code).to.be.oneOf([undefined, 320, 503])
      await world.advance(100_000)
      expect(world.broker.violations).to.deep.equal([])
      const errors = world.logger.lines.filter(({ level, message }) => level === 'error' && message !== LOST)
      expect(errors).to.deep.equal([])
      expect(world.proxy.clients).to.equal(0)
      expect(world.broker.open).to.deep.equal([])
      expect((await world.proxy.shutDown()).buffered).to.equal(0)
      expect(world.clock.pendingTimers).to.equal(0)
    })
  }
})
