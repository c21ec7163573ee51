/** Whether it's worth while to dial the broker: while it is known to be down, one tries at a time, and the others are told at once. */
import { backoff } from './backoff.js'

/** A client may try after this long, whatever the backoff says: while clients come, a broker that is back is noticed soon. */
const CLIENT_TRY_MS = 4000
/** Who can't try because somebody else is at it asks again after this long, unless it's told before that the broker is back. */
const ASK_AGAIN_MS = 5000

/** For whom the broker is dialled: a client that waits for the answer, or a pool that reconnects on its own. */
export type Asker = 'client' | 'pool'

/** The leave to dial the broker; it is given back when the outcome is known. */
export interface Attempt {
  /** Attempts are numbered in the order in which they begin. */
  readonly number: number
}

/** What is known of an outage. */
export interface Outage {
  /** Why the broker can't be reached. */
  readonly reason: string
  /** Milliseconds until this asker may try; undefined while somebody is trying. */
  readonly nextTryMs: number | undefined
  /** Milliseconds after which to ask again. */
  readonly askAgainMs: number
}

/** Closed while the broker answers; open from the attempt at which none of its addresses did until somebody gets through. */
export class BrokerCircuit {
  #reason: string | undefined
  #failures = 0
  #failedAt = -Infinity
  #attempts = 0
  /** Attempts up to this number began before the broker was last heard of; how they fail says nothing new. */
  #heardOfAt = 0
  /** By the backoff; clients may try before. */
  #nextTryAt = -Infinity
  #trial: Attempt | undefined

  /** Whether the broker is known to be down. */
  get isOpen(): boolean {
    return this.#reason !== undefined
  }

  /** Asks to dial the broker. An attempt that is granted must come to its {@link end}; otherwise says what is known. */
  ask(asker: Asker, now: number): { readonly attempt: Attempt } | { readonly outage: Outage } {
    const isEarly = this.#trial !== undefined || now < this.#tryAt(asker)
    if (this.isOpen && isEarly) return { outage: this.#outage(asker, now) }
    const attempt = { number: ++this.#attempts }
    if (this.isOpen) this.#trial = attempt
    return { attempt }
  }

  /**
   * None of the broker's addresses has answered `attempt`. Of attempts that are made together, as when all pools have lost their
   * connections, one counts. Returns how many have failed in a row, or undefined when this one isn't counted.
   */
  failed(attempt: Attempt, reason: string, now: number, random: number): number | undefined {
    this.end(attempt)
    if (attempt.number <= this.#heardOfAt) return undefined
    this.#heardOfAt = this.#attempts
    this.#reason = reason
    this.#nextTryAt = now + backoff(this.#failures, random)
    this.#failedAt = now
    return ++this.#failures
  }

  /** The broker has answered somebody, were it with a refusal. Returns how many attempts had failed in a row before. */
  reached(): number {
    const failures = this.#failures
    this.#heardOfAt = this.#attempts
    this.#reason = undefined
    this.#failures = 0
    return failures
  }

  /** `attempt` is over, whatever came of it. Can be called twice. */
  end(attempt: Attempt): void {
    if (this.#trial === attempt) this.#trial = undefined
  }

  #tryAt(asker: Asker): number {
    return asker === 'pool' ? this.#nextTryAt : Math.min(this.#nextTryAt, this.#failedAt + CLIENT_TRY_MS)
  }

  /** What a client is told that comes now; undefined while the broker isn't known to be down. */
  outage(now: number): Outage | undefined {
    return this.isOpen ? this.#outage('client', now) : undefined
  }

  #outage(asker: Asker, now: number): Outage {
    const wait = Math.max(0, this.#tryAt(asker) - now)
    const isTrying = this.#trial !== undefined
    return {
      reason: this.#reason ?? '',
      nextTryMs: isTrying ? undefined : wait,
      askAgainMs: isTrying ? ASK_AGAIN_MS : wait,
    }
  }
}
