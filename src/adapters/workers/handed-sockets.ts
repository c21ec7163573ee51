/** The clients of a worker: sockets that its supervisor has accepted, and what the supervisor hears of them. */
import type { Socket } from 'node:net'
import type { Doorkeeper, Listener } from '../../application/ports/listener.js'
import { Reception, type ReceptionOptions } from '../net/reception.js'

/** Tells the supervisor how many connections have arrived and how many are closed; all of one turn together. */
export class HandedSockets {
  readonly #report: (received: number, closed: number) => void
  #received = 0
  #closed = 0
  #isDue = false

  constructor(report: (received: number, closed: number) => void) {
    this.#report = report
  }

  /** A connection was handed over; undefined when it was closed on its way. */
  receive(socket: Socket | undefined, listener: HandedListener | undefined): void {
    this.#received++
    if (socket === undefined) this.#closed++
    else {
      socket.once('close', () => {
        this.#closed++
        this.#schedule()
      })
      if (listener === undefined) socket.destroy()
      else listener.receive(socket)
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      const [received, closed] = [this.#received, this.#closed]
      this.#received = this.#closed = 0
      this.#report(received, closed)
    })
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
  listen(address: string, port: number, doorkeeper: Doorkeeper): Promise<{ address: string; port: number }> {
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
