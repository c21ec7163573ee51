/** What Prometheus reads of what there is at the moment: looked up in an {@link Overview} whenever somebody scrapes. */
import { type Aggregator, Counter, Gauge, type Registry } from 'prom-client'
import type { Overview, Summary } from '../../application/operations/overview.js'
import type { PoolView } from '../../application/operations/views.js'

/** Virtual hosts with series of their own; the rest is summed up as `other`. */
const MOST_VHOSTS = 50
const OTHER = 'other'
/** In characters: names in certificates come from outside. */
const MOST_NAME = 100

interface Figure {
  readonly name: string
  readonly help: string
  /** What becomes of the figures of several workers; the sum if left out. */
  readonly aggregator?: Aggregator
  readonly read: (summary: Summary) => number
}

const FIGURES: readonly Figure[] = [
  {
    name: 'uptime_seconds',
    help: 'Time since the start.',
    aggregator: 'max',
    read: ({ uptimeSeconds }) => uptimeSeconds,
  },
  {
    name: 'accepting',
    help: 'Whether clients are accepted.',
    aggregator: 'max',
    read: ({ isAccepting }) => (isAccepting ? 1 : 0),
  },
  {
    name: 'client_limit',
    help: 'Most clients; 0 is no limit.',
    read: ({ clientLimit }) => clientLimit,
  },
  {
    name: 'client_channels',
    help: 'Channels that clients have open.',
    read: ({ clientChannels }) => clientChannels,
  },
  {
    name: 'upstreams_counted',
    help: 'Upstream connections that count under the limit, those being opened or reconnected included.',
    read: ({ upstreamsCounted }) => upstreamsCounted,
  },
  {
    name: 'upstream_limit',
    help: 'Most upstream connections; 0 is no limit.',
    read: ({ upstreamLimit }) => upstreamLimit,
  },
  {
    name: 'upstream_channel_capacity',
    help: 'Most channels that the open upstream connections can carry.',
    read: ({ upstreamChannelCapacity }) => upstreamChannelCapacity,
  },
  {
    name: 'buffered_messages',
    help: 'Messages in publish buffers.',
    read: ({ buffered }) => buffered.messages,
  },
  { name: 'buffered_bytes', help: 'Bytes in publish buffers.', read: ({ buffered }) => buffered.bytes },
  {
    name: 'unconfirmed_messages',
    help: 'Messages that were sent, and that Warren keeps until the broker has confirmed them.',
    read: ({ unconfirmed }) => unconfirmed.messages,
  },
  {
    name: 'unconfirmed_bytes',
    help: 'Bytes of those messages.',
    read: ({ unconfirmed }) => unconfirmed.bytes,
  },
  {
    name: 'aside_messages',
    help: 'Messages that the broker has refused, and that wait for an operator.',
    read: ({ aside }) => aside.messages,
  },
  { name: 'aside_bytes', help: 'Bytes of those messages.', read: ({ aside }) => aside.bytes },
]

/** Counts with a label `state`. */
const BY_STATE = [
  ['clients', 'Clients that are connected, by state.', ({ clients }: Summary) => clients],
  ['upstreams', 'Upstream connections, by state.', ({ upstreams }: Summary) => upstreams],
  ['upstream_channels', 'Upstream channels, by state.', ({ upstreamChannels }: Summary) => upstreamChannels],
  ['pools', 'Pools, by state.', ({ pools }: Summary) => pools],
] as const

type TrafficCounter = keyof Summary['traffic']

/** What is counted for each message or session, by the name that it has in Traffic. */
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

const BY_VHOST = [
  ['clients', 'Clients'],
  ['upstreams', 'Upstream connections'],
  ['channels', 'Upstream channels in use'],
] as const

/** Adds these series to a registry that doesn't have them yet. */
export function addOverviewSeries(registry: Registry, overview: Pick<Overview, 'summary' | 'pools'>): void {
  const registers = [registry]
  // One look for all series of a scrape: the first of them looks, the others show what it has seen.
  let summary = overview.summary()
  const look = (): void => void (summary = overview.summary())
  for (const [at, { name, help, aggregator = 'sum', read }] of FIGURES.entries())
    new Gauge({
      name: `warren_${name}`,
      help,
      aggregator,
      registers,
      collect() {
        if (at === 0) look()
        this.set(read(summary))
      },
    })
  for (const [name, help, read] of BY_STATE)
    addLabelled(registry, 'state', `warren_${name}`, help, () => read(summary))
  for (const [field, what] of BY_VHOST)
    addLabelled(
      registry,
      'vhost',
      `warren_vhost_${field}`,
      `${what} by virtual host; beyond ${MOST_VHOSTS} virtual hosts the rest is summed up as "other".`,
      () => byVirtualHost(overview.pools(), field),
    )
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
  addCertificates(registry, () => summary.certificates)
  new Gauge({
    name: 'warren_build_info',
    help: 'Always 1; the label tells the version.',
    labelNames: ['version'],
    aggregator: 'first',
    registers,
  }).set({ version: summary.version }, 1)
}

/** Numbers by the values of one label; a value that isn't there any more has no series. */
function addLabelled(
  registry: Registry,
  label: string,
  name: string,
  help: string,
  read: () => Readonly<Record<string, number>>,
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    labelNames: [label],
    collect() {
      this.reset()
      for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count)
    },
  })
}

function addCertificates(registry: Registry, read: () => Summary['certificates']): void {
  new Gauge({
    name: 'warren_certificate_expiry_timestamp_seconds',
    help: 'When a certificate expires, in seconds since 1970.',
    labelNames: ['use', 'name'],
    aggregator: 'min',
    registers: [registry],
    collect() {
      this.reset()
      for (const { use, name, expires } of read())
        this.set({ use, name: name.slice(0, MOST_NAME) }, Date.parse(expires) / 1000)
    },
  })
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
