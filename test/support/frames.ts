/** Frames and chunks for tests that look at single bytes: views on frames, chunks cut at will, a handler that remembers. */
import { Frame } from '../../src/domain/amqp/frame.js'
import type { FrameFault, FrameHandler } from '../../src/domain/amqp/frame-reader.js'
import { decodeFrame } from './wire-format.js'

/** What a test remembers of a frame: its payload in hex, so that a failed comparison can be read. */
export interface SeenFrame {
  readonly type: number
  readonly channel: number
  readonly payload: string
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

export function utf8(text: string): Uint8Array {
  return own(Buffer.from(text))
}

/** All `parts` in one chunk with an ArrayBuffer of its own, as a socket hands it over. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const chunk = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    chunk.set(part, at)
    at += part.length
  }
  return chunk
}

/** A copy with an ArrayBuffer of its own. */
export function own(bytes: Uint8Array): Uint8Array {
  return concat([bytes])
}

/** `size` bytes that differ with `seed`; the frame end octet is among them. */
export function payload(size: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 7 + (at >>> 8)) & 0xff)
}

/** `bytes` cut at `positions` into chunks that share no memory; cuts in the same place give empty chunks. */
export function cutAt(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const cuts = positions.map((position) => position % (bytes.length + 1)).sort((a, b) => a - b)
  return [...cuts, bytes.length].map((end, i) => bytes.slice(cuts[i - 1] ?? 0, end))
}

/** A view on the one frame that `bytes` hold, as the reader makes it when the frame is whole in a chunk. */
export function viewOf(bytes: Uint8Array): Frame {
  const frame = new Frame()
  const { type, channel, payload } = decodeFrame(Buffer.from(bytes))!.frame
  return Object.assign(frame, {
    type,
    channel,
    bytes,
    start: 0,
    end: bytes.length,
    payloadSize: payload.length,
  })
}

/** The frames in `bytes`, read by the tests' own decoder; throws when the last one isn't whole. */
export function framesIn(bytes: Uint8Array): SeenFrame[] {
  const seen: SeenFrame[] = []
  for (let rest = Buffer.from(bytes); rest.length > 0;) {
    const decoded = decodeFrame(rest)
    if (decoded === undefined) throw new Error(`${rest.length} bytes of an unfinished frame`)
    const { type, channel, payload } = decoded.frame
    seen.push({ type, channel, payload: hex(payload) })
    rest = rest.subarray(decoded.length)
  }
  return seen
}

/** A copy of what the view shows. */
export function seenFrame(frame: Frame): SeenFrame {
  const bytes = frame.parts === undefined ? frame.bytes.slice(frame.start, frame.end) : concat(frame.parts)
  return { type: frame.type, channel: frame.channel, payload: hex(bytes.slice(7, -1)) }
}

/** Remembers what a reader hands over. */
export class FrameLog implements FrameHandler {
  /** Frames that were taken. */
  readonly frames: SeenFrame[] = []
  /** Frames that were told "not now", once for each time. */
  readonly refused: SeenFrame[] = []
  readonly faults: FrameFault[] = []
  readonly #onFrame: (frame: Frame) => boolean

  /** `onFrame` looks at each frame and answers for the log; by default all are taken. */
  constructor(onFrame: (frame: Frame) => boolean | void = () => true) {
    this.#onFrame = (frame) => onFrame(frame) !== false
  }

  onFrame(frame: Frame): boolean {
    const seen = seenFrame(frame)
    const taken = this.#onFrame(frame)
    ;(taken ? this.frames : this.refused).push(seen)
    return taken
  }

  onFrameFault(fault: FrameFault): void {
    this.faults.push(fault)
  }
}
