/** Messages for a real broker's queues. */
import { publish, repeated } from '../wire/encoding.js'
import { CHANNEL, type LoadConnection } from './load-connection.js'

const BATCH_BYTES = 65_536

/** Puts `count` messages of `bodySize` octets into `queue`; resolves when the broker has them. */
export async function fill(
  broker: LoadConnection,
  queue: string,
  count: number,
  bodySize: number,
): Promise<void> {
  const message = publish(CHANNEL, '', queue, Buffer.alloc(bodySize, 'x'))
  const batchSize = Math.max(1, Math.floor(BATCH_BYTES / message.length))
  const batch = repeated(message, batchSize)
  for (let left = count; left > 0; left -= batchSize) {
    await broker.send(left < batchSize ? batch.subarray(0, left * message.length) : batch)
  }
  await broker.barrier()
}
