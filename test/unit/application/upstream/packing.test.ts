import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { heartbeatFrame, method, publishFrames } from '../../../support/wire-format.js'

describe('Packing', () => {
  let world: World

  /** A broker that allows so many channels on each connection. */
  const startWith = async (channelMax: number): Promise<void> => {
    world = await World.start({ broker: ({ tune }) => (tune.channelMax = channelMax) })
  }

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** Clients on a broker with few channels don't limit themselves to those of one connection. */
  const connect = async (channels: number): Promise<FakeClient> => {
    const client = await world.connect()
    await client.openChannels(...Array.from({ length: channels }, (_, at) => at + 1))
    return client
  }

  /** Publishes on channels 1 to `channels` in one piece. */
  const publishOnAll = (client: FakeClient, channels: number, text: string): void => {
    const numbers = Array.from({ length: channels }, (_, at) => at + 1)
    client.send(...numbers.map((channel) => publishFrames(channel, { body: `${text} ${channel}` })))
  }

  const published = (): string[] => world.broker.opened.flatMap((upstream) => upstream.published())

  it('fills one upstream connection before it opens the next', async () => {
    await startWith(2)
    for (let count = 1; count <= 5; count++) {
      const client = await connect(1)
      client.publish(1, `client ${count}`)
      await settle()
    }
    expect(world.broker.open.map((upstream) => upstream.published())).to.deep.equal([
      ['client 1', 'client 2'],
      ['client 3', 'client 4'],
      ['client 5'],
    ])
  })

  it('counts to pool.max_channels where the broker allows more', async () => {
    const { pool } = World.defaults
    world = await World.start({ settings: { pool: { ...pool, maxChannels: 1 } } })
    for (let count = 1; count <= 3; count++) {
      const client = await connect(1)
      client.publish(1, `client ${count}`)
      await settle()
    }
    expect(world.broker.open).to.have.length(3)
  })

  it('fills the gaps before it opens another connection', async () => {
    await startWith(2)
    const clients = [await connect(1), await connect(1), await connect(1)]
    for (const client of clients) {
      client.publish(1, 'x')
      await settle()
    }
    clients[0].close()
    await settle()
    const next = await connect(2)
    publishOnAll(next, 2, 'next')
    await settle()
    expect(world.broker.open).to.have.length(2)
    expect(published()).to.include.members(['next 1', 'next 2'])
  })

  it("keeps a client's channels together while there is room", async () => {
    await startWith(4)
    const first = await connect(2)
    const second = await connect(4)
    publishOnAll(first, 2, 'first')
    await settle()
    second.publish(1, 'second 1')
    second.publish(2, 'second 2')
    second.publish(3, 'second 3')
    await settle()
    const third = await connect(3)
    publishOnAll(third, 3, 'third')
    await settle()
    const [one, two] = world.broker.open.map((upstream) => upstream.published())
    expect(one).to.deep.equal(['first 1', 'first 2', 'second 1', 'second 2'])
    expect(two).to.deep.equal(['second 3', 'third 1', 'third 2', 'third 3'])
  })

  describe('A client that waits for room', () => {
    it('is not closed, and its frames arrive in order once there is a further connection', async () => {
      await startWith(2)
      const first = await connect(2)
      publishOnAll(first, 2, 'first')
      await settle()
      world.broker.silentBefore = 'open-ok'
      const second = await connect(2)
      for (let count = 1; count <= 20; count++) second.publish((count % 2) + 1, `second ${count}`)
      second.method(1, 'queue.declare', { queue: 'last' })
      await world.advance(5000)
      expect(second.ended).to.equal('open')
      expect(published()).to.deep.equal(['first 1', 'first 2'])
      world.broker.silentBefore = undefined
      const waiting = world.broker.connections.at(-1)!
      waiting.finishOpen()
      await settle()
      const expected = Array.from({ length: 20 }, (_, at) => `second ${at + 1}`)
      expect(waiting.published()).to.deep.equal(expected)
      expect(waiting.log.methods.at(-1)!.name).to.equal('queue.declare')
      expect(second.ended).to.equal('open')
    })

    it('is not read from meanwhile', async () => {
      await startWith(1)
      const first = await connect(1)
      first.publish(1, 'x')
      await settle()
      world.broker.silentBefore = 'open-ok'
      const second = await connect(1)
      for (let count = 0; count < 10; count++) second.publish(1, 'y'.repeat(1000))
      await settle()
      expect(second.peer.isPaused).to.equal(true)
      expect(second.peer.unreadBytes).to.be.greaterThan(8000)
      expect(first.peer.isPaused).to.equal(false)
    })

    it('is not taken for dead because its heartbeats are not read', async () => {
      await startWith(1)
      const { upstream } = world.settings
      world = await World.start({
        broker: ({ tune }) => (tune.channelMax = 1),
        settings: { upstream: { ...upstream, connectTimeout: 60 } },
      })
      const first = await connect(1)
      first.publish(1, 'x')
      await settle()
      world.broker.silentBefore = 'open-ok'
      const second = await world.connectWithChannels(1, { heartbeat: 2 })
      second.publish(1, 'y')
      for (let second_ = 0; second_ < 20; second_++) {
        second.send(heartbeatFrame())
        await world.advance(1000)
      }
      expect(second.ended).to.equal('open')
      world.broker.connections.at(-1)!.finishOpen()
      await settle()
      expect(published()).to.deep.equal(['x', 'y'])
    })

    it('goes on when a neighbour leaves first', async () => {
      await startWith(1)
      const first = await connect(1)
      first.publish(1, 'first')
      await settle()
      world.broker.silentBefore = 'open-ok'
      const second = await connect(1)
      second.publish(1, 'second')
      await settle()
      expect(published()).to.deep.equal(['first'])
      first.close()
      await settle()
      expect(published()).to.deep.equal(['first', 'second'])
    })

    it('waits for the Close-Ok of the neighbour that leaves', async () => {
      await startWith(1)
      const first = await connect(1)
      first.publish(1, 'first')
      await settle()
      world.broker.silentBefore = 'open-ok'
      world.broker.holdsCloseOk = true
      const second = await connect(1)
      second.publish(1, 'second')
      first.peer.reset()
      await settle()
      expect(published()).to.deep.equal(['first'])
      world.broker.open[0].answerCloses()
      await settle()
      expect(published()).to.deep.equal(['first', 'second'])
    })

    it('is one of many, and all get their turn', async () => {
      await startWith(1)
      const clients = await Promise.all(Array.from({ length: 8 }, () => connect(1)))
      clients.forEach((client, at) => client.publish(1, `client ${at}`))
      await settle()
      expect(published()).to.have.members(clients.map((_, at) => `client ${at}`))
      expect(world.broker.open).to.have.length(8)
    })

    it('may wait for several channels at once', async () => {
      world = await World.start({
        broker: ({ tune }) => (tune.channelMax = 0),
        settings: { pool: { ...World.defaults.pool, maxChannels: 1 } },
      })
      const client = await connect(6)
      publishOnAll(client, 6, 'message')
      await settle()
      expect(client.ended).to.equal('open')
      expect(published()).to.deep.equal([1, 2, 3, 4, 5, 6].map((channel) => `message ${channel}`))
    })

    it('gets its turn among others who want more than there is, and every channel keeps its order', async () => {
      world = await World.start({
        broker: ({ tune }) => (tune.channelMax = 0),
        settings: { pool: { ...World.defaults.pool, maxChannels: 4 } },
      })
      const clients = await Promise.all(Array.from({ length: 10 }, () => connect(3)))
      for (let round = 0; round < 3; round++)
        clients.forEach((client, at) => publishOnAll(client, 3, `${at} ${round}`))
      await settle()
      for (const upstream of world.broker.open)
        for (const channel of upstream.openChannels) {
          const rounds = upstream.published(channel).map((text) => text.split(' ')[1])
          expect(rounds).to.deep.equal(['0', '1', '2'])
          expect(new Set(upstream.published(channel).map((text) => text.replace(/ . /, ' ')))).to.have.length(
            1,
          )
        }
      expect(published()).to.have.length(90)
      expect(world.broker.open).to.have.length(8)
    })

    it('is told 503 and the reason when there is no further connection to be had', async () => {
      await startWith(1)
      const first = await connect(1)
      first.publish(1, 'x')
      await settle()
      world.brokerDown()
      const second = await connect(1)
      second.publish(1, 'y')
      await settle()
      expect(second.refusal?.code).to.equal(503)
      expect(second.refusal?.text).to.contain('connect ECONNREFUSED rabbit:5672')
      expect(second.ended).to.equal('ended')
      expect(first.ended).to.equal('open')
    })

    it('may have neighbours who are told so, too, and later ones who have better luck', async () => {
      await startWith(1)
      const first = await connect(1)
      first.publish(1, 'x')
      await settle()
      world.brokerDown()
      const waiting = await Promise.all([1, 2, 3].map(() => connect(1)))
      for (const client of waiting) client.publish(1, 'y')
      await settle()
      expect(waiting.map(({ refusal }) => refusal?.code)).to.deep.equal([503, 503, 503])
      world.brokerUp()
      await world.advance(1000)
      const later = await connect(1)
      later.publish(1, 'z')
      await settle()
      expect(published()).to.deep.equal(['x', 'z'])
    })

    it('may go away meanwhile, and leaves nothing behind', async () => {
      await startWith(1)
      const first = await connect(1)
      first.publish(1, 'x')
      await settle()
      world.broker.silentBefore = 'open-ok'
      const second = await connect(1)
      second.publish(1, 'y')
      await settle()
      second.peer.reset()
      await settle()
      expect(world.proxy.clients).to.equal(1)
      world.broker.connections.at(-1)!.finishOpen()
      await settle()
      expect(published()).to.deep.equal(['x'])
      await world.advance(60_000)
      expect(world.broker.open).to.have.length(1)
    })
  })

  it('closes only the clients of the connection that is lost', async () => {
    await startWith(1)
    const clients = [await connect(1), await connect(1)]
    for (const client of clients) {
      client.publish(1, 'x')
      await settle()
    }
    world.broker.open[1].peer.reset()
    await settle()
    expect(clients[0].ended).to.equal('open')
    clients[0].publish(1, 'still here')
    await settle()
    expect(world.broker.open[0].published()).to.deep.equal(['x', 'still here'])
  })

  it('gives a client back all its channels, wherever they are', async () => {
    world = await World.start({
      broker: ({ tune }) => (tune.channelMax = 0),
      settings: { pool: { ...World.defaults.pool, maxChannels: 2 } },
    })
    const client = await connect(5)
    for (const channel of [1, 2, 3, 4, 5]) client.method(channel, 'basic.recover', { requeue: true })
    publishOnAll(client, 5, 'message')
    await settle()
    expect(world.broker.open.map(({ openChannels }) => openChannels.length)).to.deep.equal([2, 2, 1])
    for (const upstream of world.broker.open)
      for (const channel of upstream.openChannels)
        upstream.send(method(channel, 'basic.cancel-ok', { consumerTag: upstream.published(channel)[0] }))
    await settle()
    for (let channel = 1; channel <= 5; channel++)
      expect(client.received(channel).at(-1)!.args).to.deep.equal({ consumerTag: `message ${channel}` })
    client.close()
    await settle()
    expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    expect(world.broker.open.map(({ openChannels }) => openChannels)).to.deep.equal([[], [], []])
  })
})
