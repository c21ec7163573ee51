/** What must be known of a message that is kept: read from its bytes when it's asked for. */
import { ByteReader } from '../amqp/byte-reader.js'
import { contentBodySize, readExpiration } from '../amqp/content-header.js'
import { FRAME_HEADER_SIZE, FRAME_OVERHEAD, readLong } from '../amqp/frame.js'

const SIZE_AT = 3
/** Behind the frame's header, the method's ids and a reserved short. */
const EXCHANGE_AT = FRAME_HEADER_SIZE + 4 + 2
const MANDATORY = 1

/** A view on the frames of one whole message, Basic.Publish first, that lie side by side; the guard has found them well-formed. */
export class PublishedMessage {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get exchange(): string {
    return new ByteReader(this.#bytes, EXCHANGE_AT).shortString()
  }

  get routingKey(): string {
    return new ByteReader(this.#bytes, this.#routingKeyAt).shortString()
  }

  /** Whether the publisher wants it back when no queue takes it. */
  get isMandatory(): boolean {
    const at = this.#routingKeyAt
    return (this.#bytes[at + 1 + this.#bytes[at]] & MANDATORY) !== 0
  }

  /** How long it may wait in a queue, in milliseconds; undefined when it may wait for ever or the property isn't a number, which the broker will refuse. */
  get expiration(): number | undefined {
    const at = frameEnd(this.#bytes, 0)
    const text = readExpiration(this.#bytes, at + FRAME_HEADER_SIZE, frameEnd(this.#bytes, at) - 1)
    return text !== undefined && /^\+?\d+$/.test(text) ? Number(text) : undefined
  }

  /** Bytes of the body, without frames. */
  get bodySize(): number {
    return contentBodySize(this.#bytes, frameEnd(this.#bytes, 0) + FRAME_HEADER_SIZE)
  }

  get #routingKeyAt(): number {
    return EXCHANGE_AT + 1 + this.#bytes[EXCHANGE_AT]
  }
}

/** Writes another channel number into every frame of `bytes`, in place. */
export function rewriteChannel(bytes: Uint8Array, channel: number): void {
  for (let at = 0; at < bytes.length; at = frameEnd(bytes, at)) {
    bytes[at + 1] = channel >>> 8
    bytes[at + 2] = channel & 0xff
  }
}

function frameEnd(bytes: Uint8Array, at: number): number {
  return at + readLong(bytes, at + SIZE_AT) + FRAME_OVERHEAD
}
