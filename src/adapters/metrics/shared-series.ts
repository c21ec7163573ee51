/** Series that a process with clients and the supervisor of several have alike, so that they can be summed up; and how they are written. */
import { Counter, type Registry, collectDefaultMetrics } from 'prom-client'

/** A metric of a process as data; the rest of it is prom-client's. */
export interface MetricData {
  readonly name: string
  readonly type: string
  readonly aggregator: string
}

export function refusedClients(registry: Registry): Counter {
  return new Counter({
    name: 'warren_clients_refused_total',
    help: 'Clients sent away before they were in.',
    labelNames: ['reason'],
    registers: [registry],
  })
}

export function unexpectedErrors(registry: Registry): Counter {
  return new Counter({
    name: 'warren_unexpected_errors_total',
    help: 'Bugs that have shown: the log has them, as errors that begin with "unexpected".',
    registers: [registry],
  })
}

/** Gauges of prom-client that are named like counters; the same numbers are there by type, under names without `_total`. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** Adds what Node.js tells of this process. */
export function addProcessSeries(registry: Registry): void {
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
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
