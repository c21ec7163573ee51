/** What clients publish while the broker is away: bounded, in order, and kept until the broker has confirmed it. */
import { ConfirmWindow } from './confirm-window.js'
import { Deque } from './deque.js'

/** A whole message that waits for the broker. */
export interface BufferedMessage<Origin> {
  /** The frames of Basic.Publish, header and bodies, in one array; their channel numbers mean nothing. */
  readonly bytes: Uint8Array
  /** Who is to hear of the broker's confirm, if anybody is. */
  readonly origin: Origin | undefined
  /** On the clock's scale; Infinity when the message doesn't expire. */
  readonly expiresAt: number
  /** Where it's kept in the journal; undefined without one. */
  readonly record: number | undefined
}

/** How much may wait. `maxMessages` 0 turns buffering off. */
export interface BufferLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** A message may keep alive at most this many times its own size: else it's copied out of the chunk that it came in. */
const MOST_PINNED = 4

/**
 * Messages wait, are sent ("under way"), and leave when the broker has confirmed them. Whatever happens in
 * between, they're sent in the order in which they were accepted, and none is forgotten: each leaves by
 * {@link confirm}, {@link takeExpired}, {@link takeRefused} or {@link withdraw}.
 */
export class PublishBuffer<Origin> {
  readonly #limits: BufferLimits
  readonly #waiting = new Deque<BufferedMessage<Origin>>()
  #underWay = new ConfirmWindow<BufferedMessage<Origin>>()
  #bytes = 0
  #expired: BufferedMessage<Origin>[] = []

  constructor(limits: BufferLimits) {
    this.#limits = limits
  }

  get isEnabled(): boolean {
    return this.#limits.maxMessages > 0
  }

  /** Messages that wait or are under way. */
  get length(): number {
    return this.#waiting.length + this.#underWay.count
  }

  /** Bytes of those messages, their frames included. */
  get bytes(): number {
    return this.#bytes
  }

  /** Messages that were taken and aren't confirmed. */
  get underWay(): number {
    return this.#underWay.count
  }

  /** Whether a message of this size would be accepted. */
  hasRoomFor(bytes: number): boolean {
    return this.length < this.#limits.maxMessages && this.#bytes + bytes <= this.#limits.maxBytes
  }

  /** Accepts a message; false when there's no room, and then nothing has changed. */
  append(message: BufferedMessage<Origin>): boolean {
    if (!this.hasRoomFor(message.bytes.length)) return false
    this.restore(message)
    return true
  }

  /**
   * Takes back a message that was accepted already, from the journal or from a channel that is lost: it goes
   * to the end, even if there's no room.
   */
  restore(message: BufferedMessage<Origin>): void {
    this.#bytes += message.bytes.length
    this.#waiting.pushBack(unpinned(message))
  }

  /** The next to send, which is then under way; undefined when none waits. What has expired is skipped, see {@link takeExpired}. */
  takeNext(now: number): BufferedMessage<Origin> | undefined {
    this.expire(now)
    const message = this.#waiting.popFront()
    if (message !== undefined) this.#underWay.add(message)
    return message
  }

  /**
   * The broker has confirmed what was taken as the `tag`-th since the last {@link rewind}, or everything up
   * to it. Returns what leaves, in order. A tag that was never given, or is settled, confirms nothing.
   */
  confirm(tag: number, multiple: boolean): BufferedMessage<Origin>[] {
    const confirmed = this.#underWay.settle(tag, multiple)
    for (const { bytes } of confirmed) this.#bytes -= bytes.length
    return confirmed
  }

  /** The channel is gone: what is under way is to be sent again, before all others. Tags begin at 1 again. */
  rewind(): void {
    const again = this.#underWay.takeAll()
    for (let i = again.length - 1; i >= 0; i--) this.#waiting.pushFront(again[i].entry)
    this.#underWay = new ConfirmWindow()
  }

  /** Lets go of expired messages at the front, so that they take no room. Like RabbitMQ, it doesn't look behind one that hasn't expired. */
  expire(now: number): void {
    for (;;) {
      const message = this.#waiting.get(0)
      if (message === undefined || message.expiresAt > now) return
      this.#waiting.popFront()
      this.#bytes -= message.bytes.length
      this.#expired.push(message)
    }
  }

  /** What has expired since the last call, in order. */
  takeExpired(): BufferedMessage<Origin>[] {
    const expired = this.#expired
    this.#expired = []
    return expired
  }

  /**
   * Takes a message that the broker refuses out of the order, so that it doesn't hold up the others.
   * Undefined for a tag that isn't under way.
   */
  takeRefused(tag: number): BufferedMessage<Origin> | undefined {
    const message = this.#underWay.take(tag)
    if (message !== undefined) this.#bytes -= message.bytes.length
    return message
  }

  /** Gives everything away, in order; what was under way is first. */
  takeAll(): BufferedMessage<Origin>[] {
    this.rewind()
    const all: BufferedMessage<Origin>[] = []
    for (let message = this.#waiting.popFront(); message !== undefined; message = this.#waiting.popFront())
      all.push(message)
    this.#bytes = 0
    return all
  }

  /** Takes back the acceptance of messages that wait, told by their records; what is under way stays. */
  withdraw(records: ReadonlySet<number>): void {
    for (let left = this.#waiting.length; left > 0; left--) {
      const message = this.#waiting.popFront()!
      if (message.record !== undefined && records.has(message.record)) this.#bytes -= message.bytes.length
      else this.#waiting.pushBack(message)
    }
  }
}

function unpinned<Origin>(message: BufferedMessage<Origin>): BufferedMessage<Origin> {
  const { bytes } = message
  return bytes.buffer.byteLength <= bytes.length * MOST_PINNED
    ? message
    : { ...message, bytes: new Uint8Array(bytes) }
}
