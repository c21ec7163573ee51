import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient, publishFrames } from '../support/wire-client.js'

describe('clients that leave, politely or not', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
    await broker.quiet()
    warren = await WarrenProcess.start(broker.port)
  })
  after(() => warren.stop())
  afterEach(() => broker.deleteAllQueues())

  it('requeues what a consumer that was reset had not acknowledged, and removes the consumer within 2 s', async () => {
    const [consumer, other] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    await consumer.openChannel(1)
    await other.openChannel(1)
    await other.declareQueue(1, 'work', {})
    for (let n = 1; n <= 5; n++) other.publish(1, { routingKey: 'work', body: `${n}` })
    await consumer.consume(1, 'work')
    for (let n = 1; n <= 5; n++) await consumer.expectContent('basic.deliver')
    consumer.ack(1, 2, true)
    await eventually(async () => expect((await broker.queues())[0].unacked).to.equal(3))
    consumer.reset()
    await eventually(async () => expect(await broker.consumers()).to.have.length(0), 2000)
    await other.consume(1, 'work')
    for (const n of [3, 4, 5]) {
      const delivery = await other.expectContent('basic.deliver')
      expect(delivery.body.toString()).to.equal(`${n}`)
      expect(delivery.args.redelivered).to.equal(true)
    }
    await other.close()
  })

  it('deletes the exclusive queue of a client that was reset within a second', async () => {
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    await client.declareQueue(1, 'mine', { autoDelete: true })
    await client.consume(1, 'mine')
    client.reset()
    await eventually(async () => expect(await broker.queues()).to.have.length(0), 1000)
  })

  it('answers Connection.Close only after the broker has processed what was published before', async () => {
    const setUp = await WireClient.connect(broker.port)
    await setUp.openChannel(1)
    await setUp.declareQueue(1, 'before-close', { durable: true })
    for (let round = 1; round <= 20; round++) {
      const client = await WireClient.connect(warren.port)
      await client.openChannel(1)
      for (let n = 0; n < 50; n++) client.publish(1, { routingKey: 'before-close', body: `${round}:${n}` })
      await client.close()
      // Basic.Get waits its turn at the queue; a question for the count would overtake messages on their way.
      for (let n = 0; n < 50; n++)
        expect((await setUp.get(1, 'before-close')).body.toString()).to.equal(`${round}:${n}`)
    }
    await setUp.close()
  })

  describe('a client that dies in the middle of a publish', () => {
    const frames = publishFrames(1, { routingKey: 'half', body: Buffer.alloc(300_000, 'x') })
    const cuts = new Map<string, number>([
      ['in the publish method', 9],
      ['after the publish method', frameEnd(0)],
      ['in the content header', frameEnd(0) + 10],
      ['after the content header', frameEnd(1)],
      ['in the first body frame', frameEnd(1) + 70_000],
      ['after the first body frame', frameEnd(2)],
      ['one byte before the end', frames.length - 1],
    ])

    function frameEnd(index: number): number {
      let at = 0
      for (let n = 0; n <= index; n++) at += frames.readUInt32BE(at + 3) + 8
      return at
    }

    for (const [where, length] of cuts)
      it(`${where} publishes nothing and disturbs nobody`, async () => {
        const neighbour = await WireClient.connect(warren.port)
        await neighbour.openChannel(1)
        await neighbour.declareQueue(1, 'half', {})
        await neighbour.declareQueue(1, 'neighbour', {})
        await neighbour.consume(1, 'neighbour')
        const dying = await WireClient.connect(warren.port)
        await dying.openChannel(1)
        dying.publish(1, { routingKey: 'half', body: 'whole' })
        await eventually(async () =>
          expect((await broker.queues()).find(({ name }) => name === 'half')!.messages).to.equal(1),
        )
        const carriers = await broker.carriers()
        dying.send(frames.subarray(0, length))
        await new Promise((resolve) => setTimeout(resolve, 50))
        dying.reset()

        for (let n = 0; n < 20; n++) {
          neighbour.publish(1, { routingKey: 'neighbour', body: `${n}` })
          expect((await neighbour.expectContent('basic.deliver')).body.toString()).to.equal(`${n}`)
        }
        const half = (await broker.queues()).find(({ name }) => name === 'half')!
        expect(half.messages).to.equal(1)
        expect(await broker.carriers()).to.include.members(carriers)
        await neighbour.close()
      })
  })
})
