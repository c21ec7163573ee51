/** How much a pool may have sent without the broker's confirm, and who waits for room. */
import type { BufferLimits } from '../../domain/publish/publish-buffer.js'
import type { Clock, Timer } from '../ports/clock.js'
import { UpstreamUnreachable } from '../upstream/upstream-errors.js'

/** A client that isn't read from until there's room. */
export interface RoomWaiter {
  onRoom(): void
  /** There was none in time. */
  onNoRoom(failure: UpstreamUnreachable): void
}

/** What {@link PublishRoom} is made with. */
export interface PublishRoomParts {
  readonly limits: BufferLimits
  readonly clock: Clock
  /** How long clients wait while the broker is away. */
  readonly limitMs: number
  /** What waits in the buffer takes room too. */
  readonly waiting: { readonly length: number; readonly bytes: number }
}

/** Who waits may go on when this share of the room is taken: sooner, and each confirm would wake everybody for one message. */
const LOW_WATER = 0.75

/** Counts the messages that were sent and are kept until they're confirmed: together with those in the buffer they're bounded. */
export class PublishRoom {
  readonly #parts: PublishRoomParts
  readonly #waiters = new Map<RoomWaiter, Timer | undefined>()
  #messages = 0
  #bytes = 0
  #isAway = false

  constructor(parts: PublishRoomParts) {
    this.#parts = parts
  }

  /** Messages that were sent and aren't confirmed. */
  get messages(): number {
    return this.#messages
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether nothing more may be sent for now. */
  get isFull(): boolean {
    return this.#isTaken(1)
  }

  /** Whether a message of this size may be kept. */
  hasRoomFor(bytes: number): boolean {
    const { limits, waiting } = this.#parts
    return (
      this.#messages + waiting.length < limits.maxMessages &&
      this.#bytes + waiting.bytes + bytes <= limits.maxBytes
    )
  }

  #isTaken(share: number): boolean {
    const { limits, waiting } = this.#parts
    return (
      this.#messages + waiting.length >= Math.max(1, limits.maxMessages * share) ||
      this.#bytes + waiting.bytes >= limits.maxBytes * share
    )
  }

  add(bytes: number): void {
    this.#messages++
    this.#bytes += bytes
  }

  remove(messages: number, bytes: number): void {
    this.#messages -= messages
    this.#bytes -= bytes
    this.wake()
  }

  /** Lets `waiter` go on once there's room; while the broker is away, it doesn't wait for ever. */
  wait(waiter: RoomWaiter): void {
    if (this.#waiters.get(waiter) === undefined)
      this.#waiters.set(waiter, this.#isAway ? this.#limitFor(waiter) : undefined)
  }

  forget(waiter: RoomWaiter): void {
    this.#waiters.get(waiter)?.cancel()
    this.#waiters.delete(waiter)
  }

  /** The broker is away, or back. */
  set isAway(isAway: boolean) {
    if (isAway === this.#isAway) return
    this.#isAway = isAway
    for (const [waiter, timer] of [...this.#waiters]) {
      timer?.cancel()
      this.#waiters.set(waiter, isAway ? this.#limitFor(waiter) : undefined)
    }
  }

  /** Lets everybody go on if there's room. */
  wake(): void {
    if (this.#waiters.size === 0 || this.#isTaken(LOW_WATER)) return
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const [waiter, timer] of waiters) {
      timer?.cancel()
      waiter.onRoom()
    }
  }

  #limitFor(waiter: RoomWaiter): Timer {
    const { clock, limitMs } = this.#parts
    return clock.after(limitMs, () => {
      this.#waiters.delete(waiter)
      waiter.onNoRoom(
        new UpstreamUnreachable(
          `the publish buffer is full, and the broker did not come back within ${limitMs / 1000} s`,
        ),
      )
    })
  }
}
