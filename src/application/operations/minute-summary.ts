/** One line in the log each minute: what there is, and what has happened since the line before. */
import { inject, injectable } from 'inversify'
import { identifiers } from '../identifiers.js'
import type { Overview, Summary } from './overview.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'

const INTERVAL_MS = 60_000

/** What there is at the moment. */
interface Standing {
  readonly clients: number
  readonly channels: number
  readonly upstreams: number
  readonly buffered: number
}

/** What only grows. */
interface Totals {
  readonly accepted: number
  readonly publishes: number
  readonly deliveries: number
  readonly refusals: Summary['refusals']
}

/**
 * Tells nothing in a minute without any change: then the last line still holds. So a Warren that falls idle says so once, and one that
 * nobody uses doesn't fill the log.
 */
@injectable()
export class MinuteSummary {
  readonly #overview: Overview
  readonly #clock: Clock
  readonly #logger: Logger
  #told: Standing = { clients: 0, channels: 0, upstreams: 0, buffered: 0 }
  #totals: Totals = { accepted: 0, publishes: 0, deliveries: 0, refusals: {} }

  constructor(
    @inject(identifiers.Overview) overview: Overview,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
  ) {
    this.#overview = overview
    this.#clock = clock
    this.#logger = logger
  }

  /** From now on there is a line each minute, until the process ends. To be called once. */
  start(): void {
    this.#clock.every(INTERVAL_MS, () => this.#tell())
  }

  #tell(): void {
    const { clients, clientChannels, upstreams, buffered, traffic, refusals } = this.#overview.summary()
    const standing: Standing = {
      clients: sum(clients),
      channels: clientChannels,
      upstreams: sum(upstreams),
      buffered: buffered.messages,
    }
    const before = this.#totals
    this.#totals = {
      accepted: traffic.accepted,
      publishes: traffic.publishes,
      deliveries: traffic.deliveries + traffic.gets,
      refusals,
    }
    const came = {
      accepted: this.#totals.accepted - before.accepted,
      publishes: this.#totals.publishes - before.publishes,
      deliveries: this.#totals.deliveries - before.deliveries,
    }
    const refused = grown(before.refusals, refusals)
    const hasHappened = sum(came) > 0 || Object.keys(refused).length > 0
    if (!hasHappened && isSame(standing, this.#told)) return
    this.#told = standing
    this.#logger.info('last minute', { ...standing, ...came, refused: sum(refused), ...refusedFor(refused) })
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** What has come since, for each reason for which something has. */
function grown(before: Summary['refusals'], now: Summary['refusals']): Record<string, number> {
  const reasons = Object.keys(now) as (keyof Summary['refusals'])[]
  return Object.fromEntries(
    reasons
      .map((reason) => [reason, (now[reason] ?? 0) - (before[reason] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  )
}

/** The reasons, where there are any: a line is to be short. */
function refusedFor(refused: Record<string, number>): { refusedFor?: Record<string, number> } {
  return Object.keys(refused).length === 0 ? {} : { refusedFor: refused }
}

function isSame(a: Standing, b: Standing): boolean {
  return (
    a.clients === b.clients &&
    a.channels === b.channels &&
    a.upstreams === b.upstreams &&
    a.buffered === b.buffered
  )
}
