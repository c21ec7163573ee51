/** Finds the frames in a byte stream by index: no object for each frame, and bodies are stepped over. */
import { FRAME_END, FRAME_OVERHEAD } from './encoding.js'

/** What a scanner calls; `bytes` is only valid during the call. */
export interface FrameHandler {
  /** `at` is the method's first argument octet. */
  onMethod(id: number, channel: number, bytes: Buffer, at: number): void
  onHeader(channel: number, bodySize: number): void
  /** A body frame has passed; its payload stands at `at`, or isn't to be had when `at` is -1. */
  onBody(channel: number, size: number, bytes: Buffer, at: number): void
}

const METHOD = 1
const HEADER = 2
const BODY = 3

export class FrameScanner {
  /** Hands over every body frame as a whole, also when it arrives in pieces. */
  wholeBodies = false

  /** The start of a frame whose end hasn't arrived. */
  private carry = Buffer.allocUnsafe(512)
  private carried = 0

  /** Octets still to come of a body frame that is stepped over. */
  private toSkip = 0
  private skippedChannel = 0
  private skippedSize = 0

  constructor(private readonly handler: FrameHandler) {}

  push(chunk: Buffer, length: number): void {
    let at = 0
    if (this.toSkip > 0) {
      if (this.toSkip > length) {
        this.toSkip -= length
        return
      }
      at = this.toSkip
      this.toSkip = 0
      this.handler.onBody(this.skippedChannel, this.skippedSize, chunk, -1)
    }
    if (this.carried > 0) at = this.completeCarried(chunk, at, length)
    this.scan(chunk, at, length)
  }

  private scan(chunk: Buffer, start: number, length: number): void {
    let at = start
    while (length - at >= FRAME_OVERHEAD) {
      const size = sizeAt(chunk, at)
      const next = at + size + FRAME_OVERHEAD
      if (next > length) {
        if (chunk[at] !== BODY || this.wholeBodies) break
        this.skip(chunk, at, next - length)
        return
      }
      this.dispatch(chunk, at, size)
      at = next
    }
    if (at < length) this.append(chunk, at, length)
  }

  /** Adds what was missing of the carried frame; returns where the next frame starts. */
  private completeCarried(chunk: Buffer, start: number, length: number): number {
    let at = start
    if (this.carried < 7) {
      const end = Math.min(length, at + 7 - this.carried)
      this.append(chunk, at, end)
      at = end
      if (this.carried < 7) return at
    }
    const size = sizeAt(this.carry, 0)
    const end = at + size + FRAME_OVERHEAD - this.carried
    if (this.carry[0] === BODY && !this.wholeBodies) {
      this.carried = 0
      this.skip(this.carry, 0, Math.max(0, end - length))
      if (end <= length) this.handler.onBody(this.skippedChannel, this.skippedSize, chunk, -1)
      return Math.min(end, length)
    }
    this.append(chunk, at, Math.min(end, length))
    if (end > length) return length
    this.carried = 0
    this.dispatch(this.carry, 0, size)
    return end
  }

  private dispatch(bytes: Buffer, at: number, size: number): void {
    if (bytes[at + 7 + size] !== FRAME_END)
      throw new Error(`wrong frame end after a frame of type ${bytes[at]}`)
    const type = bytes[at]
    const channel = (bytes[at + 1] << 8) | bytes[at + 2]
    if (type === METHOD) this.handler.onMethod(u32At(bytes, at + 7), channel, bytes, at + 11)
    // The body size is 64 bits wide; no message here needs more than the lower half.
    else if (type === HEADER) this.handler.onHeader(channel, u32At(bytes, at + 15))
    else if (type === BODY) this.handler.onBody(channel, size, bytes, at + 7)
  }

  private skip(header: Buffer, at: number, count: number): void {
    this.toSkip = count
    this.skippedChannel = (header[at + 1] << 8) | header[at + 2]
    this.skippedSize = sizeAt(header, at)
  }

  private append(chunk: Buffer, start: number, end: number): void {
    const needed = this.carried + end - start
    if (needed > this.carry.length) {
      const larger = Buffer.allocUnsafe(needed * 2)
      this.carry.copy(larger, 0, 0, this.carried)
      this.carry = larger
    }
    chunk.copy(this.carry, this.carried, start, end)
    this.carried = needed
  }
}

function sizeAt(bytes: Buffer, frameAt: number): number {
  return u32At(bytes, frameAt + 3)
}

function u32At(bytes: Buffer, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}
