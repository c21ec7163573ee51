/** What the schema says about a key. */
import type { formats } from './formats.js'

/** One key, whose values are a `T`. Which formats there are is told in formats.ts, builders for most of them stand in kinds.ts. */
export interface SchemaEntry<T> {
  /** For `--help` and docs/configuration.md: whole sentences. */
  readonly doc: string
  readonly format: keyof typeof formats
  readonly default: T
  /** Completes the sentence "must be …". */
  readonly allowed: string
  /** Stands for the value in the help. */
  readonly placeholder: string
  readonly range?: Range
  readonly choices?: readonly string[]
  /** What of the value nobody gets to see. Such a key can also be given as a file that holds the value. */
  readonly secret?: SecretPart
  /** Another name in the environment, beside the one that the key's name gives. Both work. */
  readonly alias?: `AMQP_${string}`
}

/** The keys of one section of the configuration. */
export type Section<Values> = { readonly [Key in keyof Values]: SchemaEntry<Values[Key]> }

/** All of it, the credentials in a URL, or all of it unless it is plainly the path of a file. */
export type SecretPart = 'all' | 'credentials' | 'unless-path'

/** The numbers that are allowed, both ends included. */
export interface Range {
  readonly minimum: number
  readonly maximum: number
  /** Zero is allowed too, although it lies outside of the range: it stands for "no value of one's own". */
  readonly zero?: true
}
