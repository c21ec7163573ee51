/** Accepts TCP connections without reading from them, for whoever gets them. */
import { type Server, type Socket, createServer } from 'node:net'
import type { BoundAddress } from '../../application/ports/listener.js'
import type { Gate, HeldConnection } from '../../application/ports/worker-processes.js'
import { bind } from '../net/net-listener.js'

/** A socket on its way through the supervisor. */
export class HeldSocket implements HeldConnection {
  constructor(readonly socket: Socket) {
    // It may be reset before anybody reads from it.
    socket.on('error', () => undefined)
  }

  /** Sending it takes the handle away from it. */
  get hasLeft(): boolean {
    return this.socket.destroyed || this.socket.pending
  }

  close(): void {
    this.socket.destroy()
  }
}

/** One listening socket for all workers: it stays open while workers come and go. */
export class SocketGate implements Gate {
  #server: Server | undefined

  open(
    address: string,
    port: number,
    onConnection: (connection: HeldConnection) => void,
  ): Promise<BoundAddress> {
    // What a client sends is for the worker to read.
    this.#server = createServer({ pauseOnConnect: true }, (socket) => onConnection(new HeldSocket(socket)))
    return bind(this.#server, address, port)
  }

  close(): void {
    this.#server?.close()
    this.#server = undefined
  }
}
