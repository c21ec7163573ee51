/** The process of warrenctl, as its commands see it. */

/** What the tool needs of its process. */
export interface Terminal {
  /** The arguments after the script's name. */
  readonly argv: readonly string[]
  /** Of the tool, for `--version`. */
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  write(text: string): unknown
  complain(text: string): unknown
  readonly isTerminal: boolean
  /** Ends `top`; it runs until the process ends if left out. */
  readonly signal?: AbortSignal
}
