/** How much is logged, for operators. */
import type { LogLevel } from '../settings.js'

/** What is logged, and what isn't. */
export interface LogLevels {
  /** The least severe level that is logged. */
  readonly level: LogLevel
  setLevel(level: LogLevel): void
}
