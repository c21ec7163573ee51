/** What is wrong with values that are right one by one. */
export interface Problem {
  /** The keys whose values decide about it: where one of them isn't known, nothing can be said. */
  readonly keys: readonly string[]
  /** For the operator, without secrets. */
  readonly line: string
}
