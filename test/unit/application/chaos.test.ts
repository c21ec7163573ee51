import { expect } from 'chai'
import { settle } from '../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../support/fake-broker.js'
import type { FakeClient } from '../../support/fake-client.js'
import { World } from '../../support/fake-world.js'
import { randomFrom } from '../../support/random-numbers.js'
import { publishFrames, type MethodName } from '../../support/wire-format.js'

const SEEDS = 60
const STEPS = 150
const CHANNELS = 3

/** What comes first on an upstream channel for somebody else: before it is handed on, a barrier has to come back. */
function isBoundary(name: MethodName): boolean {
  return name === 'channel.open' || name === 'channel.flow'
}

/** A client and what it believes of its channels. */
interface Actor {
  readonly id: number
  readonly client: FakeClient
  /** Half of a message that has been sent, and its rest, by channel. */
  readonly rests: Map<number, Buffer>
  /** How often a channel's opening was asked for. */
  readonly asked: Map<number, number>
  /** How often a channel had been opened when it was closed last. */
  readonly closed: Map<number, number>
  sent: number
  /** Methods that were looked at. */
  seen: number
  isLeaving: boolean
}

describe('Whatever clients and the broker do in whatever order', () => {
  let world: World
  let random: () => number
  let actors: Actor[]
  let created: number

  const below = (limit: number): number => Math.floor(random() * limit)
  const oneOf = <T>(items: readonly T[]): T | undefined => items[below(items.length)]

  const times = ({ client }: Actor, channel: number, wanted: MethodName): number =>
    client.names(channel).filter((name) => name === wanted).length

  /** Opened as often as asked for, and not closed since. */
  const isChannelOpen = (actor: Actor, channel: number): boolean =>
    actor.rests.get(channel) === undefined &&
    times(actor, channel, 'channel.open-ok') > (actor.closed.get(channel) ?? 0)

  /** Answers what has come, as a client does between its own messages. */
  const answer = (actor: Actor): void => {
    const { client } = actor
    for (; actor.seen < client.log.methods.length; actor.seen++) {
      const { name, channel } = client.log.methods[actor.seen]
      if (name === 'connection.close') client.method(0, 'connection.close-ok')
      if (name !== 'channel.close') continue
      client.method(channel, 'channel.close-ok')
      actor.closed.set(channel, times(actor, channel, 'channel.open-ok'))
    }
  }

  const openChannel = (actor: Actor, channel: number): void => {
    actor.asked.set(channel, (actor.asked.get(channel) ?? 0) + 1)
    actor.client.method(channel, 'channel.open')
  }

  const closeChannel = (actor: Actor, channel: number): void => {
    actor.closed.set(channel, times(actor, channel, 'channel.open-ok'))
    actor.client.closeChannel(channel)
  }

  /** Who talks on an upstream channel, as far as the broker can know: `<actor>/<channel>`. */
  const speakerOn = (upstream: BrokerConnection, channel: number): string | undefined => {
    const received = upstream.received(channel)
    const opened = received.findLastIndex(({ name }) => isBoundary(name))
    const message = received.slice(opened).find(({ name }) => name === 'basic.publish')
    return message?.body?.toString().split(' ')[0]
  }

  const clientActions: ((actor: Actor, channel: number) => void)[] = [
    function open(actor, channel) {
      const opened = times(actor, channel, 'channel.open-ok')
      const closed = times(actor, channel, 'channel.close') + times(actor, channel, 'channel.close-ok')
      if (opened === (actor.asked.get(channel) ?? 0) && closed >= opened) openChannel(actor, channel)
    },
    function publish(actor, channel) {
      if (!isChannelOpen(actor, channel)) return
      const body = `${actor.id}/${channel} ${actor.sent++}`
      actor.client.send(publishFrames(channel, { body, frameMax: 12 }))
    },
    function publishHalf(actor, channel) {
      if (!isChannelOpen(actor, channel)) return
      const message = publishFrames(channel, { body: `${actor.id}/${channel} ${actor.sent++}`, frameMax: 12 })
      const cut = below(message.length)
      actor.client.send(message.subarray(0, cut))
      actor.rests.set(channel, message.subarray(cut))
    },
    function giveState(actor, channel) {
      if (isChannelOpen(actor, channel)) actor.client.method(channel, 'basic.qos', { prefetchCount: 1 })
    },
    function close(actor, channel) {
      if (isChannelOpen(actor, channel)) closeChannel(actor, channel)
    },
    function closeAndOpen(actor, channel) {
      if (!isChannelOpen(actor, channel)) return
      closeChannel(actor, channel)
      openChannel(actor, channel)
    },
    function leave(actor) {
      if (below(3) > 0) return
      actor.isLeaving = true
      actor.client.close()
    },
    function die(actor) {
      if (below(3) > 0) return
      actor.isLeaving = true
      if (below(2) === 0) actor.client.peer.reset()
      else actor.client.peer.end()
    },
    function stopReading({ client }) {
      client.peer.stall(below(2) * 1024 * 1024)
    },
    function startReading({ client }) {
      client.peer.drain()
    },
  ]

  const brokerActions: ((upstream: BrokerConnection) => void)[] = [
    function deliver(upstream) {
      const channel = oneOf(upstream.openChannels)
      const speaker = channel === undefined ? undefined : speakerOn(upstream, channel)
      if (speaker !== undefined) upstream.deliver(channel!, { body: `${speaker} for you` })
    },
    function closeChannel(upstream) {
      const channel = oneOf(upstream.openChannels)
      if (channel !== undefined && below(2) === 0)
        upstream.closeChannel(channel, { code: 404, text: 'NOT_FOUND' })
    },
    function hold() {
      world.broker.holdsCloseOk = true
    },
    function answer(upstream) {
      world.broker.holdsCloseOk = false
      upstream.answerCloses()
    },
    function stopReading(upstream) {
      upstream.peer.stall(below(2) * 1024 * 1024)
    },
    function startReading(upstream) {
      upstream.peer.drain()
    },
    function goDown() {
      if (below(4) === 0) world.brokerDown()
    },
    function comeUp() {
      world.brokerUp()
    },
    function openSlowly() {
      world.broker.silentBefore = 'open-ok'
    },
    function openQuickly() {
      world.broker.silentBefore = undefined
      for (const connection of world.broker.connections) connection.finishOpen()
    },
    function loseIt(upstream) {
      if (below(20) > 0) return
      for (const actor of actors) actor.isLeaving = true
      if (below(2) === 0) upstream.peer.reset()
      else upstream.close({ code: 320, text: 'CONNECTION_FORCED' })
    },
  ]

  const join = async (): Promise<void> => {
    const client = world.dial()
    // In vain while the broker is away.
    await client.connect().catch(() => undefined)
    if (!client.names().includes('connection.open-ok')) return client.peer.end()
    client.stubborn = true
    actors.push({
      id: ++created,
      client,
      rests: new Map(),
      asked: new Map(),
      closed: new Map(),
      sent: 0,
      seen: 0,
      isLeaving: false,
    })
  }

  const step = async (): Promise<void> => {
    if (actors.length < 5 && below(4) === 0) return join()
    const actor = oneOf(actors)
    const upstream = oneOf(world.broker.open)
    if (below(3) > 0 && actor !== undefined) {
      // A frame that was begun is finished first.
      for (const [channel, rest] of actor.rests) {
        actor.client.send(rest)
        actor.rests.delete(channel)
      }
      answer(actor)
      oneOf(clientActions)!(actor, 1 + below(CHANNELS))
    } else if (upstream !== undefined) {
      oneOf(brokerActions)!(upstream)
    }
    if (below(2) === 0) await settle()
    if (below(10) === 0) await world.advance(1000)
    actors = actors.filter(({ client, isLeaving }) => !isLeaving && client.ended === 'open')
  }

  /** Each message belongs to one client's channel, and those of one channel come in order. */
  const checkMessages = (everybody: readonly Actor[]): void => {
    for (const upstream of world.broker.opened)
      for (let channel = 1; channel <= 20; channel++) {
        let speaker: string | undefined
        let last = -1
        for (const { name, body } of upstream.received(channel)) {
          if (isBoundary(name)) {
            speaker = undefined
            last = -1
          }
          if (name !== 'basic.publish') continue
          const [from, number] = body!.toString().split(' ')
          expect(from).to.equal((speaker ??= from))
          expect(Number(number)).to.be.greaterThan(last)
          last = Number(number)
        }
      }
    for (const { id, client } of everybody)
      for (const { name, channel, body } of client.received())
        if (name === 'basic.deliver') expect(body!.toString()).to.equal(`${id}/${channel} for you`)
  }

  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`everybody gets their own, in order, and nothing is left behind (seed ${seed})`, async () => {
      random = randomFrom(seed)
      const maxChannels = 2 + below(4)
      world = await World.start({
        settings: { pool: { ...World.defaults.pool, maxChannels, separateRoles: seed % 2 === 0 } },
      })
      actors = []
      created = 0
      const everybody = new Set<Actor>()
      for (let count = 0; count < STEPS; count++) {
        await step()
        for (const actor of actors) everybody.add(actor)
      }
      world.broker.holdsCloseOk = false
      world.brokerUp()
      brokerActions.find(({ name }) => name === 'openQuickly')!(world.upstream)
      for (const upstream of world.broker.open) {
        upstream.peer.drain()
        upstream.answerCloses()
      }
      await settle()
      for (const { client } of everybody) {
        client.peer.drain()
        // Who opens a channel before he knows that the broker has closed it is refused, as by RabbitMQ.
        if (client.refusal?.text !== "CHANNEL_ERROR - second 'channel.open' seen")
          expect(client.refusal?.code).to.be.oneOf([undefined, 320, 503])
        client.peer.end()
      }
      await world.advance(100_000)
      checkMessages([...everybody])
      expect(world.broker.violations).to.deep.equal([])
      expect(world.logger.messages('error')).to.deep.equal([])
      expect(world.proxy.clients).to.equal(0)
      expect(world.broker.open).to.deep.equal([])
      await world.proxy.shutDown()
      expect(world.clock.pendingTimers).to.equal(0)
    })
  }
})
