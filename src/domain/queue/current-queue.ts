/** An empty queue name in a method that names a queue: it means the queue that was last declared on the channel. */
import { ByteWriter } from '../amqp/byte-writer.js'
import { FRAME_END, FRAME_METHOD, FRAME_OVERHEAD, type Frame } from '../amqp/frame.js'
import * as id from '../amqp/method-ids.js'

/** Behind the ids and two reserved octets. */
const NAME_AT = 6

/** Where an empty name doesn't mean a new queue. */
const OF_EXISTING_QUEUES: ReadonlySet<number> = new Set([
  id.QUEUE_BIND,
  id.QUEUE_UNBIND,
  id.QUEUE_PURGE,
  id.QUEUE_DELETE,
  id.BASIC_CONSUME,
  id.BASIC_GET,
])

/** Whether a well-formed method, of whatever kind, is about the current queue. */
export function isAboutCurrent(frame: Frame): boolean {
  return OF_EXISTING_QUEUES.has(frame.methodId) && meansCurrent(frame)
}

/** Whether a method that names a queue means the current one. */
export function meansCurrent(frame: Frame): boolean {
  return frame.bytes[frame.payloadStart + NAME_AT] === 0
}

/**
 * A method on `channel` that names `queue` where the client has sent an empty name. For a binding an empty
 * routing key means the queue then, too.
 */
export function spelledOut(
  { bytes, methodId, payloadStart, payloadEnd }: Frame,
  channel: number,
  queue: string,
): Uint8Array {
  const payload = new ByteWriter()
    .raw(bytes.subarray(payloadStart, payloadStart + NAME_AT))
    .shortString(queue)
  let at = payloadStart + NAME_AT + 1
  if (methodId === id.QUEUE_BIND || methodId === id.QUEUE_UNBIND) {
    const keyAt = at + 1 + bytes[at]
    payload.raw(bytes.subarray(at, keyAt))
    if (bytes[keyAt] === 0) payload.shortString(queue)
    at = bytes[keyAt] === 0 ? keyAt + 1 : keyAt
  }
  payload.raw(bytes.subarray(at, payloadEnd))
  const body = payload.finish()
  return new ByteWriter(body.length + FRAME_OVERHEAD)
    .octet(FRAME_METHOD)
    .short(channel)
    .long(body.length)
    .raw(body)
    .octet(FRAME_END)
    .finish()
}
