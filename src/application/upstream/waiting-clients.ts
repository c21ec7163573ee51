/** The clients of a pool that have to wait: for room on an upstream connection, or for the broker's return. */
import type { Clock, Timer } from '../ports/clock.js'
import type { PoolClient } from './pool-client.js'
import { UpstreamUnreachable } from './upstream-errors.js'

/** Keeps them in the order in which they came. */
export class WaitingClients {
  readonly #clock: Clock
  /** With the limit of those that don't wait for ever. */
  readonly #clients = new Map<PoolClient, Timer | undefined>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Lets `client` wait; with a limit it hears afterwards that the broker didn't come back, and waits no more.
   * A limit stays as it was set first.
   */
  add(client: PoolClient, limitMs: number | undefined): void {
    if (this.#clients.get(client) !== undefined) return
    this.#clients.set(
      client,
      limitMs === undefined ? undefined : this.#clock.after(limitMs, () => this.#onTooLong(client, limitMs)),
    )
  }

  #onTooLong(client: PoolClient, limitMs: number): void {
    this.#clients.delete(client)
    client.onNoRoom(new UpstreamUnreachable(`the broker did not come back within ${limitMs / 1000} s`))
  }

  /** The client is gone. */
  forget(client: PoolClient): void {
    this.#clients.get(client)?.cancel()
    this.#clients.delete(client)
  }

  /** Takes out all that wait, in their order: whoever still has to will ask again. */
  takeAll(): PoolClient[] {
    const waiting = [...this.#clients.keys()]
    for (const limit of this.#clients.values()) limit?.cancel()
    this.#clients.clear()
    return waiting
  }
}
