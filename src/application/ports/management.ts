/** What operators see and do, whether Warren is one process or several: in several the answers come from all of them, and take a moment. */
import type { Operations, Outcome } from '../operations/operations.js'
import type { ConnectionStats, Summary } from '../operations/overview.js'
import type { ReloadReport } from '../operations/reload.js'
import type { AsideView, ClientView, PoolView, UpstreamView } from '../operations/views.js'
import type { WorkerView } from '../workers/worker.js'

type Eventually<T> = T | Promise<T>

/** Everything that there is to see. */
export interface Sight {
  stats(): Eventually<ConnectionStats>
  summary(): Eventually<ProcessSummary>
  clients(): Eventually<ClientView[]>
  upstreams(): Eventually<UpstreamView[]>
  pools(): Eventually<PoolView[]>
  aside(): Eventually<AsideView[]>
}

/** Everything that can be done to clients, upstream connections and pools. */
export type Controls = {
  [Name in Exclude<keyof Operations, 'drain'>]: (id: string) => Eventually<ReturnType<Operations[Name]>>
} & { drain(): Eventually<ReturnType<Operations['drain']>> }

/** Whether clients can be served. */
export interface ReadinessCheck {
  /** Why not; empty when they can. */
  reasons(): Eventually<string[]>
  /** What isn't in the way, and somebody should look at. */
  warnings(): Eventually<string[]>
}

/** Reads configuration and certificates again. */
export interface Reloading {
  /** Returns what became of the changes, or why nothing could even be read. */
  run(): Eventually<ReloadReport | string>
}

/** How the process is doing; of several processes the worst event loop, and the sums of the rest. */
export interface ProcessView {
  readonly eventLoopLagP50Seconds: number
  readonly eventLoopLagP99Seconds: number
  readonly residentBytes: number
  readonly cpuSeconds: number
}

/** Sums over everything, those of the process included. */
export interface ProcessSummary extends Summary {
  readonly process: ProcessView
}

/** The processes that share the port, if there are several. */
export interface Workers {
  /** None, where there is one process alone. */
  views(): readonly WorkerView[]
  /** Replaces them one by one. */
  restart(): Eventually<Outcome<{ workers: number }>>
}
