/** Reads AMQP's elementary values one after the other (AMQP 0-9-1, 4.2). */
import { readLong, readShort } from './frame.js'

/** Without a special meaning for the byte order mark: names that differ must stay different. */
const text = new TextDecoder('utf-8', { ignoreBOM: true })

/** The bytes don't hold the value that was asked for. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes'
}

/** A position in `bytes` that moves on with every value. Each read throws {@link MalformedBytes} when `end` comes first. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get position(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#end - this.#at
  }

  octet(): number {
    return this.#bytes[this.#advance(1)]
  }

  short(): number {
    return readShort(this.#bytes, this.#advance(2))
  }

  long(): number {
    return readLong(this.#bytes, this.#advance(4))
  }

  longLong(): bigint {
    const at = this.#advance(8)
    return (BigInt(readLong(this.#bytes, at)) << 32n) | BigInt(readLong(this.#bytes, at + 4))
  }

  /** Up to 255 bytes behind a one-byte length, as UTF-8. */
  shortString(): string {
    return text.decode(this.take(this.octet()))
  }

  /** Bytes behind a four-byte length; a copy. */
  longString(): Uint8Array {
    // Not slice(): chunks are Node's Buffers, whose slice() is a view.
    return new Uint8Array(this.take(this.long()))
  }

  /** The next `size` bytes, shared with the source. */
  take(size: number): Uint8Array {
    const at = this.#advance(size)
    return this.#bytes.subarray(at, at + size)
  }

  #advance(size: number): number {
    const at = this.#at
    if (size > this.#end - at) throw new MalformedBytes(`${size} bytes wanted, ${this.#end - at} left`)
    this.#at = at + size
    return at
  }
}
