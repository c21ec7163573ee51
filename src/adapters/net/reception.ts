/** What becomes of a connection between accept and the client that it is: by whom it's let in, and what comes on top of TCP. */
import type { Socket } from 'node:net'
import type { Doorkeeper } from '../../application/ports/listener.js'
import { Approach, type Entrance } from './approach.js'
import { NetByteStream, addressOf } from './net-byte-stream.js'
import type { TrustedProxies } from './trusted-proxies.js'

const DEFAULT_LIMIT_MS = 10_000

/** What stands between an accepted connection and a stream. */
export interface ReceptionOptions {
  /** Those whose connections begin with a PROXY header. */
  readonly proxies?: TrustedProxies | undefined
  /** Does the TLS handshake; without it there's none. */
  readonly entrance?: Entrance | undefined
  /** How long that may take; asked for each connection. */
  readonly limitMs?: () => number
  /** Most connections that may be on their way at the same time; 0 is no limit. */
  readonly mostPending?: number
}

/** Receives connections, wherever they were accepted. */
export class Reception {
  readonly #options: ReceptionOptions
  readonly #approaching = new Set<Approach>()

  constructor(options: ReceptionOptions = {}) {
    this.#options = options
  }

  /** A connection was accepted. */
  receive(socket: Socket, doorkeeper: Doorkeeper): void {
    if (!doorkeeper.admits()) return void socket.destroy()
    const { proxies, entrance, limitMs, mostPending = 0 } = this.#options
    const isFromProxy = proxies?.includes(socket.remoteAddress) === true
    if (!isFromProxy && entrance === undefined) {
      const arrival = doorkeeper.onArrival(addressOf(socket))
      if (arrival === undefined) socket.destroy()
      else arrival.onStream(new NetByteStream(socket))
      return
    }
    const approach = new Approach(socket, doorkeeper, {
      isFromProxy,
      entrance,
      limitMs: limitMs?.() ?? DEFAULT_LIMIT_MS,
      onEnd: () => this.#approaching.delete(approach),
    })
    const isCrowded = mostPending > 0 && this.#approaching.size >= mostPending
    this.#approaching.add(approach)
    if (isCrowded) approach.fail(`${mostPending} connections are on their way already`)
    else approach.begin()
  }

  /** Closes what is still on its way. */
  close(): void {
    for (const approach of [...this.#approaching]) approach.fail('shutting down')
  }
}
