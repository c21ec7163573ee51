/** The metrics as Prometheus reads them, by prom-client. */
import { injectable } from 'inversify'
import { Counter, Histogram, Registry } from 'prom-client'
import type { Overview } from '../../application/operations/overview.js'
import type { KeptMessageEvent, Metrics, RefusalReason, Refusals } from '../../application/ports/metrics.js'
import { addOverviewSeries } from './overview-series.js'
import {
  type MetricData,
  addProcessSeries,
  dataOf,
  refusedClients,
  textOf,
  unexpectedErrors,
} from './shared-series.js'

/** In seconds. A handshake takes milliseconds, unless the broker is asked, or slow. */
const HANDSHAKE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const DIAL_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Each has its series from the start: a rate over one that appears with its first event misses that event. */
const NO_REFUSALS: Readonly<Record<RefusalReason, number>> = {
  client_limit: 0,
  admission: 0,
  other_protocol: 0,
  timeout: 0,
  access_refused: 0,
  not_allowed: 0,
  unavailable: 0,
  protocol_error: 0,
  not_accepted: 0,
}

const KEPT_MESSAGE_EVENTS: readonly KeptMessageEvent[] = [
  'replayed',
  'repeated',
  'expired',
  'set_aside',
  'dropped',
]

/** Counts and times what it's told, and reads the rest from an {@link Overview} whenever somebody scrapes. */
@injectable()
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry()
  readonly #refused = refusedClients(this.#registry)
  readonly #closed = this.#counter(
    'client_errors_total',
    'Clients that were in and were closed with this reply code.',
    'code',
  )
  readonly #handshakes = new Histogram({
    name: 'warren_handshake_duration_seconds',
    help: 'Time from the accepted connection to Connection.Open-Ok.',
    buckets: HANDSHAKE_BUCKETS,
    registers: [this.#registry],
  })
  readonly #dials = new Histogram({
    name: 'warren_upstream_dial_duration_seconds',
    help: 'Time for a TCP connection to the broker, by outcome.',
    labelNames: ['outcome'],
    buckets: DIAL_BUCKETS,
    registers: [this.#registry],
  })
  readonly #lost = this.#counter('upstreams_lost_total', 'Open upstream connections that were lost.')
  readonly #reconnects = this.#counter(
    'pool_reconnects_total',
    'Attempts to reconnect a pool that had lost its last upstream connection, by outcome.',
    'outcome',
  )
  readonly #kept = this.#counter(
    'kept_messages_total',
    'Messages that Warren has kept for the broker: replayed after an outage, repeated (the broker may have them twice), expired, set_aside (refused by the broker), dropped (refused, and no room to set them aside).',
    'event',
  )
  readonly #unexpected = unexpectedErrors(this.#registry)
  readonly #refusals = { ...NO_REFUSALS }

  constructor() {
    for (const reason of Object.keys(NO_REFUSALS)) this.#refused.inc({ reason }, 0)
    for (const outcome of ['connected', 'failed']) this.#reconnects.inc({ outcome }, 0)
    for (const event of KEPT_MESSAGE_EVENTS) this.#kept.inc({ event }, 0)
  }

  /** What the answer to a scrape is called. */
  get contentType(): string {
    return this.#registry.contentType
  }

  clientRefused(reason: RefusalReason): void {
    this.#refused.inc({ reason })
    this.#refusals[reason]++
  }

  get refusals(): Refusals {
    return this.#refusals
  }

  clientClosed(code: number): void {
    this.#closed.inc({ code: String(code) })
  }

  handshakeDone(seconds: number): void {
    this.#handshakes.observe(seconds)
  }

  dialled(seconds: number, isConnected: boolean): void {
    this.#dials.observe({ outcome: isConnected ? 'connected' : 'failed' }, seconds)
  }

  upstreamLost(): void {
    this.#lost.inc()
  }

  reconnectTried(isConnected: boolean): void {
    this.#reconnects.inc({ outcome: isConnected ? 'connected' : 'failed' })
  }

  keptMessages(event: KeptMessageEvent, count: number): void {
    this.#kept.inc({ event }, count)
  }

  unexpectedError(): void {
    this.#unexpected.inc()
  }

  /** Adds what there is to see in `overview`, and the figures of the process. To be called once. */
  observe(overview: Pick<Overview, 'summary' | 'pools'>): void {
    addOverviewSeries(this.#registry, overview)
    addProcessSeries(this.#registry)
  }

  /** The answer to a scrape. */
  async render(): Promise<string> {
    return textOf(this.#registry)
  }

  /** The same as data, to be summed up with that of others. */
  async asData(): Promise<MetricData[]> {
    return dataOf(this.#registry)
  }

  #counter(name: string, help: string, label?: string): Counter {
    const labelNames = label === undefined ? [] : [label]
    return new Counter({ name: `warren_${name}`, help, labelNames, registers: [this.#registry] })
  }
}
