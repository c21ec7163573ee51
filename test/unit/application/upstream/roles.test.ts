import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World, type WorldOptions } from '../../../support/fake-world.js'
import { method, publishFrames, type Args } from '../../../support/wire-format.js'

const CONSUME = method(1, 'basic.consume', { queue: 'q', consumerTag: 't' })
const DECLARE = method(1, 'queue.declare', { queue: 'q' })
const PUBLISH = publishFrames(1, { body: 'hello' })

const PUBLISHER_METHODS = ['confirm.select', 'tx.select'] as const
const CONSUMER_METHODS = ['basic.consume', 'basic.get', 'basic.recover'] as const

describe('Roles', () => {
  let world: World

  const start = async (
    pool: Partial<World['settings']['pool']> = {},
    options: WorldOptions = {},
  ): Promise<void> => {
    const settings = { pool: { ...World.defaults.pool, separateRoles: true, ...pool } }
    world = await World.start({ ...options, settings })
  }

  beforeEach(() => start())

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const send = async (client: FakeClient, ...frames: Buffer[]): Promise<void> => {
    client.send(...frames)
    await settle()
  }

  /** A client that has sent this on its channel 1. */
  const connectWith = async (...frames: Buffer[]): Promise<FakeClient> => {
    const client = await world.connectWithChannels(2)
    await send(client, ...frames)
    return client
  }

  /** One that consumes, as the broker has confirmed on its channel `number`. */
  const connectConsumer = async (upstream: () => BrokerConnection, number = 1): Promise<FakeClient> => {
    const client = await connectWith(CONSUME)
    upstream().method(number, 'basic.consume-ok', { consumerTag: 't' })
    await settle()
    return client
  }

  const block = async (upstream: BrokerConnection): Promise<void> => {
    upstream.method(0, 'connection.blocked', { reason: 'low on memory' })
    await settle()
  }

  const unblock = async (upstream: BrokerConnection): Promise<void> => {
    upstream.method(0, 'connection.unblocked')
    await settle()
  }

  describe('that the broker grants no connections for', () => {
    const LIMIT = { code: 530, text: 'NOT_ALLOWED - user connection limit (1) is reached' }

    beforeEach(async () => {
      await connectWith(CONSUME)
      world.broker.refusesVirtualHost = () => LIMIT
    })

    it('share the connection that there is', async () => {
      const client = await connectWith(PUBLISH)
      expect(client.refusal).to.equal(undefined)
      expect(world.broker.open).to.have.length(1)
      expect(world.upstream.published()).to.deep.equal(['hello'])
    })

    it('are separated once it does, and it is asked again now and then', async () => {
      await connectWith(PUBLISH)
      const asked = world.broker.connections.length
      await connectWith(PUBLISH)
      expect(world.broker.connections, 'not asked for every client').to.have.length(asked)
      world.broker.refusesVirtualHost = () => false
      await world.advance(31_000)
      await connectWith(PUBLISH)
      expect(world.broker.open).to.have.length(2)
    })
  })

  describe('of channels', () => {
    for (const name of PUBLISHER_METHODS)
      it(`are told by ${name}: it goes to the publishers`, async () => {
        await connectWith(CONSUME)
        await connectWith(method(1, name))
        const [consumers, publishers] = world.broker.open
        expect([consumers.openChannels, publishers.names(1)[1]]).to.deep.equal([[1], name])
      })

    for (const name of CONSUMER_METHODS)
      it(`are told by ${name}: it goes to the consumers`, async () => {
        await connectWith(PUBLISH)
        await connectWith(name === 'basic.recover' ? method(1, name, { requeue: true }) : method(1, name))
        const [publishers, consumers] = world.broker.open
        expect([publishers.openChannels, consumers.names(1)[1]]).to.deep.equal([[1], name])
      })

    it('are not told by a prefetch, which php-amqp asks for on every channel: who publishes then is a publisher', async () => {
      await connectWith(CONSUME)
      await connectWith(Buffer.concat([method(1, 'basic.qos', { prefetchCount: 3 }), PUBLISH]))
      const [consumers, publishers] = world.broker.open
      expect(consumers.openChannels).to.deep.equal([1])
      expect(publishers.names(1)).to.deep.equal(['channel.open', 'basic.publish'])
    })

    it('need no second connection as long as there is one role', async () => {
      for (let count = 0; count < 5; count++) await connectWith(DECLARE, PUBLISH)
      expect(world.broker.open).to.have.length(1)
    })

    it('of one client may differ', async () => {
      await connectWith(PUBLISH, method(2, 'basic.consume', { queue: 'q' }))
      const [publishers, consumers] = world.broker.open
      expect([publishers.openChannels, consumers.openChannels]).to.deep.equal([[1], [1]])
    })

    it('are told once: a consumer that publishes stays where it is, and its messages go to the publishers', async () => {
      await connectWith(PUBLISH)
      const client = await connectConsumer(() => world.upstream)
      await send(client, PUBLISH)
      const [publishers, consumers] = world.broker.open
      expect(publishers.published()).to.deep.equal(['hello', 'hello'])
      expect(consumers.names(1)).to.deep.equal(['channel.open', 'basic.consume'])
    })

    it('are told by a consumer of direct replies, too, which are for what the same channel publishes', async () => {
      const client = await connectWith(PUBLISH)
      const replies = { queue: 'amq.rabbitmq.reply-to', noAck: true }
      await send(client, method(2, 'basic.consume', replies), publishFrames(2, { body: 'question' }))
      expect(world.broker.open).to.have.length(1)
      expect(world.upstream.names(2)).to.deep.equal(['channel.open', 'basic.consume', 'basic.publish'])
    })

    it('are another for one whose client has exclusive queues: it can reach them', async () => {
      await connectWith(PUBLISH)
      const client = await connectWith(method(1, 'queue.declare', { queue: 'mine', exclusive: true }))
      world.upstream.method(1, 'queue.declare-ok', { queue: 'mine' })
      await send(client, method(2, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true }))
      await send(client, method(2, 'basic.get', { queue: 'mine' }))
      expect(world.upstream.names(2)).to.deep.equal(['channel.open', 'basic.consume', 'basic.get'])
    })

    it('that are told late make the channel move, after the broker has processed what it did', async () => {
      await connectWith(PUBLISH)
      const [publishers] = world.broker.open
      const client = await connectWith(DECLARE)
      expect(publishers.openChannels).to.deep.equal([1, 2])
      world.broker.holdsCloseOk = true
      await send(client, CONSUME)
      expect(publishers.names(2).at(-1)).to.equal('channel.close')
      publishers.method(2, 'queue.declare-ok', { queue: 'q' })
      await settle()
      expect(client.names(1).at(-1)).to.equal('queue.declare-ok')
      expect(world.broker.open).to.have.length(1)
      publishers.answerCloses()
      await settle()
      expect(world.broker.open[1].names(1)).to.deep.equal(['channel.open', 'basic.consume'])
      expect(client.names(1), 'the client does not notice').not.to.include('channel.close-ok')
    })
  })

  describe('during an alarm', () => {
    let publisher: FakeClient
    let publishers: BrokerConnection

    beforeEach(async () => {
      publisher = await connectWith(PUBLISH)
      publishers = world.upstream
    })

    describe('channels that have not told theirs', () => {
      it('share one further connection, however many come', async () => {
        await block(publishers)
        for (let count = 0; count < 20; count++) await connectWith(DECLARE)
        expect(world.broker.open).to.have.length(2)
        expect(world.upstream.openChannels).to.have.length(20)
      })

      it('need no further connection where there is one for consumers', async () => {
        await connectWith(CONSUME)
        await block(publishers)
        for (let count = 0; count < 20; count++) await connectWith(DECLARE)
        expect(world.broker.open).to.have.length(2)
        expect(publishers.openChannels).to.deep.equal([1])
      })

      it('go to the publishers when they publish, and the further connection stays free of that', async () => {
        await block(publishers)
        for (let count = 0; count < 5; count++) await connectWith(DECLARE, PUBLISH)
        const [, further] = world.broker.open
        expect(world.broker.open).to.have.length(2)
        expect(publishers.published()).to.have.length(6)
        expect([further.published(), further.openChannels]).to.deep.equal([[], []])
        await connectWith(CONSUME)
        expect(world.broker.open).to.have.length(2)
        expect(further.openChannels).to.deep.equal([1])
      })

      it('stay where they are when they consume', async () => {
        await block(publishers)
        const client = await connectWith(DECLARE)
        await send(client, CONSUME)
        expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'queue.declare', 'basic.consume'])
      })
    })

    describe('a consumer that publishes', () => {
      let consumer: FakeClient
      let consumers: BrokerConnection

      beforeEach(async () => {
        consumer = await connectConsumer(() => world.upstream)
        consumers = world.upstream
        await block(publishers)
        // Nothing that goes to a blocked connection is answered.
        world.broker.holdsCloseOk = true
      })

      it('publishes where publishers do, and holds up no other consumer', async () => {
        await send(consumer, PUBLISH)
        expect(publishers.published()).to.deep.equal(['hello', 'hello'])
        const other = await connectConsumer(() => consumers, 2)
        await send(other, method(1, 'basic.ack', { deliveryTag: 1 }))
        expect(consumers.names(1)).to.deep.equal(['channel.open', 'basic.consume'])
        expect(consumers.names(2)).to.deep.equal(['channel.open', 'basic.consume', 'basic.ack'])
      })

      it('still receives', async () => {
        await send(consumer, PUBLISH)
        consumers.deliver(1, { body: 'work' })
        await settle()
        expect(consumer.delivered(1)).to.deep.equal(['work'])
      })

      it('acknowledges before it publishes, but not behind its message before the end', async () => {
        const ack = (deliveryTag: number): Buffer => method(1, 'basic.ack', { deliveryTag })
        for (const deliveryTag of [1, 2]) consumers.deliver(1, { deliveryTag, body: 'work' })
        await settle()
        await send(consumer, ack(1), PUBLISH, ack(2))
        consumers.answerCloses()
        await settle()
        expect(consumers.names(1).slice(2)).to.deep.equal(['basic.ack', 'channel.flow'])
        expect(publishers.published()).to.deep.equal(['hello', 'hello'])
        publishers.answerCloses()
        await settle()
        expect(consumers.names(1).at(-1)).to.equal('basic.ack')
      })

      it('is told when the connection that its messages went over is lost', async () => {
        await start()
        consumer = await connectConsumer(() => world.upstream)
        await connectWith(PUBLISH)
        publishers = world.upstream
        await send(consumer, PUBLISH)
        publishers.peer.reset()
        await settle()
        expect(consumer.refusal).to.include({ code: 320 })
      })

      it('before anybody knew of the alarm, stops nobody: there is a connection for its messages', async () => {
        await start()
        consumer = await connectConsumer(() => world.upstream)
        consumers = world.upstream
        await send(consumer, PUBLISH)
        publishers = world.upstream
        expect([consumers.published(), publishers.published()]).to.deep.equal([[], ['hello']])
        await block(publishers)
        await connectConsumer(() => consumers, 2)
        expect(world.broker.open).to.have.length(2)
      })

      it('that says goodbye gets its Close-Ok after the alarm, when its message has been processed', async () => {
        await send(consumer, PUBLISH)
        consumer.close()
        await settle()
        expect(consumer.ended).to.equal('open')
        world.broker.holdsCloseOk = false
        publishers.answerCloses()
        await settle()
        expect(consumer.names(0).at(-1)).to.equal('connection.close-ok')
        expect([consumers.openChannels, publishers.openChannels]).to.deep.equal([[], [1, 2]])
      })
    })

    describe('a consumer whose messages cannot go another way, since a transaction has acks and messages in common', () => {
      let consumer: FakeClient
      let consumers: BrokerConnection

      beforeEach(async () => {
        consumer = await connectConsumer(() => world.upstream)
        consumers = world.upstream
        await send(consumer, method(1, 'tx.select'))
        consumers.method(1, 'tx.select-ok')
        await block(publishers)
      })

      it('waits for its end before it publishes, and goes on then', async () => {
        await send(consumer, PUBLISH, method(1, 'basic.ack', { deliveryTag: 1 }))
        expect(consumers.names(1).at(-1)).to.equal('tx.select')
        expect(consumer.peer.isPaused).to.equal(true)
        await unblock(publishers)
        expect(consumers.names(1).slice(3)).to.deep.equal(['basic.publish', 'basic.ack'])
        expect(consumers.published()).to.deep.equal(['hello'])
        expect(consumer.peer.isPaused).to.equal(false)
      })

      it('waits as a whole message, which is not sent in halves', async () => {
        const [half, rest] = [PUBLISH.subarray(0, PUBLISH.length - 3), PUBLISH.subarray(PUBLISH.length - 3)]
        await send(consumer, half)
        await send(consumer, rest)
        await unblock(publishers)
        expect(consumers.published()).to.deep.equal(['hello'])
      })

      it('waits again the next time', async () => {
        for (let round = 1; round <= 3; round++) {
          await send(consumer, PUBLISH)
          expect(consumers.published()).to.have.length(round - 1)
          await unblock(publishers)
          expect(consumers.published()).to.have.length(round)
          await block(publishers)
        }
      })

      it('goes on when the blocked connection is lost, and the alarm with it', async () => {
        // Whose channels go first to the consumers' connection isn't affected by the loss.
        await start()
        consumer = await connectConsumer(() => world.upstream)
        consumers = world.upstream
        await send(consumer, method(1, 'tx.select'))
        await connectWith(PUBLISH)
        publishers = world.upstream
        await block(publishers)
        await send(consumer, PUBLISH)
        expect(consumers.published()).to.deep.equal([])
        publishers.peer.reset()
        await settle()
        expect(consumers.published()).to.deep.equal(['hello'])
      })

      it('before anybody knew of the alarm, stops no consumer that comes later', async () => {
        await unblock(publishers)
        await send(consumer, PUBLISH)
        await block(consumers)
        const late = await connectWith(CONSUME, method(1, 'tx.select'))
        const [, , further] = world.broker.open
        expect(further.names(1)).to.deep.equal(['channel.open', 'basic.consume', 'tx.select'])
        await send(late, PUBLISH)
        expect(further.published()).to.deep.equal([])
        await connectWith(CONSUME)
        expect(world.broker.open).to.have.length(3)
        await unblock(consumers)
        expect(further.published()).to.deep.equal(['hello'])
      })

      it('publishes nothing if it dies meanwhile', async () => {
        await send(consumer, PUBLISH)
        consumer.peer.reset()
        await settle()
        await unblock(publishers)
        expect(consumers.published()).to.deep.equal([])
        expect(consumers.openChannels).to.deep.equal([])
        expect(world.proxy.clients).to.equal(1)
      })

      it('drops the message when the broker has closed the channel meanwhile', async () => {
        await send(consumer, PUBLISH)
        consumers.closeChannel(1, { code: 406, text: 'PRECONDITION_FAILED - no' }, 'basic.ack')
        await settle()
        expect(consumer.names(1).at(-1)).to.equal('channel.close')
        await unblock(publishers)
        expect(consumers.published()).to.deep.equal([])
        expect(consumer.ended).to.equal('open')
        await consumer.openChannels(1)
      })
    })

    it('a publisher does not wait for Warren: the broker decides when it reads', async () => {
      await block(publishers)
      await send(publisher, PUBLISH)
      expect(publishers.published()).to.deep.equal(['hello', 'hello'])
    })

    it('nobody waits for Warren where roles are not separated', async () => {
      world = await World.start()
      const consumer = await connectConsumer(() => world.upstream)
      await block(world.upstream)
      await send(consumer, PUBLISH)
      expect(world.upstream.published()).to.deep.equal(['hello'])
    })
  })

  describe('and an exclusive queue', () => {
    it('let its owner reach it by an empty name, from a channel that has moved to publish', async () => {
      await connectWith(PUBLISH)
      const client = await connectWith(method(1, 'queue.declare', { queue: 'mine', exclusive: true }))
      const [publishers, consumers] = world.broker.open
      consumers.method(1, 'queue.declare-ok', { queue: 'mine' })
      await send(client, method(2, 'queue.declare', { queue: 'mine', passive: true }))
      consumers.method(2, 'queue.declare-ok', { queue: 'mine' })
      await settle()
      await send(client, publishFrames(2, { body: 'there' }))
      expect(publishers.published()).to.deep.equal(['hello', 'there'])
      await send(client, method(2, 'basic.consume', { queue: '', consumerTag: 't' }))
      expect(consumers.names(2).at(-1)).to.equal('basic.consume')
      expect((consumers.received(2).at(-1)!.args as Args<'basic.consume'>).queue).to.equal('mine')
    })
  })

  describe('and an exclusive queue on a connection that is full', () => {
    it('leave a channel of its owner where it is: the broker’s answer is its own', async () => {
      await start({ maxChannels: 2 })
      await connectWith(PUBLISH)
      const client = await connectWith(method(1, 'queue.declare', { queue: 'mine', exclusive: true }))
      const [publishers, consumers] = world.broker.open
      consumers.method(1, 'queue.declare-ok', { queue: 'mine' })
      await connectWith(CONSUME)
      expect(consumers.openChannels).to.deep.equal([1, 2])
      await send(client, publishFrames(2, { body: 'mine' }))
      world.broker.holdsCloseOk = true
      await send(client, method(2, 'queue.bind', { queue: 'mine' }))
      // One answer: a channel that moved for ever would never let the test end.
      publishers.answerCloses()
      await settle()
      expect(publishers.names(2)).to.deep.equal(['channel.open', 'basic.publish', 'queue.bind'])
      expect((publishers.received(2)[2].args as Args<'queue.bind'>).queue).to.equal('mine')
    })
  })
})
