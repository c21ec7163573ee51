/** The current queue of a channel that has moved to another upstream channel: there an empty queue name would mean nothing. */
import { type Frame, readLong, readShort } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { methodFrame, readArguments } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { NOT_FOUND } from '../../domain/amqp/reply-codes.js'
import { requestOf } from '../../domain/channel/pending-requests.js'
import { ChannelQueues } from './channel-queues.js'

const REPLY_CODE_AT = 4

/** Declares the queue once more for the first request that means it by an empty name. */
export class MovedQueue {
  #name: string | undefined
  /** The request for which it was declared once more: it's what an error about the queue is about. 0: none. */
  #restoredFor = 0
  /** The queue that was declared once more. */
  #restored = ''

  /** The name, as long as the broker doesn't know it on the new channel. */
  get name(): string | undefined {
    return this.#name
  }

  /** The channel moves; `current` is its current queue, if it has had one since it moved last. */
  moveOn(current: string | undefined): void {
    this.#name = current ?? this.#name
  }

  /** What the broker is to be sent on `channel` before `request`, a method that names a queue; undefined if nothing. */
  restoreFor(request: Frame, channel: number): Uint8Array | undefined {
    const queue = this.#name
    if (queue === undefined) return undefined
    if (request.methodId === id.QUEUE_DECLARE) {
      this.#name = undefined
      return undefined
    }
    if (!ChannelQueues.meansCurrent(request)) return undefined
    this.#name = undefined
    this.#restoredFor = request.methodId
    this.#restored = queue
    return methodFrame(method.QueueDeclare, channel, {
      queue,
      passive: true,
      durable: false,
      exclusive: false,
      autoDelete: false,
      noWait: true,
      arguments: [],
    })
  }

  /** The broker has answered a request of the channel. */
  onAnswer(methodId: number): void {
    if (this.#restoredFor !== 0 && requestOf(methodId) === this.#restoredFor) this.#restoredFor = 0
  }

  /** The client hasn't declared anything: that the queue is gone is an error of the request that meant it. */
  blameRequest({ bytes, payloadStart, payloadEnd }: Frame): void {
    if (this.#restoredFor === 0) return
    const at = payloadEnd - 4
    if (
      readLong(bytes, at) !== id.QUEUE_DECLARE ||
      readShort(bytes, payloadStart + REPLY_CODE_AT) !== NOT_FOUND
    )
      return
    // A request that wants no answer may be followed by a declaration of the client's own, for another queue that isn't there.
    const { replyText } = readArguments(method.ChannelClose, bytes, payloadStart + 4, payloadEnd)
    if (replyText.includes(`no queue '${this.#restored}' in vhost `))
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, this.#restoredFor)
  }
}
