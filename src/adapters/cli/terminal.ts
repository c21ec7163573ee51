/** The process of warrenctl, as its commands see it. */

/** What the tool needs of its process. */
export interface Terminal {
  /** The arguments after the script's name. */
  readonly argv: readonly string[]
  /** Of the tool, for `--version`. */
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** To the standard output. */
  write(text: string): unknown
  /** To the standard error. */
  complain(text: string): unknown
  /** Whether what is written is seen at once, by a person. */
  readonly isTerminal: boolean
}
