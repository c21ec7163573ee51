/** Programs as they should be, each of which checks what it gets. */
import { connect } from 'amqplib'
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from 'rabbitmq-client'
import { WireClient } from '../support/wire-client.js'
import { repeating, type Actor, type Soak } from './actor.js'

const WORK = 'soak.work'
const CALLS = 'soak.rpc'
/** How long messages may take to come out once nobody publishes any more. */
const LINGER_MS = 30_000
const BODY = 'a message of some fifty octets, as most of them are'

/** Messages of the short sessions that haven't been consumed yet, by id. */
const underWay = new Set<string>()
let published = 0

/** Messages that were published and haven't come out again. */
export function missingMessages(): number {
  return underWay.size
}

/** Made before anybody publishes. */
export async function declareQueues(brokerPort: number): Promise<void> {
  const client = await WireClient.connect(brokerPort)
  await client.openChannel(1)
  for (const queue of [WORK, CALLS]) await client.declareQueue(1, queue, { durable: true })
  await client.close()
}

async function shortSession({ port }: Soak): Promise<void> {
  const client = await WireClient.connect(port)
  await client.openChannel(1)
  const messageId = `m${++published}`
  underWay.add(messageId)
  client.publish(1, { routingKey: WORK, body: BODY, properties: { messageId, deliveryMode: 1 } })
  if (published % 2 === 0) await client.closeChannel(1)
  await client.close()
}

async function confirmedSession({ url }: Soak): Promise<void> {
  const connection = await connect(url)
  const channel = await connection.createConfirmChannel()
  for (let n = 0; n < 30; n++) {
    const messageId = `m${++published}`
    underWay.add(messageId)
    channel.sendToQueue(WORK, Buffer.alloc(n * 300, 'x'), { messageId })
  }
  await channel.waitForConfirms()
  await connection.close()
}

/** Stays for the whole time; every message comes once. */
const consuming: Actor = {
  name: 'consumer with acknowledgements',
  copies: 2,
  isLast: true,
  async run(soak) {
    const connection = await connect(soak.url)
    connection.on('error', (error: Error) => soak.complain(`consumer: ${error.message}`))
    const channel = await connection.createChannel()
    await channel.prefetch(50)
    await channel.consume(WORK, (message) => {
      if (message === null) return soak.complain('consumer: it was cancelled')
      const id = String(message.properties.messageId)
      if (!underWay.delete(id)) soak.complain(`consumer: ${id} came twice`)
      channel.ack(message)
      soak.count('messages consumed')
    })
    while (!soak.isEmpty()) await delay(100)
    for (const end = Date.now() + LINGER_MS; underWay.size > 0 && Date.now() < end;) await delay(100)
    await connection.close()
  },
}

async function remoteCalls({ url }: Soak): Promise<void> {
  const connection = new Connection(url)
  const client = connection.createRPCClient({ confirm: true, timeout: 20_000 })
  try {
    for (let n = 0; n < 10; n++) {
      const { body } = (await client.send(CALLS, `question ${n}`)) as { body: unknown }
      if (body !== `question ${n}`) throw new Error(`the answer to question ${n} is ${String(body)}`)
    }
  } finally {
    // In this order, or the connection waits for the client for ever.
    await client.close()
    await connection.close()
  }
}

const answering: Actor = {
  name: 'answering service',
  copies: 1,
  isLast: true,
  async run(soak) {
    const connection = new Connection(soak.url)
    connection.on('error', (error: Error) => soak.complain(`answering service: ${error.message}`))
    const server = connection.createConsumer(
      { queue: CALLS, queueOptions: { durable: true }, concurrency: 5 },
      async (request, reply) => reply(request.body),
    )
    while (!soak.isEmpty()) await delay(100)
    await server.close()
    await connection.close()
  },
}

async function ownQueue({ url }: Soak): Promise<void> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  const { queue } = await channel.assertQueue('', { exclusive: true })
  const received = new Promise((resolve) => void channel.consume(queue, resolve, { noAck: true }))
  channel.sendToQueue(queue, Buffer.from(BODY))
  await received
  await connection.close()
}

export const wellBehaved: readonly Actor[] = [
  consuming,
  answering,
  repeating('short session', 4, 20, shortSession),
  repeating('session with confirms', 2, 50, confirmedSession),
  repeating('remote calls', 2, 50, remoteCalls),
  repeating('exclusive queue', 1, 100, ownQueue),
]
