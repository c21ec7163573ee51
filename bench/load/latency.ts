/** Latency from publish to delivery at a steady rate: one connection publishes, another consumes without acks. */
import { publish } from '../wire/encoding.js'
import { Method } from '../wire/method.js'
import { generate, type Load, type LoadResult } from './generator.js'
import { CHANNEL, LoadConnection } from './load-connection.js'
import { basicConsume, queueDeclare, queueDelete } from './queue-requests.js'
import type { LoadSettings } from './settings.js'

const TIMESTAMP_SIZE = 8

async function prepare(settings: LoadSettings): Promise<Load> {
  const queue = `bench.echo.${process.pid}`
  const publisher = await LoadConnection.open(settings)
  const consumer = await LoadConnection.open(settings)
  await consumer.call(queueDeclare(queue), Method.QueueDeclareOk)
  await consumer.call(basicConsume(queue, { noAck: true }), Method.BasicConsumeOk)
  return {
    run: () => measure(publisher, consumer, queue, settings),
    cleanUp: () => consumer.call(queueDelete(queue), Method.QueueDeleteOk),
  }
}

async function measure(
  publisher: LoadConnection,
  consumer: LoadConnection,
  queue: string,
  settings: LoadSettings,
): Promise<Partial<LoadResult>> {
  const latencies = new Float64Array(settings.total)
  const allReceived = receive(consumer, latencies)
  await publishSteadily(publisher, queue, settings)
  await allReceived
  latencies.sort()
  const at = (quantile: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * quantile))]
  return { latency: { p50: at(0.5), p99: at(0.99), max: at(1) } }
}

/** Fills in microseconds since each message's timestamp. */
function receive(consumer: LoadConnection, latencies: Float64Array): Promise<void> {
  let received = 0
  consumer.scanner.wholeBodies = true
  return new Promise((resolve) => {
    consumer.onBody = (_channel, _size, bytes, at) => {
      latencies[received++] = (performance.now() - bytes.readDoubleBE(at)) * 1000
      if (received === latencies.length) resolve()
    }
  })
}

/** One message whenever its time has come; a late timer is made up for. */
function publishSteadily(publisher: LoadConnection, queue: string, settings: LoadSettings): Promise<void> {
  const message = publish(CHANNEL, '', queue, Buffer.alloc(Math.max(settings.body, TIMESTAMP_SIZE)))
  const timestampAt = message.length - 1 - Math.max(settings.body, TIMESTAMP_SIZE)
  const start = performance.now()
  let sent = 0
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(settings.total, Math.floor(((performance.now() - start) * settings.rate) / 1000))
      for (; sent < due; sent++) {
        const bytes = Buffer.from(message)
        bytes.writeDoubleBE(performance.now(), timestampAt)
        publisher.socket.write(bytes)
      }
      if (sent < settings.total) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
}

await generate(prepare)
