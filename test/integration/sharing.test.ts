import { connect as amqplibConnect } from 'amqplib'
import { expect } from 'chai'
import { Connection, type Consumer } from 'rabbitmq-client'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const CLIENTS = 100
const MESSAGES = 10

describe('sharing upstream connections', function () {
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

  /** A client as a web request is one: connects, publishes, leaves. */
  async function session(queue: string, client: number): Promise<void> {
    const connection = await amqplibConnect(warren.url)
    const channel = await connection.createChannel()
    for (let n = 0; n < MESSAGES; n++) channel.sendToQueue(queue, Buffer.from(`${client}:${n}`))
    await channel.close()
    await connection.close()
  }

  async function drained(queue: string, count: number): Promise<Map<number, number[]>> {
    const byClient = new Map<number, number[]>()
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    for (let n = 0; n < count; n++) {
      const [sender, number] = (await client.get(1, queue)).body.toString().split(':').map(Number)
      byClient.set(sender, [...(byClient.get(sender) ?? []), number])
    }
    await client.close()
    return byClient
  }

  const upstreamConnections = async (): Promise<number> => (await broker.upstreams()).length

  async function createQueue(name: string): Promise<void> {
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    await client.declareQueue(1, name, { durable: true })
    await client.close()
  }

  for (const [how, run] of [
    [
      'one after the other',
      async () => {
        for (let client = 0; client < CLIENTS; client++) {
          await session('sessions', client)
          if (client % 10 === 0) expect(await upstreamConnections()).to.equal(1)
        }
      },
    ],
    [
      'at once',
      async () => {
        const sessions = Array.from({ length: CLIENTS }, (_, client) => session('sessions', client))
        const watched = (async () => {
          for (let n = 0; n < 10; n++) expect(await upstreamConnections()).to.be.at.most(1)
        })()
        await Promise.all([...sessions, watched])
      },
    ],
  ] as const)
    it(`carries ${CLIENTS} clients that publish and leave ${how} over one connection, every message once and in order`, async () => {
      await createQueue('sessions')
      await run()
      expect(await upstreamConnections()).to.equal(1)
      // Eventually: the broker lets a question for the count overtake the messages that wait for their queue.
      await eventually(async () => expect((await broker.queues())[0].messages).to.equal(CLIENTS * MESSAGES))
      const byClient = await drained('sessions', CLIENTS * MESSAGES)
      expect(byClient.size).to.equal(CLIENTS)
      for (const numbers of byClient.values()) expect(numbers).to.deep.equal([...Array(MESSAGES).keys()])
    })

  it('names Warren, its version, its host and the pool at the broker', async () => {
    const client = await WireClient.connect(warren.port)
    const [connection] = await broker.upstreams()
    expect(connection.clientProperties).to.include.keys(
      'product',
      'version',
      'host',
      'pool',
      'connection_name',
    )
    await client.close()
  })

  it('keeps two clients on channel 1 apart', async () => {
    const [a, b] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    for (const [client, queue] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      await client.openChannel(1)
      await client.declareQueue(1, queue, {})
      await client.consume(1, queue)
    }
    a.publish(1, { routingKey: 'b', body: 'for b' })
    b.publish(1, { routingKey: 'a', body: 'for a' })
    expect((await a.expectContent('basic.deliver')).body.toString()).to.equal('for a')
    expect((await b.expectContent('basic.deliver')).body.toString()).to.equal('for b')
    await a.expectSilence(100)
    await b.expectSilence(100)
    await a.close()
    await b.close()
  })

  it('never shares between users or virtual hosts', async () => {
    await broker.addVhost('other')
    await broker.addUser('second', 'secret', { vhosts: ['/', 'other'] })
    const clients = [
      await WireClient.connect(warren.port),
      await WireClient.connect(warren.port, { user: 'second', password: 'secret' }),
      await WireClient.connect(warren.port, { user: 'second', password: 'secret', vhost: 'other' }),
    ]
    const pairs = (await broker.upstreams()).map((c) => `${c.user}@${c.vhost}`)
    expect([...new Set(pairs)].sort()).to.deep.equal(['guest@/', 'second@/', 'second@other'])
    for (const client of clients) await client.close()
  })

  it('gives one client 300 channels that all work', async () => {
    const connection = await amqplibConnect(warren.url)
    const channels = await Promise.all(Array.from({ length: 300 }, () => connection.createChannel()))
    const queues = await Promise.all(channels.map((channel) => channel.assertQueue('', { exclusive: true })))
    expect(new Set(queues.map(({ queue }) => queue)).size).to.equal(300)
    const carried = (await broker.connections()).map(({ channels }) => channels)
    expect(Math.max(...carried)).to.be.at.least(300)
    await connection.close()
  })

  it('needs two upstream connections for 3,000 channels of 30 clients, and no client notices', async () => {
    await warren.stop()
    await broker.quiet()
    warren = await WarrenProcess.start(broker.port)
    const clients: WireClient[] = []
    for (let n = 0; n < 30; n++) {
      const client = await WireClient.connect(warren.port)
      clients.push(client)
      for (let channel = 1; channel <= 100; channel++) client.method(channel, 'channel.open', {})
      for (let channel = 1; channel <= 100; channel++) await client.expectMethod('channel.open-ok')
      for (let channel = 1; channel <= 100; channel++)
        client.method(channel, 'basic.recover', { requeue: true })
      for (let channel = 1; channel <= 100; channel++) await client.expectMethod('basic.recover-ok')
    }
    const carried = (await broker.upstreams()).map(({ channels }) => channels)
    expect(carried).to.have.length(2)
    expect(Math.min(...carried)).to.be.above(900)
    expect(carried[0] + carried[1]).to.be.at.least(3000)
    for (const client of clients) await client.close()
    await eventually(async () => expect((await broker.channels()).length).to.be.lessThan(100))
  })

  it('carries another library too: rabbitmq-client publishes with confirms and consumes', async () => {
    const connection = new Connection(warren.url)
    await connection.queueDeclare({ queue: 'rc', durable: false })
    const received: number[] = []
    let consumer: Consumer | undefined
    const done = new Promise<void>((resolve) => {
      consumer = connection.createConsumer({ queue: 'rc', qos: { prefetchCount: 10 } }, (message) => {
        received.push(message.body as number)
        if (received.length === 100) resolve()
      })
    })
    const publisher = connection.createPublisher({ confirm: true })
    for (let n = 0; n < 100; n++) await publisher.send('rc', n)
    await done
    expect(received).to.deep.equal([...Array(100).keys()])
    await consumer!.close()
    await publisher.close()
    await connection.close()
  })
})
