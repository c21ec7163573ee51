import { expect } from 'chai'
import { ExclusiveQueueProbe } from '../../src/application/upstream/exclusive-queue-probe.js'
import { type Conversation, converse } from '../support/conversation.js'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { method, WireClient } from '../support/wire-client.js'

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
  [
    'queue.bind to an exchange that is not there',
    (c, queue) => c.method(1, 'queue.bind', { queue, exchange: 'absent', routingKey: 'x' }),
  ],
  [
    'queue.bind to the default exchange',
    (c, queue) => c.method(1, 'queue.bind', { queue, exchange: '', routingKey: 'x' }),
  ],
  [
    'queue.bind with arguments that make no sense',
    (c, queue) =>
      c.method(1, 'queue.bind', { queue, exchange: 'amq.headers', arguments: { 'x-match': 'odd' } }),
  ],
  [
    'queue.unbind of a binding that is not there',
    (c, queue) => c.method(1, 'queue.unbind', { queue, exchange: 'amq.direct', routingKey: 'y' }),
  ],
  [
    'queue.unbind from an exchange that is not there',
    (c, queue) => c.method(1, 'queue.unbind', { queue, exchange: 'absent', routingKey: 'x' }),
  ],
  ['queue.purge', (c, queue) => c.method(1, 'queue.purge', { queue })],
  ['queue.delete', (c, queue) => c.method(1, 'queue.delete', { queue })],
  ['basic.get', (c, queue) => c.method(1, 'basic.get', { queue })],
  ['basic.consume', (c, queue) => c.method(1, 'basic.consume', { queue })],
]

