/** Accepts connections: TCP, and what may come on top of it before a client is there. */
import { type AddressInfo, type Server, createServer } from 'node:net'
import type { BoundAddress, Doorkeeper, Listener } from '../../application/ports/listener.js'
import { Reception, type ReceptionOptions } from './reception.js'

/** Connections that the system may hold for us while we are busy. */
const BACKLOG = 4096

/** Accepts TCP connections. */
export class NetListener implements Listener {
  readonly #reception: Reception
  #server: Server | undefined

  constructor(options: ReceptionOptions = {}) {
    this.#reception = new Reception(options)
  }

  listen(address: string, port: number, doorkeeper: Doorkeeper): Promise<BoundAddress> {
    const server = createServer((socket) => this.#reception.receive(socket, doorkeeper))
    this.#server = server
    return bind(server, address, port)
  }

  close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    // Not waiting for the callback: it comes only when every accepted connection is gone too.
    server?.close()
    this.#reception.close()
    return Promise.resolve()
  }
}

/** Lets a server listen; resolves with the address in use, rejects when it can't be had. */
export function bind(server: Server, address: string, port: number): Promise<BoundAddress> {
  return new Promise((resolve, reject) => {
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
