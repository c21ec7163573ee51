import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { World } from '../../../support/fake-world.js'
import { method } from '../../../support/wire-format.js'

describe('Sharing', () => {
  let world: World
  /** What Warren dialled to see what the broker is. */
  let dialsBefore: number

  beforeEach(async () => {
    world = await World.start()
    dialsBefore = world.dialer.dials.length
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const dials = (): number => world.dialer.dials.length - dialsBefore

  describe('Upstream connections', () => {
    it('is one for 100 clients with the same credentials that come at once, dialled once', async () => {
      const clients = await Promise.all(Array.from({ length: 100 }, () => world.connectWithChannels(1)))
      for (const [at, client] of clients.entries()) client.publish(1, `from ${at}`)
      await settle()
      expect(dials()).to.equal(1)
      expect(world.broker.open).to.have.length(1)
      expect(world.upstream.openChannels).to.have.length(100)
      expect(world.upstream.published()).to.have.members(clients.map((_, at) => `from ${at}`))
    })

    it('is one for clients that come one after the other', async () => {
      for (let round = 0; round < 10; round++) {
        const client = await world.connectWithChannels(1)
        client.publish(1, `round ${round}`)
        client.close()
        await settle()
        expect(client.ended).to.equal('ended')
      }
      expect(dials()).to.equal(1)
      expect(world.upstream.published()).to.have.length(10)
    })

    it('is one for both ways to log in', async () => {
      await world.connect({ mechanism: 'PLAIN' })
      await world.connect({ mechanism: 'AMQPLAIN' })
      expect(world.broker.open).to.have.length(1)
    })

    for (const [what, other] of [
      ['another password', { password: 'other' }],
      ['another user', { user: 'other' }],
      ['another virtual host', { vhost: '/other' }],
      ['a password that begins with theirs', { password: 'guest2' }],
      ['an empty password', { password: '' }],
      // Joined without care, user and password would read the same.
      ['user and password cut elsewhere', { user: 'gues', password: 'tguest' }],
    ] as const) {
      it(`is not shared with ${what}, whether they come at once or later`, async () => {
        const first = { user: 'guest', password: 'guest', vhost: '/' }
        const second = { ...first, ...other }
        await Promise.all([world.connect(first), world.connect(second)])
        await Promise.all([world.connect(second), world.connect(first)])
        const seen = world.broker.open.map(({ user, password, virtualHost: vhost }) => ({
          user,
          password,
          vhost,
        }))
        expect(seen).to.have.deep.members([first, second])
      })
    }

    it('leaves the password check to the broker also when the user is known already', async () => {
      world.broker.refusesLogin = (_user, password) => (password === 'guest' ? false : 'close')
      await world.connect()
      const impostor = world.dial()
      await impostor.login({ password: 'guessed' }).catch(() => undefined)
      expect(impostor.refusal?.code).to.equal(403)
    })

    it('leaves the password check to the broker also when right and wrong ones come at once', async () => {
      world.broker.refusesLogin = (_user, password) => (password === 'guest' ? false : 'close')
      const [client, impostor] = [world.dial(), world.dial()]
      await Promise.all([client.login(), impostor.login({ password: 'guessed' }).catch(() => undefined)])
      expect(impostor.names()).to.deep.equal(['connection.start', 'connection.close'])
      expect(impostor.refusal?.code).to.equal(403)
      client.tuneOk()
      client.open()
      await settle()
      client.next('connection.open-ok')
    })

    it('tells all who wait for the same login that the broker refuses it', async () => {
      world.broker.refusesLogin = () => 'close'
      const clients = Array.from({ length: 10 }, () => world.dial())
      await Promise.all(clients.map((client) => client.login().catch(() => undefined)))
      expect(clients.map(({ refusal }) => refusal?.code)).to.deep.equal(clients.map(() => 403))
      expect(dials()).to.equal(1)
    })

    it('names Warren, its host and the pool to the broker', async () => {
      await world.connect({ user: 'shop' })
      expect(world.upstream.clientProperties).to.deep.include({
        product: 'Warren',
        version: '0.0.0',
        host: 'burrow',
      })
      expect(world.upstream.clientProperties.pool).to.be.a('string')
      expect(world.upstream.clientProperties.connection_name).to.match(/Warren.*shop.*burrow/)
      const pool = world.lines('upstream connection opened')[0].fields.pool
      expect(world.upstream.clientProperties.pool).to.equal(pool)
    })

    it('announces what clients may need upstream', async () => {
      await world.connect()
      expect(world.upstream.clientProperties.capabilities).to.include({
        publisher_confirms: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        'connection.blocked': true,
        authentication_failure_close: true,
      })
    })

    it("accepts the broker's tuning as it is", async () => {
      await world.connect()
      expect(world.upstream.tuneOk).to.deep.equal(world.broker.tune)
    })
  })

  describe('Channels', () => {
    it('of two clients with the same number have different ones upstream', async () => {
      const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
      clients.forEach((client, at) => client.publish(1, `from ${at}`))
      await settle()
      expect(world.upstream.openChannels).to.deep.equal([1, 2])
      expect(world.upstream.published(1)).to.deep.equal(['from 0'])
      expect(world.upstream.published(2)).to.deep.equal(['from 1'])
    })

    it('give each client its own frames only, under its own numbers', async () => {
      const [anna, bert] = [await world.connectWithChannels(2), await world.connectWithChannels(2)]
      const { upstream } = world
      // In an order that makes all numbers differ: bert 2 -> 1, anna 2 -> 2, bert 1 -> 3, anna 1 -> 4.
      for (const [client, channel] of [
        [bert, 2],
        [anna, 2],
        [bert, 1],
        [anna, 1],
      ] as const) {
        client.method(channel, 'basic.consume', { queue: 'q' })
        await settle()
      }
      upstream.send(
        method(4, 'basic.consume-ok', { consumerTag: 'a1' }),
        method(1, 'basic.consume-ok', { consumerTag: 'b2' }),
        method(3, 'basic.consume-ok', { consumerTag: 'b1' }),
        method(2, 'basic.consume-ok', { consumerTag: 'a2' }),
      )
      for (const [channel, body] of [
        [1, 'for bert 2'],
        [2, 'for anna 2'],
        [3, 'for bert 1'],
        [4, 'for anna 1'],
      ] as const)
        upstream.deliver(channel, { body })
      await settle()
      expect(anna.delivered(1)).to.deep.equal(['for anna 1'])
      expect(anna.delivered(2)).to.deep.equal(['for anna 2'])
      expect(bert.delivered(1)).to.deep.equal(['for bert 1'])
      expect(bert.delivered(2)).to.deep.equal(['for bert 2'])
      for (const client of [anna, bert])
        expect(client.received().filter(({ name }) => name === 'basic.consume-ok')).to.have.length(2)
    })

    it('give each client its own frames when they lie in one piece, cut anywhere', async () => {
      const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
      for (const client of clients) {
        client.method(1, 'basic.consume', { queue: 'q' })
        await settle()
      }
      const { upstream } = world
      const piece = Buffer.concat(
        [1, 2, 1, 1, 2].map((channel) =>
          method(channel, 'basic.cancel-ok', { consumerTag: `to ${channel}` }),
        ),
      )
      for (let cut = 1; cut < piece.length; cut++) {
        upstream.send(piece.subarray(0, cut))
        upstream.send(piece.subarray(cut))
      }
      await settle()
      const tags = clients.map((client) =>
        client
          .received(1)
          .flatMap(({ name, args }) =>
            name === 'basic.cancel-ok' ? [(args as { consumerTag: string }).consumerTag] : [],
          ),
      )
      expect(tags[0]).to.deep.equal(Array(3 * (piece.length - 1)).fill('to 1'))
      expect(tags[1]).to.deep.equal(Array(2 * (piece.length - 1)).fill('to 2'))
    })

    it('keep the order of what a client sends on several of them in one piece', async () => {
      const client = await world.connectWithChannels(2)
      client.send(
        method(1, 'queue.declare', { queue: 'a' }),
        method(2, 'queue.declare', { queue: 'b' }),
        method(1, 'queue.declare', { queue: 'c' }),
        method(1, 'queue.declare', { queue: 'd' }),
        method(2, 'queue.declare', { queue: 'e' }),
      )
      await settle()
      const queues = world.upstream.log.methods.flatMap(({ name, args }) =>
        name === 'queue.declare' ? [(args as { queue: string }).queue] : [],
      )
      expect(queues).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'queue.declare',
        'queue.declare',
        'queue.declare',
      ])
    })

    it('are opened upstream only when they are needed', async () => {
      const client = await world.connectWithChannels(3)
      expect(world.upstream.openChannels).to.deep.equal([])
      client.closeChannel(3)
      client.publish(2, 'the only one')
      await settle()
      expect(client.names(3)).to.deep.equal(['channel.open-ok', 'channel.close-ok'])
      expect(world.upstream.openChannels).to.deep.equal([1])
    })

    it('use the lowest number that is free', async () => {
      const clients = await Promise.all([1, 2, 3, 4].map(() => world.connectWithChannels(1)))
      for (const client of clients) {
        client.method(1, 'basic.recover', { requeue: true })
        client.publish(1, 'x')
        await settle()
      }
      clients[2].close()
      clients[1].close()
      await settle()
      expect(world.upstream.openChannels).to.deep.equal([1, 4])
      const next = await world.connectWithChannels(3)
      for (const channel of [1, 2, 3]) next.publish(channel, `next ${channel}`)
      await settle()
      expect(world.upstream.published(2).at(-1)).to.equal('next 1')
      expect(world.upstream.published(3).at(-1)).to.equal('next 2')
      expect(world.upstream.published(5)).to.deep.equal(['next 3'])
    })
  })

  describe('Capabilities', () => {
    it('decide who is told that the broker has cancelled a consumer', async () => {
      const told = await world.connectWithChannels(1, { capabilities: { consumer_cancel_notify: true } })
      const untold = await world.connectWithChannels(1, { capabilities: {} })
      for (const client of [told, untold]) {
        client.method(1, 'basic.consume', { queue: 'q', consumerTag: 'c' })
        await settle()
      }
      world.upstream.method(1, 'basic.cancel', { consumerTag: 'c', nowait: true })
      world.upstream.method(2, 'basic.cancel', { consumerTag: 'c', nowait: true })
      await settle()
      expect(told.names(1)).to.include('basic.cancel')
      expect(untold.names(1)).not.to.include('basic.cancel')
    })
  })
})