describe('exclusive queues', function () {
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

  async function onChannel(port = warren.port): Promise<WireClient> {
    const client = await WireClient.connect(port)
    await client.openChannel(1)
    return client
  }

  for (const [what, send] of REQUESTS)
    it(`answer ${what} of another client of the same pool as RabbitMQ answers another connection`, async () => {
      const answers: unknown[] = []
      for (const port of [broker.port, warren.port]) {
        const [owner, neighbour] = [await onChannel(port), await onChannel(port)]
        await owner.declareQueue(1, 'mine', { exclusive: true })
        owner.method(1, 'queue.bind', { queue: 'mine', exchange: 'amq.direct', routingKey: 'x' })
        await owner.expectMethod('queue.bind-ok')
        send(neighbour, 'mine')
        const answer = await neighbour.nextMethod()
        answers.push(answer)
        if (answer.name === 'channel.close') {
          neighbour.method(1, 'channel.close-ok', {})
          await neighbour.openChannel(1)
        }
        await neighbour.close()
        owner.publish(1, { exchange: 'amq.direct', routingKey: 'x', body: 'still here' })
        expect((await owner.get(1, 'mine')).body.toString()).to.equal('still here')
        await owner.close()
        await eventually(async () => expect(await broker.queues()).to.have.length(0))
      }
      expect(answers[1]).to.deep.equal(answers[0])
    })

  for (const [what, ...last] of [
    ['the answers to'],
    ['an error over', method(1, 'queue.declare', { queue: 'absent', passive: true })],
  ] as const)
    it(`are refused behind ${what} what was asked before, as by RabbitMQ`, async () => {
      const before = Array.from({ length: 10 }, (_, nth) =>
        method(1, 'queue.declare', { queue: `before-${nth}`, durable: true }),
      )
      const frames = Buffer.concat([...before, ...last, method(1, 'queue.purge', { queue: 'mine' })])
      const answers: Conversation[] = []
      for (const port of [broker.port, warren.port]) {
        const owner = await onChannel(port)
        await owner.declareQueue(1, 'mine', { exclusive: true })
        answers.push(await converse(port, { reach: 'channel', act: (neighbour) => neighbour.send(frames) }))
        await owner.close()
        await broker.deleteAllQueues()
      }
      expect(answers[0].said).to.have.length.greaterThan(10)
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
    it(`are gone with their owner, who leaves ${how}, whatever channel is left`, async () => {
      const [owner, neighbour] = [await onChannel(), await onChannel()]
      await owner.openChannel(2)
      await owner.declareQueue(1, 'named', { exclusive: true, durable: true })
      await owner.declareQueue(1, '', { exclusive: true })
      owner.method(1, 'queue.declare', { queue: 'silent', exclusive: true, nowait: true })
      owner.method(1, 'queue.declare', { queue: '', exclusive: true, nowait: true })
      await owner.closeChannel(1)
      await eventually(async () => expect(await broker.queues()).to.have.length(4))
      await leave(owner)
      await eventually(async () => expect(await broker.queues()).to.have.length(0))
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

  it('are not made again by a neighbour’s question when their owner deletes them meanwhile', async () => {
    const [owner, neighbour] = [await onChannel(), await onChannel()]
    for (let round = 0; round < 100; round++) {
      await owner.declareQueue(1, 'brief', { exclusive: true })
      neighbour.method(1, 'queue.purge', { queue: 'brief' })
      owner.method(1, 'queue.delete', { queue: 'brief' })
      await owner.expectMethod('queue.delete-ok')
      expect([404, 405]).to.include((await neighbour.expectMethod('channel.close')).code)
      neighbour.method(1, 'channel.close-ok', {})
      await neighbour.openChannel(1)
      expect(await broker.queues()).to.deep.equal([])
    }
    for (const one of [owner, neighbour]) await one.close()
  })

  it('are asked for in a way that makes no queue, and tells the own from everybody’s', async () => {
    const [asking, other] = [await onChannel(broker.port), await onChannel(broker.port)]
    await asking.declareQueue(1, 'own', { exclusive: true })
    await other.declareQueue(1, 'everybody’s', { durable: true })
    await other.declareQueue(1, 'another’s', { exclusive: true })
    for (const [queue, code] of [
      ['own', 406],
      ['everybody’s', 405],
      ['another’s', 405],
      ['nobody’s', 404],
    ] as const) {
      await asking.openChannel(2)
      for (const frame of ExclusiveQueueProbe.question(2, queue)) asking.send(Buffer.from(frame))
      expect((await asking.expectMethod('channel.close')).code, queue).to.equal(code)
      asking.method(2, 'channel.close-ok', {})
    }
    // The second half, when the queue has gone since the first.
    await asking.openChannel(2)
    asking.send(Buffer.from(ExclusiveQueueProbe.question(2, 'nobody’s')[1]))
    expect((await asking.expectMethod('channel.close')).code).to.equal(406)
    expect(await broker.queues()).to.have.length(3)
    for (const one of [asking, other]) await one.close()
  })

  /** Declares, or takes the refusal of a queue that is locked; the channel is open afterwards. */
  async function declares(client: WireClient, queue: string): Promise<boolean> {
    client.method(1, 'queue.declare', { queue, exclusive: true })
    const { name, args } = await client.nextMethod()
    if (name === 'queue.declare-ok') return true
    expect([name, (args as { code: number }).code]).to.deep.equal(['channel.close', 405])
    client.method(1, 'channel.close-ok', {})
    await client.openChannel(1)
    return false
  }

  it('have one owner at a time, however many want the same name and give it up again', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => onChannel()))
    for (const client of clients) await client.declareQueue(1)
    const before = await broker.carriers()
    let owner: WireClient | undefined
    const wins = await Promise.all(
      clients.map(async (client) => {
        let won = 0
        for (let round = 0; round < 100; round++) {
          if (!(await declares(client, 'wanted'))) continue
          expect(owner, 'the queue has an owner').to.equal(undefined)
          owner = client
          won++
          client.publish(1, { routingKey: 'wanted', body: 'x' })
          owner = undefined
          client.method(1, 'queue.delete', { queue: 'wanted', nowait: round % 3 === 0 })
          if (round % 3 !== 0) await client.expectMethod('queue.delete-ok')
        }
        return won
      }),
    )
    expect(wins.reduce((sum, won) => sum + won)).to.be.greaterThan(0)
    expect(await broker.carriers()).to.include.members(before)
    for (const client of clients) await client.close()
    await eventually(async () => expect(await broker.queues()).to.have.length(0))
  })

  it('that have deleted themselves are free for a neighbour, and then locked for their former owner', async () => {
    let [owner, neighbour] = [await onChannel(), await onChannel()]
    for (let round = 0; round < 10; round++) {
      await owner.declareQueue(1, 'passing', { exclusive: true, autoDelete: true })
      const tag = await owner.consume(1, 'passing')
      owner.method(1, 'basic.cancel', { consumerTag: tag })
      await owner.expectMethod('basic.cancel-ok')
      await eventually(async () => expect(await broker.queues()).to.have.length(0))
      expect(await declares(neighbour, 'passing')).to.equal(true)
      expect(await declares(owner, 'passing')).to.equal(false)
      neighbour.method(1, 'queue.delete', { queue: 'passing' })
      await neighbour.expectMethod('queue.delete-ok')
      ;[owner, neighbour] = [neighbour, owner]
    }
    for (const client of [owner, neighbour]) await client.close()
  })

  it('that have deleted themselves may come back for everybody', async () => {
    const [owner, neighbour] = [await onChannel(), await onChannel()]
    await owner.declareQueue(1, 'turned', { exclusive: true, autoDelete: true })
    const tag = await owner.consume(1, 'turned')
    owner.method(1, 'basic.cancel', { consumerTag: tag })
    await owner.expectMethod('basic.cancel-ok')
    await eventually(async () => expect(await broker.queues()).to.have.length(0))
    await owner.declareQueue(1, 'turned', { durable: true })
    await neighbour.declareQueue(1, 'turned', { durable: true })
    await owner.close()
    await neighbour.declareQueue(1, 'turned', { durable: true })
    expect((await broker.queues()).map(({ name }) => name)).to.deep.equal(['turned'])
    await neighbour.close()
  })

  for (const [what, queue] of [
    ['with a name of the broker’s', ''],
    ['with a name of its choice', 'unseen'],
  ])
    it(`${what} are gone also if their owner went before it knew of them`, async () => {
      const neighbour = await onChannel()
      // Those that are kept for the next publisher.
      const spare = (await broker.channels()).length
      for (let round = 0; round < 30; round++) {
        const owner = await onChannel()
        owner.method(1, 'queue.declare', { queue, exclusive: true })
        if (round % 3 === 0) owner.reset()
        else if (round % 3 === 1) await owner.end()
        else {
          owner.method(0, 'connection.close', { code: 200, text: 'bye' })
          await owner.end()
        }
      }
      await eventually(async () => {
        expect(await broker.channels()).to.have.length.at.most(spare)
        expect(await broker.queues()).to.have.length(0)
      })
      expect(await declares(neighbour, 'unseen')).to.equal(true)
      await neighbour.close()
    })
})
