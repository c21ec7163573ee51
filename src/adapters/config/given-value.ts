/** A value as one of the sources gives it: in itself, or in a file that holds it. */
import type { ConfigurationEntry, ConfigurationKey } from './schema.js'

/** Where a value comes from, in the words that messages use. */
export type Source = 'default' | `file ${string}` | `environment ${string}` | `flag ${string}` | 'argument'

/** The source of every value. */
export type Sources = Readonly<Record<ConfigurationKey, Source>>

/** Neither read nor validated yet. */
export interface GivenValue {
  readonly entry: ConfigurationEntry
  readonly value: unknown
  readonly source: Source
  /** The value is the path of a file that holds what is meant. */
  readonly isPath: boolean
}

/** The name that the sources know for what was given: `pool.max_channels`, or `management.token_file` for a path. */
export function keyOf({ entry, isPath }: GivenValue): string {
  return isPath && entry.file !== undefined ? entry.file.key : entry.key
}
