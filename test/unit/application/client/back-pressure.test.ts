import { expect } from 'chai'
import { spy } from 'sinon'
import { UpstreamConnection } from '../../../../src/application/upstream/upstream-connection.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames } from '../../../support/wire-format.js'

describe('Back-pressure', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** A client whose channel 1 is bound upstream. */
  const connectBound = async (user = 'guest'): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1, { user })
    // Nobody else can be given a channel with a state.
    client.method(1, 'basic.recover', { requeue: true })
    client.publish(1, 'first')
    await settle()
    return client
  }

  describe('of a broker that does not read', () => {
    it('stops the reading from a client that publishes there, and lets it go on after the drain', async () => {
      const client = await connectBound()
      world.upstream.peer.stall()
      client.publish(1, 'one')
      await settle()
      expect(client.peer.isPaused).to.equal(true)
      client.publish(1, 'two')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['first'])
      world.upstream.peer.drain()
      await settle()
      expect(client.peer.isPaused).to.equal(false)
      expect(world.upstream.published()).to.deep.equal(['first', 'one', 'two'])
    })

    it('does not stop the reading as long as it takes what is sent', async () => {
      const client = await connectBound()
      world.upstream.peer.stall(0)
      client.publish(1, 'fits')
      await settle()
      expect(client.peer.isPaused).to.equal(false)
    })

    it('keeps what a client sends at the client, not in memory', async () => {
      const client = await connectBound()
      world.upstream.peer.stall()
      const stream = world.upstream.peer.stream
      client.publish(1, 'x'.repeat(10_000))
      await settle()
      const { bufferedBytes } = stream
      for (let count = 0; count < 100; count++) client.publish(1, 'x'.repeat(10_000))
      await settle()
      expect(stream.bufferedBytes).to.equal(bufferedBytes)
      expect(client.peer.unreadBytes).to.be.greaterThan(1_000_000)
      world.upstream.peer.drain()
      await settle()
      expect(world.upstream.published()).to.have.length(102)
    })

    it('does not touch clients of other pools', async () => {
      const client = await connectBound()
      const { peer } = world.upstream
      const other = await connectBound('other')
      peer.stall()
      for (const sender of [client, other]) sender.publish(1, 'one')
      await settle()
      other.publish(1, 'two')
      await settle()
      expect(other.peer.isPaused).to.equal(false)
      expect(world.upstream.published()).to.deep.equal(['first', 'one', 'two'])
      expect(client.peer.isPaused).to.equal(true)
    })

    it('does not touch neighbours that send nothing', async () => {
      const [client, neighbour] = [await connectBound(), await connectBound()]
      world.upstream.peer.stall()
      client.publish(1, 'one')
      await settle()
      expect(neighbour.peer.isPaused).to.equal(false)
    })

    it('lets all of them go on after the drain, and keeps the order of each', async () => {
      const clients = await Promise.all([0, 1, 2, 3].map(() => connectBound()))
      world.upstream.peer.stall()
      for (let round = 0; round < 5; round++) {
        clients.forEach((client, at) => client.publish(1, `${at} ${round}`))
        await settle()
      }
      expect(clients.map(({ peer }) => peer.isPaused)).to.deep.equal([true, true, true, true])
      world.upstream.peer.drain()
      await settle()
      expect(clients.map(({ peer }) => peer.isPaused)).to.deep.equal([false, false, false, false])
      clients.forEach((_, at) => {
        const own = world.upstream.published().filter((text) => text.startsWith(`${at} `))
        expect(own).to.deep.equal([0, 1, 2, 3, 4].map((round) => `${at} ${round}`))
      })
    })

    it('works the next time, too', async () => {
      const client = await connectBound()
      for (let round = 0; round < 3; round++) {
        world.upstream.peer.stall()
        client.publish(1, `round ${round}`)
        await settle()
        expect(client.peer.isPaused).to.equal(true)
        world.upstream.peer.drain()
        await settle()
        expect(client.peer.isPaused).to.equal(false)
      }
      expect(world.upstream.published()).to.deep.equal(['first', 'round 0', 'round 1', 'round 2'])
    })

    it('does not keep deliveries from the clients', async () => {
      const client = await connectBound()
      world.upstream.peer.stall()
      client.publish(1, 'one')
      await settle()
      world.upstream.deliver(1, { body: 'for you' })
      await settle()
      expect(client.delivered(1)).to.deep.equal(['for you'])
    })

    it('lets a paused client hear of the loss of the connection, and its answer is read', async () => {
      const client = await connectBound()
      world.upstream.peer.stall()
      client.publish(1, 'one')
      await settle()
      world.upstream.peer.reset()
      await settle()
      expect(client.refusal?.code).to.equal(320)
      expect(client.ended).to.equal('ended')
    })

    it('lets a paused client go, and the others on', async () => {
      const [client, neighbour] = [await connectBound(), await connectBound()]
      world.upstream.peer.stall()
      for (const sender of [client, neighbour]) sender.publish(1, 'one')
      await settle()
      client.peer.reset()
      await settle()
      expect(world.proxy.clients).to.equal(1)
      world.upstream.peer.drain()
      await settle()
      neighbour.publish(1, 'two')
      await settle()
      expect(world.upstream.published(2)).to.deep.equal(['first', 'one', 'two'])
      expect(world.upstream.openChannels).to.deep.equal([2])
    })

    it('holds for a client with channels on several connections as soon as one of them does not read', async () => {
      world = await World.start({
        broker: ({ tune }) => (tune.channelMax = 0),
        settings: { pool: { ...World.defaults.pool, maxChannels: 1 } },
      })
      const client = await world.connectWithChannels(2)
      client.publish(1, 'a')
      client.publish(2, 'b')
      await settle()
      const [one, two] = world.broker.open
      two.peer.stall()
      client.publish(2, 'c')
      await settle()
      expect(client.peer.isPaused).to.equal(true)
      two.peer.drain()
      client.publish(1, 'd')
      await settle()
      expect(client.peer.isPaused).to.equal(false)
      expect([one.published(), two.published()]).to.deep.equal([
        ['a', 'd'],
        ['b', 'c'],
      ])
    })

    it('is not taken for the silence of the clients that it stops', async () => {
      const client = await world.connectWithChannels(1, { heartbeat: 2 })
      client.publish(1, 'first')
      await settle()
      world.upstream.peer.stall()
      client.publish(1, 'one')
      await world.advance(60_000)
      expect(client.ended).to.equal('open')
      world.upstream.peer.drain()
      await settle()
      expect(world.upstream.published()).to.deep.equal(['first', 'one'])
    })
  })

  describe('of a broker that does not read, for clients that come meanwhile', () => {
    const COUNT = 20

    /** Who come while the upstream connection takes nothing, each with a channel and a message in one piece. */
    const comeAndPublish = async (size = 1000): Promise<FakeClient[]> => {
      const clients: FakeClient[] = []
      for (let n = 0; n < COUNT; n++) {
        const client = await world.connectWithChannels(1)
        client.publish(1, `${n} ${'x'.repeat(size)}`)
        await settle()
        clients.push(client)
      }
      return clients
    }

    const published = (): string[] => world.upstream.published().map((body) => body.split(' ')[0])
    const numbers = Array.from({ length: COUNT }, (_, n) => `${n}`)

    let first: FakeClient

    beforeEach(async () => {
      first = await connectBound()
      world.upstream.peer.stall()
      first.publish(1, 'stuck')
      await settle()
    })

    it('lets them in, and their messages wait with them, not in memory', async () => {
      const { bufferedBytes } = world.upstream.peer.stream
      const clients = await comeAndPublish()
      expect(clients.map(({ peer }) => peer.isPaused)).to.deep.equal(clients.map(() => true))
      expect(world.upstream.peer.stream.bufferedBytes).to.equal(bufferedBytes)
      expect(published()).to.deep.equal(['first'])
    })

    it('makes wait only who wants something of the broker', async () => {
      const client = await world.connectWithChannels(5)
      expect(client.peer.isPaused).to.equal(false)
      client.closeChannel(5)
      await settle()
      expect(client.names(5).at(-1)).to.equal('channel.close-ok')
      client.close()
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('lets all of them go on after the drain', async () => {
      const clients = await comeAndPublish()
      world.upstream.peer.drain()
      await settle()
      expect(published()).to.have.members(['first', 'stuck', ...numbers])
      expect(clients.map(({ peer }) => peer.isPaused)).to.deep.equal(clients.map(() => false))
      for (const client of clients) client.close()
      await settle()
      expect(world.proxy.clients).to.equal(1)
    })

    it('lets all of them go on even if each fills the connection again', async () => {
      await comeAndPublish(700_000)
      world.upstream.peer.drain()
      await settle()
      expect(published()).to.have.members(['first', 'stuck', ...numbers])
    })

    it('keeps nothing of who dies while it waits', async () => {
      const clients = await comeAndPublish()
      const { bufferedBytes } = world.upstream.peer.stream
      for (const client of clients) client.peer.reset()
      await settle()
      expect(world.upstream.peer.stream.bufferedBytes).to.equal(bufferedBytes)
      world.upstream.peer.drain()
      await settle()
      expect(published()).to.deep.equal(['first', 'stuck'])
      expect(world.upstream.openChannels).to.deep.equal([1])
      expect(world.proxy.clients).to.equal(1)
    })

    it('loses nothing of who says goodbye while it waits', async () => {
      const clients = await comeAndPublish()
      for (const client of clients) client.close()
      await settle()
      expect(clients.map(({ ended }) => ended)).to.deep.equal(clients.map(() => 'open'))
      world.upstream.peer.drain()
      await settle()
      expect(published()).to.have.members(['first', 'stuck', ...numbers])
      for (const client of clients) expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(world.proxy.clients).to.equal(1)
    })

    it('tells all of them of the loss of the connection', async () => {
      const clients = await comeAndPublish()
      world.upstream.peer.reset()
      await settle()
      expect(clients.map(({ refusal }) => refusal?.code)).to.deep.equal(clients.map(() => 320))
      expect(world.proxy.clients).to.equal(0)
    })
  })

  describe('of a broker that does not read what is published', () => {
    let publisher: FakeClient
    let consumer: FakeClient
    let publishers: BrokerConnection
    let consumers: BrokerConnection

    beforeEach(async () => {
      world = await World.start({ settings: { pool: { ...World.defaults.pool, separateRoles: true } } })
      publisher = await world.connectWithChannels(1)
      publisher.publish(1, 'first')
      await settle()
      consumer = await world.connectWithChannels(2)
      consumer.method(1, 'basic.consume', { queue: 'q', consumerTag: 'c' })
      await settle()
      ;[publishers, consumers] = world.broker.open
      consumers.method(1, 'basic.consume-ok', { consumerTag: 'c' })
      publishers.peer.stall()
      publisher.publish(1, 'stuck')
      await settle()
    })

    it('does not stop a consumer, which acknowledges and consumes on another connection', async () => {
      expect(publisher.peer.isPaused).to.equal(true)
      for (let n = 1; n <= 3; n++) {
        consumers.deliver(1, { deliveryTag: n, body: `${n}` })
        await settle()
        consumer.method(1, 'basic.ack', { deliveryTag: n })
        await settle()
        expect(consumer.peer.isPaused).to.equal(false)
      }
      expect(consumers.names(1).slice(1)).to.deep.equal([
        'basic.consume',
        ...Array<string>(3).fill('basic.ack'),
      ])
      const late = await world.connectWithChannels(1)
      late.method(1, 'basic.consume', { queue: 'q' })
      await settle()
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'basic.consume'])
    })

    it('stops a consumer as soon as it publishes as well, and only until the drain', async () => {
      consumer.send(
        method(1, 'basic.ack', { deliveryTag: 1 }),
        publishFrames(2, { body: 'waits' }),
        method(1, 'basic.ack', { deliveryTag: 2 }),
      )
      await settle()
      expect(consumer.peer.isPaused).to.equal(true)
      expect(consumers.names(1).slice(1)).to.deep.equal(['basic.consume', 'basic.ack'])
      publishers.peer.drain()
      await settle()
      expect(consumer.peer.isPaused).to.equal(false)
      expect(consumers.names(1).slice(1)).to.deep.equal(['basic.consume', 'basic.ack', 'basic.ack'])
      expect(publishers.published()).to.deep.equal(['first', 'stuck', 'waits'])
    })

    it('keeps nothing of a client that dies while it waits for a connection that it never used', async () => {
      world = await World.start({ settings: { pool: { ...World.defaults.pool, separateRoles: true } } })
      consumer = await world.connectWithChannels(1)
      consumer.method(1, 'basic.consume', { queue: 'q' })
      await settle()
      const client = await world.connectWithChannels(1)
      publisher = await world.connectWithChannels(1)
      publisher.publish(1, 'first')
      await settle()
      world.upstream.peer.stall()
      publisher.publish(1, 'stuck')
      await settle()
      // What is kept for the one who waits shows nowhere else before the drain, which may be hours away.
      const [waits, forgets] = [
        spy(UpstreamConnection.prototype, 'whenDrained'),
        spy(UpstreamConnection.prototype, 'forgetWaiter'),
      ]
      try {
        client.publish(1, 'never')
        await settle()
        expect(waits.callCount).to.equal(1)
        client.peer.reset()
        await settle()
        expect(forgets.calledOn(waits.firstCall.thisValue)).to.equal(true)
      } finally {
        waits.restore()
        forgets.restore()
      }
    })
  })

  describe('of a client that does not read', () => {
    const MIB = 1024 * 1024
    const LIMIT = 2 * MIB

    beforeEach(async () => {
      const { client } = World.defaults
      world = await World.start({ settings: { client: { ...client, maxBufferBytes: LIMIT } } })
    })

    const deliver = async (channel: number, bytes: number): Promise<void> => {
      world.upstream.deliver(channel, { body: Buffer.alloc(bytes, 'x') })
      await settle()
    }

    it('costs it the connection past client.max_buffer_bytes, with 506 and the reason', async () => {
      const client = await connectBound()
      client.peer.stall(LIMIT - 1000)
      await deliver(1, 2000)
      expect(world.upstream.openChannels).to.deep.equal([])
      client.peer.drain()
      await settle()
      expect(client.refusal?.code).to.equal(506)
      expect(client.refusal?.text).to.match(/^RESOURCE_ERROR - .*client\.max_buffer_bytes/)
      expect(client.ended).to.equal('ended')
      expect(world.lines('client disconnected')[0].fields.reason).to.match(/^506 /)
    })

    it('costs it nothing up to client.max_buffer_bytes', async () => {
      const client = await connectBound()
      client.peer.stall(LIMIT - 3000)
      await deliver(1, 2000)
      client.peer.drain()
      await settle()
      expect(client.ended).to.equal('open')
      expect(client.delivered(1)).to.have.length(1)
    })

    it('cuts it off when it does not read its Close either', async () => {
      const client = await connectBound()
      client.peer.stall(LIMIT)
      await deliver(1, 2000)
      await world.advance(10_000)
      expect(client.ended).to.equal('destroyed')
      expect(world.proxy.clients).to.equal(0)
    })

    it('gives what it had not acknowledged back to the broker, by closing its channels', async () => {
      const client = await connectBound()
      client.peer.stall(LIMIT)
      await deliver(1, 2000)
      expect(world.upstream.names(1).at(-1)).to.equal('channel.close')
    })

    it('is not buffered for any longer once it is closed', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.peer.stall(LIMIT)
      await deliver(1, 2000)
      const { bufferedBytes } = client.peer.stream
      for (let count = 0; count < 10; count++) await deliver(1, 100_000)
      expect(client.peer.stream.bufferedBytes).to.equal(bufferedBytes)
    })

    it('neither stops the broker nor its neighbours', async () => {
      const [client, neighbour] = [await connectBound(), await connectBound()]
      client.peer.stall(LIMIT - 50_000)
      for (let count = 0; count < 10; count++) {
        await deliver(1, 10_000)
        await deliver(2, 1000)
        neighbour.publish(1, 'still here')
        await settle()
      }
      expect(world.upstream.peer.isPaused).to.equal(false)
      expect(neighbour.delivered(1)).to.have.length(10)
      expect(neighbour.ended).to.equal('open')
      expect(world.upstream.published(2)).to.have.length(11)
      expect(world.upstream.openChannels).to.deep.equal([2])
    })
  })
})
