/** Consuming: every delivery is acknowledged by an ack of its own, the acks of one read leave together. */
import { methodFrame, repeated, u32, u8 } from '../wire/encoding.js'
import { Method } from '../wire/method.js'
import { SendBuffer } from '../wire/send-buffer.js'
import { generate, type Load } from './generator.js'
import { CHANNEL, LoadConnection } from './load-connection.js'
import { fill } from './queue-filling.js'
import { basicConsume, basicQos, queueDeclare, queueDelete } from './queue-requests.js'
import { type LoadSettings, shares } from './settings.js'

const ACK = methodFrame(CHANNEL, Method.BasicAck, u32(0), u32(0), u8(0))
const ACK_TAG_AT = 15

async function prepare(settings: LoadSettings): Promise<Load> {
  const counts = shares(settings)
  // The sink reads the size of the messages off the queue's name.
  const queues = counts.map((_, i) => `bench.consume.${process.pid}.${i}.${settings.body}`)
  const broker = await LoadConnection.open(settings, settings.brokerPort)
  for (const [i, queue] of queues.entries()) {
    await broker.call(queueDeclare(queue), Method.QueueDeclareOk)
    if (settings.fill) await fill(broker, queue, counts[i], settings.body)
  }
  const consumers = await LoadConnection.openAll(settings)
  const qos = basicQos(settings.prefetch)
  await Promise.all(consumers.map((consumer) => consumer.call(qos, Method.BasicQosOk)))
  return {
    run: async () => {
      await Promise.all(consumers.map((one, i) => consume(one, queues[i], counts[i], settings.prefetch)))
    },
    cleanUp: async () => {
      await Promise.all(consumers.map((consumer) => consumer.close()))
      for (const queue of queues) await broker.call(queueDelete(queue), Method.QueueDeleteOk)
    },
  }
}

/** Resolves when `count` deliveries have been acknowledged, and the acks processed. */
function consume(connection: LoadConnection, queue: string, count: number, prefetch: number): Promise<void> {
  const acks = new SendBuffer(repeated(ACK, prefetch))
  let left = count
  let size = 0

  const sendAcks = (): void => {
    if (size === 0) return
    acks.send(connection.socket, size)
    size = 0
  }
  return new Promise((resolve, reject) => {
    connection.onMethod = (id, _channel, bytes, at) => {
      if (id !== Method.BasicDeliver) return connection.reply(id, bytes, at)
      if (left === 0) return
      const tagAt = at + 1 + bytes[at] + 4
      if (size === acks.bytes.length) sendAcks()
      bytes.copy(acks.bytes, size + ACK_TAG_AT, tagAt, tagAt + 4)
      size += ACK.length
      left--
    }
    connection.onChunkEnd = () => {
      if (size === 0) return
      sendAcks()
      if (left === 0) connection.barrier().then(resolve, reject)
    }
    connection.call(basicConsume(queue, { noAck: false }), Method.BasicConsumeOk).catch(reject)
  })
}

await generate(prepare)
