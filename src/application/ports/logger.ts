/** The log. */

/** Named values that go with a log line; those that are undefined are left out. They never hold secrets. */
export type LogFields = Readonly<Record<string, unknown>>

/** Where Warren tells people what happens. Calls never throw and never block. */
export interface Logger {
  /** A logger whose lines all carry `fields` as well. */
  child(fields: LogFields): Logger
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}
