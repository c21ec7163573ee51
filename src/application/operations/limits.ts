/** How many clients and upstream connections there may be, and who changed that. */
import { inject, injectable } from 'inversify'
import {
  ConnectionLimit,
  type LimitAuthor,
  type LimitChange,
  type LimitRefusal,
  isRefusal,
} from '../../domain/policy/connection-limit.js'
import { identifiers } from '../identifiers.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Settings } from '../settings.js'

/** By how much a signal moves the client limit. */
const SIGNAL_STEP = 100

/** A place for one upstream connection. */
export interface UpstreamPlace {
  /** Gives it back. Can be called twice. */
  release(): void
}

/** The client limit, which can be changed at run time, and the upstream limit. */
@injectable()
export class Limits {
  readonly #clients: ConnectionLimit
  readonly #clock: Clock
  readonly #logger: Logger
  #upstreamLimit: number
  #upstreams = 0
  /** The client limit was reached, and nobody has left since: the log has said so. */
  #isFull = false

  constructor(
    @inject(identifiers.Settings) { pool }: Settings,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
  ) {
    this.#clients = new ConnectionLimit(pool.maxClientConnections)
    this.#upstreamLimit = pool.maxUpstreamConnections
    this.#clock = clock
    this.#logger = logger
  }

  /** Counts the clients, and knows the history. */
  get clients(): ConnectionLimit {
    return this.#clients
  }

  /** Counts a client in, unless there are as many as may be; the log says that once, until somebody leaves. */
  admitClient(): boolean {
    if (this.#clients.enter()) return true
    if (!this.#isFull)
      this.#logger.warn('connection limit reached: further clients are closed at once', {
        limit: this.#clients.limit,
      })
    this.#isFull = true
    return false
  }

  /** So many of the clients that were counted in have left. */
  onClientsLeft(count: number): void {
    if (count <= 0) return
    this.#isFull = false
    for (let n = 0; n < count; n++) this.#clients.leave()
  }

  /** Sets the client limit. */
  set(limit: number, who: LimitAuthor): LimitChange | LimitRefusal {
    return this.#tell(this.#clients.set(limit, who, this.#clock.wallTime()), who)
  }

  /** Raises the client limit. */
  increase(amount: number, who: LimitAuthor): LimitChange | LimitRefusal {
    return this.#tell(this.#clients.increase(amount, who, this.#clock.wallTime()), who)
  }

  /** Lowers the client limit. */
  decrease(amount: number, who: LimitAuthor): LimitChange | LimitRefusal {
    return this.#tell(this.#clients.decrease(amount, who, this.#clock.wallTime()), who)
  }

  /** Lifts the client limit. */
  lift(who: LimitAuthor): LimitChange {
    const change = this.#clients.lift(who, this.#clock.wallTime())
    this.#tell(change, who)
    return change
  }

  /** Moves the client limit by 100, as SIGUSR1 and SIGUSR2 do. */
  onSignal(direction: 'up' | 'down'): void {
    if (direction === 'up') this.increase(SIGNAL_STEP, 'signal')
    else this.decrease(SIGNAL_STEP, 'signal')
  }

  /** Most upstream connections; 0 is no limit. Those that are open stay, however low it's set. */
  get upstreamLimit(): number {
    return this.#upstreamLimit
  }

  set upstreamLimit(limit: number) {
    this.#upstreamLimit = limit
  }

  /** Upstream connections that are open, being opened, or to be opened again. */
  get upstreams(): number {
    return this.#upstreams
  }

  /** Whether no further upstream connection may be opened. */
  get isUpstreamLimitReached(): boolean {
    return this.#upstreamLimit > 0 && this.#upstreams >= this.#upstreamLimit
  }

  /** A place for another upstream connection; undefined when there are as many as may be. */
  takeUpstream(): UpstreamPlace | undefined {
    return this.isUpstreamLimitReached ? undefined : this.holdUpstream()
  }

  /** A place for an upstream connection that was lost and will be opened again: it counts in between. */
  holdUpstream(): UpstreamPlace {
    this.#upstreams++
    let isHeld = true
    return {
      release: () => {
        if (isHeld) this.#upstreams--
        isHeld = false
      },
    }
  }

  #tell(outcome: LimitChange | LimitRefusal, who: LimitAuthor): LimitChange | LimitRefusal {
    const active = this.#clients.active
    if (isRefusal(outcome))
      this.#logger.warn('connection limit not changed', { who, active, reason: outcome.reason })
    else this.#logger.info('connection limit changed', { old: outcome.old, new: outcome.new, who, active })
    return outcome
  }
}
