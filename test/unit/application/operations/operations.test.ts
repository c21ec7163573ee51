import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { World } from '../../../support/fake-world.js'
import { headerFrame, method } from '../../../support/wire-format.js'

const PATIENCE_MS = 60_000

describe('Operations', () => {
  let world: World

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const published = (): string[] =>
    world.broker.opened.flatMap(({ log }) =>
      log.methods.filter(({ name }) => name === 'basic.publish').map(({ body }) => body!.toString()),
    )

  describe('killing a client', () => {
    it('closes it with 320, and nobody else', async () => {
      world = await World.start()
      const victim = await world.connect()
      const other = await world.connectWithChannels(1)
      expect(world.operations.killClient('c1')).to.deep.include({
        done: { client: 'c1', remoteAddress: '192.0.2.1:40001' },
      })
      await settle()
      expect(victim.refusal).to.include({ code: 320 })
      expect(victim.ended).not.to.equal('open')
      other.publish(1, 'still here')
      await settle()
      expect(published()).to.deep.equal(['still here'])
    })

    it('closes the socket of one in the handshake', async () => {
      world = await World.start()
      const client = world.dial()
      await settle()
      world.operations.killClient('c1')
      await settle()
      expect(client.ended).not.to.equal('open')
      expect(client.log.methods).to.have.length(0)
    })

    it('says that there is none', async () => {
      world = await World.start()
      expect(world.operations.killClient('c7')).to.deep.equal({
        refused: 'unknown',
        reason: 'there is no client c7',
      })
    })
  })

  describe('closing an upstream connection', () => {
    it('says goodbye to the broker behind what was sent, tells its clients, and reconnects', async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      client.publish(1, 'before')
      await settle()
      const upstream = world.upstream
      expect(world.operations.closeUpstream('u2')).to.deep.equal({
        done: { upstream: 'u2', pool: 'p1', channels: 1 },
      })
      await settle()
      expect(client.refusal).to.include({ code: 320 })
      expect(published()).to.deep.equal(['before'])
      expect(upstream.log.methods.at(-1)!.name).to.equal('connection.close')
      await world.advance(1000)
      expect(world.broker.open).to.have.length(1)
      expect(world.operations.closeUpstream('u2')).to.include({ refused: 'unknown' })
    })
  })

  describe('pausing a pool', () => {
    it('holds messages, loses none and doubles none, and keeps their order', async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      client.publish(1, '1')
      await settle()
      expect(world.operations.pausePool('p1')).to.deep.equal({ done: { pool: 'p1', clients: 1 } })
      client.publish(1, '2')
      client.publish(1, '3')
      await settle()
      expect(published()).to.deep.equal(['1'])
      await world.advance(PATIENCE_MS)
      expect(published()).to.deep.equal(['1'])
      world.operations.resumePool('p1')
      await settle()
      client.publish(1, '4')
      await settle()
      expect(published()).to.deep.equal(['1', '2', '3', '4'])
    })

    it('lets a message end that has begun', async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      client.publish(1, 'first')
      client.method(1, 'basic.publish', { routingKey: 'q' })
      client.send(headerFrame(1, 0))
      await settle()
      client.method(1, 'basic.publish', { routingKey: 'q' })
      await settle()
      world.operations.pausePool('p1')
      client.send(headerFrame(1, 0))
      await settle()
      expect(published()).to.have.length(3)
    })

    it('holds channels, and lets deliveries and their acknowledgements through', async () => {
      world = await World.start()
      const consumer = await world.connectWithChannels(1)
      consumer.method(1, 'basic.consume', { queue: 'q' })
      await settle()
      world.operations.pausePool('p1')
      const late = await world.connectWithChannels(1)
      late.method(1, 'queue.declare', { queue: 'q' })
      await settle()
      expect(world.upstream.openChannels).to.have.length(1)
      consumer.method(1, 'basic.ack', { deliveryTag: 1 })
      await settle()
      expect(world.upstream.log.methods.at(-1)!.name).to.equal('basic.ack')
      world.operations.resumePool('p1')
      await settle()
      expect(world.upstream.openChannels).to.have.length(2)
    })

    /** A pool with a client whose messages wait for the broker. */
    const buffered = async (messages: number): Promise<void> => {
      world = await World.start({ settings: { pool: { publishBufferSize: 1000 } } })
      const client = await world.connectWithChannels(1)
      client.publish(1, 'before')
      await settle()
      world.brokerDown()
      world.upstream.peer.reset()
      await settle()
      for (let n = 0; n < messages; n++) client.publish(1, `kept ${n}`)
      await settle()
    }
    const kept = (messages: number): string[] => Array.from({ length: messages }, (_, n) => `kept ${n}`)

    it('holds a publish buffer back that is about to drain, also over a further outage', async () => {
      await buffered(10)
      world.operations.pausePool('p1')
      world.brokerUp()
      await world.advance(PATIENCE_MS)
      world.upstream.peer.reset()
      await world.advance(PATIENCE_MS)
      expect(published()).to.deep.equal(['before'])
      expect(world.lines('publish buffer drained')).to.have.length(0)
      world.operations.resumePool('p1')
      await settle()
      expect(published()).to.deep.equal(['before', ...kept(10)])
      expect(world.lines('publish buffer drained')).to.have.length(1)
    })

    it('holds a publish buffer back in the middle of draining, and lets what is under way be confirmed', async () => {
      await buffered(600)
      world.broker.confirms = false
      world.brokerUp()
      await world.advance(1000)
      const { upstream } = world
      const [channel] = upstream.openChannels
      const underWay = upstream.published().length
      expect(underWay).to.be.within(1, 599)
      world.operations.pausePool('p1')
      upstream.confirm(channel, underWay, true)
      await world.advance(PATIENCE_MS)
      expect(upstream.published()).to.have.length(underWay)
      world.broker.confirms = true
      world.operations.resumePool('p1')
      await settle()
      expect(upstream.published()).to.deep.equal(kept(600))
    })

    it('ends the drain when the last messages are confirmed during the pause', async () => {
      await buffered(10)
      world.broker.confirms = false
      world.brokerUp()
      await world.advance(1000)
      world.operations.pausePool('p1')
      const [channel] = world.upstream.openChannels
      world.upstream.confirm(channel, 10, true)
      await settle()
      expect(world.lines('publish buffer drained')).to.have.length(1)
    })

    it('keeps a paused pool although everybody has left', async () => {
      world = await World.start()
      const client = await world.connect()
      world.operations.pausePool('p1')
      client.close()
      await world.advance(PATIENCE_MS)
      const next = await world.connectWithChannels(1)
      next.publish(1, 'held')
      await settle()
      expect(published()).to.deep.equal([])
      world.operations.resumePool('p1')
      await settle()
      expect(published()).to.deep.equal(['held'])
    })

    it('lets a held client go', async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      world.operations.pausePool('p1')
      client.publish(1, 'held')
      await settle()
      client.peer.reset()
      await settle()
      expect(world.proxy.clients).to.equal(0)
      world.operations.resumePool('p1')
      await world.connect()
    })
  })

  describe('reconnecting a pool', () => {
    it('retires a connection once its last channel has left, and disturbs nobody', async () => {
      world = await World.start()
      const old = await world.connectWithChannels(2)
      old.publish(1, 'old 1')
      await settle()
      const first = world.upstream
      expect(world.operations.reconnectPool('p1')).to.deep.equal({ done: { pool: 'p1', retiring: 1 } })
      const fresh = await world.connectWithChannels(1)
      fresh.publish(1, 'fresh')
      await settle()
      expect(world.broker.open).to.have.length(2)
      old.publish(1, 'old 2')
      old.publish(2, 'old, on another channel')
      await settle()
      expect(first.isOpen).to.equal(true)
      old.closeChannel(1)
      await settle()
      expect(first.isOpen).to.equal(false)
      expect(old.ended).to.equal('open')
      old.publish(2, 'old 3')
      await settle()
      expect(published()).to.have.members(['old 1', 'fresh', 'old 2', 'old, on another channel', 'old 3'])
      expect(world.broker.open).to.have.length(1)
    })

    it('closes a connection without channels at once, though a client counts on it', async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      const first = world.upstream
      world.operations.reconnectPool('p1')
      await settle()
      expect(first.isOpen).to.equal(false)
      client.publish(1, 'elsewhere')
      await settle()
      expect(client.ended).to.equal('open')
      expect(published()).to.deep.equal(['elsewhere'])
      expect(world.broker.open).to.have.length(1)
    })

    it('keeps a connection on which a client has an exclusive queue', async () => {
      world = await World.start()
      const owner = await world.connectWithChannels(1)
      owner.method(1, 'queue.declare', { queue: 'mine', exclusive: true })
      await settle()
      world.upstream.method(1, 'queue.declare-ok', { queue: 'mine', messageCount: 0, consumerCount: 0 })
      await settle()
      const first = world.upstream
      world.operations.reconnectPool('p1')
      owner.closeChannel(1)
      await settle()
      expect(first.isOpen).to.equal(true)
      await owner.openChannels(2)
      owner.method(2, 'basic.consume', { queue: 'mine' })
      await settle()
      expect(first.log.methods.at(-1)!.name).to.equal('basic.consume')
      owner.peer.reset()
      await world.advance(PATIENCE_MS)
      expect(first.isOpen).to.equal(false)
    })

    it('is refused where there is no room for new connections beside the old ones', async () => {
      world = await World.start({ settings: { pool: { maxUpstreamConnections: 1 } } })
      const client = await world.connectWithChannels(1)
      client.publish(1, 'one')
      await settle()
      expect(world.operations.reconnectPool('p1')).to.include({ refused: 'conflict' })
    })
  })

  it('drain as a signal does', async () => {
    world = await World.start()
    const client = await world.connect()
    let isOver = false
    world.proxy.onShutDown = (report) => void report.then(() => (isOver = true))
    expect(world.operations.drain()).to.deep.equal({ clients: 1, grace: 15 })
    expect(world.proxy.isAccepting).to.equal(false)
    client.send(method(0, 'connection.close', { code: 200, text: '' }))
    await world.advance(1000)
    expect(isOver).to.equal(true)
  })
})
