/** Writes AMQP's elementary values one after the other (AMQP 0-9-1, 4.2). */
import { writeLong, writeShort } from './frame.js'

const utf8 = new TextEncoder()

/** The most bytes that a short string can have. */
export const SHORT_STRING_LIMIT = 255
/** Stands for what was left out. */
const MORE = '...'

/** A byte array that grows as values are added. */
export class ByteWriter {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 128) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  octet(value: number): this {
    const at = this.#reserve(1)
    this.#bytes[at] = value
    return this
  }

  short(value: number): this {
    const at = this.#reserve(2)
    writeShort(this.#bytes, at, value)
    return this
  }

  long(value: number): this {
    this.setLong(this.#reserve(4), value)
    return this
  }

  longLong(value: bigint): this {
    this.long(Number((value >> 32n) & 0xffffffffn))
    return this.long(Number(value & 0xffffffffn))
  }

  /** Throws RangeError when `value` has more than 255 bytes in UTF-8. */
  shortString(value: string): this {
    const bytes = utf8.encode(value)
    if (bytes.length > SHORT_STRING_LIMIT)
      throw new RangeError(`a short string has at most ${SHORT_STRING_LIMIT} bytes, not ${bytes.length}`)
    return this.octet(bytes.length).raw(bytes)
  }

  longString(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? utf8.encode(value) : value
    return this.long(bytes.length).raw(bytes)
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  /** Overwrites four bytes that were written before, for lengths known only afterwards. */
  setLong(at: number, value: number): void {
    writeLong(this.#bytes, at, value)
  }

  /** What was written so far, in an array of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Makes room for `size` bytes and returns where they go. May replace the array: look at it only afterwards. */
  #reserve(size: number): number {
    const at = this.#length
    const needed = at + size
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    this.#length = needed
    return at
  }
}

/** Shortens `text` so that it fits a short string, without cutting a character in two; dots say that there was more. */
export function fitShortString(text: string): string {
  if (utf8.encode(text).length <= SHORT_STRING_LIMIT) return text
  let fitting = ''
  let size = 0
  for (const character of text) {
    size += utf8.encode(character).length
    if (size > SHORT_STRING_LIMIT - MORE.length) break
    fitting += character
  }
  return fitting + MORE
}
