import { connect as amqplibConnect } from 'amqplib'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const ALARM = '{{resource_limit, memory, node()}, []}'
const BLOCKED = { capabilities: { 'connection.blocked': true } }

describe('publishers and consumers', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await RabbitMqBroker.start()
  })
  after(() => broker.stop())
  beforeEach(async () => {
    warren = await WarrenProcess.start(broker.port)
  })
  afterEach(async () => {
    await clearAlarm()
    await warren.stop()
    await broker.quiet()
    await broker.deleteAllQueues()
  })

  const setAlarm = (): Promise<string> => broker.eval(`rabbit_alarm:set_alarm(${ALARM})`)
  const clearAlarm = (): Promise<string> =>
    broker.eval('rabbit_alarm:clear_alarm({resource_limit, memory, node()})')

  async function onChannel(options = {}): Promise<WireClient> {
    const client = await WireClient.connect(warren.port, options)
    await client.openChannel(1)
    return client
  }

  /** Publishes until the broker, which learns of its alarm little by little, blocks the connection. */
  async function publishUntilBlocked(client: WireClient): Promise<string> {
    const timer = setInterval(() => client.publish(1, { routingKey: 'nowhere', body: 'x' }), 20)
    try {
      return (await client.expectMethod('connection.blocked')).reason
    } finally {
      clearInterval(timer)
    }
  }

  const upstreams = async (): Promise<number> => (await broker.upstreams()).length

  async function fill(queue: string, count: number): Promise<void> {
    const direct = await WireClient.connect(broker.port)
    await direct.openChannel(1)
    await direct.declareQueue(1, queue, {})
    for (let n = 0; n < count; n++) direct.publish(1, { routingKey: queue, body: `${n}` })
    await direct.close()
  }

  it('share one upstream connection until there are both', async () => {
    const publishers = [await onChannel(), await onChannel()]
    for (const client of publishers) {
      await client.declareQueue(1, 'q', {})
      client.publish(1, { routingKey: 'q', body: 'x' })
      await client.declareQueue(1, 'q', {})
    }
    expect(await upstreams()).to.equal(1)
    const consumer = await onChannel()
    await consumer.consume(1, 'q')
    await consumer.expectContent('basic.deliver')
    expect(await upstreams()).to.equal(2)
    for (const client of publishers) await client.close()
    consumer.reset()
  })

  it('may be one channel, which then has both', async () => {
    const connection = await amqplibConnect(warren.url)
    const channel = await connection.createChannel()
    await channel.assertQueue('hello', { durable: false })
    channel.sendToQueue('hello', Buffer.from('world'))
    const body = await new Promise((resolve) => {
      void channel.consume('hello', (message) => resolve(message!.content.toString()), { noAck: true })
    })
    expect(body).to.equal('world')
    expect(await upstreams()).to.equal(2)
    await connection.close()
  })

  it('are told apart only after they have declared: the channel moves, with its current queue', async () => {
    const publisher = await onChannel()
    publisher.publish(1, { routingKey: 'nowhere', body: 'x' })
    const consumer = await onChannel()
    for (const [name, flags] of [
      ['named', {}],
      ['', { autoDelete: true }],
    ] as const) {
      const { queue } = await consumer.declareQueue(1, name, flags)
      consumer.method(1, 'queue.bind', { queue: '', exchange: 'amq.direct', routingKey: 'key' })
      await consumer.expectMethod('queue.bind-ok')
      await consumer.consume(1, '')
      publisher.publish(1, { exchange: 'amq.direct', routingKey: 'key', body: `for ${queue}` })
      expect((await consumer.expectContent('basic.deliver')).body.toString()).to.equal(`for ${queue}`)
      await consumer.closeChannel(1)
      await consumer.openChannel(1)
      await broker.deleteAllQueues()
    }
    expect(await upstreams()).to.equal(2)
    await publisher.close()
    await consumer.close()
  })

  it('that move do not lose an error of what they did before', async () => {
    const publisher = await onChannel()
    publisher.publish(1, { routingKey: 'nowhere', body: 'x' })
    const consumer = await onChannel()
    consumer.method(1, 'queue.declare', { queue: 'missing', passive: true })
    consumer.method(1, 'basic.consume', { queue: 'other' })
    const close = await consumer.expectMethod('channel.close')
    expect(close).to.include({ code: 404, methodId: 10 })
    consumer.method(1, 'channel.close-ok', {})
    await consumer.openChannel(1)
    await consumer.declareQueue(1, 'other', {})
    await consumer.consume(1, 'other')
    await publisher.close()
    await consumer.close()
  })

  it('a publisher that has declared moves away from the consumers, and its message follows what it declared', async () => {
    const consumer = await onChannel()
    await consumer.declareQueue(1, 'c', {})
    await consumer.consume(1, 'c')
    for (let round = 0; round < 20; round++) {
      const publisher = await onChannel()
      publisher.method(1, 'queue.declare', { queue: `fresh-${round}`, nowait: true })
      publisher.publish(1, { routingKey: `fresh-${round}`, body: 'x' })
      await publisher.close()
    }
    // Eventually: the broker lets a question for the count overtake the messages that wait for their queue.
    await eventually(async () => {
      const fresh = (await broker.queues()).filter(({ name }) => name.startsWith('fresh'))
      expect(fresh.map(({ messages }) => messages)).to.deep.equal(Array(20).fill(1))
    })
    expect(await upstreams()).to.equal(2)
    await consumer.close()
  })

  it('an exclusive queue of a client is reachable from all its channels, whatever their role', async () => {
    const other = await onChannel()
    other.publish(1, { routingKey: 'nowhere', body: 'x' })
    const client = await onChannel()
    const { queue } = await client.declareQueue(1, '', { exclusive: true })
    for (let channel = 2; channel <= 5; channel++) await client.openChannel(channel)
    client.method(2, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: 'k' })
    await client.expectMethod('queue.bind-ok')
    client.publish(3, { exchange: 'amq.direct', routingKey: 'k', body: 'hello' })
    client.publish(3, { exchange: 'amq.direct', routingKey: 'k', body: 'again' })
    await eventually(async () => expect((await broker.queues())[0].messages).to.equal(2))
    expect((await client.get(4, queue)).body.toString()).to.equal('hello')
    await client.consume(5, queue, { noAck: true })
    expect((await client.expectContent('basic.deliver')).body.toString()).to.equal('again')
    await client.close()
    await other.close()
  })

  describe('during an alarm at the broker', () => {
    it('consumers receive and acknowledge, and new consumers can start, while publishers wait', async () => {
      await fill('work', 500)
      const consumer = await onChannel()
      await consumer.consume(1, 'work')
      const publisher = await onChannel(BLOCKED)
      publisher.publish(1, { routingKey: 'nowhere', body: 'x' })
      await setAlarm()
      expect(await publishUntilBlocked(publisher)).to.equal('low on memory')
      publisher.publish(1, { routingKey: 'work', body: 'waits for the end of the alarm' })

      for (let n = 0; n < 400; n++) {
        const delivery = await consumer.expectContent('basic.deliver')
        consumer.ack(1, Number(delivery.args.deliveryTag))
      }
      await eventually(async () => expect((await broker.queues())[0].messages).to.equal(100))

      const late = await onChannel()
      await late.declareQueue(1, 'late', {})
      await late.consume(1, 'late')
      consumer.reset()
      await late.openChannel(2)
      await late.consume(2, 'work')
      await late.expectContent('basic.deliver')

      await clearAlarm()
      await publisher.expectMethod('connection.unblocked')
      late.reset()
      await eventually(async () => {
        const work = (await broker.queues()).find(({ name }) => name === 'work')!
        expect(work.messages).to.equal(101)
      })
      await publisher.close()
    })

    it('clients that declare and then publish open no connection each', async () => {
      const publisher = await onChannel(BLOCKED)
      publisher.publish(1, { routingKey: 'nowhere', body: 'x' })
      await setAlarm()
      await publishUntilBlocked(publisher)
      const clients: WireClient[] = []
      for (let n = 0; n < 10; n++) {
        const client = await onChannel()
        await client.declareQueue(1, `declared-${n}`, {})
        client.publish(1, { routingKey: `declared-${n}`, body: 'x' })
        clients.push(client)
      }
      expect(await upstreams()).to.equal(2)
      await clearAlarm()
      await publisher.expectMethod('connection.unblocked')
      for (const client of [publisher, ...clients]) await client.close()
      await eventually(async () => {
        const declared = (await broker.queues()).filter(({ name }) => name.startsWith('declared'))
        expect(declared.map(({ messages }) => messages)).to.deep.equal(Array(10).fill(1))
      })
      expect(await upstreams()).to.equal(2)
    })

    it('a consumer that publishes waits, and the consumers beside it do not', async () => {
      await fill('work', 100)
      const answering = await onChannel()
      await answering.consume(1, 'work', { noAck: true })
      for (let n = 0; n < 100; n++) await answering.expectContent('basic.deliver')
      const consumer = await onChannel()
      await consumer.declareQueue(1, 'answers', {})
      await consumer.consume(1, 'answers', { noAck: true })
      const publisher = await onChannel(BLOCKED)
      publisher.publish(1, { routingKey: 'nowhere', body: 'x' })
      await setAlarm()
      await publishUntilBlocked(publisher)

      answering.publish(1, { routingKey: 'answers', body: 'late' })
      // RabbitMQ would read nothing more of the connection that they share if that message had reached it.
      for (let n = 0; n < 5; n++) {
        await consumer.declareQueue(1, 'answers', {})
        const late = await onChannel()
        await late.consume(1, 'work')
        late.reset()
      }
      expect((await broker.queues()).find(({ name }) => name === 'answers')!.messages).to.equal(0)

      await clearAlarm()
      await publisher.expectMethod('connection.unblocked')
      expect((await consumer.expectContent('basic.deliver')).body.toString()).to.equal('late')
      for (const client of [answering, consumer, publisher]) await client.close()
    })

    const stopsNobody = async (answering: WireClient): Promise<void> => {
      const neighbour = await onChannel()
      await neighbour.declareQueue(1, 'busy', {})
      await neighbour.consume(1, 'busy')
      await fill('busy', 100)
      await setAlarm()
      expect(await publishUntilBlocked(answering)).to.equal('low on memory')

      for (let n = 0; n < 100; n++) {
        const delivery = await neighbour.expectContent('basic.deliver')
        neighbour.ack(1, Number(delivery.args.deliveryTag))
      }
      await eventually(async () => {
        expect((await broker.queues()).find(({ name }) => name === 'busy')!.messages).to.equal(0)
      })
      answering.publish(1, { routingKey: 'busy', body: 'waits for the end of the alarm' })
      const late = await onChannel()
      await late.consume(1, 'work')
      expect((await broker.queues()).find(({ name }) => name === 'busy')!.messages).to.equal(0)

      await clearAlarm()
      await answering.expectMethod('connection.unblocked')
      const { body } = await neighbour.expectContent('basic.deliver')
      expect(body.toString()).to.equal('waits for the end of the alarm')
      for (const client of [answering, neighbour, late]) await client.close()
    }

    it('that nobody knows of yet, a consumer’s message stops nobody beside it, who goes on to acknowledge', async () => {
      await fill('work', 110)
      const answering = await onChannel(BLOCKED)
      await answering.consume(1, 'work', { noAck: true })
      for (let n = 0; n < 110; n++) await answering.expectContent('basic.deliver')
      await stopsNobody(answering)
    })

    it('nor does that of a publisher who has bound an exclusive queue of its client since', async () => {
      await fill('work', 0)
      const answering = await onChannel(BLOCKED)
      answering.publish(1, { routingKey: 'nowhere', body: 'x' })
      await answering.openChannel(2)
      await answering.declareQueue(2, 'mine', { exclusive: true })
      answering.method(1, 'queue.bind', { queue: 'mine', exchange: 'amq.fanout' })
      await answering.expectMethod('queue.bind-ok')
      await stopsNobody(answering)
    })

    const acknowledges = async (
      begin: (worker: WireClient) => Promise<unknown>,
      next: (worker: WireClient) => Promise<{ args: { deliveryTag: number } }>,
    ): Promise<void> => {
      const worker = await onChannel()
      worker.publish(1, { routingKey: 'nowhere', body: 'x' })
      await worker.declareQueue(1, 'busy', {})
      await fill('busy', 50)
      await begin(worker)
      const publisher = await onChannel(BLOCKED)
      await setAlarm()
      await publishUntilBlocked(publisher)
      for (let n = 0; n < 50; n++) worker.ack(1, (await next(worker)).args.deliveryTag)
      await eventually(async () => expect((await broker.queues())[0].messages).to.equal(0))
      await clearAlarm()
      await publisher.expectMethod('connection.unblocked')
      for (const client of [worker, publisher]) await client.close()
    }

    it('a channel that has published before it consumes acknowledges, too', () =>
      acknowledges(
        (worker) => worker.consume(1, 'busy'),
        (worker) => worker.expectContent('basic.deliver'),
      ))

    it('and one that has published before it gets its messages one by one', () =>
      acknowledges(
        async () => {},
        (worker) => worker.get(1, 'busy', false),
      ))

    it('blocked and unblocked reach those who announced it, also who come meanwhile, and nobody else', async () => {
      const [telling, silent] = [await onChannel(BLOCKED), await onChannel({ capabilities: {} })]
      await setAlarm()
      expect(await publishUntilBlocked(telling)).to.equal('low on memory')
      const late = await WireClient.connect(warren.port, BLOCKED)
      expect((await late.expectMethod('connection.blocked')).reason).to.equal('low on memory')
      await silent.expectSilence(100)
      await clearAlarm()
      await telling.expectMethod('connection.unblocked')
      await late.expectMethod('connection.unblocked')
      await silent.expectSilence(100)
      for (const client of [telling, silent, late]) await client.close()
    })
  })
})
