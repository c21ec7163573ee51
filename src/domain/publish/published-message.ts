/** What must be known of a message that is kept: read from its bytes when it's asked for. */
import { ByteReader } from '../amqp/byte-reader.js'
import { contentBodySize, expirationAt, readExpiration } from '../amqp/content-header.js'
import {
  CHANNEL_AT,
  FRAME_HEADER_SIZE,
  FRAME_OVERHEAD,
  METHOD_IDS_SIZE,
  SIZE_AT,
  readLong,
  readShort,
  writeLong,
  writeShort,
} from '../amqp/frame.js'

/** Behind the frame's header, the method's ids and a reserved short. */
const EXCHANGE_AT = FRAME_HEADER_SIZE + METHOD_IDS_SIZE + 2
const MANDATORY = 1
/** RabbitMQ refuses to let a message wait longer, some 49 days. */
const LONGEST_EXPIRATION = 2 ** 32 - 1

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

  /**
   * How long it may wait in a queue, in milliseconds; undefined when it may wait for ever or the property is
   * one that the broker will refuse.
   */
  get expiration(): number | undefined {
    const at = frameEnd(this.#bytes, 0)
    const text = readExpiration(this.#bytes, at + FRAME_HEADER_SIZE, frameEnd(this.#bytes, at) - 1)
    if (text === undefined || !/^\+?\d+$/.test(text)) return undefined
    return Number(text) > LONGEST_EXPIRATION ? undefined : Number(text)
  }

  /** Bytes of the body, without frames. */
  get bodySize(): number {
    return contentBodySize(this.#bytes, frameEnd(this.#bytes, 0) + FRAME_HEADER_SIZE)
  }

  get #routingKeyAt(): number {
    return EXCHANGE_AT + 1 + this.#bytes[EXCHANGE_AT]
  }
}

/** What logs and lists say of a message. */
export function describeMessage(bytes: Uint8Array): {
  readonly exchange: string
  readonly routingKey: string
  /** Of the body. */
  readonly size: number
} {
  const { exchange, routingKey, bodySize } = new PublishedMessage(bytes)
  return { exchange, routingKey, size: bodySize }
}

/** The message with another expiration in place of the one that it has: a copy. */
export function withExpiration(message: Uint8Array, milliseconds: number): Uint8Array {
  const header = frameEnd(message, 0)
  const end = frameEnd(message, header)
  const from = expirationAt(message, header + FRAME_HEADER_SIZE, end - 1)
  const to = from + 1 + message[from]
  const digits = String(milliseconds)
  const grown = 1 + digits.length - (to - from)
  const copy = new Uint8Array(message.length + grown)
  copy.set(message.subarray(0, from))
  copy[from] = digits.length
  for (let i = 0; i < digits.length; i++) copy[from + 1 + i] = digits.charCodeAt(i)
  copy.set(message.subarray(to), to + grown)
  writeLong(copy, header + SIZE_AT, end - header - FRAME_OVERHEAD + grown)
  return copy
}

/** The message with this channel number. A copy, if it has another: those bytes may still be on their way to where they were sent first. */
export function withChannel(message: Uint8Array, channel: number): Uint8Array {
  if (channelOf(message) === channel) return message
  const copy = new Uint8Array(message)
  for (let at = 0; at < copy.length; at = frameEnd(copy, at)) writeShort(copy, at + CHANNEL_AT, channel)
  return copy
}

/** The channel number of a message's frames, if it's one throughout; -1 if it isn't. */
function channelOf(bytes: Uint8Array): number {
  const channel = readShort(bytes, CHANNEL_AT)
  for (let at = 0; at < bytes.length; at = frameEnd(bytes, at))
    if (readShort(bytes, at + CHANNEL_AT) !== channel) return -1
  return channel
}

function frameEnd(bytes: Uint8Array, at: number): number {
  return at + readLong(bytes, at + SIZE_AT) + FRAME_OVERHEAD
}
