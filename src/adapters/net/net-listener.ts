import { injectable } from 'inversify'
import { type AddressInfo, type Server, createServer } from 'node:net'
import type { ByteStream } from '../../application/ports/byte-stream.js'
import type { Listener } from '../../application/ports/listener.js'
import { NetByteStream } from './net-byte-stream.js'

/** Connections that the system may hold for us while we are busy. */
const BACKLOG = 4096

/** Accepts TCP connections. */
@injectable()
export class NetListener implements Listener {
  #server: Server | undefined

  listen(
    address: string,
    port: number,
    onConnection: (stream: ByteStream) => void,
    admits: () => boolean = () => true,
  ): Promise<{ address: string; port: number }> {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => {
        if (admits()) onConnection(new NetByteStream(socket))
        else socket.destroy()
      })
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
    return Promise.resolve()
  }
}
