/** The metrics as Prometheus reads them, by prom-client. */
import { injectable } from 'inversify'
import { type Aggregator, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { KeptMessageEvent, Metrics, RefusalReason, Refusals } from '../../application/ports/metrics.js'
import type { Overview, Summary } from '../../application/operations/overview.js'
import type { PoolView } from '../../application/operations/views.js'

/** A handshake takes milliseconds, unless the broker is asked, or slow. */
const HANDSHAKE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const DIAL_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Virtual hosts with series of their own; the rest is summed up as `other`. */
const MOST_VHOSTS = 50
const OTHER = 'other'

/** A metric of a process as data; the rest of it is prom-client's. */
export interface MetricData {
  readonly name: string
  readonly type: string
  readonly aggregator: string
}

/** Names in certificates come from outside. */
const MOST_NAME = 100

type TrafficCounter = keyof Summary['traffic']

/** What the plain counters are called. */
const TRAFFIC: Readonly<Record<TrafficCounter, readonly [name: string, help: string]>> = {
  accepted: ['clients_accepted_total', 'Client connections that the limits let in.'],
  bytesIn: ['client_received_bytes_total', 'Bytes received from clients.'],
  bytesOut: ['client_sent_bytes_total', 'Bytes sent to clients.'],
  framesIn: ['client_received_frames_total', 'AMQP frames received from clients.'],
  framesOut: ['client_sent_frames_total', 'AMQP frames sent to clients.'],
  upstreamBytesIn: ['upstream_received_bytes_total', 'Bytes received from the broker.'],
  upstreamBytesOut: ['upstream_sent_bytes_total', 'Bytes sent to the broker.'],
  upstreamFramesIn: ['upstream_received_frames_total', 'AMQP frames received from the broker.'],
  publishes: ['publishes_total', 'Messages that clients have published.'],
  deliveries: ['deliveries_total', 'Messages that the broker has delivered to consumers.'],
  gets: ['gets_total', 'Messages that the broker has handed out for Basic.Get.'],
  returns: ['returns_total', 'Published messages that the broker has returned.'],
  recycledChannels: [
    'upstream_channels_recycled_total',
    'Upstream channels that were handed to a further client channel instead of being opened.',
  ],
}

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

/** Supervisors have the same, of their own. */
export const UNEXPECTED_ERRORS =
  'Bugs that have shown: the log has them, as errors that begin with "unexpected".'

/** Gauges of prom-client that are named like counters; the same numbers are there by type, under names without `_total`. */
export const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** Counts and times what it's told, and reads the rest from an {@link Overview} whenever somebody scrapes. */
@injectable()
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry()
  readonly #refused = this.#counter(
    'clients_refused_total',
    'Clients sent away before they were in.',
    'reason',
  )
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
  readonly #unexpected = this.#counter('unexpected_errors_total', UNEXPECTED_ERRORS)
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
    const registers = [this.#registry]
    // One look for all series of a scrape.
    let summary = overview.summary()
    const look = (): Summary => (summary = overview.summary())
    const gauge = (
      name: string,
      help: string,
      read: () => number,
      isFirst = false,
      aggregator: Aggregator = 'sum',
    ): void => {
      new Gauge({
        aggregator,
        name: `warren_${name}`,
        help,
        registers,
        collect() {
          if (isFirst) look()
          this.set(read())
        },
      })
    }
    const gaugeBy = (label: string, name: string, help: string, read: () => Record<string, number>): void => {
      new Gauge({
        name: `warren_${name}`,
        help,
        registers,
        labelNames: [label],
        collect() {
          this.reset()
          for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count)
        },
      })
    }
    gauge('uptime_seconds', 'Time since the start.', () => summary.uptimeSeconds, true, 'max')
    gauge('accepting', 'Whether clients are accepted.', () => (summary.isAccepting ? 1 : 0), false, 'max')
    gaugeBy('state', 'clients', 'Clients that are connected, by state.', () => summary.clients)
    gauge('client_limit', 'Most clients; 0 is no limit.', () => summary.clientLimit)
    gauge('client_channels', 'Channels that clients have open.', () => summary.clientChannels)
    gaugeBy('state', 'upstreams', 'Upstream connections, by state.', () => summary.upstreams)
    gauge(
      'upstreams_counted',
      'Upstream connections that count under the limit, those being opened or reconnected included.',
      () => summary.upstreamsCounted,
    )
    gauge('upstream_limit', 'Most upstream connections; 0 is no limit.', () => summary.upstreamLimit)
    gaugeBy('state', 'upstream_channels', 'Upstream channels, by state.', () => summary.upstreamChannels)
    gauge(
      'upstream_channel_capacity',
      'Most channels that the open upstream connections can carry.',
      () => summary.upstreamChannelCapacity,
    )
    gaugeBy('state', 'pools', 'Pools, by state.', () => summary.pools)
    gauge('buffered_messages', 'Messages in publish buffers.', () => summary.buffered.messages)
    gauge('buffered_bytes', 'Bytes in publish buffers.', () => summary.buffered.bytes)
    gauge(
      'unconfirmed_messages',
      'Messages that were sent, and that Warren keeps until the broker has confirmed them.',
      () => summary.unconfirmed.messages,
    )
    gauge('unconfirmed_bytes', 'Bytes of those messages.', () => summary.unconfirmed.bytes)
    gauge(
      'aside_messages',
      'Messages that the broker has refused, and that wait for an operator.',
      () => summary.aside.messages,
    )
    gauge('aside_bytes', 'Bytes of those messages.', () => summary.aside.bytes)
    new Gauge({
      name: 'warren_certificate_expiry_timestamp_seconds',
      help: 'When a certificate expires, in seconds since 1970.',
      labelNames: ['use', 'name'],
      aggregator: 'min',
      registers,
      collect() {
        this.reset()
        for (const { use, name, expires } of summary.certificates)
          this.set({ use, name: name.slice(0, MOST_NAME) }, Date.parse(expires) / 1000)
      },
    })
    for (const [counter, [name, help]] of Object.entries(TRAFFIC))
      new Counter({
        name: `warren_${name}`,
        help,
        registers,
        collect() {
          this.reset()
          this.inc(summary.traffic[counter as TrafficCounter])
        },
      })
    for (const [field, what] of [
      ['clients', 'Clients'],
      ['upstreams', 'Upstream connections'],
      ['channels', 'Upstream channels in use'],
    ] as const)
      gaugeBy(
        'vhost',
        `vhost_${field}`,
        `${what} by virtual host; beyond ${MOST_VHOSTS} virtual hosts the rest is summed up as "other".`,
        () => byVirtualHost(overview.pools(), field),
      )
    new Gauge({
      name: 'warren_build_info',
      help: 'Always 1; the label tells the version.',
      labelNames: ['version'],
      aggregator: 'first',
      registers,
    }).set({ version: summary.version }, 1)
    collectDefaultMetrics({ register: this.#registry })
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name)
  }

  /** The answer to a scrape. */
  async render(): Promise<string> {
    return textOf(this.#registry)
  }

  /** The same as data, to be summed up with that of others. */
  async asData(): Promise<unknown> {
    return dataOf(this.#registry)
  }

  #counter(name: string, help: string, label?: string): Counter {
    const labelNames = label === undefined ? [] : [label]
    return new Counter({ name: `warren_${name}`, help, labelNames, registers: [this.#registry] })
  }
}

/** What Prometheus reads of a registry. */
export async function textOf(registry: Registry): Promise<string> {
  // prom-client's spelling of what isn't a number is its own.
  return (await registry.metrics()).replace(/ Nan$/gm, ' NaN')
}

/** The metrics of a registry as data. Of several processes the worst event loop counts, rather than their mean. */
export async function dataOf(registry: Registry): Promise<MetricData[]> {
  const metrics = (await registry.getMetricsAsJSON()) as unknown as MetricData[]
  return metrics.map((metric) =>
    metric.name.startsWith('nodejs_eventloop_lag') ? { ...metric, aggregator: 'max' } : metric,
  )
}

/** The largest virtual hosts by name; the series must not grow without bound with what clients think up. */
function byVirtualHost(
  pools: readonly PoolView[],
  field: 'clients' | 'upstreams' | 'channels',
): Record<string, number> {
  const sums = new Map<string, number>()
  for (const pool of pools) sums.set(pool.vhost, (sums.get(pool.vhost) ?? 0) + pool[field])
  const ordered = [...sums].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  const rest = ordered.splice(MOST_VHOSTS).reduce((sum, [, count]) => sum + count, 0)
  const largest = new Map(ordered)
  // A virtual host may have that name itself.
  if (rest > 0) largest.set(OTHER, (largest.get(OTHER) ?? 0) + rest)
  return Object.fromEntries(largest)
}
