/** The processes of workers, as their supervisor sees them. */
import type { BoundAddress } from './listener.js'

/** An accepted connection that the supervisor holds until a worker has it. */
export interface HeldConnection {
  /** Whether this process has let go of it: a worker has it, or it's closed. */
  readonly hasLeft: boolean
  /** Closes it at once. */
  close(): void
}

/** What a worker can be asked; the answers are plain data. */
export type Question =
  | 'summary'
  | 'clients'
  | 'upstreams'
  | 'pools'
  | 'aside'
  | 'readiness'
  | 'warnings'
  | 'metrics'
  | 'operation'
  | 'reload'
  | 'level'
  /** Whether it still answers. */
  | 'pulse'

/** What the supervisor tells a worker, beside the connections that it hands over. */
export type ToWorker =
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question; readonly about: unknown }
  /** End in order; `grace` in seconds stands for the one in the settings. */
  | { readonly kind: 'drain'; readonly grace?: number }

/** What a worker tells. */
export type FromWorker =
  /** Clients can be handed over. */
  | { readonly kind: 'ready' }
  /** So many connections that were handed over are closed, since the last such message. */
  | { readonly kind: 'closed'; readonly count: number }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly reason: string }
  /** The last words of one that ends in order: what it has counted. */
  | { readonly kind: 'farewell'; readonly summary: unknown; readonly metrics: unknown }

/** What the supervisor hears of a process. */
export interface WorkerEvents {
  onMessage(message: FromWorker): void
  /** Comes once, and last; `code` is null when a signal has ended it. */
  onExit(code: number | null, signal: string | null): void
}

/** A worker as its supervisor holds it. Calls after its end do nothing. */
export interface WorkerProcess {
  readonly pid: number
  /** The worker gets the connection, behind all that it was told and given before. */
  hand(connection: HeldConnection, isTls: boolean): void
  send(message: ToWorker): void
  /** Ends it at once. */
  kill(): void
}

/** Starts workers. */
export interface WorkerProcesses {
  /** `number`: from 1; whoever takes the place of one that has ended has its number. */
  start(number: number, events: WorkerEvents): WorkerProcess
}

/** Accepts connections for all workers. */
export interface Gate {
  /** Starts accepting; resolves with the address in use. Rejects when it can't be had. */
  open(
    address: string,
    port: number,
    onConnection: (connection: HeldConnection) => void,
  ): Promise<BoundAddress>
  /** Stops accepting. Can be called twice. */
  close(): void
}
