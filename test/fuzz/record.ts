/** Records what real clients send to a real RabbitMQ: the material that the fuzzer mutates. `npx tsx test/fuzz/record.ts` writes it anew. */
import { AMQPClient } from '@cloudamqp/amqp-client'
import { connect as amqplibConnect } from 'amqplib'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { Connection } from 'rabbitmq-client'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { WireClient, bodyFrame, headerFrame, heartbeatFrame, method } from '../support/wire-client.js'
import { RECORDINGS } from './recordings.js'

type Session = (port: number) => Promise<void>

const url = (port: number): string => `amqp://guest:guest@127.0.0.1:${port}`
const text = Buffer.from('a message of some fifty octets, as most of them are')
const large = Buffer.alloc(300_000, 'large ')

/** Each opens one connection. */
const sessions: Record<string, Session> = {
  'amqplib-publish': async (port) => {
    const connection = await amqplibConnect(url(port))
    const channel = await connection.createChannel()
    await channel.assertQueue('fuzz.work', { durable: true, arguments: { 'x-max-length': 1000 } })
    for (let n = 0; n < 12; n++)
      channel.sendToQueue('fuzz.work', text, {
        persistent: n % 2 === 0,
        contentType: 'text/plain',
        headers: { n, nested: { list: ['a', 1, true, null], at: 1.5 } },
        messageId: `m${n}`,
        timestamp: 1_700_000_000,
      })
    channel.publish('amq.direct', 'nowhere', text, { mandatory: true })
    await channel.checkQueue('fuzz.work')
    await channel.close()
    await connection.close()
  },
  'amqplib-confirm': async (port) => {
    const connection = await amqplibConnect(url(port))
    const channel = await connection.createConfirmChannel()
    channel.on('return', () => undefined)
    await channel.assertExchange('fuzz.topic', 'topic', { durable: false, autoDelete: true })
    await channel.assertQueue('fuzz.confirm', { durable: false, autoDelete: true, expires: 60_000 })
    await channel.bindQueue('fuzz.confirm', 'fuzz.topic', 'a.*.c', { 'x-match': 'any' })
    for (let n = 0; n < 20; n++)
      channel.publish('fuzz.topic', `a.${n}.c`, text, { mandatory: n % 5 === 0, correlationId: String(n) })
    await channel.waitForConfirms()
    await channel.unbindQueue('fuzz.confirm', 'fuzz.topic', 'a.*.c')
    await channel.deleteQueue('fuzz.confirm')
    await channel.close()
    await connection.close()
  },
  'amqplib-consume': async (port) => {
    const connection = await amqplibConnect(url(port))
    const channel = await connection.createChannel()
    await channel.prefetch(5)
    await channel.assertQueue('fuzz.tasks', { durable: true })
    for (let n = 0; n < 10; n++) channel.sendToQueue('fuzz.tasks', text)
    await new Promise<void>((resolve) => {
      let count = 0
      void channel.consume(
        'fuzz.tasks',
        (message) => {
          if (message === null) return
          if (count % 4 === 3) channel.nack(message, false, false)
          else channel.ack(message, count % 4 === 2)
          if (++count === 10) resolve()
        },
        { consumerTag: 'worker' },
      )
    })
    await channel.cancel('worker')
    await channel.deleteQueue('fuzz.tasks', { ifUnused: true })
    await connection.close()
  },
  'amqplib-rpc': async (port) => {
    const connection = await amqplibConnect(url(port))
    const client = await connection.createChannel()
    const server = await connection.createChannel()
    await server.assertQueue('fuzz.rpc', { durable: false })
    await server.consume('fuzz.rpc', (request) => {
      if (request === null) return
      server.sendToQueue(request.properties.replyTo as string, request.content, {
        correlationId: request.properties.correlationId as string,
      })
      server.ack(request)
    })
    await new Promise<void>((resolve) => {
      let replies = 0
      const onReply = (): void => {
        if (++replies === 5) resolve()
      }
      void client.consume('amq.rabbitmq.reply-to', onReply, { noAck: true }).then(() => {
        for (let n = 0; n < 5; n++)
          client.sendToQueue('fuzz.rpc', text, { replyTo: 'amq.rabbitmq.reply-to', correlationId: `${n}` })
      })
    })
    await server.deleteQueue('fuzz.rpc')
    await connection.close()
  },
  'amqplib-get': async (port) => {
    const connection = await amqplibConnect(url(port))
    const channel = await connection.createChannel()
    await channel.assertQueue('fuzz.get')
    for (let n = 0; n < 4; n++) channel.sendToQueue('fuzz.get', text, { expiration: '60000', priority: n })
    for (let n = 0; n < 6; n++) {
      const message = await channel.get('fuzz.get', { noAck: n % 2 === 0 })
      if (message !== false && n % 2 === 1) channel.reject(message, n > 2)
    }
    await channel.purgeQueue('fuzz.get')
    await channel.deleteQueue('fuzz.get')
    await connection.close()
  },
  'amqplib-exclusive': async (port) => {
    const connection = await amqplibConnect(url(port))
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await channel.assertQueue('fuzz.mine', { exclusive: true, autoDelete: true })
    await channel.bindQueue(queue, 'amq.fanout', '')
    await channel.consume(queue, () => undefined, { noAck: true, exclusive: true })
    channel.publish('amq.fanout', '', text)
    await channel.checkQueue(queue)
    await connection.close()
  },
  'amqplib-errors': async (port) => {
    const connection = await amqplibConnect(url(port))
    for (let n = 0; n < 4; n++) {
      const channel = await connection.createChannel()
      channel.on('error', () => undefined)
      const closed = new Promise((resolve) => channel.once('close', resolve))
      if (n === 0) await channel.checkQueue('fuzz.absent').catch(() => undefined)
      else if (n === 1) await channel.checkExchange('fuzz.absent').catch(() => undefined)
      else if (n === 2) channel.publish('fuzz.absent', '', text)
      else channel.ack({ fields: { deliveryTag: 7 } } as never)
      await closed
    }
    await connection.close()
  },
  'amqplib-bindings': async (port) => {
    const connection = await amqplibConnect(url(port))
    const channel = await connection.createChannel()
    await channel.assertExchange('fuzz.from', 'fanout', { durable: true, internal: false })
    await channel.assertExchange('fuzz.to', 'headers', { durable: false, alternateExchange: 'amq.fanout' })
    await channel.bindExchange('fuzz.to', 'fuzz.from', 'key', { 'x-match': 'all', count: 3 })
    await channel.unbindExchange('fuzz.to', 'fuzz.from', 'key', { 'x-match': 'all', count: 3 })
    await channel.deleteExchange('fuzz.to', { ifUnused: true })
    await channel.deleteExchange('fuzz.from')
    await channel.close()
    await connection.close()
  },
  'amqplib-large': async (port) => {
    const connection = await amqplibConnect(url(port) + '?frameMax=4096')
    const channel = await connection.createConfirmChannel()
    for (let n = 0; n < 2; n++) channel.publish('amq.topic', 'large', large.subarray(0, 20_000))
    await channel.waitForConfirms()
    await connection.close()
  },
  'rabbitmq-client-publish': async (port) => {
    const connection = new Connection(url(port))
    const publisher = connection.createPublisher({
      confirm: true,
      maxAttempts: 2,
      queues: [{ queue: 'fuzz.rc', durable: true }],
      exchanges: [{ exchange: 'fuzz.rc', type: 'direct', autoDelete: true }],
    })
    for (let n = 0; n < 8; n++) await publisher.send('fuzz.rc', { n })
    await publisher.send({ exchange: 'fuzz.rc', routingKey: 'x', durable: true }, 'text')
    await publisher.close()
    await connection.queueDelete('fuzz.rc')
    await connection.close()
  },
  'rabbitmq-client-consume': async (port) => {
    const connection = new Connection(url(port))
    const publisher = connection.createPublisher()
    await new Promise<void>((resolve) => {
      let count = 0
      const consumer = connection.createConsumer(
        { queue: 'fuzz.rcc', queueOptions: { autoDelete: true }, qos: { prefetchCount: 2 }, requeue: false },
        () => {
          if (++count === 4) void consumer.close().then(resolve)
          if (count === 2) return 2
          return Promise.resolve()
        },
      )
      consumer.on('ready', () => {
        for (let n = 0; n < 4; n++) void publisher.send('fuzz.rcc', 'text')
      })
    })
    await publisher.close()
    await connection.close()
  },
  'cloudamqp-publish': async (port) => {
    const client = new AMQPClient(url(port))
    const connection = await client.connect()
    const channel = await connection.channel()
    await channel.confirmSelect()
    await channel.queueDeclare('fuzz.cloud', { durable: true })
    for (let n = 0; n < 6; n++)
      await channel.basicPublish('', 'fuzz.cloud', 'text', { deliveryMode: 2, headers: { n } })
    await channel.queuePurge('fuzz.cloud')
    await channel.queueDelete('fuzz.cloud')
    await channel.close()
    await connection.close()
  },
  'cloudamqp-consume': async (port) => {
    const client = new AMQPClient(url(port))
    const connection = await client.connect()
    const channel = await connection.channel()
    await channel.basicQos(3)
    const { name } = await channel.queueDeclare('', { exclusive: true })
    await new Promise<void>((resolve) => {
      let count = 0
      void channel
        .basicConsume(name, { noAck: false, tag: 'cloud' }, (message) => {
          void message.ack()
          if (++count === 4) resolve()
        })
        .then(async () => {
          for (let n = 0; n < 4; n++) await channel.basicPublish('', name, 'text')
        })
    })
    await channel.basicCancel('cloud')
    await connection.close()
  },
  'wire-transactions': async (port) => {
    const client = await WireClient.connect(port)
    await client.openChannel(1)
    await client.declareQueue(1, 'fuzz.tx', { durable: true })
    client.method(1, 'tx.select')
    await client.expectMethod('tx.select-ok')
    for (let n = 0; n < 3; n++) {
      for (let m = 0; m < 3; m++) client.publish(1, { routingKey: 'fuzz.tx', body: text })
      client.method(1, n === 1 ? 'tx.rollback' : 'tx.commit')
      await client.expectMethod(n === 1 ? 'tx.rollback-ok' : 'tx.commit-ok')
    }
    client.method(1, 'queue.delete', { queue: 'fuzz.tx', nowait: true })
    await client.closeChannel(1)
    await client.close()
  },
  'wire-recover': async (port) => {
    const client = await WireClient.connect(port, { mechanism: 'AMQPLAIN', capabilities: {} })
    await client.openChannel(7)
    await client.declareQueue(7, 'fuzz.recover', { autoDelete: true })
    client.method(7, 'basic.qos', { prefetchCount: 10, global: true })
    await client.expectMethod('basic.qos-ok')
    await client.consume(7, '', { consumerTag: 'one' })
    client.publish(7, { routingKey: 'fuzz.recover', body: text })
    await client.expectContent('basic.deliver')
    client.method(7, 'basic.recover', { requeue: true })
    await client.expectMethod('basic.recover-ok')
    await client.expectContent('basic.deliver')
    client.method(7, 'basic.recover-async', { requeue: true })
    await client.expectContent('basic.deliver')
    client.method(7, 'channel.flow', { active: true })
    await client.expectMethod('channel.flow-ok')
    client.method(7, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: false })
    client.method(7, 'basic.cancel', { consumerTag: 'one', nowait: true })
    client.method(7, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true, nowait: true })
    await client.closeChannel(7)
    await client.close()
  },
  'wire-channels': async (port) => {
    const client = await WireClient.connect(port, { frameMax: 8192 })
    for (let round = 0; round < 3; round++) {
      for (let channel = 1; channel <= 4; channel++) await client.openChannel(channel)
      for (let channel = 1; channel <= 4; channel++)
        client.publish(channel, { routingKey: 'fuzz.absent', body: text.subarray(0, channel * 10) })
      for (let channel = 1; channel <= 4; channel++) await client.closeChannel(channel)
    }
    client.send(heartbeatFrame())
    await client.end()
  },
  'wire-interleaved': async (port) => {
    const client = await WireClient.connect(port, { frameMax: 4096 })
    for (let channel = 1; channel <= 3; channel++) await client.openChannel(channel)
    for (let round = 0; round < 3; round++) {
      for (let channel = 1; channel <= 3; channel++)
        client.method(channel, 'basic.publish', { exchange: 'amq.topic', routingKey: `k${channel}` })
      for (let channel = 1; channel <= 3; channel++) client.send(headerFrame(channel, 3000))
      for (let part = 0; part < 3; part++)
        for (let channel = 1; channel <= 3; channel++)
          client.send(bodyFrame(channel, large.subarray(0, 1000)))
    }
    client.send(method(1, 'basic.publish', { exchange: 'amq.topic', mandatory: true, routingKey: 'k' }))
    client.send(headerFrame(1, 0, { replyTo: 'nobody', type: 'empty', userId: 'guest', appId: 'fuzz' }))
    await client.expectContent('basic.return')
    await client.close()
  },
  'wire-secret': async (port) => {
    const client = await WireClient.connect(port)
    await client.openChannel(1)
    client.method(0, 'connection.update-secret', { secret: Buffer.from('guest'), reason: 'due' })
    await client.expectMethod('connection.update-secret-ok')
    client.publish(1, { exchange: 'amq.fanout', body: text })
    await client.closeChannel(1)
    await client.close()
  },
  'wire-kinds': async (port) => {
    const client = await WireClient.connect(port)
    await client.openChannel(1)
    const args: [string, Parameters<typeof client.declareQueue>[2]][] = [
      ['fuzz.a', { durable: true, arguments: { 'x-max-age': '1h', 'x-queue-type': 'stream' } }],
      ['fuzz.b', { durable: true, arguments: { 'x-queue-master-locator': 'min-masters' } }],
      [
        'fuzz.c',
        { durable: true, arguments: { 'x-message-ttl': 1000, 'x-dead-letter-exchange': 'amq.fanout' } },
      ],
      ['fuzz.d', { exclusive: true, nowait: true }],
    ]
    for (const [queue, flags] of args) {
      client.method(1, 'queue.declare', { queue, ...flags })
      if (flags?.nowait !== true) await client.expectMethod('queue.declare-ok')
    }
    client.method(1, 'exchange.declare', {
      exchange: 'fuzz.e',
      type: 'direct',
      nowait: true,
      autoDelete: true,
    })
    client.method(1, 'exchange.delete', { exchange: 'fuzz.e', nowait: true })
    client.method(1, 'confirm.select', { nowait: true })
    client.method(1, 'queue.purge', { queue: 'fuzz.c', nowait: true })
    for (const [queue] of args) client.method(1, 'queue.delete', { queue, ifEmpty: true, nowait: true })
    await client.closeChannel(1)
    await client.close()
  },
}

/** Stands between a client and the broker, and keeps what the client sends. */
async function record(brokerPort: number, session: Session): Promise<Buffer> {
  const chunks: Buffer[] = []
  const server = createServer((client) => {
    const broker = connect(brokerPort, '127.0.0.1')
    client.on('data', (chunk: Buffer) => chunks.push(chunk))
    client.pipe(broker).pipe(client)
    for (const socket of [client, broker]) socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await session((server.address() as AddressInfo).port)
  await new Promise((resolve) => server.close(resolve))
  return Buffer.concat(chunks)
}

const broker = await RabbitMqBroker.start()
try {
  rmSync(RECORDINGS, { recursive: true, force: true })
  mkdirSync(RECORDINGS)
  for (const [name, session] of Object.entries(sessions)) {
    const bytes = await record(broker.port, session)
    writeFileSync(new URL(`${name}.bin`, RECORDINGS), bytes)
    console.log(`${name}: ${bytes.length} octets`)
  }
} finally {
  await broker.stop()
}
