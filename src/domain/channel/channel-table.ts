/** Which client channel each channel of one upstream connection carries. */
import { FreeNumbers } from './free-numbers.js'

/** What the table maps an upstream channel to; it knows the way back. */
export interface TableEntry {
  /** The upstream channel number, from 1. */
  readonly upstreamChannel: number
}

/**
 * The two-way map of one upstream connection: number to entry here, entry to number in the entry itself.
 * A number is free, bound to an entry, or closing: reserved without an owner until the broker's Channel.Close-Ok,
 * since reusing it earlier is the 504 that ends the whole connection.
 */
export class ChannelTable<Entry extends TableEntry> {
  readonly #entries: (Entry | undefined)[] = []
  readonly #free: FreeNumbers
  #closing = 0

  /** `capacity` is the most channels, 1 to 65535. */
  constructor(capacity: number) {
    this.#free = new FreeNumbers(capacity)
  }

  get capacity(): number {
    return this.#free.limit
  }

  /** Channels that have an owner. */
  get bound(): number {
    return this.capacity - this.#free.count - this.#closing
  }

  /** Channels that wait for Channel.Close-Ok. */
  get closing(): number {
    return this.#closing
  }

  get hasRoom(): boolean {
    return this.#free.count > 0
  }

  /** Binds the lowest free number to the entry that `create` makes for it; undefined when none is free. */
  bind(create: (upstreamChannel: number) => Entry): Entry | undefined {
    const number = this.#free.takeLowest()
    if (number === 0) return undefined
    const entry = create(number)
    this.#entries[number] = entry
    return entry
  }

  /** The entry that owns `upstreamChannel`; undefined when it's free, closing or out of range. */
  ownerOf(upstreamChannel: number): Entry | undefined {
    return this.#entries[upstreamChannel]
  }

  /** Whether the number is reserved until Channel.Close-Ok. */
  isClosing(upstreamChannel: number): boolean {
    return (
      upstreamChannel >= 1 &&
      upstreamChannel <= this.capacity &&
      this.#entries[upstreamChannel] === undefined &&
      !this.#free.has(upstreamChannel)
    )
  }

  /** Takes the number from its owner, but keeps it reserved. False when `entry` doesn't own it (any more). */
  startClosing(entry: Entry): boolean {
    if (this.#entries[entry.upstreamChannel] !== entry) return false
    this.#entries[entry.upstreamChannel] = undefined
    this.#closing++
    return true
  }

  /** Frees a closing number: Channel.Close-Ok has come. False when it wasn't closing. */
  finishClosing(upstreamChannel: number): boolean {
    if (!this.isClosing(upstreamChannel)) return false
    this.#closing--
    this.#free.release(upstreamChannel)
    return true
  }

  /** Every owner, in the order of upstream channels. */
  *owners(): Generator<Entry> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry
  }
}
