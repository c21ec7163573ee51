/** The metrics of all workers and of their supervisor, summed up as Prometheus reads them. */
import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client'
import type { Refusals } from '../../application/ports/metrics.js'
import type { Supervisor, SupervisorMetrics } from '../../application/workers/supervisor.js'
import {
  type MetricData,
  addProcessSeries,
  dataOf,
  refusedClients,
  textOf,
  unexpectedErrors,
} from '../metrics/shared-series.js'

const STATES = ['starting', 'ready', 'silent', 'retiring', 'down'] as const
/** What only grows; it doesn't shrink because a worker is gone. */
const GROWING = new Set(['counter', 'histogram'])

/** Counts what the supervisor does, and asks the workers for the rest. */
export class WorkersMetrics implements SupervisorMetrics {
  readonly #registry = new Registry()
  readonly #refused = refusedClients(this.#registry)
  readonly #crashed = new Counter({
    name: 'warren_worker_crashes_total',
    help: 'Workers that have ended without being asked to.',
    registers: [this.#registry],
  })
  readonly #unexpected = unexpectedErrors(this.#registry)
  readonly #refusals = { client_limit: 0 }
  /** What each worker was last seen to have counted. */
  readonly #seen = new Map<number, MetricData[]>()
  /** The same of those that are gone. */
  readonly #departed: MetricData[][] = []
  #isCompacting = false

  /** Adds what there is to see of the supervisor and its process. To be called once. */
  observe(supervisor: Pick<Supervisor, 'workers'>, limit: () => number): void {
    const registers = [this.#registry]
    new Gauge({
      name: 'warren_client_limit',
      help: 'Most clients; 0 is no limit.',
      registers,
      collect() {
        this.set(limit())
      },
    })
    new Gauge({
      name: 'warren_workers',
      help: 'Workers, by state.',
      labelNames: ['state'],
      registers,
      collect() {
        for (const state of STATES)
          this.set({ state }, supervisor.workers.filter((worker) => worker.state === state).length)
      },
    })
    addProcessSeries(this.#registry)
  }

  clientRefused(reason: 'client_limit'): void {
    this.#refused.inc({ reason })
    this.#refusals[reason]++
  }

  /** Those whom the supervisor has sent away. */
  get refusals(): Refusals {
    return this.#refusals
  }

  workerCrashed(): void {
    this.#crashed.inc()
  }

  /** Of the supervisor itself. */
  unexpectedError(): void {
    this.#unexpected.inc()
  }

  /** A worker's last words before it ended. */
  onFarewell(number: number, metrics: unknown): void {
    this.#seen.set(number, metrics as MetricData[])
  }

  /** A worker's process is gone. */
  onGone(number: number): void {
    const seen = this.#seen.get(number)
    this.#seen.delete(number)
    if (seen !== undefined) this.#departed.push(growing(seen))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** The answer to a scrape. */
  async render(supervisor: Pick<Supervisor, 'askAll'>): Promise<string> {
    const answers = await supervisor.askAll('metrics')
    for (const { number, answer } of answers) this.#seen.set(number, answer as MetricData[])
    const answered = new Set(answers.map(({ number }) => number))
    const own = await dataOf(this.#registry)
    await this.#compact()
    // One that is silent, or about to be gone, keeps its totals.
    const all = [...this.#seen].map(([number, seen]) => (answered.has(number) ? seen : growing(seen)))
    return textOf(merged([own, ...all, ...this.#departed]))
  }

  /** Many may go in the life of a Warren. */
  async #compact(): Promise<void> {
    const { length } = this.#departed
    if (length < 2 || this.#isCompacting) return
    this.#isCompacting = true
    const sum = await dataOf(merged(this.#departed.slice(0, length)))
    this.#departed.splice(0, length, sum)
    this.#isCompacting = false
  }
}

function growing(metrics: MetricData[]): MetricData[] {
  return metrics.filter(({ type }) => GROWING.has(type))
}

function merged(all: MetricData[][]): Registry {
  return AggregatorRegistry.aggregate(all)
}
