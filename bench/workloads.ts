/** The workloads, and how much of each is a first, short round. */
import type { SinkStats } from './sink/sink-connection.js'

export interface Workload {
  readonly name: string
  readonly title: string
  /** The file in bench/load. */
  readonly load: 'idle' | 'publish' | 'confirm' | 'mixed' | 'consume' | 'churn' | 'latency'
  readonly body: number
  readonly connections: number
  /** Channels of each connection; 1 if left out. */
  readonly channels?: number
  /** Clients speak TLS to the proxy, which speaks plain TCP to the broker. */
  readonly tls?: boolean
  /** Operations of the warm-up round against the sink; a real broker gets a tenth. */
  readonly warmUp: number
  /** Operations of a round at most. */
  readonly most: number
  /** What the sink counts for each operation. */
  readonly counted?: keyof SinkStats
  /** One round with an operation for each connection: it can't be repeated with the same process. */
  readonly once?: boolean
  /** Targets of which this says nothing. */
  readonly without?: string[]
}

const publishes = { load: 'publish', connections: 4, most: 50_000_000, counted: 'publishes' } as const

const confirms = {
  body: 100,
  connections: 4,
  warmUp: 200_000,
  most: 20_000_000,
  counted: 'publishes',
} as const

export const workloads: readonly Workload[] = [
  {
    // First, while the proxies' memory is fresh.
    name: 'idle',
    title: 'idle clients with a channel each',
    load: 'idle',
    body: 0,
    connections: 10_000,
    warmUp: 100,
    most: 10_000,
    once: true,
    without: ['direct', 'haproxy'],
  },
  { ...publishes, name: 'publish-100', title: 'fire-and-forget publish, 100 B', body: 100, warmUp: 500_000 },
  { ...publishes, name: 'publish-1k', title: 'fire-and-forget publish, 1 KiB', body: 1024, warmUp: 200_000 },
  { ...publishes, name: 'publish-64k', title: 'fire-and-forget publish, 64 KiB', body: 65536, warmUp: 5_000 },
  {
    ...publishes,
    name: 'tls-1k',
    title: 'fire-and-forget publish over TLS, 1 KiB',
    body: 1024,
    warmUp: 100_000,
    tls: true,
    without: ['direct'],
  },
  {
    ...publishes,
    name: 'many-channels',
    title: 'fire-and-forget publish on 500 channels of each connection in turn, 100 B',
    body: 100,
    channels: 500,
    warmUp: 200_000,
  },
  { ...confirms, name: 'confirm', title: 'publish with confirms, window 100, 100 B', load: 'confirm' },
  {
    ...confirms,
    name: 'mixed',
    title: 'publish with confirms, window 100, 100 B, beside a consumer that has stopped reading',
    load: 'mixed',
  },
  {
    name: 'consume',
    title: 'deliver and ack, prefetch 100, 100 B',
    load: 'consume',
    body: 100,
    connections: 4,
    warmUp: 200_000,
    most: 20_000_000,
    counted: 'acks',
  },
  {
    name: 'churn',
    title: 'session of connect, open, publish 100 B, close; 8 at a time',
    load: 'churn',
    body: 100,
    connections: 8,
    warmUp: 2_000,
    most: 20_000,
    counted: 'publishes',
  },
  {
    name: 'latency',
    title: 'publish to deliver at 1,000 messages a second, 100 B',
    load: 'latency',
    body: 100,
    connections: 1,
    warmUp: 1_000,
    most: 100_000,
    counted: 'publishes',
  },
]

/** The workloads whose name is one of these or starts with one: `publish` is three of them. */
export function chosenWorkloads(names: string[]): Workload[] {
  for (const name of names) {
    if (workloads.some((workload) => matches(workload, name))) continue
    throw new Error(
      `no workload '${name}'; there are ${workloads.map((workload) => workload.name).join(', ')}`,
    )
  }
  return workloads.filter((workload) => names.some((name) => matches(workload, name)))
}

function matches(workload: Workload, name: string): boolean {
  return workload.name === name || workload.name.startsWith(`${name}-`)
}
