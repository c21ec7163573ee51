/** What there is to see of one process: of Warren, or of one of its workers. */
import type { ProcessSummary, Sight } from '../ports/management.js'
import type { ProcessFigures } from '../ports/process-figures.js'
import type { ConnectionStats, Overview } from './overview.js'
import type { AsideView, ClientView, PoolView, UpstreamView } from './views.js'

/** The overview, and the figures of the process. */
export class ProcessSight implements Sight {
  readonly #overview: Overview
  readonly #figures: ProcessFigures

  constructor(overview: Overview, figures: ProcessFigures) {
    this.#overview = overview
    this.#figures = figures
  }

  stats(): ConnectionStats {
    return this.#overview.stats()
  }

  clients(): ClientView[] {
    return this.#overview.clients()
  }

  upstreams(): UpstreamView[] {
    return this.#overview.upstreams()
  }

  pools(): PoolView[] {
    return this.#overview.pools()
  }

  aside(): AsideView[] {
    return this.#overview.aside()
  }

  /** The lag of the event loop is that since the last call. */
  summary(): ProcessSummary {
    const { p50, p99 } = this.#figures.takeEventLoopLag()
    const { residentBytes, cpuSeconds } = this.#figures
    return {
      ...this.#overview.summary(),
      process: { eventLoopLagP50Seconds: p50, eventLoopLagP99Seconds: p99, residentBytes, cpuSeconds },
    }
  }
}
