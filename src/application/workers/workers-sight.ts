/** What operators see, when there are several workers. */
import type { Certificates } from '../operations/certificates.js'
import type { Limits } from '../operations/limits.js'
import { type ConnectionStats, MOST_CERTIFICATES, type Summary, statsOf } from '../operations/overview.js'
import type { Clock } from '../ports/clock.js'
import type { ProcessSummary, ProcessView, Sight } from '../ports/management.js'
import type { ProcessFigures } from '../ports/process-figures.js'
import type { Question } from '../ports/worker-processes.js'
import type { Product } from '../product.js'
import type { AsideView, ClientView, PoolView, UpstreamView } from '../operations/views.js'
import { prefixed } from './identity.js'
import type { Supervisor } from './supervisor.js'

type Counts = Record<string, number>

/** What a worker that is gone had counted; totals don't fall because it's gone. */
interface Totals {
  traffic: Counts
  refusals: Counts
}

/** Looks at all workers. */
export class WorkersSight implements Sight {
  readonly #supervisor: Pick<Supervisor, 'askAll' | 'isAccepting'>
  readonly #needs: SightNeeds
  readonly #startedAt: number
  readonly #seen = new Map<number, Totals>()
  readonly #departed: Totals = { traffic: {}, refusals: {} }

  constructor(supervisor: Pick<Supervisor, 'askAll' | 'isAccepting'>, needs: SightNeeds) {
    this.#supervisor = supervisor
    this.#needs = needs
    this.#startedAt = needs.clock.now()
  }

  /** A worker's last words before it ended. */
  onFarewell(number: number, summary: unknown): void {
    this.#see(number, summary as Summary)
  }

  /** A worker's process is gone: what it was last seen to have counted is all that will ever be known. */
  onGone(number: number): void {
    const seen = this.#seen.get(number)
    if (seen === undefined) return
    this.#seen.delete(number)
    add(this.#departed.traffic, seen.traffic)
    add(this.#departed.refusals, seen.refusals)
  }

  stats(): ConnectionStats {
    return statsOf(this.#needs.limits.clients)
  }

  clients(): Promise<ClientView[]> {
    return this.#gather<ClientView>('clients', (client, name) => ({
      ...client,
      id: name(client.id),
      pool: client.pool === null ? null : name(client.pool),
    }))
  }

  upstreams(): Promise<UpstreamView[]> {
    return this.#gather<UpstreamView>('upstreams', (upstream, name) => ({
      ...upstream,
      id: name(upstream.id),
      pool: name(upstream.pool),
    }))
  }

  pools(): Promise<PoolView[]> {
    return this.#gather<PoolView>('pools', (pool, name) => ({ ...pool, id: name(pool.id) }))
  }

  aside(): Promise<AsideView[]> {
    return this.#gather<AsideView>('aside', (message, name) => ({ ...message, id: name(message.id) }))
  }

  async summary(): Promise<ProcessSummary> {
    const { limits, clock, product, certificates, figures, refusals } = this.#needs
    const answers = await this.#supervisor.askAll('summary')
    const all = answers.map(({ answer }) => answer as ProcessSummary)
    for (const { number, answer } of answers) this.#see(number, answer as Summary)
    const sum = <K extends SummedKey>(key: K, none: Summary[K]): Summary[K] => {
      const total: Counts = { ...none }
      for (const each of all) add(total, each[key])
      return total as unknown as Summary[K]
    }
    const sumOf = (read: (summary: ProcessSummary) => number): number =>
      all.reduce((total, each) => total + read(each), 0)
    const traffic = sum('traffic', NO_TRAFFIC) as unknown as Counts
    const refused = sum('refusals', {}) as Counts
    const answered = new Set(answers.map(({ number }) => number))
    // One that is silent, or about to be gone, keeps its totals.
    for (const [number, seen] of this.#seen) {
      if (answered.has(number)) continue
      add(traffic, seen.traffic)
      add(refused, seen.refusals)
    }
    add(traffic, this.#departed.traffic)
    add(refused, this.#departed.refusals)
    add(refused, refusals())
    const { p50, p99 } = figures.takeEventLoopLag()
    const worst = (own: number, read: (process: ProcessView) => number): number =>
      Math.max(own, ...all.map(({ process }) => read(process)))
    return {
      version: product.version,
      host: product.host,
      isAccepting: this.#supervisor.isAccepting,
      uptimeSeconds: Math.round(clock.now() - this.#startedAt) / 1000,
      clients: sum('clients', { handshake: 0, open: 0, waiting: 0, closing: 0 }),
      clientChannels: sumOf(({ clientChannels }) => clientChannels),
      clientLimit: limits.clients.limit,
      upstreams: sum('upstreams', { open: 0, blocked: 0, retiring: 0, closing: 0 }),
      upstreamsCounted: sumOf(({ upstreamsCounted }) => upstreamsCounted),
      upstreamLimit: limits.upstreamLimit,
      upstreamChannels: sum('upstreamChannels', { bound: 0, spare: 0, closing: 0 }),
      upstreamChannelCapacity: sumOf(({ upstreamChannelCapacity }) => upstreamChannelCapacity),
      pools: sum('pools', { open: 0, paused: 0, reconnecting: 0, idle: 0 }),
      buffered: sum('buffered', { messages: 0, bytes: 0 }),
      unconfirmed: sum('unconfirmed', { messages: 0, bytes: 0 }),
      aside: sum('aside', { messages: 0, bytes: 0 }),
      traffic: traffic as unknown as Summary['traffic'],
      refusals: refused,
      certificates: certificates.views().slice(0, MOST_CERTIFICATES),
      process: {
        eventLoopLagP50Seconds: worst(p50, (process) => process.eventLoopLagP50Seconds),
        eventLoopLagP99Seconds: worst(p99, (process) => process.eventLoopLagP99Seconds),
        residentBytes: figures.residentBytes + sumOf(({ process }) => process.residentBytes),
        cpuSeconds: figures.cpuSeconds + sumOf(({ process }) => process.cpuSeconds),
      },
    }
  }

  #see(number: number, { traffic, refusals }: Summary): void {
    this.#seen.set(number, { traffic: { ...traffic }, refusals: { ...refusals } })
  }

  async #gather<View>(
    question: Question,
    rename: (view: View, name: (id: string) => string) => View,
  ): Promise<View[]> {
    const answers = await this.#supervisor.askAll(question)
    return answers.flatMap(({ number, answer }) =>
      (answer as View[]).map((view) => rename(view, (id) => prefixed(number, id))),
    )
  }
}

/** What the sums are made with. */
export interface SightNeeds {
  readonly limits: Limits
  readonly clock: Clock
  readonly product: Product
  readonly certificates: Certificates
  /** Of the supervisor itself. */
  readonly figures: ProcessFigures
  /** Those whom the supervisor has sent away. */
  readonly refusals: () => Summary['refusals']
}

type SummedKey =
  | 'clients'
  | 'upstreams'
  | 'upstreamChannels'
  | 'pools'
  | 'buffered'
  | 'unconfirmed'
  | 'aside'
  | 'traffic'
  | 'refusals'

/** While no worker answers. */
const NO_TRAFFIC: Summary['traffic'] = {
  bytesIn: 0,
  bytesOut: 0,
  framesIn: 0,
  framesOut: 0,
  upstreamBytesIn: 0,
  upstreamBytesOut: 0,
  upstreamFramesIn: 0,
  publishes: 0,
  deliveries: 0,
  gets: 0,
  returns: 0,
  accepted: 0,
  recycledChannels: 0,
}

function add(total: Counts, counts: Readonly<Counts>): void {
  for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count
}
