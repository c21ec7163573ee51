/** A connection as the application needs it: bytes both ways, with back-pressure. */
import type { CertificateNames } from '../../domain/external-identity.js'

/** What the owner of a {@link ByteStream} wants to hear. Calls come one at a time, never from inside a call to the stream. */
export interface ByteStreamHandler {
  /** Bytes arrived. The handler owns `chunk`: it may keep it and write into it. */
  onData(chunk: Uint8Array): void
  /** After a `write` that returned false: what was waiting has gone out. */
  onDrain(): void
  /** The stream is gone; comes exactly once and last. `reason` is undefined when the peer ended it in order. */
  onClose(reason: Error | undefined): void
}

/** A connected two-way stream of bytes: a TCP connection, with or without TLS. */
export interface ByteStream {
  /** Where the peer is, as `address:port`. */
  readonly remoteAddress: string
  /** The names in the verified certificate with which the peer has shown who it is, NO_CERTIFICATE if it has none; undefined where nobody asked for one. */
  readonly certificateNames?: CertificateNames | undefined
  /** Bytes handed to `write` that haven't gone out yet. */
  readonly bufferedBytes: number
  /** Names the one who hears of everything from now on; data that arrived before waits for the first handler. */
  setHandler(handler: ByteStreamHandler): void
  /**
   * Sends `bytes`, in order; the stream owns them until they have gone out. Writes made in one turn of the event loop leave together.
   * Returns false when the peer reads more slowly than we write: then `onDrain` follows. Ignored after `end` or `destroy`.
   */
  write(bytes: Uint8Array): boolean
  /** Stops `onData` until `resume`; the peer feels the back-pressure. */
  pause(): void
  resume(): void
  /** Sends what is waiting, then closes our side; the peer's remaining bytes are still read, paused or not, until it closes too. A peer that never does is the caller's to `destroy`. */
  end(): void
  /** Closes at once; what is waiting is lost. `onClose` follows. */
  destroy(): void
}

/** The address in an `address:port`. */
export function hostOf(remoteAddress: string): string {
  return remoteAddress.slice(0, remoteAddress.lastIndexOf(':'))
}
