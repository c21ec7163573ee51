/** How the process itself is doing. */
export interface ProcessFigures {
  /** How late timers were, in seconds: half of them at most, 99 of 100 at most, since the last call. */
  takeEventLoopLag(): { readonly p50: number; readonly p99: number }
  /** Bytes of memory that the process holds. */
  readonly residentBytes: number
  /** Seconds of CPU time so far. */
  readonly cpuSeconds: number
}
