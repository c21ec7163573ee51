import { expect } from 'chai'
import { settle } from '../../support/fake-byte-stream.js'
import type { FakeClient } from '../../support/fake-client.js'
import { World } from '../../support/fake-world.js'
import { heartbeatFrame, method } from '../../support/wire-format.js'

describe('Heartbeats', () => {
  let world: World

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** Lets `seconds` pass, and does something each second. */
  const live = async (seconds: number, eachSecond: () => void = () => undefined): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      eachSecond()
      await world.advance(1000)
    }
  }

  describe('upstream', () => {
    beforeEach(async () => {
      world = await World.start({ broker: ({ tune }) => (tune.heartbeat = 10) })
    })

    const beat = (): void => world.upstream.send(heartbeatFrame())

    it('are sent at half the interval while there is nothing else to send', async () => {
      await world.connect({ heartbeat: 0 })
      await live(60, beat)
      expect(world.upstream.log.heartbeats).to.be.within(11, 13)
    })

    it('are not sent while there is something else to send', async () => {
      const client = await world.connectWithChannels(1, { heartbeat: 0 })
      await live(60, () => {
        beat()
        client.publish(1, 'x')
      })
      expect(world.upstream.log.heartbeats).to.equal(0)
    })

    it('tell the loss of a broker that was silent for two intervals', async () => {
      const client = await world.connect({ heartbeat: 0 })
      const { upstream } = world
      await live(19)
      expect(client.ended).to.equal('open')
      await world.advance(1300)
      expect(client.refusal?.code).to.equal(320)
      expect(client.refusal?.text).to.contain('silent for 20 s')
      expect(upstream.peer.sees).to.equal('destroyed')
    })

    it('of the broker keep the connection', async () => {
      const client = await world.connect({ heartbeat: 0 })
      await live(100, beat)
      expect(client.ended).to.equal('open')
    })

    it('may be any other bytes', async () => {
      const client = await world.connectWithChannels(1, { heartbeat: 0 })
      client.publish(1, 'x')
      await settle()
      const piece = method(1, 'basic.cancel-ok', { consumerTag: 'c' })
      let at = 0
      await live(100, () => world.upstream.send(Buffer.of(piece[at++ % piece.length])))
      expect(client.ended).to.equal('open')
    })

    it('do not reach the clients', async () => {
      const client = await world.connect({ heartbeat: 0 })
      await live(30, beat)
      expect(client.log.heartbeats).to.equal(0)
    })

    it('are what upstream.heartbeat says, where it is set', async () => {
      const { upstream } = World.defaults
      world = await World.start({
        broker: ({ tune }) => (tune.heartbeat = 60),
        settings: { upstream: { ...upstream, heartbeat: 4 } },
      })
      await world.connect({ heartbeat: 0 })
      expect(world.upstream.tuneOk?.heartbeat).to.equal(4)
      await live(20, beat)
      expect(world.upstream.log.heartbeats).to.be.within(9, 10)
    })

    it('are off when the broker says 0', async () => {
      world = await World.start({ broker: ({ tune }) => (tune.heartbeat = 0) })
      const client = await world.connect()
      await live(300)
      expect(world.upstream.log.heartbeats).to.equal(0)
      expect(client.ended).to.equal('open')
    })

    it('end with the connection', async () => {
      const client = await world.connect({ heartbeat: 0 })
      client.close()
      await live(120, () => {
        if (world.broker.open.length > 0) beat()
      })
      const { heartbeats } = world.upstream.log
      await live(60)
      expect(world.broker.open).to.have.length(0)
      expect(world.upstream.log.heartbeats).to.equal(heartbeats)
    })
  })

  describe('of a client', () => {
    beforeEach(async () => {
      world = await World.start({ broker: ({ tune }) => (tune.heartbeat = 60) })
    })

    /** The broker lives for as long as these tests last. */
    const liveWith = (
      client: FakeClient,
      seconds: number,
      act: (client: FakeClient) => void,
    ): Promise<void> =>
      live(seconds, () => {
        world.upstream.send(heartbeatFrame())
        act(client)
      })

    const beat = (client: FakeClient): void => client.send(heartbeatFrame())

    it('are sent to it at half the interval that it chose', async () => {
      const client = await world.connect({ heartbeat: 4 })
      await liveWith(client, 20, beat)
      expect(client.log.heartbeats).to.be.within(9, 10)
    })

    it('are not sent to it while there is something else to send', async () => {
      const client = await world.connectWithChannels(1, { heartbeat: 4 })
      client.publish(1, 'x')
      await settle()
      await liveWith(client, 20, () => {
        beat(client)
        world.upstream.deliver(1, { body: 'x' })
      })
      expect(client.log.heartbeats).to.equal(0)
    })

    it('cost it the connection when it was silent for two intervals', async () => {
      const client = await world.connectWithChannels(1, { heartbeat: 4 })
      client.method(1, 'basic.qos', { prefetchCount: 1 })
      await liveWith(client, 7, () => undefined)
      expect(client.ended).to.equal('open')
      await world.advance(1500)
      expect(client.ended).to.equal('destroyed')
      expect(world.upstream.openChannels).to.deep.equal([])
      expect(world.lines('client disconnected')[0].fields.reason).to.equal('no heartbeat for two intervals')
      expect(world.broker.open).to.have.length(1)
    })

    it('keep its connection', async () => {
      const client = await world.connect({ heartbeat: 4 })
      await liveWith(client, 60, beat)
      expect(client.ended).to.equal('open')
    })

    it('may be any other bytes', async () => {
      const client = await world.connectWithChannels(1, { heartbeat: 4 })
      const piece = method(1, 'queue.declare', { queue: 'q' })
      let at = 0
      await liveWith(client, 60, () => client.send(Buffer.of(piece[at++ % piece.length])))
      expect(client.ended).to.equal('open')
    })

    it('do not reach the broker', async () => {
      const client = await world.connect({ heartbeat: 4 })
      await liveWith(client, 20, beat)
      expect(world.upstream.log.heartbeats).to.equal(0)
    })

    it('are off when it says 0', async () => {
      const client = await world.connect({ heartbeat: 0 })
      await liveWith(client, 300, () => undefined)
      expect(client.log.heartbeats).to.equal(0)
      expect(client.ended).to.equal('open')
    })

    it('begin with Tune-Ok', async () => {
      const client = world.dial()
      await client.login()
      client.tuneOk({ heartbeat: 1 })
      await world.advance(2500)
      expect(client.log.heartbeats).to.be.greaterThan(0)
      expect(client.ended).to.equal('destroyed')
    })

    it('are of each client for itself', async () => {
      const [quick, slow] = [await world.connect({ heartbeat: 2 }), await world.connect({ heartbeat: 20 })]
      await liveWith(quick, 30, beat)
      expect(quick.log.heartbeats).to.be.within(28, 30)
      expect(slow.log.heartbeats).to.be.within(2, 3)
    })
  })
})
