import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { deliveryFrames } from '../../../support/fake-broker.js'
import { World } from '../../../support/fake-world.js'
import { method, PROTOCOL_HEADER } from '../../../support/wire-format.js'

const SHUTDOWN = {
  code: 320,
  text: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
}

describe('The loss of an upstream connection', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  describe('by Connection.Close of the broker', () => {
    it('reaches its only client, code and text and culprit unchanged, and then its connection ends', async () => {
      const client = await world.connectWithChannels(1)
      client.publish(1, 'x')
      await settle()
      world.upstream.close({ code: 541, text: 'INTERNAL_ERROR' }, 'queue.declare')
      await settle()
      expect(client.next('connection.close')).to.deep.equal({
        code: 541,
        text: 'INTERNAL_ERROR',
        classId: 50,
        methodId: 10,
      })
      expect(client.ended).to.equal('ended')
      expect(world.proxy.clients).to.equal(0)
    })

    it('reaches all its clients unchanged when it is about none of them', async () => {
      const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
      for (const client of clients) client.publish(1, 'x')
      await settle()
      world.upstream.close(SHUTDOWN)
      await settle()
      for (const client of clients) expect(client.refusal).to.deep.equal(SHUTDOWN)
    })

    it('reaches clients without a channel, too', async () => {
      const client = await world.connect()
      world.upstream.close(SHUTDOWN)
      await settle()
      expect(client.refusal).to.deep.equal(SHUTDOWN)
    })

    it('is answered to the broker', async () => {
      await world.connectWithChannels(1)
      const { upstream } = world
      upstream.close(SHUTDOWN)
      await settle()
      expect(upstream.names(0).at(-1)).to.equal('connection.close-ok')
      expect(upstream.peer.sees).to.equal('ended')
    })

    it('ends the socket also when the broker keeps its side open', async () => {
      world.broker.keepsSockets = true
      await world.connect()
      const { upstream } = world
      upstream.close(SHUTDOWN)
      await world.advance(10_000)
      expect(upstream.peer.isGone).to.equal(true)
    })

    it('comes after what the broker sent before, in the same piece', async () => {
      const client = await world.connectWithChannels(1)
      client.method(1, 'basic.consume', { queue: 'q' })
      await settle()
      world.upstream.send(
        deliveryFrames(1, { body: 'last words' }),
        method(0, 'connection.close', { code: 320, text: SHUTDOWN.text }),
        deliveryFrames(1, { body: 'too late' }),
      )
      await settle()
      expect(client.delivered(1)).to.deep.equal(['last words'])
      expect(client.names().slice(-2)).to.deep.equal(['basic.deliver', 'connection.close'])
    })

    it('leaves the clients of other pools alone', async () => {
      await world.connectWithChannels(1)
      const lost = world.upstream
      const other = await world.connectWithChannels(1, { user: 'other' })
      lost.close(SHUTDOWN)
      await settle()
      other.publish(1, 'still here')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['still here'])
      expect(other.ended).to.equal('open')
    })

    it('is told even if its text is as long as texts can be', async () => {
      const client = await world.connect()
      const text = 'ü'.repeat(127)
      world.upstream.close({ code: 320, text })
      await settle()
      expect(client.refusal).to.deep.equal({ code: 320, text })
    })

    it('right behind Open-Ok is told to the client that is just coming in', async () => {
      world.broker.afterOpenOk = method(0, 'connection.close', { code: 320, text: SHUTDOWN.text })
      const client = world.dial()
      await client.login()
      client.tuneOk()
      client.open()
      await settle()
      expect(client.refusal).to.deep.equal(SHUTDOWN)
      world.broker.afterOpenOk = Buffer.alloc(0)
      await world.advance(1000)
      await world.connect()
    })
  })

  describe('by the end of its socket', () => {
    for (const how of ['reset', 'end'] as const) {
      it(`(${how}) is told to its clients with 320 and a reason, and then their connections end`, async () => {
        const clients = [await world.connectWithChannels(1), await world.connect()]
        clients[0].publish(1, 'x')
        await settle()
        world.upstream.peer[how]()
        await settle()
        for (const client of clients) {
          expect(client.refusal?.code).to.equal(320)
          expect(client.refusal?.text).to.match(how === 'reset' ? /ECONNRESET/ : /closed by the broker/)
          expect(client.ended).to.equal('ended')
        }
        expect(world.proxy.clients).to.equal(0)
        expect(world.lines('upstream connection lost')[0].fields).to.include({ clients: 2, code: 320 })
      })
    }

    it('is treated like bytes that are not AMQP', async () => {
      const client = await world.connectWithChannels(1)
      const broken = method(1, 'channel.flow', { active: true })
      broken[broken.length - 1] = 0
      const { upstream } = world
      upstream.send(broken)
      await settle()
      expect(client.refusal?.code).to.equal(320)
      expect(upstream.peer.sees).not.to.equal('open')
    })

    it('ends also a client that never answers Close', async () => {
      const client = await world.connectWithChannels(1)
      client.stubborn = true
      world.upstream.peer.reset()
      await settle()
      expect(client.ended).to.equal('open')
      await world.advance(10_000)
      expect(client.ended).to.equal('destroyed')
      expect(world.proxy.clients).to.equal(0)
    })

    it('is followed by nothing of what its clients still send', async () => {
      const client = await world.connectWithChannels(2)
      client.stubborn = true
      client.publish(1, 'before')
      await settle()
      const lost = world.upstream
      lost.peer.reset()
      await settle()
      client.publish(1, 'after')
      client.method(2, 'queue.declare', { queue: 'q' })
      client.method(3, 'channel.open')
      await world.advance(2000)
      expect(world.broker.opened.flatMap((upstream) => upstream.published())).to.deep.equal(['before'])
      expect(client.names().at(-1)).to.equal('connection.close')
    })

    it('makes Warren ask the broker about the next client anew', async () => {
      await world.connect()
      world.broker.refusesLogin = () => 'close'
      world.upstream.peer.reset()
      await settle()
      const client = world.dial()
      await client.login().catch(() => undefined)
      expect(client.refusal?.code).to.equal(403)
    })
  })

  describe('Reconnecting', () => {
    /** When Warren dialled after the loss, in milliseconds since then. */
    let lostAt: number
    const attempts = (): number[] =>
      world.dialer.dials.filter(({ at }) => at > lostAt).map(({ at }) => at - lostAt)

    const lose = async (): Promise<void> => {
      world.upstream.peer.reset()
      lostAt = world.clock.now()
      await settle()
    }

    it('is tried after 500 ms, then after twice as long each time, up to 30 s', async () => {
      await world.connect()
      world.brokerDown()
      await lose()
      await world.advance(125_000)
      const waits = attempts().map((at, index, all) => at - (all[index - 1] ?? 0))
      expect(waits).to.deep.equal([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    })

    for (const [random, first, eighth] of [
      [0, 400, 24_000],
      [0.999, 599.8, 30_000],
    ]) {
      it(`is jittered by at most a fifth, and never over 30 s (random number ${random})`, async () => {
        world = await World.start({ random: () => random })
        await world.connect()
        world.brokerDown()
        await lose()
        await world.advance(200_000)
        const waits = attempts().map((at, index, all) => at - (all[index - 1] ?? 0))
        expect(waits[0]).to.be.closeTo(first, 1)
        expect(waits[7]).to.be.closeTo(eighth, 1)
      })
    }

    it('succeeds as soon as the broker is there again, and is logged', async () => {
      await world.connect()
      world.brokerDown()
      await lose()
      await world.advance(1000)
      world.brokerUp()
      await world.advance(500)
      expect(world.broker.open).to.have.length(1)
      expect(world.lines('reconnecting failed').map(({ fields }) => fields.attempt)).to.deep.equal([1])
      expect(world.lines('pool reconnected')).to.have.length(1)
    })

    it('begins at 500 ms again after it has succeeded', async () => {
      await world.connect()
      world.brokerDown()
      await lose()
      await world.advance(10_000)
      world.brokerUp()
      await world.advance(10_000)
      expect(world.broker.open).to.have.length(1)
      await world.connect()
      await lose()
      await world.advance(501)
      expect(attempts()).to.deep.equal([500])
    })

    it('waits for a broker that does not answer, and goes on', async () => {
      await world.connect()
      world.broker.silentBefore = 'open-ok'
      await lose()
      await world.advance(10_600)
      world.broker.silentBefore = undefined
      await world.advance(5000)
      expect(world.broker.open).to.have.length(1)
    })

    it('stops when the broker refuses the login, until the next client comes', async () => {
      await world.connect()
      world.broker.refusesLogin = () => 'close'
      await lose()
      await world.advance(60_000)
      expect(attempts()).to.deep.equal([500])
      world.broker.refusesLogin = () => false
      await world.connect()
      expect(world.broker.open).to.have.length(1)
    })

    it('stops when the broker refuses the virtual host', async () => {
      await world.connect()
      world.broker.refusesVirtualHost = () => ({ code: 530, text: 'NOT_ALLOWED - vhost / not found' })
      await lose()
      await world.advance(60_000)
      expect(attempts()).to.deep.equal([500])
    })

    it('is done for each pool by itself', async () => {
      await world.connect()
      const lost = world.upstream
      await world.connect({ user: 'other' })
      lost.peer.reset()
      lostAt = world.clock.now()
      await world.advance(1000)
      expect(world.broker.open.map(({ user }) => user)).to.have.members(['guest', 'other'])
      expect(attempts()).to.have.length(1)
    })

    it('is not done when another connection of the pool is left', async () => {
      world = await World.start({ broker: ({ tune }) => (tune.channelMax = 1) })
      const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
      for (const client of clients) {
        client.publish(1, 'x')
        await settle()
      }
      await lose()
      await world.advance(5000)
      expect(attempts()).to.deep.equal([])
    })

    it('is done also when a further connection was just being opened, and that fails', async () => {
      world = await World.start({ broker: ({ tune }) => (tune.channelMax = 1) })
      const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
      clients[0].publish(1, 'x')
      await settle()
      const { upstream } = world
      world.broker.silentBefore = 'open-ok'
      clients[1].publish(1, 'y')
      await settle()
      world.brokerDown()
      upstream.peer.reset()
      lostAt = world.clock.now()
      await settle()
      world.broker.connections.at(-1)!.peer.reset()
      world.broker.silentBefore = undefined
      await settle()
      world.brokerUp()
      await world.advance(2000)
      expect(attempts()).to.have.length(1)
      expect(world.broker.open).to.have.length(1)
    })

    it('ends, when nobody has come for it, with the sweep of unused connections', async () => {
      await world.connect()
      await lose()
      await world.advance(90_000)
      expect(world.broker.open).to.have.length(0)
      expect(attempts()).to.deep.equal([500])
    })
  })

  describe('New clients during the outage', () => {
    beforeEach(async () => {
      await world.connect()
      world.brokerDown()
      world.upstream.peer.reset()
      await settle()
    })

    const refusalOf = async (client: FakeClient): Promise<FakeClient['refusal']> => {
      client.send(PROTOCOL_HEADER)
      client.startOk()
      await settle()
      return client.refusal
    }

    it('are told 503 and the reason, at once', async () => {
      for (let count = 0; count < 3; count++) {
        const client = world.dial()
        const refusal = await refusalOf(client)
        expect(refusal?.code).to.equal(503)
        expect(refusal?.text).to.contain('connect ECONNREFUSED rabbit:5672')
        expect(client.ended).to.equal('ended')
      }
    })

    it('do not keep the pool from reconnecting in its own time', async () => {
      const { length } = world.dialer.dials
      for (let count = 0; count < 4; count++) {
        await refusalOf(world.dial())
        await world.advance(50)
      }
      world.brokerUp()
      await world.advance(300)
      // The first client's, and the pool's.
      expect(world.dialer.dials.length - length).to.equal(2)
      expect(world.broker.open).to.have.length(1)
    })

    it('work again afterwards', async () => {
      await refusalOf(world.dial())
      world.brokerUp()
      await world.advance(500)
      const client = await world.connectWithChannels(1)
      client.publish(1, 'back again')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['back again'])
    })

    it('need not wait for the next attempt when the broker is back, and then make it needless', async () => {
      await world.advance(20_000)
      world.brokerUp()
      const { length } = world.dialer.dials
      const client = await world.connectWithChannels(1)
      client.publish(1, 'back again')
      await world.advance(25_000)
      expect(world.dialer.dials.length - length).to.equal(1)
      expect(world.broker.open).to.have.length(1)
    })

    it('share the attempt that is under way', async () => {
      world.brokerUp()
      world.broker.silentBefore = 'open-ok'
      await world.advance(500)
      const client = world.dial()
      await client.login()
      client.tuneOk()
      client.open()
      await settle()
      world.broker.silentBefore = undefined
      for (const connection of world.broker.connections) connection.finishOpen()
      await settle()
      client.next('connection.open-ok')
      expect(world.broker.open).to.have.length(1)
    })
  })

  it('while a client is coming in is told to it, and never leaves it hanging', async () => {
    await world.connect()
    const client = world.dial()
    await client.login()
    world.brokerDown()
    world.upstream.peer.reset()
    await settle()
    client.tuneOk()
    client.open()
    await settle()
    expect(client.refusal?.code).to.equal(503)
    expect(client.ended).to.equal('ended')
  })
})
