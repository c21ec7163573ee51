/** A message that stands whole in one chunk, as nearly all small ones do, seen as one thing instead of as three frames. */
import { BODY_SIZE_AT, CONTENT_HEADER_MIN_SIZE } from './content-header.js'
import {
  CHANNEL_AT,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_SIZE,
  FRAME_OVERHEAD,
  METHOD_IDS_SIZE,
  SIZE_AT,
} from './frame.js'

const NOTHING = new Uint8Array(0)
const NO_VIEW = new DataView(NOTHING.buffer)

/**
 * A view on a method, its content header and its body in one frame, side by side and on one channel. Like a frame it's true only during the
 * call that hands it over.
 */
export class WholeMessage {
  /** How many frames it has. */
  static readonly FRAMES = 3
  channel = 0
  /** It lies in `bytes[start, end)`. */
  bytes: Uint8Array = NOTHING
  start = 0
  end = 0
  bodySize = 0
  #header = 0
  #body = 0
  /** On `bytes`: made once for each chunk, it reads whole numbers in one step. */
  #view: DataView = NO_VIEW

  /** The method's arguments lie in `bytes[argumentsStart, argumentsEnd)`. */
  get argumentsStart(): number {
    return this.start + FRAME_HEADER_SIZE + METHOD_IDS_SIZE
  }

  get argumentsEnd(): number {
    return this.#header - 1
  }

  /** The payload of the content header lies in `bytes[headerStart, headerEnd)`. */
  get headerStart(): number {
    return this.#header + FRAME_HEADER_SIZE
  }

  get headerEnd(): number {
    return this.#body - 1
  }

  /**
   * Moves to the message that begins at `at` with the frame of a method that has content. False when none is
   * to be seen there, for whatever reason: it isn't whole, has no body or one in several frames, a payload
   * over `maxPayload`, or mistakes. Then the frames are to be read one by one.
   */
  moveTo(bytes: Uint8Array, at: number, maxPayload: number): boolean {
    const view = this.#viewOf(bytes)
    const { length } = bytes
    const methodSize = view.getUint32(at + SIZE_AT)
    const header = at + methodSize + FRAME_OVERHEAD
    if (methodSize < METHOD_IDS_SIZE || methodSize > maxPayload) return false
    if (length - header < FRAME_OVERHEAD + CONTENT_HEADER_MIN_SIZE) return false
    const headerSize = view.getUint32(header + SIZE_AT)
    const body = header + headerSize + FRAME_OVERHEAD
    if (headerSize < CONTENT_HEADER_MIN_SIZE || headerSize > maxPayload) return false
    if (length - body < FRAME_OVERHEAD) return false
    const bodySize = view.getUint32(body + SIZE_AT)
    const end = body + bodySize + FRAME_OVERHEAD
    if (bodySize === 0 || bodySize > maxPayload || end > length) return false
    if (bytes[header] !== FRAME_HEADER || bytes[body] !== FRAME_BODY) return false
    if (bytes[header - 1] !== FRAME_END || bytes[body - 1] !== FRAME_END || bytes[end - 1] !== FRAME_END)
      return false
    const channel = view.getUint16(at + CHANNEL_AT)
    if (view.getUint16(header + CHANNEL_AT) !== channel || view.getUint16(body + CHANNEL_AT) !== channel)
      return false
    const announced = header + FRAME_HEADER_SIZE + BODY_SIZE_AT
    if (view.getUint32(announced) !== 0 || view.getUint32(announced + 4) !== bodySize) return false
    this.channel = channel
    this.start = at
    this.end = end
    this.bodySize = bodySize
    this.#header = header
    this.#body = body
    return true
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (bytes === this.bytes) return this.#view
    this.bytes = bytes
    return (this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
  }

  /** Gives the message another channel number, in its own bytes too. */
  rewriteChannel(channel: number): void {
    this.channel = channel
    this.#view.setUint16(this.start + CHANNEL_AT, channel)
    this.#view.setUint16(this.#header + CHANNEL_AT, channel)
    this.#view.setUint16(this.#body + CHANNEL_AT, channel)
  }

  /** Lets go of the bytes, so that an idle connection keeps none alive. */
  forget(): void {
    this.bytes = NOTHING
    this.#view = NO_VIEW
  }
}
