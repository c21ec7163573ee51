/** What becomes of errors that nothing has caught: they are bugs. */
import type { Logger } from '../application/ports/logger.js'
import type { Metrics } from '../application/ports/metrics.js'

type Counter = Pick<Metrics, 'unexpectedError'>

/** Bugs that no session or connection has caught. */
export interface BugCount {
  /** Counts in `metrics` from now on, those included that came before. To be called as soon as there are metrics. */
  countIn(metrics: Counter): void
}

/** Logs bugs and counts them; they end nothing but what they happened in. To be called once. */
export function logBugs(logger: Logger): BugCount {
  let early = 0
  let metrics: Counter = { unexpectedError: () => early++ }
  const tell = (message: string) => (error: unknown) => {
    logger.error(message, { error })
    metrics.unexpectedError()
  }
  process.on('uncaughtException', tell('unexpected error'))
  process.on('unhandledRejection', tell('unexpected rejection'))
  return {
    countIn(counter) {
      for (; early > 0; early--) counter.unexpectedError()
      metrics = counter
    },
  }
}
