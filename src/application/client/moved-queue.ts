/** The current queue of a channel that has moved to another upstream channel: there an empty queue name would mean nothing. */
import { ByteWriter, SHORT_STRING_LIMIT } from '../../domain/amqp/byte-writer.js'
import { FRAME_END, FRAME_METHOD, FRAME_OVERHEAD, type Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { ChannelQueues } from './channel-queues.js'

/** Behind the ids and two reserved octets. */
const NAME_AT = 6

/** Says the name where the client means the queue by an empty one, until it declares another. */
export class MovedQueue {
  #name: string | undefined

  /** The name, as long as the broker doesn't know it on the new channel. */
  get name(): string | undefined {
    return this.#name
  }

  /** The channel moves; `current` is its current queue, if it has had one since it moved last. */
  moveOn(current: string | undefined): void {
    this.#name = current ?? this.#name
  }

  /** Whether a method that names a queue may not fit `frameMax` any more, 0 being no limit: it must not end the connection of all. */
  outgrows(request: Frame, frameMax: number): boolean {
    if (this.#name === undefined || frameMax === 0 || !ChannelQueues.meansCurrent(request)) return false
    return request.payloadSize + FRAME_OVERHEAD + 2 * SHORT_STRING_LIMIT > frameMax
  }

  /** What the broker is to be sent on `channel` instead of `request`, a method that names a queue; undefined if that may go as it is. */
  spellOut(request: Frame, channel: number): Uint8Array | undefined {
    if (this.#name === undefined) return undefined
    if (request.methodId === id.QUEUE_DECLARE) {
      this.#name = undefined
      return undefined
    }
    return ChannelQueues.meansCurrent(request) ? spelledOut(request, channel, this.#name) : undefined
  }
}

/** For a binding an empty routing key means the queue, too, if the name is empty. */
function spelledOut(
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
