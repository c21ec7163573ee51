/** A ByteStream on one of Node's sockets. */
import type { Socket } from 'node:net'
import type { ByteStream, ByteStreamHandler } from '../../application/ports/byte-stream.js'
import type { CertificateNames } from '../../domain/external-identity.js'
import { type TurnTaker, callAfterTurn } from './turns.js'

/** From this many waiting bytes on, `write` asks its caller to wait. Far above a chunk, so that a busy stream isn't stopped for every one. */
const HIGH_WATER_MARK = 1024 * 1024
/** So many bytes don't wait for the end of the turn: they would be cold by then, no longer in the processor's cache. */
const FLUSH_AT = 256 * 1024
/** A peer that sends nothing is noticed by the system after this long, even without heartbeats. */
const KEEP_ALIVE_DELAY_MS = 30_000

/**
 * How long a stream's handler may be busy with it in one turn of the event loop. The system hands over up to 2 MiB in a turn; what is
 * left when the time is over comes in the next, after the others' turn.
 */
const TURN_MS = 4

/** What the socket doesn't tell. */
export interface NetByteStreamOptions {
  /** Where the peer is, if somebody in between has said so. */
  readonly remoteAddress?: string | undefined
  /** The names in the peer's certificate, which was verified; NO_CERTIFICATE if it was asked for one in vain. */
  readonly certificateNames?: CertificateNames | undefined
  /** Puts the end that the peer, or the way to it, has made into other words; undefined is an end in order. Asked once. */
  readonly explain?: (reason: Error | undefined) => Error | undefined
}

/** A TCP connection, with or without TLS on it, as a ByteStream. */
export class NetByteStream implements ByteStream, TurnTaker {
  readonly remoteAddress: string
  readonly certificateNames: CertificateNames | undefined
  readonly #socket: Socket
  #handler: ByteStreamHandler | undefined
  #corked = false
  #paused = false
  /** Something is to be done when the turn ends. */
  #isTurnOpen = false
  /** How long the handler has been busy in this turn, in ms. */
  #busy = 0
  /** Nothing more is read in this turn. */
  #hasHadItsTurn = false
  #mustDrain = false
  #ending = false
  #closed = false
  /** Why the stream is gone. */
  #reason: Error | undefined

  /** `socket` is connected, its TLS handshake is done if there is one, and it has no listeners of its own. */
  constructor(socket: Socket, { remoteAddress, certificateNames, explain }: NetByteStreamOptions = {}) {
    this.#socket = socket
    this.remoteAddress = remoteAddress ?? addressOf(socket)
    this.certificateNames = certificateNames
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
    socket.on('error', (error) => (this.#reason = error))
    socket.on('close', () => this.#onClose(explain))
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  setHandler(handler: ByteStreamHandler): void {
    const isFirst = this.#handler === undefined
    this.#handler = handler
    if (!isFirst) return
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#onDrain())
    if (this.#closed) queueMicrotask(() => handler.onClose(this.#reason))
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket
    if (this.#ending || this.#closed) return true
    if (!this.#corked) {
      this.#corked = true
      socket.cork()
      this.#openTurn()
    }
    socket.write(bytes)
    if (socket.writableLength >= FLUSH_AT) this.#flush()
    if (socket.writableLength < HIGH_WATER_MARK) return true
    this.#mustDrain = true
    return false
  }

  #flush(): void {
    this.#socket.uncork()
    this.#socket.cork()
  }

  endTurn(): void {
    this.#isTurnOpen = false
    this.#busy = 0
    if (this.#corked) {
      this.#corked = false
      this.#socket.uncork()
    }
    if (!this.#hasHadItsTurn) return
    this.#hasHadItsTurn = false
    if (!this.#paused) this.#socket.resume()
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (!this.#hasHadItsTurn) this.#socket.resume()
  }

  end(): void {
    if (this.#ending) return
    this.#ending = true
    if (this.#corked) this.#socket.uncork()
    // Reading on: closing with unread bytes would make the system throw away what the peer hasn't read yet.
    this.#socket.end()
    this.resume()
  }

  destroy(): void {
    this.#ending = true
    this.#socket.destroy()
  }

  #onData(chunk: Buffer): void {
    const began = performance.now()
    this.#handler?.onData(chunk)
    this.#busy += performance.now() - began
    this.#openTurn()
    if (this.#busy < TURN_MS || this.#hasHadItsTurn) return
    this.#hasHadItsTurn = true
    this.#socket.pause()
  }

  #openTurn(): void {
    if (this.#isTurnOpen) return
    this.#isTurnOpen = true
    callAfterTurn(this)
  }

  #onDrain(): void {
    if (!this.#mustDrain) return
    this.#mustDrain = false
    this.#handler?.onDrain()
  }

  #onClose(explain: NetByteStreamOptions['explain']): void {
    this.#closed = true
    // An end in order that we asked for needs no words.
    const isOurs = this.#ending && this.#reason === undefined
    if (explain !== undefined && !isOurs) this.#reason = explain(this.#reason)
    this.#handler?.onClose(this.#reason)
  }
}

/** The peer of a socket, as `address:port`. */
export function addressOf(socket: Socket): string {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket
  const host = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress
  return host.includes(':') ? `[${host}]:${remotePort}` : `${host}:${remotePort}`
}
