/** Holds a place in a pool while it publishes what had waited for a login. */
import type { Seat } from '../roster.js'
import type { PoolClient } from '../upstream/pool-client.js'
import type { UpstreamPool } from '../upstream/upstream-pool.js'

/**
 * A client of a pool that wants nothing but its backlog to be drained. When anything comes between, the pool
 * sees to the backlog by itself.
 */
export class ReplayGuest implements PoolClient {
  readonly seats: Seat[] = []
  #pool: UpstreamPool | undefined
  #finish: () => void = () => undefined

  /** Resolves when nothing waits in `pool` any more, or when it will take a while: then the pool doesn't need anybody to ask for it. */
  untilDrained(pool: UpstreamPool): Promise<void> {
    return new Promise((resolve) => {
      this.#pool = pool
      this.#finish = resolve
      this.onRoom()
    })
  }

  onRoom(): void {
    const pool = this.#pool
    if (pool === undefined) return
    if (pool.backlog.state === 'draining') pool.wait(this)
    else this.#finish()
  }

  onNoRoom(): void {
    this.#finish()
  }

  onUpstreamLost(): void {
    this.#finish()
  }

  dependsOn(): boolean {
    return false
  }

  isSuspect(): boolean {
    return false
  }

  survive(): boolean {
    return true
  }

  onBrokerBack(): void {}
  onBlamed(): void {}
  onRetired(): void {}
  onBlocked(): void {}
}
