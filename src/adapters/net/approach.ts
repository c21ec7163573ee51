/** One connection between accept and the stream that it becomes: the PROXY header, then the TLS handshake, as far as there are any. */
import type { Socket } from 'node:net'
import type { Arrival, Doorkeeper } from '../../application/ports/listener.js'
import type { CertificateNames } from '../../domain/external-identity.js'
import { ProxyHeaderReader, type ProxyHeader } from '../../domain/proxy-protocol/proxy-header.js'
import { NetByteStream, addressOf } from './net-byte-stream.js'

/** What became of a handshake. `reason` is undefined where the peer has left without a word. */
export type Entered =
  | { readonly socket: Socket; readonly certificateNames: CertificateNames | undefined }
  | { readonly reason: string | undefined }

/** A handshake on top of a connection. */
export interface Entrance {
  /** Calls `onEntered` once, also when the socket is closed before. */
  enter(socket: Socket, onEntered: (entered: Entered) => void): void
}

/** What stands between this connection and a stream. */
export interface ApproachOptions {
  /** A PROXY header has to come first. */
  readonly isFromProxy: boolean
  readonly entrance: Entrance | undefined
  /** For all of it. */
  readonly limitMs: number
  /** It's over, one way or the other. Comes once. */
  readonly onEnd: () => void
}

/** Exactly one of two things comes of it: a stream for the arrival, or a failure. */
export class Approach {
  readonly #socket: Socket
  readonly #doorkeeper: Doorkeeper
  readonly #options: ApproachOptions
  /** For the log, until the header says more. */
  #address: string
  #arrival: Arrival | undefined
  #stage: 'PROXY header' | 'TLS handshake' = 'PROXY header'
  #timer: NodeJS.Timeout | undefined
  #isOver = false
  readonly #onError = (): void => undefined
  readonly #onClose = (): void =>
    this.fail(this.#socket.bytesRead === 0 ? undefined : `closed before the end of its ${this.#stage}`)

  constructor(socket: Socket, doorkeeper: Doorkeeper, options: ApproachOptions) {
    this.#socket = socket
    this.#doorkeeper = doorkeeper
    this.#options = options
    this.#address = addressOf(socket)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  begin(): void {
    const { isFromProxy, limitMs } = this.#options
    this.#timer = setTimeout(() => this.fail(`no ${this.#stage} within ${limitMs / 1000} s`), limitMs)
    if (isFromProxy) this.#readHeader()
    else this.#arrive(this.#address)
  }

  /** Closes the connection. `reason`: undefined when the peer has left without a word. */
  fail(reason: string | undefined): void {
    if (this.#isOver) return
    this.#end()
    if (this.#arrival === undefined) this.#doorkeeper.onLost(this.#address, reason)
    else this.#arrival.onFailure(reason)
    this.#socket.destroy()
  }

  #readHeader(): void {
    const socket = this.#socket
    const reader = new ProxyHeaderReader()
    const onReadable = (): void => {
      let chunk: Buffer | null
      while (reader.result === undefined && (chunk = socket.read() as Buffer | null) !== null) {
        const taken = reader.push(chunk)
        if (taken < chunk.length) socket.unshift(chunk.subarray(taken))
      }
      if (reader.result === undefined) return
      socket.off('readable', onReadable)
      this.#onHeader(reader.result)
    }
    socket.on('readable', onReadable)
  }

  #onHeader(header: ProxyHeader): void {
    if (header.kind === 'malformed') this.fail(header.reason)
    else this.#arrive(header.kind === 'local' ? this.#address : header.address)
  }

  #arrive(address: string): void {
    this.#address = address
    const { entrance } = this.#options
    this.#arrival = this.#doorkeeper.onArrival(address)
    if (this.#arrival === undefined) {
      this.#end()
      this.#socket.destroy()
    } else if (entrance === undefined) {
      this.#onEntered({ socket: this.#socket, certificateNames: undefined })
    } else {
      this.#stage = 'TLS handshake'
      // From here on the entrance knows better why.
      this.#socket.off('close', this.#onClose)
      entrance.enter(this.#socket, (entered) => this.#onEntered(entered))
    }
  }

  #onEntered(entered: Entered): void {
    if (this.#isOver) return
    if ('reason' in entered) return this.fail(entered.reason)
    this.#end()
    const { socket, certificateNames } = entered
    // Only where the socket is the stream's own: beneath TLS somebody has to hear of errors, even if they are known above.
    if (socket === this.#socket) socket.off('error', this.#onError)
    this.#arrival!.onStream(new NetByteStream(socket, { remoteAddress: this.#address, certificateNames }))
  }

  #end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#socket.off('close', this.#onClose)
    this.#options.onEnd()
  }
}
