/** The one timer that all heartbeats share. */
import { inject, injectable } from 'inversify'
import { HEARTBEAT_TICK_MS } from '../domain/policy/heartbeat.js'
import { identifiers } from './identifiers.js'
import type { Clock, Timer } from './ports/clock.js'
import { Roster, type Rostered } from './roster.js'

/** A connection whose heartbeats are watched. */
export interface Beating extends Rostered {
  /** Sends what is due at `now`, or gives the connection up. */
  onHeartbeatTick(now: number): void
}

/** One timer for the heartbeats of all connections. */
@injectable()
export class Heartbeats {
  readonly #clock: Clock
  readonly #beating = new Roster<Beating>()
  #timer: Timer | undefined

  constructor(@inject(identifiers.Clock) clock: Clock) {
    this.#clock = clock
  }

  /** Ticks `connection` until it's removed. */
  add(connection: Beating): void {
    this.#beating.add(connection)
    this.#timer ??= this.#clock.every(HEARTBEAT_TICK_MS, () => this.#tick())
  }

  /** Can be called for a connection that was never added. */
  remove(connection: Beating): void {
    this.#beating.delete(connection)
    if (this.#beating.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #tick(): void {
    const now = this.#clock.now()
    for (const connection of this.#beating) connection.onHeartbeatTick(now)
  }
}
