/** Accepts connections: TCP, and what may come on top of it before a client is there. */
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import type { Doorkeeper, Listener } from '../../application/ports/listener.js'
import { Approach, type Entrance } from './approach.js'
import { NetByteStream, addressOf } from './net-byte-stream.js'
import type { TrustedProxies } from './trusted-proxies.js'

/** Connections that the system may hold for us while we are busy. */
const BACKLOG = 4096
const DEFAULT_LIMIT_MS = 10_000

/** What stands between an accepted connection and a stream. */
export interface NetListenerOptions {
  /** Those whose connections begin with a PROXY header. */
  readonly proxies?: TrustedProxies | undefined
  /** Does the TLS handshake; without it there's none. */
  readonly entrance?: Entrance | undefined
  /** How long that may take; asked for each connection. */
  readonly limitMs?: () => number
  /** Most connections that may be on their way at the same time; 0 is no limit. */
  readonly mostPending?: number
}

/** Accepts TCP connections. */
export class NetListener implements Listener {
  readonly #options: NetListenerOptions
  readonly #approaching = new Set<Approach>()
  #server: Server | undefined

  constructor(options: NetListenerOptions = {}) {
    this.#options = options
  }

  listen(address: string, port: number, doorkeeper: Doorkeeper): Promise<{ address: string; port: number }> {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => this.#onSocket(socket, doorkeeper))
      this.#server = server
      server.once('error', reject)
      server.listen({ host: address, port, backlog: BACKLOG }, () => {
        server.off('error', reject)
        // Accepting can fail later too, for want of descriptors; the next accept may succeed.
        server.on('error', () => undefined)
        const bound = server.address() as AddressInfo
        resolve({ address: bound.address, port: bound.port })
      })
    })
  }

  close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    // Not waiting for the callback: it comes only when every accepted connection is gone too.
    server?.close()
    for (const approach of [...this.#approaching]) approach.fail('shutting down')
    return Promise.resolve()
  }

  #onSocket(socket: Socket, doorkeeper: Doorkeeper): void {
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
}
