/** How clients come in. */
import type { ByteStream } from './byte-stream.js'

/** A connection that was let in, and may still have a part of its way before it: a header of a proxy, a TLS handshake. */
export interface Arrival {
  /** It's there; anything can be sent and received. */
  onStream(stream: ByteStream): void
  /** It's gone before it was there; `reason` is for the log, and undefined where the peer has left without a word. */
  onFailure(reason: string | undefined): void
}

/** Who decides about connections. */
export interface Doorkeeper {
  /** Whether anybody may come in now. Where not, a connection is closed at once, before anything is made for it, and nobody hears of it. */
  admits(): boolean
  /** A connection that was admitted comes from `remoteAddress`; undefined closes it. Exactly one of the two calls of the arrival follows. */
  onArrival(remoteAddress: string): Arrival | undefined
  /** A connection that was admitted is gone before it was clear where it comes from; `remoteAddress` is that of a proxy. */
  onLost(remoteAddress: string, reason: string | undefined): void
}

/** Where somebody listens. */
export interface BoundAddress {
  /** An IP address, or the host name that was asked for. */
  readonly address: string
  readonly port: number
}

/** Accepts connections from clients. */
export interface Listener {
  /** Whether somebody else accepts the connections, and knows the address. */
  readonly isHandedOver?: boolean
  /** Starts accepting; resolves with the address in use (the port may have been chosen by the system). Rejects when the port is taken or may not be used. */
  listen(address: string, port: number, doorkeeper: Doorkeeper): Promise<BoundAddress>
  /** Stops accepting; streams live on, what was still on its way here is closed. Can be called twice. */
  close(): Promise<void>
}
