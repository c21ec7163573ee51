import type { ByteStream } from './byte-stream.js'

/** Accepts connections from clients. */
export interface Listener {
  /**
   * Starts accepting; resolves with the address in use (the port may have been chosen by the system). Rejects when the port is taken or may not be used.
   * Where `admits` says no, a connection is closed at once, before anything is made for it, and `onConnection` doesn't hear of it.
   */
  listen(
    address: string,
    port: number,
    onConnection: (stream: ByteStream) => void,
    admits?: () => boolean,
  ): Promise<{ address: string; port: number }>
  /** Stops accepting; accepted streams live on. Can be called twice. */
  close(): Promise<void>
}
