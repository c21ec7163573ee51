import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import type { PoolView } from '../../../../src/application/operations/views.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { headerFrame, method, publishFrames, type Args } from '../../../support/wire-format.js'

const TEXT_FULL = 'publish buffer full: the broker is away, and no more messages can be kept for it'

describe('The publish buffer', () => {
  let world: World

  const start = async (pool: Partial<World['settings']['pool']> = {}): Promise<void> => {
    world = await World.start({ settings: { pool: { publishBufferSize: 100, ...pool } } })
  }

  beforeEach(() => start())

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const brokerGoes = (): Promise<void> => world.brokerGoes()

  const brokerReturns = (): Promise<BrokerConnection> => world.brokerReturns()

  const publisher = async (text = 'before'): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.publish(1, text)
    await settle()
    return client
  }

  const confirmed = (client: FakeClient, channel = 1): number[] =>
    client
      .received(channel)
      .filter(({ name }) => name === 'basic.ack')
      .map(({ args }) => Number((args as Args<'basic.ack'>).deliveryTag))

  describe('during an outage', () => {
    it('keeps a client connected that only publishes, and publishes what it sends once the broker is back', async () => {
      const client = await publisher()
      await brokerGoes()
      for (const text of ['one', 'two', 'three']) client.publish(1, text)
      await settle()
      expect(client.refusal).to.equal(undefined)
      const upstream = await brokerReturns()
      expect(upstream.published()).to.deep.equal(['one', 'two', 'three'])
      client.publish(1, 'four')
      await settle()
      expect(upstream.published()).to.deep.equal(['one', 'two', 'three', 'four'])
    })

    it('lets a client’s request go to the broker that is back, although Warren was asking the other about its queue', async () => {
      const owner = await world.connectWithChannels(1)
      owner.method(1, 'queue.declare', { queue: 'q', exclusive: true })
      await settle()
      world.upstream.method(1, 'queue.declare-ok', { queue: 'q' })
      const client = await publisher()
      client.method(1, 'queue.purge', { queue: 'q' })
      await settle()
      expect(world.upstream.names(2)).not.to.include('queue.purge')
      await brokerGoes()
      expect([owner.refusal, client.refusal].map((refusal) => refusal?.code)).to.deep.equal([320, undefined])
      const upstream = await brokerReturns()
      expect(upstream.names(1)).to.include('queue.purge')
      client.publish(1, 'later')
      await settle()
      expect(upstream.published()).to.deep.equal(['later'])
    })

    it('shows that its pool is reconnecting, and what waits', async () => {
      const client = await publisher()
      const pool = (): PoolView => world.container.get<Overview>(identifiers.Overview).pools()[0]
      expect(pool()).to.include({ state: 'open', bufferedMessages: 0, bufferedBytes: 0 })
      await brokerGoes()
      client.publish(1, 'one')
      await settle()
      expect(pool()).to.include({ state: 'reconnecting', bufferedMessages: 1 })
      expect(pool().bufferedBytes).to.be.greaterThan(3)
      await brokerReturns()
      expect(pool()).to.include({ state: 'open', bufferedMessages: 0, bufferedBytes: 0 })
    })

    it('lets a client in that the broker has accepted before, to publish and to leave', async () => {
      ;(await publisher()).close()
      await brokerGoes()
      const client = await world.connectWithChannels(1)
      client.publish(1, 'in the dark')
      client.closeChannel(1)
      client.close()
      await settle()
      expect(client.names()).to.include.members(['channel.close-ok', 'connection.close-ok'])
      expect((await brokerReturns()).published()).to.deep.equal(['in the dark'])
    })

    it('ends within 5 s of the return of the broker while clients come', async () => {
      await publisher()
      await brokerGoes()
      // The pool has just tried, and will not by itself for another 29 s.
      await world.advance(62_000)
      world.brokerUp()
      const { length } = world.dialer.dials
      for (let count = 0; count < 10; count++) {
        const client = await world.connectWithChannels(1)
        client.publish(1, `${count}`)
        await world.advance(500)
      }
      expect(world.upstream.published()).to.deep.equal(Array.from({ length: 10 }, (_, at) => `${at}`))
      expect(world.dialer.dials.length - length).to.equal(1)
    })

    it('lets such a client in also when its pool was closed as idle long before', async () => {
      ;(await publisher()).close()
      await world.advance(120_000)
      expect(world.broker.open).to.have.length(0)
      world.brokerDown()
      const client = await world.connectWithChannels(1)
      client.publish(1, 'in the dark')
      await settle()
      expect((await brokerReturns()).published()).to.deep.equal(['in the dark'])
    })

    for (const [who, login] of [
      ['with another password', { password: 'guess' }],
      ['of another user', { user: 'other' }],
    ] as const) {
      it(`does not let a client in ${who}`, async () => {
        await publisher()
        await brokerGoes()
        const client = world.dial()
        client.send(Buffer.from('AMQP\0\0\x09\x01'))
        await settle()
        client.startOk(login)
        await world.advance(1000)
        expect(client.refusal?.code).to.equal(503)
      })
    }

    it('keeps the order of a channel over the outage, and each client’s own', async () => {
      const clients = [await publisher('a0'), await publisher('b0')]
      await brokerGoes()
      for (let count = 1; count <= 20; count++)
        for (const [at, client] of clients.entries()) client.publish(1, `${'ab'[at]}${count}`)
      await settle()
      const upstream = await brokerReturns()
      for (const [at, client] of clients.entries()) client.publish(1, `${'ab'[at]}21`)
      await settle()
      for (const name of 'ab')
        expect(upstream.published().filter((text) => text.startsWith(name))).to.deep.equal(
          Array.from({ length: 21 }, (_, count) => `${name}${count + 1}`),
        )
    })

    it('publishes a message whole that was half there when the broker went', async () => {
      const client = await publisher()
      const message = publishFrames(1, { body: 'x'.repeat(100), frameMax: 50 })
      client.send(message.subarray(0, 70))
      await settle()
      await brokerGoes()
      client.send(message.subarray(70))
      await settle()
      expect((await brokerReturns()).published()).to.deep.equal(['x'.repeat(100)])
    })

    it('refuses a mandatory message, since nobody could say in time that it has no queue', async () => {
      const client = await publisher()
      await brokerGoes()
      client.publish(1, { body: 'x', mandatory: true })
      await settle()
      expect(client.received(1).at(-1)?.args).to.include({
        code: 406,
        text: "PRECONDITION_FAILED - a mandatory message can't be kept while the broker is away",
      })
      expect(client.refusal).to.equal(undefined)
    })

    it('refuses to begin a transaction', async () => {
      const client = await publisher()
      await brokerGoes()
      client.method(1, 'tx.select')
      await settle()
      expect(client.received(1).at(-1)?.args).to.include({ code: 406, classId: 90, methodId: 10 })
    })

    it('closes clients that do more than publish, as without a buffer', async () => {
      const consumer = await world.connectWithChannels(1)
      consumer.method(1, 'basic.consume', { queue: 'q' })
      const transactor = await world.connectWithChannels(1)
      transactor.method(1, 'tx.select')
      const both = await world.connectWithChannels(2)
      both.publish(1, 'x')
      both.method(2, 'basic.consume', { queue: 'q' })
      await settle()
      await brokerGoes()
      for (const client of [consumer, transactor, both]) expect(client.refusal?.code).to.equal(320)
    })

    it('closes a client that waits for an answer, since nobody knows what became of its request', async () => {
      const client = await publisher()
      client.method(1, 'queue.declare', { queue: 'q' })
      await settle()
      await brokerGoes()
      expect(client.refusal?.code).to.equal(320)
    })

    it('lets what needs an answer wait for the broker', async () => {
      await publisher()
      await brokerGoes()
      const client = await world.connectWithChannels(1)
      client.send(method(1, 'queue.declare', { queue: 'q' }), publishFrames(1, { body: 'behind it' }))
      await settle()
      world.brokerUp()
      await world.advance(5000)
      expect(client.refusal).to.equal(undefined)
      expect(world.upstream.names(1)).to.include.members(['queue.declare', 'basic.publish'])
    })

    it('tells a client that has waited for the broker too long so', async () => {
      await publisher()
      await brokerGoes()
      const client = await world.connectWithChannels(1)
      client.method(1, 'queue.declare', { queue: 'q' })
      await world.advance(9_000)
      expect(client.refusal).to.equal(undefined)
      await world.advance(2_000)
      expect(client.refusal?.code).to.equal(503)
      expect(client.refusal?.text).to.contain('the broker did not come back within 10 s')
    })
  })

  describe('that is full', () => {
    beforeEach(() => start({ publishBufferSize: 3 }))

    it('closes who publishes more, refuses who comes, and keeps what it has', async () => {
      const client = await publisher()
      await brokerGoes()
      for (const text of ['one', 'two', 'three', 'four']) client.publish(1, text)
      await settle()
      expect(client.refusal).to.deep.equal({ code: 503, text: TEXT_FULL })
      const late = world.dial()
      await late.login()
      late.tuneOk()
      late.open()
      await settle()
      expect(late.refusal?.code).to.equal(503)
      expect(late.refusal?.text).to.contain('the publish buffer is full')
      expect(world.lines('publish buffer full')).to.have.length(1)
      expect((await brokerReturns()).published()).to.deep.equal(['one', 'two', 'three'])
    })

    it('takes as little account of where the broker refuses one of many', async () => {
      const client = await publisher()
      await brokerGoes()
      for (const text of ['one', 'two', 'three']) client.publish(1, text)
      await settle()
      await brokerReturns()
      expect(world.lines('publish buffer drained')[0].fields).to.include({ messages: 3 })
    })
  })

  describe('while it drains', () => {
    /** Three messages wait, and the broker is back but confirms nothing by itself. */
    const drain = async (): Promise<{ client: FakeClient; upstream: BrokerConnection }> => {
      const client = await publisher()
      await brokerGoes()
      for (const text of ['one', 'two', 'three']) client.publish(1, text)
      await settle()
      world.broker.confirms = false
      return { client, upstream: await brokerReturns() }
    }

    it('uses a channel of its own in confirm mode', async () => {
      const { upstream } = await drain()
      expect(upstream.names(1)).to.deep.equal([
        ...['channel.open', 'confirm.select', 'basic.publish', 'basic.publish', 'basic.publish'],
      ])
      upstream.confirm(1, 3, true)
      await settle()
      expect(upstream.names(1).at(-1)).to.equal('channel.close')
    })

    it('lets nothing overtake what waits', async () => {
      const { client, upstream } = await drain()
      client.publish(1, 'four')
      const late = await world.connectWithChannels(1)
      late.publish(1, 'five')
      await settle()
      expect(upstream.published()).to.deep.equal(['one', 'two', 'three'])
      upstream.confirm(1, 3, true)
      await settle()
      expect(upstream.published().slice(3)).to.have.members(['four', 'five'])
    })

    it('sends again, in order, what was not confirmed when the broker goes again', async () => {
      const { upstream } = await drain()
      upstream.confirm(1, 1)
      await settle()
      await brokerGoes()
      const second = await brokerReturns()
      expect(second.published()).to.deep.equal(['two', 'three'])
      second.confirm(1, 1)
      await settle()
      await brokerGoes()
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['three'])
    })

    it('sets aside the one message that the broker refuses, and publishes the others', async () => {
      const { upstream } = await drain()
      upstream.closeChannel(1, { code: 404, text: "NOT_FOUND - no exchange 'gone'" })
      await settle()
      // Now one by one: the first is fine, the second is the culprit.
      const drains = (): number => upstream.openChannels.at(-1)!
      expect(upstream.published().slice(3)).to.deep.equal(['one'])
      upstream.confirm(drains(), 1)
      await settle()
      expect(upstream.published().slice(4)).to.deep.equal(['two'])
      upstream.closeChannel(drains(), { code: 404, text: "NOT_FOUND - no exchange 'gone'" })
      await settle()
      expect(upstream.published().slice(5)).to.deep.equal(['three'])
      upstream.confirm(drains(), 1)
      await settle()
      const [line] = world.lines('message set aside: the broker refuses it')
      expect(line.fields).to.include({ exchange: '', size: 3, reason: "404 NOT_FOUND - no exchange 'gone'" })
      expect(world.lines('publish buffer drained')).to.have.length(1)
    })

    it('leaves out what has expired', async () => {
      const client = await publisher()
      await brokerGoes()
      client.publish(1, { body: 'short-lived', properties: { expiration: '1000' } })
      client.publish(1, { body: 'lasting', properties: { expiration: '100000' } })
      await settle()
      await world.advance(2000)
      expect((await brokerReturns()).published()).to.deep.equal(['lasting'])
      expect(world.lines('message expired in the publish buffer')).to.have.length(1)
    })
  })

  describe('with confirms', () => {
    const confirming = async (): Promise<FakeClient> => {
      const client = await world.connectWithChannels(1)
      client.method(1, 'confirm.select')
      await settle()
      world.upstream.method(1, 'confirm.select-ok')
      await settle()
      return client
    }

    it('passes the broker’s confirms on as they are while it is there', async () => {
      world.broker.confirms = false
      const client = await confirming()
      for (const text of ['one', 'two', 'three']) client.publish(1, text)
      await settle()
      world.upstream.confirm(1, 2, true)
      world.upstream.confirm(1, 3)
      await settle()
      expect(
        client
          .received(1)
          .slice(-2)
          .map(({ args }) => args),
      ).to.deep.equal([
        { deliveryTag: 2, multiple: true },
        { deliveryTag: 3, multiple: false },
      ])
    })

    it('publishes again what was not confirmed, and gives each client its confirms, once, in its own numbering', async () => {
      world.broker.confirms = false
      const client = await confirming()
      for (const text of ['one', 'two', 'three']) client.publish(1, text)
      await settle()
      world.upstream.confirm(1, 2)
      await settle()
      await brokerGoes()
      client.publish(1, 'four')
      await settle()
      expect(client.refusal).to.equal(undefined)
      world.broker.confirms = true
      const upstream = await brokerReturns()
      expect(upstream.published()).to.deep.equal(['one', 'three', 'four'])
      client.publish(1, 'five')
      client.publish(1, 'six')
      await settle()
      expect(confirmed(client)).to.deep.equal([2, 1, 3, 4, 5, 6])
    })

    it('answers Confirm.Select itself during the outage', async () => {
      await publisher()
      await brokerGoes()
      const client = await world.connectWithChannels(1)
      client.method(1, 'confirm.select')
      client.publish(1, 'one')
      await settle()
      expect(client.names(1)).to.deep.equal(['channel.open-ok', 'confirm.select-ok'])
      const upstream = await brokerReturns()
      expect(confirmed(client)).to.deep.equal([1])
      client.publish(1, 'two')
      await settle()
      expect(confirmed(client)).to.deep.equal([1, 2])
      expect(upstream.published()).to.deep.equal(['one', 'two'])
    })

    it('refuses a mandatory message whose confirm was under way, by Basic.Nack', async () => {
      world.broker.confirms = false
      const client = await confirming()
      client.publish(1, { body: 'x', mandatory: true })
      await settle()
      await brokerGoes()
      expect(client.received(1).at(-1)).to.deep.include({
        name: 'basic.nack',
        args: { deliveryTag: 1, multiple: false, requeue: false },
      })
    })

    it('tells nobody of the confirms for a client that has gone, nor the next one on its channel', async () => {
      world.broker.confirms = false
      const client = await confirming()
      client.publish(1, 'one')
      await settle()
      await brokerGoes()
      client.closeChannel(1)
      await settle()
      await client.openChannels(1)
      world.broker.confirms = true
      const upstream = await brokerReturns()
      expect(upstream.published()).to.deep.equal(['one'])
      expect(client.names(1).at(-1)).to.equal('channel.open-ok')
    })
  })

  describe('with the guarantee "confirmed"', () => {
    beforeEach(() => start({ publishGuarantee: 'confirmed' }))

    it('asks for confirms where the client does not, and shows it none', async () => {
      const client = await publisher('one')
      expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'confirm.select', 'basic.publish'])
      expect(client.names(1)).to.deep.equal(['channel.open-ok'])
    })

    it('publishes again what the broker had not confirmed', async () => {
      world.broker.confirms = false
      const client = await publisher('one')
      client.publish(1, 'two')
      await settle()
      world.upstream.confirm(1, 1)
      await settle()
      await brokerGoes()
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['two'])
    })

    it('answers a goodbye only when everything is confirmed', async () => {
      world.broker.confirms = false
      const client = await publisher('one')
      client.closeChannel(1)
      await settle()
      expect(client.names(1)).to.deep.equal(['channel.open-ok'])
      world.upstream.confirm(1, 1)
      await settle()
      expect(client.names(1)).to.deep.equal(['channel.open-ok', 'channel.close-ok'])
      const other = await publisher('two')
      other.close()
      await settle()
      expect(other.names(0).at(-1)).to.equal('connection.open-ok')
      world.upstream.confirm(world.upstream.openChannels.at(-1)!, 1)
      await settle()
      expect(other.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('keeps the messages of a client that died until they are confirmed', async () => {
      world.broker.confirms = false
      const client = await publisher('one')
      client.peer.reset()
      await settle()
      expect(world.upstream.openChannels).to.deep.equal([1])
      await brokerGoes()
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
    })

    it('closes the channel of a client that died once everything is confirmed', async () => {
      world.broker.confirms = false
      const client = await publisher('one')
      client.peer.reset()
      await settle()
      world.upstream.confirm(1, 1)
      await settle()
      expect(world.upstream.openChannels).to.deep.equal([])
    })

    describe('to a client whose channel is refused', () => {
      const tooLarge = Buffer.concat([
        method(1, 'basic.publish', { routingKey: 'q' }),
        headerFrame(1, 2 ** 40),
      ])
      let client: FakeClient

      beforeEach(async () => {
        world.broker.confirms = false
        client = await publisher('one')
        client.send(tooLarge)
        await settle()
      })

      it('tells it so when everything is confirmed, and publishes nothing again', async () => {
        expect(client.names(1)).to.deep.equal(['channel.open-ok'])
        world.upstream.confirm(1, 1)
        await settle()
        expect(client.names(1)).to.deep.equal(['channel.open-ok', 'channel.close'])
        expect(world.upstream.published()).to.deep.equal(['one'])
        expect(world.upstream.openChannels).to.deep.equal([])
      })

      it('publishes again what was not confirmed when the broker went', async () => {
        await brokerGoes()
        expect(client.refusal?.code).to.equal(320)
        world.broker.confirms = true
        expect((await brokerReturns()).published()).to.deep.equal(['one'])
      })
    })

    it('shows a client that asks for confirms later only those of what it published from then on', async () => {
      const client = await publisher('one')
      client.method(1, 'confirm.select')
      await settle()
      world.upstream.method(1, 'confirm.select-ok')
      client.publish(1, 'two')
      await settle()
      expect(confirmed(client)).to.deep.equal([1])
    })
  })

  describe('that is off', () => {
    beforeEach(() => start({ publishBufferSize: 0 }))

    it('closes publishers too when the broker goes', async () => {
      const client = await publisher()
      await brokerGoes()
      expect(client.refusal?.code).to.equal(320)
    })
  })

  it('counts what it still holds at shutdown', async () => {
    const client = await publisher()
    await brokerGoes()
    client.publish(1, 'never')
    client.close()
    await settle()
    const report = world.proxy.shutDown()
    await world.advance(40_000)
    expect((await report).buffered).to.equal(1)
  })
})
