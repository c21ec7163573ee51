/** Finds the frames in a stream of chunks, however the chunks are cut, without copying payloads. */
import {
  CHANNEL_AT,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER_SIZE,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  Frame,
  METHOD_IDS_SIZE,
  SIZE_AT,
  readLong,
  readShort,
} from './frame.js'
import { SliceList, joinSlices } from './slice-list.js'
import { WholeMessage } from './whole-message.js'

/** Hears of each frame. */
export interface FrameHandler {
  /**
   * A whole frame. Returning false means "not now": the reader stops before this frame and hands it over again
   * on {@link FrameReader.resume}.
   */
  onFrame(frame: Frame): boolean
  /**
   * A message of the kind that the reader was told to look for, whole in its chunk. Returning false means "frame by frame": then its frames
   * are handed over like all others.
   */
  onMessage?(message: WholeMessage): boolean
  /** The bytes can't be AMQP; comes at most once, and nothing after it. */
  onFrameFault(fault: FrameFault): void
}

/** What is wrong with the outer form of a frame. RabbitMQ answers each with FRAME_ERROR (501). */
export interface FrameFault {
  readonly kind: 'too-large' | 'bad-end'
  readonly type: number
  readonly channel: number
  readonly payloadSize: number
  /** The largest payload by the negotiated frame_max for `too-large`, the octet found for `bad-end`. */
  readonly detail: number
  /** Up to {@link SNIPPET_SIZE} bytes of the payload, as far as they had arrived. */
  readonly snippet: Uint8Array
}

/** RabbitMQ shows so many octets of a payload in its errors. */
export const SNIPPET_SIZE = 16

/** Reads one direction of one connection. */
export class FrameReader {
  readonly #handler: FrameHandler
  readonly #frame = new Frame()
  readonly #messageMethod: number
  /** Once there was one. */
  #message: WholeMessage | undefined
  #maxPayload: number
  /** Bytes that came but can't be looked at yet: we were told "not now". */
  #waiting: Uint8Array[] = []
  #stopped = false
  #pushing = false
  #ended = false
  /** A frame that began in an earlier chunk: its header (as far as known), then all of its bytes. */
  #header: Uint8Array | undefined
  #headerLength = 0
  #split: SliceList | undefined

  /**
   * `frameMax` is the negotiated limit, 0 for none. Like RabbitMQ, the reader lets a payload of that size pass, for clients that forget the frame's 8 bytes of overhead.
   * `messageMethod` is the method whose messages are handed over as such.
   */
  constructor(handler: FrameHandler, frameMax: number, messageMethod = 0) {
    this.#handler = handler
    this.#messageMethod = messageMethod
    this.#maxPayload = payloadLimit(frameMax)
  }

  /** Changes the limit from the next frame on. */
  set frameMax(frameMax: number) {
    this.#maxPayload = payloadLimit(frameMax)
  }

  /** Whether the handler said "not now" and hasn't been resumed. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Bytes of an incomplete frame that the reader keeps. */
  get heldBytes(): number {
    return this.#split?.length ?? this.#headerLength
  }

