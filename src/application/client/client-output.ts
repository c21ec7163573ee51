/** Everything that is sent to one client: counted, cut to its frame_max, and bounded. */
import { splitBody } from '../../domain/amqp/body-split.js'
import { FRAME_BODY, FRAME_OVERHEAD, type Frame } from '../../domain/amqp/frame.js'
import {
  type AmqpError,
  FRAME_ERROR,
  RESOURCE_ERROR,
  amqpError,
  connectionError,
} from '../../domain/amqp/reply-codes.js'
import type { ClientReceiver } from '../upstream/channel-binding.js'
import type { ByteStream } from '../ports/byte-stream.js'
import type { Traffic } from '../traffic.js'

/** The session whose output it is. */
export interface ClientOutputHost {
  /** The client can't be served any longer; may come more than once. */
  refuse(error: AmqpError): void
  onUnexpectedError(error: unknown): void
}

/** One client's way out. */
export class ClientOutput implements ClientReceiver {
  readonly #stream: ByteStream
  readonly #maxBufferBytes: number
  readonly #host: ClientOutputHost
  readonly #traffic: Traffic
  #takesUpstream = true
  #bytes = 0
  #frames = 0
  #wasWritten = false
  /** Bytes that wait for others on the same channel to pass, of all channels. */
  #heldBack = 0
  frameMax = Infinity

  constructor(stream: ByteStream, maxBufferBytes: number, host: ClientOutputHost, traffic: Traffic) {
    this.#stream = stream
    this.#maxBufferBytes = maxBufferBytes
    this.#host = host
    this.#traffic = traffic
  }

  /** Bytes sent so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Frames sent so far. */
  get frames(): number {
    return this.#frames
  }

  /** Whether anything was sent since the last call. */
  takeWasWritten(): boolean {
    const was = this.#wasWritten
    this.#wasWritten = false
    return was
  }

  /** From now on frames of the broker are dropped; Warren's own still go out. */
  stopUpstream(): void {
    this.#takesUpstream = false
  }

  /** Sends a frame of Warren's own. */
  send(bytes: Uint8Array, frames = 1): void {
    this.#frames += frames
    this.#traffic.framesOut += frames
    this.#traffic.bytesOut += bytes.length
    this.#wasWritten = true
    this.#bytes += bytes.length
    if (!this.#stream.write(bytes)) this.#checkBacklog()
  }

  receive(bytes: Uint8Array, frames: number): void {
    if (this.#takesUpstream) this.send(bytes, frames)
  }

  receiveParts(parts: readonly Uint8Array[]): void {
    for (let at = 0; at < parts.length; at++) this.receive(parts[at], at === 0 ? 1 : 0)
  }

  /** Bodies can be cut; a client whose frame_max is too small for another frame can't be served. */
  receiveOversized(frame: Frame): void {
    if (!this.#takesUpstream) return
    if (frame.type === FRAME_BODY) {
      const parts = frame.parts ?? [frame.bytes.subarray(frame.start, frame.end)]
      this.receiveParts(splitBody(parts, frame.channel, frame.payloadSize, this.frameMax))
    } else {
      const size = frame.payloadSize + FRAME_OVERHEAD
      this.#host.refuse(
        amqpError(
          FRAME_ERROR,
          `a frame of ${size} bytes doesn't fit the client's frame_max of ${this.frameMax}`,
        ),
      )
    }
  }

  onHeldBack(change: number): void {
    this.#heldBack += change
    this.#checkBacklog()
  }

  onUnexpectedError(error: unknown): void {
    this.#host.onUnexpectedError(error)
  }

  /** A client that doesn't read may not cost the others their memory. */
  #checkBacklog(): void {
    const waiting = this.#stream.bufferedBytes + this.#heldBack
    if (waiting <= this.#maxBufferBytes || !this.#takesUpstream) return
    const text = `RESOURCE_ERROR - ${waiting} bytes wait for a client that doesn't read, more than client.max_buffer_bytes (${this.#maxBufferBytes})`
    this.#host.refuse(connectionError(RESOURCE_ERROR, text))
  }
}
