/** The addresses behind one endpoint of the configuration, as they change. */
import { atMost } from '../at-most.js'
import type { Clock } from '../ports/clock.js'
import { type Dialer, type Endpoint, nameOf } from '../ports/dialer.js'
import type { Logger } from '../ports/logger.js'
import { reasonOf } from './upstream-errors.js'

/** What {@link NameLookup} is made with. */
export interface NameLookupParts {
  readonly endpoint: Endpoint
  readonly dialer: Dialer
  readonly clock: Clock
  readonly logger: Logger
}

/** Who has an earlier answer doesn't wait for longer than this. */
const REPEATED_LOOKUP_MS = 1000

/** Looks the name up for every connection, once for all that are made together. */
export class NameLookup {
  readonly #parts: NameLookupParts
  #addresses: readonly Endpoint[] = []
  #failure: string | undefined
  #hasWarned = false
  #pending: Promise<void> | undefined

  constructor(parts: NameLookupParts) {
    this.#parts = parts
  }

  /**
   * The addresses that the name has now; those that it had when it was last resolved, if that fails or takes long. Rejects with the
   * reason when there are none, `limitMs` after the call at the latest.
   */
  async addresses(limitMs: number): Promise<readonly Endpoint[]> {
    const limit = this.#addresses.length > 0 ? Math.min(REPEATED_LOOKUP_MS, limitMs) : limitMs
    this.#pending ??= this.#lookUp()
    await atMost(this.#parts.clock, limit, this.#pending)
    if (this.#addresses.length > 0) return this.#addresses
    const { endpoint } = this.#parts
    throw new Error(this.#failure ?? `the lookup of ${endpoint.host} takes longer than ${limit / 1000} s`)
  }

  /** Warns of a name whose last lookup has failed, if it hasn't since the name was resolved last. */
  warnOfFailure(): void {
    if (this.#failure === undefined || this.#hasWarned) return
    this.#hasWarned = true
    this.#parts.logger.warn('a name of the broker is not resolved', {
      node: nameOf(this.#parts.endpoint),
      reason: this.#failure,
      lastKnown: this.#addresses.map(({ address }) => address).join(', '),
    })
  }

  async #lookUp(): Promise<void> {
    const { dialer, endpoint } = this.#parts
    try {
      this.#addresses = await dialer.resolve(endpoint)
      this.#failure = undefined
      this.#hasWarned = false
    } catch (error) {
      this.#failure = reasonOf(error)
    }
    this.#pending = undefined
  }
}
