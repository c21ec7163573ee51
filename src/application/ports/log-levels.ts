/** How much is logged, for operators. */
import type { LogLevel } from '../settings.js'

/** What is logged, and what isn't. */
export interface LogLevels {
  /** The least severe level that is logged. */
  readonly level: LogLevel
  /** Logs from now on what is at least as severe as `level`. */
  setLevel(level: LogLevel): void
}
