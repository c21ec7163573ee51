/** The limit on connected clients: counted, changed at run time, and never below those that are connected. */

/** By which way a limit was changed; `reload`: by a configuration that was read again, whoever asked for that. */
export type LimitAuthor = 'http' | 'cli' | 'signal' | 'reload'

/** One change of the limit; 0 is no limit. */
export interface LimitChange {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly old: number
  readonly new: number
  readonly who: LimitAuthor
}

/** Why a limit can't be changed. `invalid`: what is asked for makes no sense; `conflict`: it does, but not now. */
export interface LimitRefusal {
  readonly kind: 'invalid' | 'conflict'
  readonly reason: string
}

/** Enough to see what an autoscaler did for a day; the oldest go first. */
const MOST_CHANGES = 1000
/** More than a process can have; sums stay exact. */
const LARGEST_LIMIT = 2 ** 31 - 1

/** Counts those who are in, and knows how many may be. */
export class ConnectionLimit {
  #limit: number
  #active = 0
  readonly #history: LimitChange[] = []

  /** `limit` 0 is none. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Most that may be in at the same time; 0 is no limit. */
  get limit(): number {
    return this.#limit
  }

  /** Those who are in. */
  get active(): number {
    return this.#active
  }

  /** Every change that was made, oldest first. */
  get history(): readonly LimitChange[] {
    return this.#history
  }

  /** Lets one more in, unless there are as many as may be. */
  enter(): boolean {
    if (this.#limit > 0 && this.#active >= this.#limit) return false
    this.#active++
    return true
  }

  /** One who was let in is gone. */
  leave(): void {
    this.#active--
  }

  /** From now on `limit` may be in. Nobody who is in has to leave: a limit below their number is refused. */
  set(limit: number, who: LimitAuthor, at: number): LimitChange | LimitRefusal {
    if (!Number.isInteger(limit) || limit < 1) return invalid('connection limit must be positive')
    if (limit > LARGEST_LIMIT) return invalid(`connection limit must not be above ${LARGEST_LIMIT}`)
    if (limit < this.#active)
      return conflict(`cannot set limit to ${limit} when ${this.#active} connections are active`)
    return this.#change(limit, who, at)
  }

  /** Raises the limit by `amount`. */
  increase(amount: number, who: LimitAuthor, at: number): LimitChange | LimitRefusal {
    return this.#isAmount(amount) ?? this.set(this.#limit + amount, who, at)
  }

  /** Lowers the limit by `amount`. */
  decrease(amount: number, who: LimitAuthor, at: number): LimitChange | LimitRefusal {
    const refusal = this.#isAmount(amount)
    if (refusal !== undefined) return refusal
    if (amount >= this.#limit)
      return invalid(
        `connection limit must be positive: it is ${this.#limit}, and cannot go down by ${amount}`,
      )
    return this.set(this.#limit - amount, who, at)
  }

  /** Any number may be in from now on. */
  lift(who: LimitAuthor, at: number): LimitChange {
    return this.#change(0, who, at)
  }

  #isAmount(amount: number): LimitRefusal | undefined {
    if (!Number.isInteger(amount) || amount < 1) return invalid('amount must be positive')
    if (this.#limit === 0) return conflict('connections are not limited: set a limit first')
    return undefined
  }

  #change(limit: number, who: LimitAuthor, at: number): LimitChange {
    const change = { at, old: this.#limit, new: limit, who }
    this.#limit = limit
    this.#history.push(change)
    if (this.#history.length > MOST_CHANGES) this.#history.shift()
    return change
  }
}

/** Tells a refusal from a change. */
export function isRefusal(outcome: LimitChange | LimitRefusal): outcome is LimitRefusal {
  return 'reason' in outcome
}

function invalid(reason: string): LimitRefusal {
  return { kind: 'invalid', reason }
}

function conflict(reason: string): LimitRefusal {
  return { kind: 'conflict', reason }
}
