import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import { World } from '../../../support/fake-world.js'

describe('An unused upstream connection', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** How the broker was told goodbye. */
  const goodbye = (upstream: BrokerConnection): object | undefined =>
    upstream.received(0).find(({ name }) => name === 'connection.close')?.args as object | undefined

  it('is closed by the sweep, every 30 s, with Connection.Close', async () => {
    const client = await world.connectWithChannels(1)
    client.publish(1, 'x')
    client.close()
    await settle()
    const { upstream } = world
    await world.advance(29_900)
    expect(upstream.isOpen).to.equal(true)
    await world.advance(200)
    expect(goodbye(upstream)).to.include({ code: 200 })
    expect(upstream.peer.sees).to.equal('ended')
    expect(world.lines('idle upstream connection closed')[0].fields).to.include({ user: 'guest', vhost: '/' })
  })

  it('is left alone while it was used in the last 5 s', async () => {
    const client = await world.connect()
    await world.advance(26_000)
    client.close()
    await world.advance(5000)
    expect(world.upstream.isOpen).to.equal(true)
    await world.advance(30_000)
    expect(world.upstream.isOpen).to.equal(false)
  })

  it('is closed when the settings say', async () => {
    world = await World.start({
      settings: { pool: { ...World.defaults.pool, idleTimeout: 1, cleanupInterval: 2 } },
    })
    const client = await world.connect()
    client.close()
    await world.advance(2100)
    expect(world.upstream.isOpen).to.equal(false)
  })

  it('is closed too when the last exclusive queue on it is found gone after its channels', async () => {
    world = await World.start({ settings: { pool: { ...World.defaults.pool, separateRoles: true } } })
    const owner = await world.connectWithChannels(2)
    owner.publish(1, 'x')
    await settle()
    owner.method(2, 'queue.declare', { queue: 'q', exclusive: true, autoDelete: true })
    await settle()
    const consumers = world.upstream
    consumers.method(1, 'queue.declare-ok', { queue: 'q' })
    owner.method(2, 'channel.close')
    await settle()
    const neighbour = await world.connectWithChannels(1)
    neighbour.method(1, 'basic.consume', { queue: 'q' })
    await settle()
    neighbour.peer.reset()
    await settle()
    // Warren's own question is the last that is open there.
    expect(consumers.openChannels).to.deep.equal([2])
    consumers.closeChannel(2, { code: 404, text: 'NOT_FOUND' }, 'queue.declare')
    await world.advance(100_000)
    expect(consumers.isOpen).to.equal(false)
  })

  it('is not unused while a client is connected, even without channels', async () => {
    const client = await world.connect()
    await world.advance(100_000)
    await client.openChannels(1)
    client.publish(1, 'still here')
    await settle()
    expect(world.upstream.published()).to.deep.equal(['still here'])
  })

  it('is not unused while the broker has not answered the close of a channel', async () => {
    world.broker.holdsCloseOk = true
    const client = await world.connectWithChannels(1)
    client.publish(1, 'x')
    await settle()
    client.peer.reset()
    await world.advance(65_000)
    expect(world.upstream.isOpen).to.equal(true)
    world.upstream.answerCloses()
    await world.advance(65_000)
    expect(world.upstream.isOpen).to.equal(false)
  })

  it('is dialled anew for the next client', async () => {
    const client = await world.connect()
    client.close()
    await world.advance(60_000)
    const { length } = world.dialer.dials
    const next = await world.connectWithChannels(1)
    next.publish(1, 'next')
    await settle()
    expect(world.dialer.dials.length - length).to.equal(1)
    expect(world.upstream.published()).to.deep.equal(['next'])
  })

  it('is not missed: nobody reconnects', async () => {
    const client = await world.connect()
    client.close()
    await world.advance(60_000)
    const { length } = world.dialer.dials
    await world.advance(120_000)
    expect(world.dialer.dials).to.have.length(length)
    expect(world.lines('upstream connection lost')).to.deep.equal([])
  })

  it('is closed while others of its pool are in use', async () => {
    world = await World.start({ broker: ({ tune }) => (tune.channelMax = 1) })
    const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
    for (const client of clients) {
      client.publish(1, 'x')
      await settle()
    }
    const [first, second] = world.broker.open
    clients[1].close()
    await world.advance(65_000)
    expect([first.isOpen, second.isOpen]).to.deep.equal([true, false])
    expect(clients[0].ended).to.equal('open')
  })

  it('is cut off when the broker does not answer Connection.Close', async () => {
    world.broker.holdsConnectionCloseOk = true
    const client = await world.connect()
    client.close()
    await settle()
    const { upstream } = world
    await world.advance(31_000)
    expect(goodbye(upstream)).to.include({ code: 200 })
    await world.advance(10_000)
    expect(upstream.peer.sees).to.equal('destroyed')
  })

  it('is cut off when the broker answers, but keeps its side open', async () => {
    world.broker.keepsSockets = true
    const client = await world.connect()
    client.close()
    await world.advance(45_000)
    expect(world.upstream.peer.isGone).to.equal(true)
  })

  it('was only to see what the broker is: it is closed at once', () => {
    expect(world.broker.connections.map(({ peer }) => peer.sees)).to.not.include('open')
  })
})
