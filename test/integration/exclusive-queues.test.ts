import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

type Request = [method: string, send: (client: WireClient, queue: string) => void]

const REQUESTS: Request[] = [
  ['queue.declare', (c, queue) => c.method(1, 'queue.declare', { queue })],
  ['a passive queue.declare', (c, queue) => c.method(1, 'queue.declare', { queue, passive: true })],
  ['an exclusive queue.declare', (c, queue) => c.method(1, 'queue.declare', { queue, exclusive: true })],
  ['queue.bind', (c, queue) => c.method(1, 'queue.bind', { queue, exchange: 'amq.direct', routingKey: 'x' })],
  [
    'queue.unbind',
    (c, queue) => c.method(1, 'queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'x' }),
  ],
  ['queue.purge', (c, queue) => c.method(1, 'queue.purge', { queue })],
  ['queue.delete', (c, queue) => c.method(1, 'queue.delete', { queue })],
  ['basic.get', (c, queue) => c.method(1, 'basic.get', { queue })],
  ['basic.consume', (c, queue) => c.method(1, 'basic.consume', { queue })],
]

describe('exclusive queues', function () {
  this.timeout(30_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
    warren = await WarrenProcess.start(broker.port)
  })
  after(() => warren.stop())
  afterEach(() => broker.deleteAllQueues())

  async function onChannel(port = warren.port): Promise<WireClient> {
    const client = await WireClient.connect(port)
    await client.openChannel(1)
    return client
  }

  for (const [what, send] of REQUESTS)
    it(`refuse ${what} of another client of the same pool as RabbitMQ refuses another connection`, async () => {
      const answers: unknown[] = []
      for (const port of [broker.port, warren.port]) {
        const [owner, neighbour] = [await onChannel(port), await onChannel(port)]
        await owner.declareQueue(1, 'mine', { exclusive: true })
        owner.method(1, 'queue.bind', { queue: 'mine', exchange: 'amq.direct', routingKey: 'x' })
        await owner.expectMethod('queue.bind-ok')
        send(neighbour, 'mine')
        answers.push(await neighbour.expectMethod('channel.close'))
        neighbour.method(1, 'channel.close-ok', {})
        await neighbour.openChannel(1)
        await neighbour.close()
        owner.publish(1, { routingKey: 'mine', body: 'still here' })
        expect((await owner.get(1, 'mine')).body.toString()).to.equal('still here')
        await owner.close()
        await eventually(async () => expect(await broker.queues()).to.have.length(0))
      }
      expect(answers[1]).to.deep.equal(answers[0])
    })

  it('may be used by their owner on every channel, and published to by anybody', async () => {
    const [owner, neighbour] = [await onChannel(), await onChannel()]
    await owner.openChannel(2)
    const { queue } = await owner.declareQueue(1, '', { exclusive: true })
    await owner.consume(2, queue)
    neighbour.publish(1, { routingKey: queue, body: 'hello' })
    expect((await owner.expectContent('basic.deliver')).body.toString()).to.equal('hello')
    await owner.close()
    await neighbour.close()
  })

  for (const [how, leave] of [
    ['politely', (client: WireClient) => client.close()],
    ['by a reset', (client: WireClient) => client.reset()],
  ] as const)
    it(`are gone within a second of their owner's leaving ${how}, whatever channel is left`, async () => {
      const [owner, neighbour] = [await onChannel(), await onChannel()]
      await owner.openChannel(2)
      await owner.declareQueue(1, 'named', { exclusive: true, durable: true })
      await owner.declareQueue(1, '', { exclusive: true })
      owner.method(1, 'queue.declare', { queue: 'silent', exclusive: true, nowait: true })
      owner.method(1, 'queue.declare', { queue: '', exclusive: true, nowait: true })
      await owner.closeChannel(1)
      await eventually(async () => expect(await broker.queues()).to.have.length(4))
      await leave(owner)
      await eventually(async () => expect(await broker.queues()).to.have.length(0), 1000)
      await neighbour.declareQueue(1, 'named', { exclusive: true })
      await neighbour.close()
    })

  it('leave a queue of the same name alone that somebody made after their owner had deleted them', async () => {
    const [owner, direct] = [await onChannel(), await onChannel(broker.port)]
    await owner.declareQueue(1, 'reused', { exclusive: true, autoDelete: true })
    const tag = await owner.consume(1, 'reused')
    owner.method(1, 'basic.cancel', { consumerTag: tag })
    await owner.expectMethod('basic.cancel-ok')
    await eventually(async () => expect(await broker.queues()).to.have.length(0))
    await direct.declareQueue(1, 'reused', { durable: true })
    await owner.close()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await broker.queues()).map(({ name }) => name)).to.deep.equal(['reused'])
    await direct.close()
  })

  it('are not claimed by a declaration that the broker refused', async () => {
    const [direct, client, neighbour] = [await onChannel(broker.port), await onChannel(), await onChannel()]
    await direct.declareQueue(1, 'taken', { durable: true })
    client.method(1, 'queue.declare', { queue: 'taken', exclusive: true })
    expect((await client.expectMethod('channel.close')).code).to.equal(405)
    await neighbour.declareQueue(1, 'taken', { durable: true })
    for (const one of [direct, client, neighbour]) await one.close()
  })

  it('may be deleted by their owner, and are then free for others', async () => {
    const [owner, neighbour] = [await onChannel(), await onChannel()]
    await owner.declareQueue(1, 'brief', { exclusive: true })
    owner.method(1, 'queue.delete', { queue: 'brief', ifEmpty: true })
    await owner.expectMethod('queue.delete-ok')
    await neighbour.declareQueue(1, 'brief', { exclusive: true })
    await owner.close()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await broker.queues()).to.have.length(1)
    await neighbour.close()
  })
})
