/** The clients of a worker: sockets that its supervisor has accepted, and what the supervisor hears of them. */
import type { Socket } from 'node:net'
import type { BoundAddress, Doorkeeper, Listener } from '../../application/ports/listener.js'
import { Reception, type ReceptionOptions } from '../net/reception.js'

/**
 * A message costs both processes about as much as a step of a session: closed connections are told of together. For so long a place under
 * the client limit may stay taken after its client has left.
 */
const REPORT_MS = 10

/** Comes with each socket that a worker is handed. */
export interface ConnectionMessage {
  readonly kind: 'connection'
  /** The client is to speak TLS. */
  readonly isTls: boolean
}

/** Tells the supervisor how many connections are closed. */
export class HandedSockets {
  readonly #report: (closed: number) => void
  #closed = 0

  constructor(report: (closed: number) => void) {
    this.#report = report
  }

  /** A connection was handed over; undefined when it was closed on its way. */
  receive(socket: Socket | undefined, listener: HandedListener | undefined): void {
    if (socket === undefined) return this.#onClosed()
    socket.once('close', this.#onClosed)
    if (listener === undefined) socket.destroy()
    else listener.receive(socket)
  }

  readonly #onClosed = (): void => {
    if (++this.#closed > 1) return
    setTimeout(() => {
      const closed = this.#closed
      this.#closed = 0
      this.#report(closed)
    }, REPORT_MS)
  }
}

/** A listener that accepts nothing itself: connections are handed to it. */
export class HandedListener implements Listener {
  readonly isHandedOver = true
  readonly #reception: Reception
  #doorkeeper: Doorkeeper | undefined

  constructor(options: ReceptionOptions = {}) {
    this.#reception = new Reception(options)
  }

  /** Resolves with the address that is asked for: the supervisor has it, or will. */
  listen(address: string, port: number, doorkeeper: Doorkeeper): Promise<BoundAddress> {
    this.#doorkeeper = doorkeeper
    return Promise.resolve({ address, port })
  }

  close(): Promise<void> {
    this.#doorkeeper = undefined
    this.#reception.close()
    return Promise.resolve()
  }

  /** A connection from the supervisor. */
  receive(socket: Socket): void {
    if (this.#doorkeeper === undefined) socket.destroy()
    else this.#reception.receive(socket, this.#doorkeeper)
  }
}
