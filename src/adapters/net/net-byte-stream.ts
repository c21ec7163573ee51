import type { Socket } from 'node:net'
import type { ByteStream, ByteStreamHandler } from '../../application/ports/byte-stream.js'
import type { CertificateNames } from '../../domain/external-identity.js'
import { type Flushable, flushAfterTurn } from './turn-flusher.js'

/** From this many waiting bytes on, `write` asks its caller to wait. Far above a chunk, so that a busy stream isn't stopped for every one. */
const HIGH_WATER_MARK = 1024 * 1024
/** A peer that sends nothing is noticed by the system after this long, even without heartbeats. */
const KEEP_ALIVE_DELAY_MS = 30_000

/** What the socket doesn't tell. */
export interface NetByteStreamOptions {
  /** Where the peer is, if somebody in between has said so. */
  readonly remoteAddress?: string | undefined
  /** The names in the peer's certificate, which was verified. */
  readonly certificateNames?: CertificateNames | undefined
  /** Puts errors of the socket into other words. */
  readonly explain?: (error: Error) => Error
}

/** A TCP connection, with or without TLS on it, as a ByteStream. */
export class NetByteStream implements ByteStream, Flushable {
  readonly remoteAddress: string
  readonly certificateNames: CertificateNames | undefined
  readonly #socket: Socket
  #handler: ByteStreamHandler | undefined
  #corked = false
  #mustDrain = false
  #ending = false
  #closed = false
  #error: Error | undefined

  /** `socket` is connected, its TLS handshake is done if there is one, and it has no listeners of its own. */
  constructor(socket: Socket, { remoteAddress, certificateNames, explain }: NetByteStreamOptions = {}) {
    this.#socket = socket
    this.remoteAddress = remoteAddress ?? addressOf(socket)
    this.certificateNames = certificateNames
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
    socket.on('error', (error) => (this.#error = explain === undefined ? error : explain(error)))
    socket.on('close', () => this.#onClose())
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  setHandler(handler: ByteStreamHandler): void {
    const isFirst = this.#handler === undefined
    this.#handler = handler
    if (!isFirst) return
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#handler?.onData(chunk))
    socket.on('drain', () => this.#onDrain())
    if (this.#closed) queueMicrotask(() => handler.onClose(this.#error))
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket
    if (this.#ending || this.#closed) return true
    if (!this.#corked) {
      this.#corked = true
      socket.cork()
      flushAfterTurn(this)
    }
    socket.write(bytes)
    if (socket.writableLength < HIGH_WATER_MARK) return true
    this.#mustDrain = true
    return false
  }

  flush(): void {
    this.#corked = false
    this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    if (this.#ending) return
    this.#ending = true
    if (this.#corked) this.#socket.uncork()
    // Reading on: closing with unread bytes would make the system throw away what the peer hasn't read yet.
    this.#socket.end()
    this.#socket.resume()
  }

  destroy(): void {
    this.#ending = true
    this.#socket.destroy()
  }

  #onDrain(): void {
    if (!this.#mustDrain) return
    this.#mustDrain = false
    this.#handler?.onDrain()
  }

  #onClose(): void {
    this.#closed = true
    this.#handler?.onClose(this.#error)
  }
}

/** The peer of a socket, as `address:port`. */
export function addressOf(socket: Socket): string {
  const { remoteAddress = 'unknown', remotePort = 0 } = socket
  const host = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress
  return host.includes(':') ? `[${host}]:${remotePort}` : `${host}:${remotePort}`
}
