import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { type BrokerConnection, deliveryFrames } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { type Args, bodyFrame, headerFrame, method, publishFrames } from '../../../support/wire-format.js'

const CONSUME = method(1, 'basic.consume', { queue: 'q', consumerTag: 't' })
const NO_EXCHANGE = { code: 404, text: "NOT_FOUND - no exchange 'x'" }
const message = (body: string): Buffer => publishFrames(1, { body })
const ack = (deliveryTag: number): Buffer => method(1, 'basic.ack', { deliveryTag })

describe('A channel that consumes and publishes', () => {
  let world: World
  let client: FakeClient
  let consumers: BrokerConnection
  let publishers: BrokerConnection

  async function start(pool: Partial<World['settings']['pool']> = {}): Promise<void> {
    world = await World.start({
      settings: { pool: { ...World.defaults.pool, separateRoles: true, ...pool } },
    })
    client = await world.connectWithChannels(1)
    await send(CONSUME)
    consumers = world.upstream
    consumers.method(1, 'basic.consume-ok', { consumerTag: 't' })
    await settle()
  }

  async function send(...frames: Buffer[]): Promise<void> {
    client.send(...frames)
    await settle()
  }

  /** It has published, and the broker hasn't said yet that it has processed that. */
  async function publishUnanswered(...frames: Buffer[]): Promise<void> {
    world.broker.holdsCloseOk = true
    await send(message('hello'), ...frames)
    publishers = world.upstream
  }

  /** So many messages have come for it to acknowledge. */
  async function receive(count: number): Promise<void> {
    for (let tag = 1; tag <= count; tag++)
      consumers.deliver(1, { consumerTag: 't', deliveryTag: tag, body: 'work' })
    await settle()
  }

  async function answer(upstream = publishers): Promise<void> {
    upstream.answerCloses()
    await settle()
  }

  beforeEach(() => start())

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  describe('keeps its order', () => {
    it('acks behind a message reach the broker once that has processed it, those before at once', async () => {
      await receive(3)
      await publishUnanswered(ack(1), ack(2))
      expect(publishers.names(1)).to.deep.equal(['channel.open', 'basic.publish', 'channel.flow'])
      expect(consumers.names(1)).to.deep.equal(['channel.open', 'basic.consume'])
      expect(client.peer.isPaused, 'it may go on').to.equal(false)
      await answer()
      expect(consumers.names(1).slice(2)).to.deep.equal(['basic.ack', 'basic.ack'])
      await send(ack(3))
      expect(consumers.names(1).at(-1)).to.equal('basic.ack')
      expect(publishers.names(1).filter((name) => name === 'channel.flow')).to.have.length(1)
    })

    it('acks of later messages wait for those, and one question is enough for all that came meanwhile', async () => {
      await receive(3)
      await publishUnanswered(ack(1), message('two'), ack(2), message('three'), ack(3))
      await answer()
      expect(consumers.received(1).slice(2)).to.have.length(1)
      expect(publishers.names(1).slice(1)).to.deep.equal([
        'basic.publish',
        'channel.flow',
        'basic.publish',
        'basic.publish',
        'channel.flow',
      ])
      await answer()
      const tags = consumers
        .received(1)
        .slice(2)
        .map(({ args }) => (args as { deliveryTag: number }).deliveryTag)
      expect(tags.map(Number)).to.deep.equal([1, 2, 3])
    })

    for (const [what, deliveries, wrong] of [
      ['that it was not sent', 1, 2],
      ['twice', 2, 1],
    ] as const)
      it(`a message waits until the broker has dealt with an ack of what ${what}: it may be over it`, async () => {
        await receive(deliveries)
        await publishUnanswered(ack(1), ack(wrong), message('two'))
        await answer()
        expect(publishers.published()).to.deep.equal(['hello'])
        expect(consumers.names(1).slice(2)).to.deep.equal(['basic.ack', 'basic.ack', 'channel.flow'])
        consumers.closeChannel(
          1,
          { code: 406, text: 'PRECONDITION_FAILED - unknown delivery tag' },
          'basic.ack',
        )
        await settle()
        expect(publishers.published()).to.deep.equal(['hello'])
        expect(client.names(1).at(-1)).to.equal('channel.close')
        world.broker.holdsCloseOk = false
        await answer()
      })

    for (const [name, args] of [
      ['basic.nack', { deliveryTag: 1, multiple: true }],
      ['basic.reject', { deliveryTag: 1 }],
    ] as const)
      it(`a message behind ${name} waits only if that may be wrong`, async () => {
        await receive(1)
        await publishUnanswered(method(1, name, args))
        await answer()
        await send(message('two'))
        expect(publishers.published()).to.deep.equal(['hello', 'two'])
        await send(method(1, name, args))
        await answer()
        await send(message('three'))
        expect(publishers.published()).to.deep.equal(['hello', 'two'])
        await answer(consumers)
        expect(publishers.published()).to.deep.equal(['hello', 'two', 'three'])
      })

    it('a message behind an ack waits for nothing once deliveries are known, however they are acknowledged', async () => {
      await receive(4)
      await publishUnanswered()
      await answer()
      await send(
        ack(2),
        message('two'),
        method(1, 'basic.ack', { deliveryTag: 3, multiple: true }),
        message('three'),
      )
      expect(publishers.published()).to.deep.equal(['hello', 'two', 'three'])
    })

    it('any other request waits until the broker has processed what was published before', async () => {
      await publishUnanswered(method(1, 'basic.get', { queue: 'q' }))
      expect(consumers.names(1)).to.deep.equal(['channel.open', 'basic.consume'])
      await answer()
      expect(consumers.names(1).at(-1)).to.equal('basic.get')
    })

    it('a message waits until the broker has dealt with what was asked for before, and the answer to that is nobody else’s', async () => {
      world.broker.holdsCloseOk = true
      await send(method(1, 'queue.bind', { queue: 'q', exchange: 'x', nowait: true }), message('hello'))
      expect(consumers.names(1).slice(2)).to.deep.equal(['queue.bind', 'channel.flow'])
      expect(world.broker.open).to.have.length(1)
      await answer(consumers)
      expect(world.upstream.published()).to.deep.equal(['hello'])
      expect(client.names(1)).not.to.include('channel.flow-ok')
    })

    it('a client’s own Channel.Flow is answered, whatever Warren asks besides', async () => {
      await publishUnanswered(method(1, 'channel.flow', { active: true }), message('two'))
      await answer()
      await answer(consumers)
      expect(publishers.published()).to.deep.equal(['hello', 'two'])
      expect(client.names(1).filter((name) => name === 'channel.flow-ok')).to.have.length(1)
    })

    it('also if it has asked for much since: its Channel.Flow isn’t taken for Warren’s', async () => {
      world.broker.holdsCloseOk = true
      const declarations = Array.from({ length: 32 }, (_, n) => method(1, 'queue.declare', { queue: `${n}` }))
      await send(method(1, 'channel.flow', { active: true }), ...declarations, message('hello'))
      // The broker has dealt with what came first, and hasn't with the declarations.
      consumers.method(1, 'channel.flow-ok', { active: true })
      await settle()
      expect(client.names(1).at(-1)).to.equal('channel.flow-ok')
      expect(world.broker.open, 'nothing is published').to.have.length(1)
      consumers.method(1, 'channel.flow-ok', { active: true })
      await settle()
      expect(world.upstream.published()).to.deep.equal(['hello'])
      expect(client.names(1).filter((name) => name === 'channel.flow-ok')).to.have.length(1)
    })

    it('a message overtakes none of many requests, of which the broker has answered some', async () => {
      world.broker.holdsCloseOk = true
      const declarations = Array.from({ length: 40 }, (_, n) => method(1, 'queue.declare', { queue: `${n}` }))
      await send(...declarations)
      for (let count = 0; count < 39; count++) consumers.method(1, 'queue.declare-ok', { queue: `${count}` })
      await send(message('hello'))
      expect(world.broker.open, 'nothing is published').to.have.length(1)
      consumers.method(1, 'queue.declare-ok', { queue: '39' })
      await answer(consumers)
      expect(world.upstream.published()).to.deep.equal(['hello'])
    })

    it('a goodbye in the middle of a message comes behind the others, and is answered', async () => {
      await publishUnanswered()
      await send(method(1, 'basic.publish'), headerFrame(1, 4))
      client.close()
      await settle()
      world.broker.holdsCloseOk = false
      await answer()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(publishers.published()).to.deep.equal(['hello'])
    })

    describe('when it is asked whether the broker has processed what it published, in the middle of a message', () => {
      let rest: Buffer

      beforeEach(async () => {
        await receive(3)
        // The first question is on its way, and ack 2 needs another.
        await publishUnanswered(ack(1), message('two'), ack(2))
        const whole = message('three')
        await send(whole.subarray(0, -3))
        rest = whole.subarray(-3)
        await answer()
        expect(publishers.names(1).filter((name) => name === 'channel.flow')).to.have.length(2)
        expect(publishers.published()).to.deep.equal(['hello', 'two'])
      })

      it('an ack behind that message waits for another answer', async () => {
        await send(rest, ack(3))
        await answer()
        expect(consumers.names(1).slice(2)).to.deep.equal(['basic.ack', 'basic.ack'])
        await answer()
        expect(consumers.names(1).slice(2)).to.deep.equal(['basic.ack', 'basic.ack', 'basic.ack'])
      })

      it('and so does a request', async () => {
        await send(rest, method(1, 'basic.get', { queue: 'q' }))
        await answer()
        expect(consumers.names(1)).to.not.include('basic.get')
        await answer()
        expect(consumers.names(1).at(-1)).to.equal('basic.get')
      })
    })

    it('waits for nothing once all it has published is confirmed', async () => {
      world.broker.answersRequests = true
      await send(method(1, 'confirm.select'))
      await publishUnanswered()
      await send(ack(1))
      expect(client.names(1).at(-1)).to.equal('basic.ack')
      expect(consumers.names(1).at(-1)).to.equal('basic.ack')
      expect(publishers.names(1)).to.deep.equal(['channel.open', 'confirm.select', 'basic.publish'])
    })

    it('acks that cannot be kept any longer make the client wait, and none is lost', async () => {
      const many = 4000
      await publishUnanswered(...Array.from({ length: many }, (_, n) => ack(n + 1)))
      expect(client.peer.isPaused).to.equal(true)
      world.broker.holdsCloseOk = false
      await answer()
      expect(consumers.names(1).filter((name) => name === 'basic.ack')).to.have.length(many)
      expect(client.peer.isPaused).to.equal(false)
    })
  })

  describe('is one channel to its client', () => {
    it('gets its confirms in its own numbering, whenever it has asked for them', async () => {
      world.broker.answersRequests = true
      await send(message('before'), method(1, 'confirm.select'), message('one'), message('two'))
      const tags = client.received(1).filter(({ name }) => name === 'basic.ack')
      expect(tags.map(({ args }) => Number((args as { deliveryTag: number }).deliveryTag))).to.deep.equal([
        1, 2,
      ])
      expect(consumers.published()).to.deep.equal([])
    })

    it('nothing of what it publishes comes between the frames of a delivery, nor of a delivery between those of a return', async () => {
      await publishUnanswered()
      const delivery = deliveryFrames(1, { consumerTag: 't', body: 'a long delivery' })
      const returned = Buffer.concat([
        method(1, 'basic.return', { code: 312, text: 'NO_ROUTE', routingKey: 'nowhere' }),
        headerFrame(1, 9),
        bodyFrame(1, 'come back'),
      ])
      for (const [one, first, other, second] of [
        [consumers, delivery, publishers, returned],
        [publishers, returned, consumers, delivery],
      ] as const) {
        const before = client.received(1).length
        // The last frame is cut off: the client has got the method and the header.
        one.peer.send(first.subarray(0, -20))
        await settle()
        other.peer.send(second)
        await settle()
        expect(client.received(1)).to.have.length(before)
        one.peer.send(first.subarray(-20))
        await settle()
        const bodies = client
          .received(1)
          .slice(before)
          .map(({ body }) => body!.toString())
        expect(bodies).to.deep.equal(
          one === consumers ? ['a long delivery', 'come back'] : ['come back', 'a long delivery'],
        )
      }
    })
  })

  it('acks that wait count for all channels of their client together, and one channel’s are no burden for the next', async () => {
    await client.openChannels(2)
    await send(method(2, 'basic.consume', { queue: 'q', consumerTag: 't' }))
    consumers.method(2, 'basic.consume-ok', { consumerTag: 't' })
    await settle()
    for (const channel of [1, 2])
      for (let deliveryTag = 1; deliveryTag <= 4000; deliveryTag++)
        consumers.deliver(channel, { consumerTag: 't', deliveryTag, body: '' })
    await settle()
    const acks = (channel: number, first: number, count = 2000): Buffer[] =>
      Array.from({ length: count }, (_, n) => method(channel, 'basic.ack', { deliveryTag: first + n }))
    await publishUnanswered(...acks(1, 1))
    expect(client.peer.isPaused).to.equal(false)
    await send(publishFrames(2, { body: 'hello' }), ...acks(2, 1))
    expect(client.peer.isPaused).to.equal(true)
    world.broker.holdsCloseOk = false
    await answer()
    for (const channel of [1, 2])
      expect(consumers.names(channel).filter((name) => name === 'basic.ack')).to.have.length(2000)
    world.broker.holdsCloseOk = true
    await send(message('two'), ...acks(1, 2001, 1000))
    publishers.closeChannel(1, NO_EXCHANGE)
    await settle()
    await send(publishFrames(2, { body: 'two' }), ...acks(2, 2001))
    expect(client.peer.isPaused).to.equal(false)
    world.broker.holdsCloseOk = false
    await answer(consumers)
    await answer()
  })

  it('an ack that needs no room counts as given, also while those of another channel take it all', async () => {
    await client.openChannels(2)
    await send(method(2, 'basic.consume', { queue: 'q', consumerTag: 't' }))
    consumers.method(2, 'basic.consume-ok', { consumerTag: 't' })
    const many = 3120
    consumers.deliver(1, { consumerTag: 't', body: '' })
    for (let deliveryTag = 1; deliveryTag <= many; deliveryTag++)
      consumers.deliver(2, { consumerTag: 't', deliveryTag, body: '' })
    await settle()
    await publishUnanswered()
    await send(method(1, 'basic.qos', { prefetchCount: 1 }))
    await answer()
    consumers.method(1, 'basic.qos-ok')
    const acks = Array.from({ length: many }, (_, n) => method(2, 'basic.ack', { deliveryTag: n + 1 }))
    await send(publishFrames(2, { body: 'hello' }), ...acks)
    expect(client.peer.isPaused).to.equal(false)
    await send(ack(1), ack(1), message('behind a wrong ack'))
    expect(consumers.names(1).slice(-3)).to.deep.equal(['basic.ack', 'basic.ack', 'channel.flow'])
    expect(publishers.published()).to.deep.equal(['hello', 'hello'])
    world.broker.holdsCloseOk = false
    await answer(consumers)
    await answer()
  })

  it('what waits for deliveries to be whole counts for all channels of its client together', async () => {
    await client.openChannels(2, 3)
    for (const channel of [2, 3]) {
      await send(method(channel, 'basic.consume', { queue: 'q', consumerTag: 't' }))
      consumers.method(channel, 'basic.consume-ok', { consumerTag: 't' })
      await settle()
    }
    await send(...[1, 2, 3].map((channel) => publishFrames(channel, { body: 'hello' })))
    const half = World.defaults.client.maxBufferBytes / 2
    for (const channel of [1, 2, 3]) {
      consumers.send(method(channel, 'basic.deliver', { consumerTag: 't' }), headerFrame(channel, 10))
      for (let sent = 0; sent < half; sent += 100_000)
        world.upstream.send(
          method(channel, 'basic.return', { code: 312, text: 'NO_ROUTE', routingKey: 'nowhere' }),
          headerFrame(channel, 100_000),
          bodyFrame(channel, Buffer.alloc(100_000)),
        )
      await settle()
      if (channel === 1) expect(client.refusal).to.equal(undefined)
    }
    expect(client.refusal?.text).to.match(/client\.max_buffer_bytes/)
  })

  it('what has waited for a delivery counts no longer once that is whole', async () => {
    await send(message('hello'))
    const third = Buffer.alloc(World.defaults.client.maxBufferBytes / 3)
    for (let times = 0; times < 4; times++) {
      consumers.send(method(1, 'basic.deliver', { consumerTag: 't' }), headerFrame(1, 1))
      world.upstream.send(
        method(1, 'basic.return', { code: 312, text: 'NO_ROUTE' }),
        headerFrame(1, third.length),
      )
      for (let at = 0; at < third.length; at += 100_000)
        world.upstream.send(bodyFrame(1, third.subarray(at, at + 100_000)))
      await settle()
      consumers.send(bodyFrame(1, 'x'))
      await settle()
    }
    expect(client.refusal).to.equal(undefined)
  })

  it('acks that wait are no burden for the client once the broker has closed their channel', async () => {
    await client.openChannels(2)
    await send(method(2, 'basic.consume', { queue: 'q', consumerTag: 't' }))
    consumers.method(2, 'basic.consume-ok', { consumerTag: 't' })
    for (const channel of [1, 2])
      for (let deliveryTag = 1; deliveryTag <= 3000; deliveryTag++)
        consumers.deliver(channel, { consumerTag: 't', deliveryTag, body: '' })
    await settle()
    const acks = (channel: number): Buffer[] =>
      Array.from({ length: 3000 }, (_, n) => method(channel, 'basic.ack', { deliveryTag: 1 + n }))
    await publishUnanswered(...acks(1))
    expect(client.peer.isPaused).to.equal(false)
    consumers.closeChannel(1, NO_EXCHANGE)
    await settle()
    await send(publishFrames(2, { body: 'hello' }), ...acks(2))
    expect(client.peer.isPaused).to.equal(false)
    world.broker.holdsCloseOk = false
    await answer()
  })

  it('what comes on the second channel as soon as it is open waits for a delivery, and none of it is lost', async () => {
    consumers.send(method(1, 'basic.deliver', { consumerTag: 't' }), headerFrame(1, 4))
    await publishUnanswered()
    publishers.send(method(1, 'basic.return', { code: 312, text: 'NO_ROUTE' }), headerFrame(1, 5))
    await settle()
    consumers.send(bodyFrame(1, 'long'))
    await settle()
    publishers.send(bodyFrame(1, 'hello'))
    await settle()
    expect(client.received(1).map(({ body }) => body?.toString())).to.deep.equal([
      undefined,
      undefined,
      'long',
      'hello',
    ])
  })

  describe('ends as one', () => {
    it('with Channel.Close once both are over, and what it published over is kept for the next', async () => {
      await publishUnanswered(method(1, 'channel.close', { code: 200 }))
      expect(consumers.names(1)).not.to.include('channel.close')
      await answer()
      expect(consumers.names(1).at(-1)).to.equal('channel.close')
      expect(client.names(1)).not.to.include('channel.close-ok')
      await answer(consumers)
      await answer()
      expect(client.names(1).at(-1)).to.equal('channel.close-ok')
      expect([consumers.openChannels, publishers.openChannels]).to.deep.equal([[], [1]])
    })

    it('when the broker refuses a message: what was not acknowledged is back in its queue before the client hears', async () => {
      await publishUnanswered(ack(1))
      publishers.closeChannel(1, NO_EXCHANGE)
      await settle()
      expect(client.names(1)).not.to.include('channel.close')
      expect(consumers.names(1).slice(2)).to.deep.equal(['channel.close'])
      await answer(consumers)
      const { args } = client.received(1).at(-1)!
      expect(args).to.include({ ...NO_EXCHANGE, classId: 60, methodId: 40 })
      await client.openChannels(1)
      world.broker.holdsCloseOk = false
      expect(consumers.openChannels).to.deep.equal([])
    })

    it('when the broker closes the channel over something else', async () => {
      await publishUnanswered(ack(1))
      consumers.closeChannel(
        1,
        { code: 406, text: 'PRECONDITION_FAILED - unknown delivery tag 1' },
        'basic.ack',
      )
      await settle()
      expect(client.names(1).at(-1)).to.equal('channel.close')
      world.broker.holdsCloseOk = false
      await answer()
      expect(consumers.names(1), 'nothing may follow').not.to.include('basic.ack')
      await settle()
      expect(publishers.openChannels).to.deep.equal([])
    })

    it('and is closed once, when the broker closes both halves while the client says goodbye', async () => {
      await publishUnanswered(ack(1), method(0, 'connection.close', { code: 200 }))
      publishers.closeChannel(1, NO_EXCHANGE)
      await settle()
      consumers.closeChannel(
        1,
        { code: 406, text: 'PRECONDITION_FAILED - unknown delivery tag' },
        'basic.ack',
      )
      await settle()
      await answer(consumers)
      expect(client.names().slice(-2)).to.deep.equal(['channel.close', 'connection.close-ok'])
    })

    it('when the client dies: its acks count, and nothing is left of it', async () => {
      await publishUnanswered(ack(1))
      client.peer.reset()
      await settle()
      expect(consumers.names(1).slice(2)).to.deep.equal(['basic.ack', 'channel.close'])
      world.broker.holdsCloseOk = false
      await answer()
      await answer(consumers)
      expect([consumers.openChannels, publishers.openChannels]).to.deep.equal([[], []])
    })

    for (const [what, happen] of [
      ['lost', (): void => publishers.peer.reset()],
      [
        'blocked',
        (): void => {
          publishers.method(0, 'connection.blocked', { reason: 'low on memory' })
          client.peer.reset()
        },
      ],
    ] as const) {
      it(`without acks of what it answered over a connection that is ${what}: the answers may be lost with it`, async () => {
        await publishUnanswered(ack(1))
        happen()
        await settle()
        expect(consumers.names(1).slice(2)).to.deep.equal(['channel.close'])
        await answer(consumers)
      })
    }

    it('with the connection, over which either of its halves went', async () => {
      await publishUnanswered()
      consumers.peer.reset()
      await settle()
      expect(client.refusal).to.include({ code: 320 })
    })

    it('in the middle of a message, which nobody gets to see', async () => {
      await publishUnanswered()
      await send(message('half').subarray(0, -3))
      client.peer.reset()
      world.broker.holdsCloseOk = false
      await settle()
      await answer()
      expect(publishers.published()).to.deep.equal(['hello'])
    })
  })

  describe('publishes where it consumes', () => {
    it('in a transaction, once the broker has processed and confirmed what came before', async () => {
      await publishUnanswered(method(1, 'tx.select'), message('two'))
      expect(consumers.names(1)).not.to.include('tx.select')
      await answer()
      expect(consumers.names(1).slice(2)).to.deep.equal(['tx.select', 'basic.publish'])
    })

    it('in a transaction, and nobody else gets the channel on which Warren has asked for confirms before', async () => {
      await start({ publishBufferSize: 100, publishGuarantee: 'confirmed' })
      await send(message('hello'), method(1, 'tx.select'), message('two'))
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'confirm.select',
        'basic.publish',
        'channel.flow',
        'channel.close',
      ])
      expect(consumers.names(1).slice(2)).to.deep.equal(['tx.select', 'basic.publish'])
    })

    it('once it asks for direct replies, which come only there', async () => {
      const replies = { queue: 'amq.rabbitmq.reply-to', noAck: true, nowait: true }
      await publishUnanswered(method(1, 'basic.consume', replies), message('question'))
      await answer()
      expect(consumers.published()).to.deep.equal(['question'])
    })

    it('if publishers and consumers share their connections', async () => {
      await start({ separateRoles: false })
      await send(message('hello'))
      expect(consumers.published()).to.deep.equal(['hello'])
    })

    it('if there can be no further connection', async () => {
      world.broker.refusesVirtualHost = () => ({
        code: 530,
        text: 'NOT_ALLOWED - user connection limit (1) is reached',
      })
      await send(message('hello'), message('two'))
      expect(consumers.published()).to.deep.equal(['hello', 'two'])
      expect(consumers.openChannels).to.deep.equal([1])
    })
  })

  describe('publishes where it consumes, rather than be refused', () => {
    async function expectPublishedHere(): Promise<void> {
      await send(message('hello'), message('two'), ack(1))
      await world.advance(World.defaults.upstream.connectTimeout * 1000)
      expect(client.refusal).to.equal(undefined)
      expect(consumers.names(1).slice(2)).to.deep.equal(['basic.publish', 'basic.publish', 'basic.ack'])
    }

    it('if the only connection that there may be has no room for a second channel', async () => {
      await start({ maxUpstreamConnections: 1, maxChannels: 1 })
      await expectPublishedHere()
    })

    it('if the broker takes no further connection for now', async () => {
      world.brokerDown()
      await expectPublishedHere()
    })

    it('with a publish buffer, too', async () => {
      await start({ publishBufferSize: 100 })
      world.brokerDown()
      await expectPublishedHere()
    })
  })

  it('is messages that Warren keeps until they are confirmed, if it is to', async () => {
    await start({ publishBufferSize: 100, publishGuarantee: 'confirmed' })
    world.broker.confirms = false
    await send(message('kept'), ack(1))
    publishers = world.upstream
    expect(publishers.names(1).slice(0, 3)).to.deep.equal(['channel.open', 'confirm.select', 'basic.publish'])
    publishers.peer.reset()
    await settle()
    expect(consumers.names(1), 'the ack counts, as the message does').to.include('basic.ack')
    await world.advance(1000)
    expect(world.broker.arrivals.filter((body) => body === 'kept')).to.have.length(2)
  })

  describe('and has published first', () => {
    let channel: number

    /** A client of its own, which has sent this on its channel 1. */
    async function connectWith(...frames: Buffer[]): Promise<void> {
      client = await world.connectWithChannels(2)
      await send(...frames)
      publishers = world.upstream
      channel = publishers.openChannels.at(-1)!
    }

    it('consumes where consumers are, once the broker has processed what it published', async () => {
      await connectWith(message('hello'))
      world.broker.holdsCloseOk = true
      await send(CONSUME, message('two'), ack(1))
      expect(publishers.names(channel)).to.deep.equal(['channel.open', 'basic.publish', 'channel.flow'])
      expect(consumers.names(2)).to.deep.equal(['channel.open'])
      await answer()
      expect(consumers.names(2).slice(1)).to.deep.equal(['basic.consume', 'channel.flow'])
      await answer(consumers)
      expect(publishers.published()).to.deep.equal(['hello', 'two'])
      world.broker.holdsCloseOk = false
      await answer()
      expect(consumers.names(2).at(-1)).to.equal('basic.ack')
    })

    it('gets messages and recovers them there, too', async () => {
      for (const [name, args] of [
        ['basic.get', { queue: 'q' }],
        ['basic.recover', { requeue: true }],
      ] as const) {
        await connectWith(message('hello'))
        await send(method(1, name, args), message('two'))
        expect(consumers.names(consumers.openChannels.at(-1)!).slice(1), name).to.deep.equal([
          name,
          'channel.flow',
        ])
        await answer(consumers)
        expect(publishers.published()).to.deep.equal(['hello', 'two'])
        client.close()
        await start()
      }
    })

    it('keeps its confirms, their numbering and its current queue', async () => {
      world.broker.answersRequests = true
      await connectWith(
        method(1, 'queue.declare', { queue: 'q' }),
        method(1, 'confirm.select'),
        message('one'),
      )
      await send(method(1, 'basic.consume', { queue: '', consumerTag: 't' }), message('two'))
      const tags = client.received(1).filter(({ name }) => name === 'basic.ack')
      expect(tags.map(({ args }) => Number((args as Args<'basic.ack'>).deliveryTag))).to.deep.equal([1, 2])
      const consume = consumers.received(2).find(({ name }) => name === 'basic.consume')!
      expect((consume.args as Args<'basic.consume'>).queue).to.equal('q')
      expect(consumers.published()).to.deep.equal([])
    })

    it('consumes behind what it published before it asked for confirms, though nothing is unconfirmed', async () => {
      await connectWith(message('hello'))
      world.broker.holdsCloseOk = true
      await send(method(1, 'confirm.select', { nowait: true }), CONSUME)
      expect(consumers.names(2)).to.deep.equal(['channel.open'])
      await answer()
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'basic.consume'])
      world.broker.holdsCloseOk = false
    })

    for (const [what, before] of [
      ['first', [ack(1)]],
      ['behind messages that are confirmed', [message('hello'), ack(1)]],
    ] as const)
      it(`consumes behind an ack that may be wrong, ${what}: the broker would close the channel`, async () => {
        await connectWith(method(1, 'confirm.select', { nowait: true }))
        await send(...before)
        world.broker.holdsCloseOk = true
        await send(CONSUME)
        expect(consumers.names(2)).to.deep.equal(['channel.open'])
        await answer()
        expect(consumers.names(2)).to.deep.equal(['channel.open', 'basic.consume'])
        world.broker.holdsCloseOk = false
      })

    const SELECT = method(1, 'confirm.select', { nowait: true })
    const DECLARE = method(1, 'queue.declare', { queue: 'q' })
    for (const [what, before, request, reply] of [
      ['has answered something since', [message('hello')], DECLARE, 'queue.declare-ok'],
      ['has, but has not confirmed the message', [SELECT, message('hello')], DECLARE, 'queue.declare-ok'],
      ['has answered Confirm.Select', [message('hello')], method(1, 'confirm.select'), 'confirm.select-ok'],
    ] as const)
      it(`waits for nothing if the broker ${what}: in an alarm it could not answer`, async () => {
        world.broker.confirms = false
        await connectWith(...before)
        await send(request)
        publishers.method(channel, reply, { queue: 'q' })
        world.broker.holdsCloseOk = true
        await send(CONSUME)
        expect(consumers.names(2)).to.deep.equal(['channel.open', 'basic.consume'])
        world.broker.holdsCloseOk = false
      })

    it('nor if all it has published is confirmed', async () => {
      await connectWith(method(1, 'confirm.select'))
      publishers.method(channel, 'confirm.select-ok')
      world.broker.confirms = false
      await send(message('hello'))
      publishers.method(channel, 'basic.ack', { deliveryTag: 1, multiple: false })
      world.broker.holdsCloseOk = true
      await send(CONSUME)
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'basic.consume'])
      world.broker.holdsCloseOk = false
    })

    it('leaves nothing behind, and nothing to others', async () => {
      await connectWith(message('hello'))
      await send(CONSUME)
      consumers.method(2, 'basic.consume-ok', { consumerTag: 't' })
      expect([consumers.openChannels, publishers.openChannels]).to.deep.equal([[1, 2], [channel]])
      client.close()
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect([consumers.openChannels, publishers.openChannels]).to.deep.equal([[1], []])
    })

    it('reaches the exclusive queues of its client', async () => {
      await connectWith(message('hello'), method(2, 'queue.declare', { queue: 'mine', exclusive: true }))
      consumers.method(2, 'queue.declare-ok', { queue: 'mine' })
      await send(CONSUME, method(1, 'basic.get', { queue: 'mine' }))
      expect(consumers.names(3)).to.deep.equal(['channel.open', 'basic.consume', 'basic.get'])
    })

    it('stays where it is for direct replies and in a transaction', async () => {
      await connectWith(message('hello'))
      await send(method(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true }))
      await send(
        publishFrames(2, { body: 'there' }),
        method(2, 'tx.select'),
        method(2, 'basic.consume', { queue: 'q' }),
      )
      expect(consumers.openChannels).to.deep.equal([1])
    })

    it('stays where it is if there can be no second channel, and its client is none the worse for it', async () => {
      await start({ maxUpstreamConnections: 1 })
      await connectWith(message('hello'))
      await send(CONSUME, message('two'))
      expect(client.refusal).to.equal(undefined)
      expect(world.upstream.published()).to.deep.equal(['hello', 'two'])
    })
  })
})
