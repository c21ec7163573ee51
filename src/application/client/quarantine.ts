/**
 * Clients that made the broker close a connection which others shared: for a while they get upstream
 * connections apart from the others'.
 */
import { inject, injectable } from 'inversify'
import { identifiers } from '../identifiers.js'
import type { Clock } from '../ports/clock.js'
import type { Settings } from '../settings.js'

/** As much as can be known of a client when it comes again. */
export interface ClientOrigin {
  /** Where it connects from, without the port. */
  readonly address: string
  readonly user: string
  readonly virtualHost: string
}

/** Who is in quarantine, and for how long. */
@injectable()
export class Quarantine {
  readonly #clock: Clock
  readonly #milliseconds: number
  readonly #until = new Map<string, number>()

  constructor(@inject(identifiers.Clock) clock: Clock, @inject(identifiers.Settings) { pool }: Settings) {
    this.#clock = clock
    this.#milliseconds = pool.quarantineTime * 1000
  }

  /** Clients of this origin that come from now on are kept apart for `pool.quarantine_time`. */
  impose(origin: ClientOrigin): void {
    const now = this.#clock.now()
    for (const [name, until] of this.#until) if (until <= now) this.#until.delete(name)
    if (this.#milliseconds > 0) this.#until.set(nameOf(origin), now + this.#milliseconds)
  }

  /** The name of the quarantine that clients of this origin are in; undefined when they aren't in one. */
  nameFor(origin: ClientOrigin): string | undefined {
    const name = nameOf(origin)
    const until = this.#until.get(name)
    return until !== undefined && until > this.#clock.now() ? name : undefined
  }
}

function nameOf({ address, user, virtualHost }: ClientOrigin): string {
  return JSON.stringify([address, user, virtualHost])
}
