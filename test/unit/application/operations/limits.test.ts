import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Limits } from '../../../../src/application/operations/limits.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'

describe('Limits', () => {
  let world: World

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  describe('on clients', () => {
    const start = async (maxClientConnections: number): Promise<void> => {
      world = await World.start({ settings: { pool: { maxClientConnections } } })
    }
    const isIn = async (client: FakeClient): Promise<boolean> => {
      await settle()
      return client.ended === 'open'
    }

    it('close who comes over the limit at once, and say so once until there is room again', async () => {
      await start(2)
      const first = await world.connect()
      world.dial()
      expect(await isIn(world.dial())).to.equal(false)
      expect(await isIn(world.dial())).to.equal(false)
      expect(world.lines('connection limit reached: further clients are closed at once')).to.have.length(1)
      first.close()
      await settle()
      expect(await isIn(world.dial())).to.equal(true)
      expect(await isIn(world.dial())).to.equal(false)
      expect(world.lines('connection limit reached: further clients are closed at once')).to.have.length(2)
    })

    const ways: Record<string, (client: FakeClient) => void | Promise<void>> = {
      'says goodbye': (client) => client.close(),
      vanishes: (client) => client.peer.reset(),
      'closes its socket': (client) => client.peer.end(),
      'breaks the rules': (client) => client.method(0, 'connection.open-ok'),
    }
    for (const [what, leave] of Object.entries(ways))
      it(`count nobody who ${what}`, async () => {
        await start(1)
        const client = await world.connect()
        expect(await isIn(world.dial())).to.equal(false)
        await leave(client)
        await settle()
        expect(await isIn(world.dial())).to.equal(true)
      })

    it('count nobody who never finished the handshake, was refused, or spoke something else', async () => {
      await start(1)
      world.broker.refusesLogin = () => 'close'
      const refused = world.dial()
      refused.send(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
      await settle()
      refused.startOk()
      await settle()
      expect(refused.refusal).to.include({ code: 403 })
      const http = world.dial()
      http.peer.send(Buffer.from('GET / HTTP/1.1\r\n'))
      await settle()
      const silent = world.dial()
      expect(await isIn(silent)).to.equal(true)
      await world.advance(10_000)
      expect(await isIn(world.dial())).to.equal(true)
    })

    it('count nobody whom another limit turned away', async () => {
      world = await World.start({
        settings: { pool: { maxClientConnections: 2 }, client: { maxPerAddress: 1 } },
      })
      const first = await world.connect()
      for (let n = 0; n < 5; n++) world.dial()
      await settle()
      expect(world.container.get<Limits>(identifiers.Limits).clients.active).to.equal(1)
      first.close()
      await settle()
      await world.connect()
    })
  })

  it('move by 100 with each signal, and remember that it was one', async () => {
    world = await World.start({ settings: { pool: { maxClientConnections: 150 } } })
    const limits = world.container.get<Limits>(identifiers.Limits)
    limits.onSignal('up')
    limits.onSignal('down')
    limits.onSignal('down')
    limits.onSignal('down')
    expect(limits.clients.history.map(({ old, new: to, who }) => [old, to, who])).to.deep.equal([
      [150, 250, 'signal'],
      [250, 150, 'signal'],
      [150, 50, 'signal'],
    ])
    expect(world.lines('connection limit not changed')).to.have.length(1)
  })

  describe('on upstream connections', () => {
    const start = async (maxUpstreamConnections: number): Promise<void> => {
      world = await World.start({ settings: { pool: { maxUpstreamConnections } } })
    }
    const expectRefused = async (user: string): Promise<void> => {
      const dials = world.dialer.dials.length
      const client = world.dial()
      client.send(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
      await settle()
      client.startOk({ user })
      await settle()
      expect(client.refusal).to.deep.equal({ code: 503, text: 'upstream connection limit reached' })
      expect(world.dialer.dials).to.have.length(dials)
    }

    it('refuse a client that needs another one with 503, and dial nothing', async () => {
      await start(1)
      await world.connect()
      await expectRefused('other')
      await world.connect()
    })

    it('are of no concern at 0', async () => {
      await start(0)
      for (let n = 0; n < 20; n++) await world.connect({ user: `user${n}` })
      expect(world.broker.open).to.have.length(20)
    })

    it('give a place back when its connection is closed for want of use', async () => {
      await start(1)
      const client = await world.connect()
      client.close()
      await world.advance(60_000)
      await world.connect({ user: 'other' })
    })

    it('count a connection that is being reconnected', async () => {
      await start(1)
      await world.connect()
      world.brokerDown()
      world.upstream.peer.reset()
      await settle()
      await expectRefused('other')
      await world.advance(5000)
      await expectRefused('other')
      world.brokerUp()
      await world.advance(30_000)
      await world.connect()
      await expectRefused('other')
    })

    it('give a place back when the broker refuses the login, or cannot be reached', async () => {
      await start(1)
      world.broker.refusesLogin = (user) => (user === 'bad' ? 'close' : false)
      const bad = world.dial()
      bad.send(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
      await settle()
      bad.startOk({ user: 'bad' })
      await settle()
      expect(bad.refusal).to.include({ code: 403 })
      world.brokerDown()
      const early = world.dial()
      early.send(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
      await settle()
      early.startOk()
      await settle()
      expect(early.refusal?.text).to.match(/^upstream unreachable/)
      world.brokerUp()
      await world.advance(5000)
      await world.connect()
    })

    it('let publishers and consumers share what there is', async () => {
      world = await World.start({ settings: { pool: { maxUpstreamConnections: 1, separateRoles: true } } })
      const client = await world.connectWithChannels(2)
      client.publish(1, 'hello')
      client.method(2, 'basic.consume', { queue: 'q' })
      await settle()
      expect(client.ended).to.equal('open')
      expect(world.broker.open).to.have.length(1)
    })
  })
})
