import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames, type Args } from '../../../support/wire-format.js'

const NOT_FOUND = { code: 404, text: "NOT_FOUND - no exchange 'gone' in vhost '/'" }

describe('The publish buffer, where things cross,', () => {
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

  const publisher = async (...texts: string[]): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    for (const text of texts) client.publish(1, text)
    await settle()
    return client
  }

  const confirming = async (): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.method(1, 'confirm.select')
    await settle()
    world.upstream.method(1, 'confirm.select-ok')
    await settle()
    return client
  }

  /** Without confirms, and the broker hasn't confirmed what Warren keeps for it. */
  const consumerThatPublished = async (text: string): Promise<FakeClient> => {
    await start({ publishGuarantee: 'confirmed' })
    world.broker.confirms = false
    const client = await world.connectWithChannels(1)
    client.method(1, 'basic.consume', { queue: 'q', consumerTag: 't' })
    await settle()
    world.upstream.method(1, 'basic.consume-ok', { consumerTag: 't' })
    client.publish(1, text)
    await settle()
    return client
  }

  const settled = (client: FakeClient, name: 'basic.ack' | 'basic.nack' = 'basic.ack'): number[] =>
    client
      .received(1)
      .filter((received) => received.name === name)
      .map(({ args }) => Number((args as Args<'basic.ack'>).deliveryTag))

  const all = (): string[] => world.broker.opened.flatMap((upstream) => upstream.published())

  describe('order:', () => {
    it('what a channel asks of the broker comes after what it has published before', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'one')
      client.method(1, 'queue.purge', { queue: 'q' })
      await settle()
      world.broker.confirms = false
      const upstream = await brokerReturns()
      expect(upstream.log.methods.map(({ name }) => name)).not.to.include('queue.purge')
      upstream.confirm(1, 1)
      await settle()
      expect(upstream.log.methods.at(-1)?.name).to.equal('queue.purge')
      expect(client.refusal).to.equal(undefined)
    })

    it('a session that declares before it publishes overtakes nothing', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'one')
      await settle()
      world.broker.confirms = false
      const upstream = await brokerReturns()
      const late = await world.connectWithChannels(1)
      late.send(method(1, 'queue.declare', { queue: 'q' }), publishFrames(1, { body: 'two' }))
      await settle()
      expect(upstream.published()).to.deep.equal(['one'])
      upstream.confirm(1, 1)
      await settle()
      expect(upstream.published()).to.deep.equal(['one', 'two'])
    })

    it('a transaction may begin while others’ messages are on their way', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'one')
      await settle()
      world.broker.confirms = false
      const upstream = await brokerReturns()
      const other = await world.connectWithChannels(1)
      other.method(1, 'tx.select')
      await settle()
      expect(other.names(1)).to.deep.equal(['channel.open-ok'])
      expect(upstream.log.methods.at(-1)?.name).to.equal('tx.select')
    })

    it('messages that the broker refused on a channel don’t show up on another one that was opened meanwhile', async () => {
      await start({ maxChannels: 2 })
      const other = await publisher('other')
      const client = await publisher('before')
      await brokerGoes()
      other.close()
      for (const text of ['one', 'two', 'three']) client.publish(1, text)
      await settle()
      world.broker.confirms = false
      world.brokerUp()
      // The first attempt: nothing of the drain is read before the broker has refused its first message.
      await world.advance(31_000)
      const upstream = world.upstream
      upstream.peer.stall(0)
      upstream.closeChannel(1, NOT_FOUND)
      await settle()
      upstream.peer.drain()
      await settle()
      expect(world.broker.violations).to.deep.equal([])
    })
  })

  describe('nothing accepted is forgotten:', () => {
    it('what waits is published and confirmed at every outage, not only at the first', async () => {
      const client = await confirming()
      for (const texts of [
        ['one', 'two'],
        ['three', 'four'],
        ['five', 'six'],
      ]) {
        await brokerGoes()
        for (const text of texts) client.publish(1, text)
        await settle()
        expect((await brokerReturns()).published()).to.deep.equal(texts)
      }
      expect(settled(client)).to.deep.equal([1, 2, 3, 4, 5, 6])
      client.publish(1, 'seven')
      await settle()
      expect(settled(client).at(-1)).to.equal(7)
    })

    it('a message that was half there when the broker went, and whole when it was back', async () => {
      const client = await confirming()
      await brokerGoes()
      const message = publishFrames(1, { body: 'x'.repeat(100), frameMax: 50 })
      client.send(message.subarray(0, 70))
      const upstream = await brokerReturns()
      client.send(message.subarray(70))
      for (const text of ['two', 'three']) client.publish(1, text)
      await settle()
      expect(upstream.published()).to.deep.equal(['x'.repeat(100), 'two', 'three'])
      expect(settled(client)).to.deep.equal([1, 2, 3])
    })

    it('messages of a client without confirms that can’t stay are published all the same', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await world.connectWithChannels(2)
      client.publish(1, 'one')
      client.method(2, 'basic.consume', { queue: 'q' })
      await settle()
      await brokerGoes()
      expect(client.refusal?.code).to.equal(320)
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
    })

    it('messages on a channel that consumes are kept until they are confirmed, as on any other', async () => {
      const client = await consumerThatPublished('one')
      await brokerGoes()
      expect(client.refusal?.code).to.equal(320)
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
    })

    it('consumers do not outlive their client until its messages are confirmed: those are published again', async () => {
      const client = await consumerThatPublished('one')
      const consumers = world.upstream
      client.peer.reset()
      await settle()
      expect(consumers.log.methods.map(({ name }) => name)).to.include('channel.close')
      expect(all()).to.deep.equal(['one', 'one'])
    })

    it('nor if another upstream connection lives on', async () => {
      await start({ publishGuarantee: 'confirmed', maxChannels: 2 })
      world.broker.confirms = false
      const client = await world.connectWithChannels(2)
      client.publish(1, 'one')
      client.method(2, 'basic.consume', { queue: 'q' })
      await settle()
      await publisher('elsewhere')
      expect(world.broker.open).to.have.length(2)
      world.broker.confirms = true
      world.broker.open[0].peer.reset()
      await world.advance(5000)
      expect(client.refusal?.code).to.equal(320)
      expect(all()).to.have.members(['one', 'elsewhere', 'one'])
    })

    it('a mandatory message without confirms is published again: nobody could be told of its loss', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await world.connectWithChannels(1)
      client.publish(1, { body: 'one', mandatory: true })
      await settle()
      await brokerGoes()
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
    })

    it('a transaction of a client without confirms begins once all is confirmed, on a channel without confirm mode', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await publisher('before')
      client.send(method(1, 'tx.select'), publishFrames(1, { body: 'in it' }))
      await settle()
      expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'confirm.select', 'basic.publish'])
      world.upstream.confirm(1, 1)
      await settle()
      expect(world.upstream.names(1).slice(3)).to.deep.equal([
        ...['channel.close', 'channel.open', 'tx.select', 'basic.publish'],
      ])
      world.upstream.method(1, 'tx.select-ok')
      await settle()
      expect(client.names(1)).to.deep.equal(['channel.open-ok', 'tx.select-ok'])
      await brokerGoes()
      expect(client.refusal?.code).to.equal(320)
    })

    it('a message that the broker refuses after its client has died is set aside, and takes no others with it', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await publisher('bad', 'good')
      client.peer.reset()
      await settle()
      const upstream = world.upstream
      upstream.closeChannel(1, NOT_FOUND)
      await settle()
      const drainIsRefused = async (): Promise<void> => {
        upstream.closeChannel(upstream.openChannels.at(-1)!, NOT_FOUND)
        await settle()
      }
      await drainIsRefused()
      expect(upstream.published().slice(4)).to.deep.equal(['bad'])
      await drainIsRefused()
      expect(upstream.published().slice(5)).to.deep.equal(['good'])
      expect(world.lines('message set aside: the broker refuses it')).to.have.length(1)
    })

    it('a publisher’s connection is opened again until that succeeds, also while consumers have theirs', async () => {
      await start({ separateRoles: true })
      const consumer = await world.connectWithChannels(1)
      consumer.method(1, 'basic.consume', { queue: 'q' })
      const client = await publisher('before')
      const publishing = world.broker.open.find((upstream) => upstream.published().length > 0)!
      world.brokerDown()
      publishing.peer.reset()
      await settle()
      client.publish(1, 'one')
      await world.advance(2000)
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
      expect(client.refusal).to.equal(undefined)
      expect(consumer.refusal).to.equal(undefined)
    })

    it('a message that was half there gets a connection of its own when there’s no room on the others', async () => {
      await start({ maxChannels: 1 })
      const client = await publisher('before')
      await brokerGoes()
      const message = publishFrames(1, { body: 'x'.repeat(100), frameMax: 50 })
      client.send(message.subarray(0, 70))
      await brokerReturns()
      await publisher('other')
      client.send(message.subarray(70))
      await world.advance(5000)
      expect(all()).to.include('x'.repeat(100))
    })

    it('messages under way with an old secret are published with the new one', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await publisher('one')
      client.method(0, 'connection.update-secret', { secret: Buffer.from('new'), reason: '' })
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.update-secret-ok')
      world.broker.confirms = true
      await brokerGoes()
      await brokerReturns()
      expect(all()).to.deep.equal(['one', 'one'])
      expect(client.refusal).to.equal(undefined)
    })
  })

  describe('everybody gets an answer:', () => {
    it('a client whose message the broker refuses while it says goodbye', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await publisher('bad')
      client.close()
      await settle()
      world.upstream.closeChannel(1, NOT_FOUND)
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('and one whose channel the broker closes while it waits for the Close-Ok', async () => {
      await start({ publishGuarantee: 'confirmed' })
      world.broker.confirms = false
      const client = await publisher('bad')
      client.closeChannel(1)
      await settle()
      world.upstream.closeChannel(1, NOT_FOUND)
      await settle()
      expect(client.names(1)).to.deep.equal(['channel.open-ok', 'channel.close', 'channel.close-ok'])
      await client.openChannels(1)
    })

    it('who has asked for confirms, but had no answer when the broker went', async () => {
      const client = await world.connectWithChannels(1)
      client.method(1, 'confirm.select')
      await settle()
      await brokerGoes()
      expect(client.names(1).at(-1)).to.equal('confirm.select-ok')
      client.publish(1, 'one')
      await settle()
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
      expect(settled(client)).to.deep.equal([1])
    })

    it('a client whose message has expired in the buffer, by Basic.Nack', async () => {
      const client = await confirming()
      await brokerGoes()
      client.publish(1, { body: 'short-lived', properties: { expiration: '1000' } })
      client.publish(1, { body: 'lasting' })
      await settle()
      await world.advance(2000)
      expect((await brokerReturns()).published()).to.deep.equal(['lasting'])
      expect(settled(client, 'basic.nack')).to.deep.equal([1])
      expect(settled(client)).to.deep.equal([2])
    })

    it('who waits for the end of a drain when the broker goes again: publishes are kept, the rest is told', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'one')
      await settle()
      world.broker.confirms = false
      await brokerReturns()
      const asking = await publisher('two')
      client.send(publishFrames(1, { body: 'three' }), method(1, 'queue.purge', { queue: 'q' }))
      await settle()
      world.broker.confirms = true
      await brokerGoes()
      await world.advance(11_000)
      expect(client.refusal?.code).to.equal(503)
      expect(asking.refusal).to.equal(undefined)
      expect((await brokerReturns()).published()).to.have.members(['one', 'two', 'three'])
    })

    it('two clients who come at once when the broker is away and the pool was idle', async () => {
      ;(await publisher('before')).close()
      await world.advance(120_000)
      world.brokerDown()
      const clients = [world.dial(), world.dial()]
      await Promise.all(clients.map((client) => client.connect()))
      for (const client of clients) expect(client.refusal).to.equal(undefined)
    })

    it('who uses a password that the broker no longer takes, although there are messages left', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'one')
      await settle()
      world.broker.refusesLogin = (_, password) => (password === 'guest' ? 'close' : false)
      await brokerReturns()
      expect(client.refusal?.code).to.equal(403)
      const late = world.dial()
      late.send(Buffer.from('AMQP\0\0\x09\x01'))
      await settle()
      late.startOk()
      await settle()
      expect(late.refusal?.code).to.equal(403)
      world.broker.refusesLogin = () => false
      await world.advance(31_000)
      expect(all()).to.deep.equal(['before', 'one'])
    })

    it('publishers share the consumers’ connection when the broker lets them have none of their own any more', async () => {
      await start({ separateRoles: true })
      const consumer = await world.connectWithChannels(1)
      consumer.method(1, 'basic.consume', { queue: 'q' })
      const client = await publisher('before')
      const publishing = world.broker.open.find((upstream) => upstream.published().length > 0)!
      world.broker.refusesLogin = () => 'close'
      publishing.peer.reset()
      client.publish(1, 'after')
      await settle()
      expect(client.refusal).to.equal(undefined)
      expect(consumer.refusal).to.equal(undefined)
      expect(all()).to.deep.equal(['after', 'before'])
    })

    for (const refusal of [
      { code: 541, text: "INTERNAL_ERROR - access to vhost '/' refused for user 'guest': vhost '/' is down" },
      { code: 320, text: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'" },
      {
        code: 530,
        text: "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (5) is reached",
      },
      {
        code: 530,
        text: "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached",
      },
    ])
      it(`clients stay when a broker that comes back says at first: ${refusal.text}`, async () => {
        const client = await publisher('before')
        await brokerGoes()
        client.publish(1, 'one')
        world.broker.refusesVirtualHost = () => refusal
        await brokerReturns()
        expect(client.refusal).to.equal(undefined)
        world.broker.refusesVirtualHost = () => false
        expect((await brokerReturns()).published()).to.deep.equal(['one'])
      })
  })

  describe('only the guilty:', () => {
    it('one message under way isn’t set aside because the broker closes the connection over a neighbour’s request', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'one')
      await settle()
      world.broker.confirms = false
      const upstream = await brokerReturns()
      upstream.close({ code: 503, text: 'COMMAND_INVALID - unknown exchange type' }, 'exchange.declare')
      await settle()
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['one'])
      expect(world.lines('message set aside: the broker refuses it')).to.deep.equal([])
    })

    it('a message that makes the broker close the connection twice is set aside', async () => {
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, 'bad')
      client.publish(1, 'good')
      await settle()
      world.broker.confirms = false
      const refusal = { code: 540, text: 'NOT_IMPLEMENTED - immediate=true' }
      ;(await brokerReturns()).close(refusal, 'basic.publish')
      await settle()
      const second = await brokerReturns()
      expect(second.published()).to.deep.equal(['bad'])
      second.close(refusal, 'basic.publish')
      await settle()
      world.broker.confirms = true
      expect((await brokerReturns()).published()).to.deep.equal(['good'])
      expect(world.lines('message set aside: the broker refuses it')).to.have.length(1)
    })

    it('what has expired makes room for what is new', async () => {
      await start({ publishBufferSize: 1 })
      const client = await publisher('before')
      await brokerGoes()
      client.publish(1, { body: 'short-lived', properties: { expiration: '1000' } })
      await world.advance(2000)
      client.publish(1, 'lasting')
      await settle()
      expect(client.refusal).to.equal(undefined)
      expect((await brokerReturns()).published()).to.deep.equal(['lasting'])
    })
  })

  it('after an outage in which nobody published, nothing is drained', async () => {
    const client = await publisher('before')
    await brokerGoes()
    const upstream = await brokerReturns()
    expect(upstream.log.methods.filter(({ channel }) => channel > 0)).to.deep.equal([])
    expect(world.lines('publish buffer draining')).to.deep.equal([])
    client.publish(1, 'after')
    await settle()
    expect(upstream.published()).to.deep.equal(['after'])
  })

  it('a pool whose last client leaves when the broker goes is closed as idle later, as any other', async () => {
    await start({ publishGuarantee: 'confirmed' })
    const client = await publisher('one')
    world.broker.holdsCloseOk = true
    client.close()
    await settle()
    await brokerGoes()
    expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    await brokerReturns()
    await world.advance(120_000)
    expect(world.broker.open).to.have.length(0)
  })

  it('a client that is refused because the buffer is full leaves nothing behind', async () => {
    await start({ publishBufferSize: 1 })
    ;(await publisher('before')).close()
    await world.advance(120_000)
    world.brokerDown()
    const client = await publisher('one')
    client.close()
    await settle()
    const late = world.dial()
    await late.login()
    late.tuneOk()
    late.open()
    await settle()
    expect(late.refusal?.code).to.equal(503)
    await brokerReturns()
    await world.advance(120_000)
    await world.proxy.shutDown()
    expect(world.clock.pendingTimers).to.equal(0)
  })
})
