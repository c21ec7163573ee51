/** The outer form of AMQP's frames: `type(1) channel(2) size(4) payload(size) 0xCE` (AMQP 0-9-1, 2.3.5). */

export const FRAME_METHOD = 1
export const FRAME_HEADER = 2
export const FRAME_BODY = 3
export const FRAME_HEARTBEAT = 8

/** The octet that ends every frame. */
export const FRAME_END = 0xce
/** Type, channel and size. */
export const FRAME_HEADER_SIZE = 7
/** What a frame adds to its payload; the negotiated frame_max counts it too. */
export const FRAME_OVERHEAD = 8
/** The class and method ids at the head of a method frame's payload. */
export const METHOD_IDS_SIZE = 4
/** The least frame_max that RabbitMQ lets a client choose. */
export const FRAME_MIN_SIZE = 4096
/** The frame_max that holds before Connection.Tune-Ok: 4096 up to RabbitMQ 4.0, 8192 from 4.1. */
export const FRAME_MAX_BEFORE_TUNING = 8192

/** Opens every AMQP 0-9-1 connection; it is also the answer to any other protocol. */
export const PROTOCOL_HEADER = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1)

/** Where the channel number stands in a frame. */
export const CHANNEL_AT = 1
/** Where the payload's size stands in a frame. */
export const SIZE_AT = 3

const NOTHING = new Uint8Array(0)

/** What lies in `bytes[start, end)`. */
export interface Piece {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/**
 * A view on one complete frame. The reader has a single one and moves it from frame to frame, so it's true only
 * during the call that hands it over; whoever needs the bytes longer keeps slices of them.
 */
export class Frame {
  type = 0
  channel = 0
  /** The frame lies in `bytes[start, end)`, its end octet included, unless `parts` is set. */
  bytes: Uint8Array = NOTHING
  start = 0
  end = 0
  /**
   * The slices of a body frame that came in more than one chunk, in order; the first holds at least the frame's header.
   * Method and header frames are always whole in `bytes`.
   */
  parts: readonly Uint8Array[] | undefined = undefined
  /** Bytes between the header and the end octet. */
  payloadSize = 0

  /** Class id in the high, method id in the low 16 bits. Only for method frames of at least four bytes. */
  get methodId(): number {
    return readLong(this.bytes, this.start + FRAME_HEADER_SIZE)
  }

  /** Where the payload begins in `bytes`. */
  get payloadStart(): number {
    return this.start + FRAME_HEADER_SIZE
  }

  /** Where a method's arguments begin in `bytes`. Only for method frames of at least four bytes. */
  get argumentsStart(): number {
    return this.start + FRAME_HEADER_SIZE + METHOD_IDS_SIZE
  }

  /** One past the payload's last byte in `bytes`. */
  get payloadEnd(): number {
    return this.end - 1
  }

  /** Lets go of the bytes, so that an idle connection keeps none alive. */
  forget(): void {
    this.bytes = NOTHING
    this.parts = undefined
  }

  /** Gives the frame another channel number, in its own bytes too. */
  rewriteChannel(channel: number): void {
    this.channel = channel
    const bytes = this.parts === undefined ? this.bytes : this.parts[0]
    const at = this.parts === undefined ? this.start : 0
    writeShort(bytes, at + CHANNEL_AT, channel)
  }
}

/** A 16-bit number at `at`; the caller knows that it's there. */
export function readShort(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1]
}

/** A 32-bit unsigned number at `at`; the caller knows that it's there. */
export function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

/** Puts a 16-bit number at `at`; the caller knows that there is room. */
export function writeShort(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

/** Puts a 32-bit number at `at`; the caller knows that there is room. */
export function writeLong(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
