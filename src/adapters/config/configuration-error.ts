import { CONTROL_CHARACTERS } from '../../domain/control-characters.js'

/**
 * The configuration can't be used. The message is one line for the operator and holds no secret;
 * it has no `cause`, since a parser's own error may quote the file with a password in it.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  /** Everything that is wrong, one line each, without secrets; at least one. The message is the first, and how many more there are. */
  readonly problems: readonly string[]

  constructor(problems: string | readonly [string, ...string[]]) {
    const all = (typeof problems === 'string' ? [problems] : problems).map(onOneLine)
    const more = all.length - 1
    super(more === 0 ? all[0] : `${all[0]} (and ${more} more: warren --check lists them)`)
    this.problems = all
  }
}

/** Paths and keys may hold anything. */
function onOneLine(text: string): string {
  return text.replace(CONTROL_CHARACTERS, ' ')
}
