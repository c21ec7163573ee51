/** Which client channel each channel of one upstream connection carries. */
import { FreeNumbers } from './free-numbers.js'

/** What the table maps an upstream channel to; it knows the way back. */
export interface TableEntry {
  /** The upstream channel number, from 1. */
  readonly upstreamChannel: number
}

const FREE = 0
const BOUND = 1
const CLOSING = 2
const SETTLING = 3
const SPARE = 4

/**
 * The two-way map of one upstream connection: number to entry here, entry to number in the entry itself. A number is
 *
 * - free: not open at the broker;
 * - bound: it belongs to an entry;
 * - closing: reserved without an owner until the broker's Channel.Close-Ok, since reusing it earlier is the 504 that ends the whole connection;
 * - settling: its owner has left, the barrier that keeps the owner's late answers from the next one hasn't come back;
 * - spare: open at the broker, with nothing of its former owner left on it.
 */
export class ChannelTable<Entry extends TableEntry> {
  readonly #entries: (Entry | undefined)[] = []
  readonly #states: Uint8Array
  readonly #counts = [0, 0, 0, 0, 0]
  readonly #free: FreeNumbers
  readonly #spare: FreeNumbers

  /** `capacity` is the most channels, 1 to 65535. */
  constructor(capacity: number) {
    this.#free = new FreeNumbers(capacity)
    this.#spare = FreeNumbers.none(capacity)
    this.#states = new Uint8Array(capacity + 1)
    this.#counts[FREE] = capacity
  }

  get capacity(): number {
    return this.#free.limit
  }

  /** Channels that have an owner. */
  get bound(): number {
    return this.#counts[BOUND]
  }

  /** Channels without an owner that wait for the broker: for Close-Ok or for the barrier. */
  get unsettled(): number {
    return this.#counts[CLOSING] + this.#counts[SETTLING]
  }

  /** Channels that are open at the broker and can be handed to the next owner. */
  get spare(): number {
    return this.#counts[SPARE]
  }

  /** Whether another channel can be bound. */
  get hasRoom(): boolean {
    return this.#counts[SPARE] + this.#counts[FREE] > 0
  }

  /**
   * Binds the lowest spare number, or else the lowest free one, to the entry that `create` makes for it;
   * `isOpen` tells whether the channel is open at the broker already. Undefined when there is neither.
   */
  bind(create: (upstreamChannel: number, isOpen: boolean) => Entry): Entry | undefined {
    const spare = this.#spare.takeLowest()
    const number = spare === 0 ? this.#free.takeLowest() : spare
    if (number === 0) return undefined
    const entry = create(number, spare !== 0)
    this.#entries[number] = entry
    this.#move(number, BOUND)
    return entry
  }

  /** The entry that owns `upstreamChannel`; undefined when nobody does, or it's out of range. */
  ownerOf(upstreamChannel: number): Entry | undefined {
    return this.#entries[upstreamChannel]
  }

  /** Whether Channel.Close was sent for a number that nobody owns, and its answer is due. */
  isClosing(upstreamChannel: number): boolean {
    return this.#states[upstreamChannel] === CLOSING
  }

  /** Takes the number from its owner; it stays reserved until {@link finishClosing}. False when `entry` doesn't own it (any more). */
  startClosing(entry: Entry): boolean {
    return this.#disown(entry, CLOSING)
  }

  /** Frees a number that nobody owns: the broker has closed the channel. False when it's free already, or bound. */
  finishClosing(upstreamChannel: number): boolean {
    const state = this.#states[upstreamChannel]
    if (state !== CLOSING && state !== SETTLING && state !== SPARE) return false
    if (state === SPARE) this.#spare.take(upstreamChannel)
    this.#free.release(upstreamChannel)
    this.#move(upstreamChannel, FREE)
    return true
  }

  /**
   * Takes the number from its owner; it's kept open, but reserved until {@link finishSettling}. False when
   * `entry` doesn't own it (any more).
   */
  startSettling(entry: Entry): boolean {
    return this.#disown(entry, SETTLING)
  }

  /** Makes a settling number spare: the barrier has come back. False when it wasn't settling. */
  finishSettling(upstreamChannel: number): boolean {
    if (this.#states[upstreamChannel] !== SETTLING) return false
    this.#spare.release(upstreamChannel)
    this.#move(upstreamChannel, SPARE)
    return true
  }

  /** Takes the lowest spare number to close it at the broker: it's reserved until {@link finishClosing}. 0 when there is none. */
  retireSpare(): number {
    const number = this.#spare.takeLowest()
    if (number !== 0) this.#move(number, CLOSING)
    return number
  }

  /** Every owner, in the order of upstream channels. */
  *owners(): Generator<Entry> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry
  }

  #disown(entry: Entry, state: number): boolean {
    const number = entry.upstreamChannel
    if (this.#entries[number] !== entry) return false
    this.#entries[number] = undefined
    this.#move(number, state)
    return true
  }

  #move(number: number, state: number): void {
    this.#counts[this.#states[number]]--
    this.#counts[state]++
    this.#states[number] = state
  }
}
