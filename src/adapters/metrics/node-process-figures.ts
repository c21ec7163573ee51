/** What Node.js tells of its own process: memory, CPU time, the lag of the event loop. */
import { injectable } from 'inversify'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ProcessFigures } from '../../application/ports/process-figures.js'

const RESOLUTION_MS = 10
const NANOSECONDS = 1e9

/** The figures of this process. Measuring begins with the first question for the lag. */
@injectable()
export class NodeProcessFigures implements ProcessFigures {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #isMeasuring = false

  takeEventLoopLag(): { p50: number; p99: number } {
    if (!this.#isMeasuring) this.#delays.enable()
    this.#isMeasuring = true
    // What is measured is the whole interval.
    const lag = (percentile: number): number =>
      this.#delays.count === 0
        ? 0
        : Math.max(0, this.#delays.percentile(percentile) / NANOSECONDS - RESOLUTION_MS / 1000)
    const taken = { p50: lag(50), p99: lag(99) }
    this.#delays.reset()
    return taken
  }

  get residentBytes(): number {
    return process.memoryUsage.rss()
  }

  get cpuSeconds(): number {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
}