  /** Reads `chunk`; the handler hears of every frame that is complete with it. */
  push(chunk: Uint8Array): void {
    if (this.#ended) return
    if (this.#stopped || this.#pushing) {
      this.#waiting.push(chunk)
      return
    }
    this.#pushing = true
    try {
      this.#read(chunk)
      this.#readWaiting()
    } finally {
      this.#rest()
    }
  }

  /** Goes on after a "not now", beginning with the frame that was refused. */
  resume(): void {
    if (!this.#stopped || this.#ended || this.#pushing) return
    this.#stopped = false
    this.#pushing = true
    try {
      if (this.#handler.onFrame(this.#frame)) this.#readWaiting()
      else this.#stopped = true
    } finally {
      this.#rest()
    }
  }

  /** Ends reading: nothing is handed over any more. */
  end(): void {
    this.#ended = true
    this.#waiting = []
    this.#split = undefined
    this.#header = undefined
    this.#headerLength = 0
  }

  /** Until the next chunk, or the frame that has to wait. */
  #rest(): void {
    this.#pushing = false
    this.#message?.forget()
    if (!this.#stopped || this.#ended) this.#frame.forget()
  }

  #readWaiting(): void {
    while (this.#waiting.length > 0 && !this.#stopped && !this.#ended) this.#read(this.#waiting.shift()!)
  }

  #read(chunk: Uint8Array): void {
    const length = chunk.length
    let at = this.#header === undefined ? 0 : this.#continueSplit(chunk)
    const frame = this.#frame
    const handler = this.#handler
    while (!this.#ended && !this.#stopped && length - at >= FRAME_HEADER_SIZE) {
      const afterMessage = this.#readMessage(chunk, at)
      if (afterMessage > at) {
        at = afterMessage
        continue
      }
      const size = readLong(chunk, at + SIZE_AT)
      if (size > this.#maxPayload) return this.#tooLarge(chunk, at)
      const end = at + size + FRAME_OVERHEAD
      if (end > length) break
      if (chunk[end - 1] !== FRAME_END) return this.#badEnd(chunk, at, chunk[end - 1])
      frame.type = chunk[at]
      frame.channel = readShort(chunk, at + CHANNEL_AT)
      frame.bytes = chunk
      frame.start = at
      frame.end = end
      frame.parts = undefined
      frame.payloadSize = size
      at = end
      if (!handler.onFrame(frame)) this.#stopped = true
    }
    if (this.#ended || at >= length) return
    if (this.#stopped) this.#waiting.unshift(chunk.subarray(at))
    else this.#beginSplit(chunk, at)
  }

  /** Hands over the message at `at`, if there is a whole one and it's taken as such; returns where the next frame begins. */
  #readMessage(chunk: Uint8Array, at: number): number {
    if (!beginsWithMethod(chunk, at, this.#messageMethod)) return at
    const message = (this.#message ??= new WholeMessage())
    if (!message.moveTo(chunk, at, this.#maxPayload)) return at
    const { end } = message
    return this.#handler.onMessage?.(message) === true ? end : at
  }

  #beginSplit(chunk: Uint8Array, at: number): void {
    const header = new Uint8Array(FRAME_HEADER_SIZE)
    this.#header = header
    this.#headerLength = Math.min(FRAME_HEADER_SIZE, chunk.length - at)
    for (let i = 0; i < this.#headerLength; i++) header[i] = chunk[at + i]
    if (this.#headerLength < FRAME_HEADER_SIZE) return
    this.#split = new SliceList()
    this.#split.append(chunk, at, chunk.length)
  }

  /** Adds what `chunk` has of the frame that began earlier; returns where the next frame begins. */
  #continueSplit(chunk: Uint8Array): number {
    const header = this.#header!
    let at = 0
    while (this.#headerLength < FRAME_HEADER_SIZE && at < chunk.length)
      header[this.#headerLength++] = chunk[at++]
    if (this.#headerLength < FRAME_HEADER_SIZE) return at
    const size = readLong(header, SIZE_AT)
    if (size > this.#maxPayload) {
      this.#tooLarge(header, 0)
      return at
    }
    if (this.#split === undefined) {
      this.#split = new SliceList()
      this.#split.append(header, 0, FRAME_HEADER_SIZE)
    }
    const split = this.#split
    const missing = size + FRAME_OVERHEAD - split.length
    const taken = Math.min(missing, chunk.length - at)
    split.append(chunk, at, at + taken)
    if (taken < missing) return chunk.length
    this.#finishSplit(header, split.take(), size)
    return at + taken
  }

  #finishSplit(header: Uint8Array, parts: readonly Uint8Array[], size: number): void {
    this.#header = undefined
    this.#headerLength = 0
    this.#split = undefined
    const lastPart = parts[parts.length - 1]
    const endOctet = lastPart[lastPart.length - 1]
    if (endOctet !== FRAME_END) return this.#badEnd(joinSlices(parts), 0, endOctet)
    const frame = this.#frame
    frame.type = header[0]
    frame.channel = readShort(header, CHANNEL_AT)
    frame.payloadSize = size
    if (frame.type === FRAME_BODY && parts.length > 1) {
      frame.parts = parts
    } else {
      frame.parts = undefined
      frame.bytes = parts.length === 1 ? parts[0] : joinSlices(parts)
      frame.start = 0
      frame.end = frame.bytes.length
    }
    if (!this.#handler.onFrame(frame)) this.#stopped = true
  }

  #tooLarge(bytes: Uint8Array, at: number): void {
    this.#fault('too-large', bytes, at, this.#maxPayload - FRAME_OVERHEAD)
  }

  #badEnd(bytes: Uint8Array, at: number, found: number): void {
    this.#fault('bad-end', bytes, at, found)
  }

  #fault(kind: FrameFault['kind'], bytes: Uint8Array, at: number, detail: number): void {
    this.end()
    const payloadSize = readLong(bytes, at + SIZE_AT)
    const from = at + FRAME_HEADER_SIZE
    const snippet = new Uint8Array(bytes.subarray(from, from + Math.min(payloadSize, SNIPPET_SIZE)))
    this.#handler.onFrameFault({
      kind,
      type: bytes[at],
      channel: readShort(bytes, at + CHANNEL_AT),
      payloadSize,
      detail,
      snippet,
    })
  }
}

function beginsWithMethod(chunk: Uint8Array, at: number, methodId: number): boolean {
  const idAt = at + FRAME_HEADER_SIZE
  return (
    chunk[at] === FRAME_METHOD && chunk.length - idAt >= METHOD_IDS_SIZE && readLong(chunk, idAt) === methodId
  )
}

function payloadLimit(frameMax: number): number {
  return frameMax === 0 ? 0xffffffff : frameMax
}
