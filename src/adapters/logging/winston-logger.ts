/** Logs with winston: text on a terminal, JSON elsewhere. */
import type { Writable } from 'node:stream'
import winston from 'winston'
import type { LogFields, Logger } from '../../application/ports/logger.js'
import type { LogLevels } from '../../application/ports/log-levels.js'
import type { LogFormat, LogLevel } from '../../application/settings.js'
import { jsonFormat } from './json-format.js'
import { textFormat } from './text-format.js'

const levels: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

const NONE: LogFields = {}

/** How a {@link WinstonLogger} starts. */
export interface WinstonLoggerOptions {
  readonly level: LogLevel
  /** `auto` is text on a terminal, JSON elsewhere. */
  readonly format: LogFormat
  /** Where all levels go; the standard output if left out, which a service manager collects. */
  readonly stream?: Writable
}

/** The log, written by winston. A stream that fails (EPIPE) loses lines, and stops nothing. */
export class WinstonLogger implements Logger, LogLevels {
  private constructor(
    private readonly core: winston.Logger,
    private readonly fields: LogFields,
  ) {}

  /** The logger from which all others come by `child`. Each call adds an error handler to the stream. */
  static create({ level, format, stream = process.stdout }: WinstonLoggerOptions): WinstonLogger {
    const isTerminal = 'isTTY' in stream && stream.isTTY === true
    const isText = format === 'text' || (format === 'auto' && isTerminal)
    // There is nowhere to tell of it, and clients are to be served on.
    stream.on('error', () => {})
    const core = winston.createLogger({
      level,
      levels,
      format: isText ? textFormat(isTerminal) : jsonFormat(),
      transports: [new winston.transports.Stream({ stream, eol: '\n' })],
    })
    core.on('error', () => {})
    return new WinstonLogger(core, NONE)
  }

  get level(): LogLevel {
    return this.core.level as LogLevel
  }

  /** Logs from now on what is at least as severe as `level`, here and in everything that shares a parent with it. */
  setLevel(level: LogLevel): void {
    this.core.level = level
  }

  child(fields: LogFields): WinstonLogger {
    return new WinstonLogger(this.core, { ...this.fields, ...fields })
  }

  debug(message: string, fields?: LogFields): void {
    this.log('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.log('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.log('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.log('error', message, fields)
  }

  private log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (levels[level] > levels[this.core.level as LogLevel]) return
    try {
      this.write(level, message, this.withOwn(fields))
    } catch {
      // A value that can't be turned into text, a getter that throws: the message still tells something.
      this.write(level, message, { fields: '(unreadable)' })
    }
  }

  /** No spread: with many names it takes V8 thirty times as long. */
  private withOwn(fields: LogFields | undefined): LogFields {
    return this.fields === NONE ? (fields ?? NONE) : Object.assign({}, this.fields, fields)
  }

  /** The fields stay apart from the rest, as winston gives some, such as `message` or `stack`, a meaning of their own. */
  private write(level: LogLevel, message: string, fields: LogFields): void {
    this.core.log({ level, message, timestamp: new Date().toISOString(), fields })
  }
}
