import type { LogFields, Logger } from '../../src/application/ports/logger.js'
import type { LogLevels } from '../../src/application/ports/log-levels.js'
import type { LogLevel } from '../../src/application/settings.js'

/** A line that a {@link RecordingLogger} got; `fields` has those of its parents too. */
export interface RecordedLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** A logger that keeps its lines for a test to look at. */
export class RecordingLogger implements Logger, LogLevels {
  /** It records everything, whatever this says. */
  level: LogLevel = 'debug'

  /** Every line of this logger, its parents and its children, in order. */
  readonly lines: RecordedLine[]

  constructor(
    private readonly fields: LogFields = {},
    lines: RecordedLine[] = [],
  ) {
    this.lines = lines
  }

  /** The messages of one level. */
  messages(level: LogLevel): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message)
  }

  setLevel(level: LogLevel): void {
    this.level = level
  }

  child(fields: LogFields): RecordingLogger {
    return new RecordingLogger({ ...this.fields, ...fields }, this.lines)
  }

  debug(message: string, fields?: LogFields): void {
    this.record('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.record('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.record('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.record('error', message, fields)
  }

  private record(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const all = Object.entries({ ...this.fields, ...fields })
    this.lines.push({
      level,
      message,
      fields: Object.fromEntries(all.filter(([, value]) => value !== undefined)),
    })
  }
}
