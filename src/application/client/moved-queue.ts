/** The current queue of a channel that has moved to another upstream channel: there an empty queue name would mean nothing. */
import { SHORT_STRING_LIMIT } from '../../domain/amqp/byte-writer.js'
import { FRAME_OVERHEAD, type Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { meansCurrent, spelledOut } from '../../domain/queue/current-queue.js'

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
    if (this.#name === undefined || frameMax === 0 || !meansCurrent(request)) return false
    return request.payloadSize + FRAME_OVERHEAD + 2 * SHORT_STRING_LIMIT > frameMax
  }

  /** What the broker is to be sent on `channel` instead of `request`, a method that names a queue; undefined if that may go as it is. */
  spellOut(request: Frame, channel: number): Uint8Array | undefined {
    if (this.#name === undefined) return undefined
    if (request.methodId === id.QUEUE_DECLARE) {
      this.#name = undefined
      return undefined
    }
    return meansCurrent(request) ? spelledOut(request, channel, this.#name) : undefined
  }
}
