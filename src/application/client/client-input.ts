/** Everything that one client sends: read frame by frame, counted, and left where it is while the client can't be served. */
import { type FrameHandler, FrameReader } from '../../domain/amqp/frame-reader.js'
import * as id from '../../domain/amqp/method-ids.js'
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import type { ByteStream } from '../ports/byte-stream.js'
import type { Traffic } from '../traffic.js'
import { HANDSHAKE_FRAME_MAX } from './client-handshake.js'
import type { UnfinishedBytes } from './unfinished-bytes.js'

/** The session whose input it is. */
export interface ClientInputHost extends FrameHandler {
  /** Bytes that are kept of messages whose end hasn't come. */
  readonly heldBytes: number
  /** What has come so far was handed over. Returns whether no more is to be read until {@link ClientInput.resume}. */
  endOfChunk(): boolean
  /** The client can't be served any longer. */
  refuse(error: AmqpError): void
  onUnexpectedError(error: unknown): void
}

/** One client's way in. */
export class ClientInput {
  readonly #stream: ByteStream
  readonly #host: ClientInputHost
  readonly #traffic: Traffic
  readonly #unfinished: UnfinishedBytes
  readonly #reader: FrameReader
  #isPaused = false
  #isEnded = false
  #wasRead = false
  #bytes = 0
  /** Frames that the host has taken so far. */
  frames = 0
  /** What of them is in the traffic of all. */
  #framesCounted = 0
  /** What was counted last. */
  #unfinishedBytes = 0

  constructor(stream: ByteStream, host: ClientInputHost, traffic: Traffic, unfinished: UnfinishedBytes) {
    this.#stream = stream
    this.#host = host
    this.#traffic = traffic
    this.#unfinished = unfinished
    this.#reader = new FrameReader(host, HANDSHAKE_FRAME_MAX, id.BASIC_PUBLISH)
  }

  /** Bytes that have come so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether the client isn't read from for now. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** The largest frame that the client may send from now on; 0 is no limit. */
  set frameMax(frameMax: number) {
    this.#reader.frameMax = frameMax
  }

  /** Whether anything has come since the last call, or couldn't. */
  takeWasRead(): boolean {
    const was = this.#wasRead || this.#isPaused
    this.#wasRead = false
    return was
  }

  /** A chunk has come, of whatever protocol. */
  count(chunk: Uint8Array): void {
    this.#wasRead = true
    this.#bytes += chunk.length
    this.#traffic.bytesIn += chunk.length
  }

  /** Hands the frames in `chunk` to the host. */
  read(chunk: Uint8Array): void {
    this.#reader.push(chunk)
    this.#afterReading()
  }

  /** Goes on with a frame that the host couldn't take; not from inside the call. */
  resumeReading(): void {
    // What the broker has just sent has to reach the client before the answer to what waited.
    queueMicrotask(() => {
      if (this.#isEnded || !this.#reader.stopped) return
      try {
        this.#reader.resume()
        if (!this.#reader.stopped) this.#resumeStream()
        this.#afterReading()
      } catch (error) {
        this.#host.onUnexpectedError(error)
      }
    })
  }

  /** Reads on, beginning with a frame that the host couldn't take if there is one. */
  resume(): void {
    if (this.#reader.stopped) this.resumeReading()
    else this.#resumeStream()
  }

  /** Nothing is handed over any more. Can be called twice. */
  end(): void {
    this.#isEnded = true
    this.#reader.end()
    this.#countUnfinished()
  }

  /** A client who can't be served for now isn't read from. */
  #afterReading(): void {
    this.#traffic.framesIn += this.frames - this.#framesCounted
    this.#framesCounted = this.frames
    if (this.#isEnded) return
    const mustWait = this.#host.endOfChunk()
    this.#countUnfinished()
    if (!mustWait && !this.#reader.stopped) return
    this.#isPaused = true
    this.#stream.pause()
  }

  /** Messages and frames that haven't wholly arrived cost memory. */
  #countUnfinished(): void {
    const now = this.#reader.heldBytes + this.#host.heldBytes
    if (now === this.#unfinishedBytes) return
    const error = this.#unfinished.change(this.#unfinishedBytes, now)
    this.#unfinishedBytes = now
    if (error !== undefined) this.#host.refuse(error)
  }

  #resumeStream(): void {
    if (!this.#isPaused || this.#isEnded) return
    this.#isPaused = false
    this.#stream.resume()
  }
}
