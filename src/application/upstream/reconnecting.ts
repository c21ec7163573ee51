/** How a pool gets an upstream connection back that it has lost: when the next attempt is due, and whose place is kept for it. */
import type { UpstreamPolicy } from '../../domain/policy/upstream-policy.js'
import type { Limits, UpstreamPlace } from '../operations/limits.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Random } from '../ports/random.js'
import type { UpstreamConnection } from './upstream-connection.js'

/** Within how long all pools come back once one has found the broker. */
const SPREAD_MS = 500

/** What {@link Reconnecting} is made with. */
export interface ReconnectingParts {
  readonly policy: UpstreamPolicy
  readonly clock: Clock
  readonly random: Random
  readonly limits: Limits
  /** An attempt is due. */
  readonly onDue: () => void
}

/** Knows when, not how: the pool makes the attempts and tells how they went. */
export class Reconnecting {
  readonly #parts: ReconnectingParts
  #timer: Timer | undefined
  #failures = 0
  /** While a lost connection is to be opened again, it counts under the upstream limit. */
  #place: UpstreamPlace | undefined
  #isUnderWay = false

  constructor(parts: ReconnectingParts) {
    this.#parts = parts
  }

  /** Whether the last connection was lost, and no other has been opened since. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** Whether an attempt is to come by itself. */
  get isWaiting(): boolean {
    return this.#timer !== undefined
  }

  /** The place that is kept for the connection. */
  get place(): UpstreamPlace | undefined {
    return this.#place
  }

  /** The connection is to be had back; one that isn't being opened already is due after the backoff, or after `afterMs`. */
  begin(isOpening: boolean, afterMs?: number): void {
    const { limits, policy, random, clock, onDue } = this.#parts
    // An attempt that is under way for another reason counts as the first one.
    this.#isUnderWay = true
    this.#place ??= limits.holdUpstream()
    if (isOpening || this.isWaiting) return
    this.#timer = clock.after(afterMs ?? policy.backoff(this.#failures, random()), () => {
      this.#timer = undefined
      onDue()
    })
  }

  /** The broker answers again, others have found: no need to wait any longer, but for not all pools coming at once. */
  hurry(): void {
    if (!this.isWaiting) return
    this.stopWaiting()
    this.begin(false, this.#parts.random() * SPREAD_MS)
  }

  /** An attempt is made now, or none any more. */
  stopWaiting(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** An attempt has failed; returns how many have since the last success. */
  countFailure(): number {
    return ++this.#failures
  }

  /** `upstream` is open, and has the place that was kept, unless it has one of its own. */
  handOver(upstream: UpstreamConnection): void {
    this.#failures = 0
    if (upstream.place === undefined) upstream.place = this.#place
    else this.#place?.release()
    this.#place = undefined
  }

  /** A connection is there. */
  succeed(): void {
    this.#isUnderWay = false
  }

  /** The pool does without. Can be called twice. */
  giveUp(): void {
    this.#isUnderWay = false
    this.stopWaiting()
    this.#place?.release()
    this.#place = undefined
  }
}
