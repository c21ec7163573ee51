/** Warren's log as lines of syslog (RFC 5424). */
import { hostname } from 'node:os'
import type { Writable } from 'node:stream'
import { inspect } from 'node:util'
import type { LogFields, LogLevel, LogLevels, Logger } from 'warren'

const FACILITY_DAEMON = 3
const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 }

/** What a logger and all that come from it by `child` share. */
interface Output {
  readonly stream: Writable
  level: LogLevel
}

export class SyslogLogger implements Logger, LogLevels {
  readonly #output: Output
  readonly #fields: LogFields

  private constructor(output: Output, fields: LogFields) {
    this.#output = output
    this.#fields = fields
  }

  /** A logger that writes to `stream` what is at least as severe as `level`. */
  static create(stream: Writable, level: LogLevel): SyslogLogger {
    // Calls never throw and never block: a stream that fails loses lines.
    stream.on('error', () => undefined)
    return new SyslogLogger({ stream, level }, {})
  }

  get level(): LogLevel {
    return this.#output.level
  }

  setLevel(level: LogLevel): void {
    this.#output.level = level
  }

  child(fields: LogFields): SyslogLogger {
    return new SyslogLogger(this.#output, { ...this.#fields, ...fields })
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields)
  }

  #write(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (SEVERITY[level] > SEVERITY[this.#output.level]) return
    const priority = FACILITY_DAEMON * 8 + SEVERITY[level]
    const header = `<${priority}>1 ${new Date().toISOString()} ${hostname()} warren ${process.pid} - -`
    const values = Object.entries({ ...this.#fields, ...fields }).map(
      ([name, value]) => `${name}=${text(value)}`,
    )
    this.#output.stream.write(`${[header, message, ...values].join(' ')}\n`)
  }
}

/** Any value in one line; unlike JSON.stringify, `inspect` takes everything. */
function text(value: unknown): string {
  return inspect(value, { breakLength: Infinity, depth: 2 }).replaceAll('\n', '\\n')
}
