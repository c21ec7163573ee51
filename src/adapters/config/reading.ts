/** Takes up the values that the sources of the configuration give, and remembers where each comes from and what is wrong. */
import { ConfigurationError } from './configuration-error.js'
import { type GivenValue, keyOf, type Source, type Sources } from './given-value.js'
import type { Problem } from './problem.js'
import type { ReadFile } from './read-file.js'
import { shown } from './redaction.js'
import { type ConfigurationKey, type ConfigurationValues, createConfiguration, entries } from './schema.js'
import { readSecretFile } from './secret-file.js'

/** Values as they come in, each source stronger than the one before; and what is wrong with them. */
export class Reading {
  readonly #problems: string[] = []
  /** What is given for these is wrong: the value that they have meanwhile isn't what anybody meant. */
  readonly #wrong = new Set<string>()
  /** Some of what was given belongs to no key: what has its default may have been meant by it. */
  #isIncomplete = false
  readonly #configuration = createConfiguration()
  readonly #sources = Object.fromEntries(entries.map(({ key }) => [key, 'default'])) as Record<
    ConfigurationKey,
    Source
  >

  constructor(
    private readonly cwd: string,
    private readonly readFile: ReadFile,
  ) {}

  /** What couldn't be understood at all. */
  misunderstood(problems: readonly string[]): void {
    this.#problems.push(...problems)
    this.#isIncomplete ||= problems.length > 0
  }

  /** Takes what one source gives; a key that it gives twice, under two names, is a problem. */
  take(source: readonly GivenValue[]): void {
    for (const [at, given] of source.entries()) {
      const other = source.slice(0, at).find(({ entry }) => entry === given.entry)
      if (other === undefined) this.#set(given)
      else
        this.#refuse(
          given.entry.key,
          `${given.entry.key} is given twice, ${phrase(other, given)} and ${phrase(given, other)}: use one`,
        )
    }
  }

  /** The strongest of what is valid. */
  get values(): ConfigurationValues {
    return this.#configuration.getProperties()
  }

  get sources(): Sources {
    return this.#sources
  }

  /** Takes up what doesn't follow from another mistake. */
  judge(problems: readonly Problem[]): void {
    const isKnown = (key: string): boolean =>
      !this.#wrong.has(key) && !(this.#isIncomplete && this.#sources[key as ConfigurationKey] === 'default')
    for (const { keys, line } of problems) if (keys.every(isKnown)) this.#problems.push(line)
  }

  /** Throws {@link ConfigurationError}. */
  demandNoProblem(): void {
    const [first, ...more] = this.#problems
    if (first !== undefined) throw new ConfigurationError([first, ...more])
  }

  #refuse(key: string, problem: string): void {
    this.#wrong.add(key)
    this.#problems.push(problem)
  }

  #set(given: GivenValue): void {
    const { entry, isPath } = given
    const { key } = entry
    let { value, source } = given
    if (isPath) {
      if (typeof value !== 'string' || value === '' || value.includes('\0')) {
        this.#refuse(key, `${keyOf(given)} from ${source}: must be a path`)
        return
      }
      source = `file ${value} (${source.startsWith('file ') ? `${keyOf(given)} in ` : ''}${source})`
      try {
        value = readSecretFile(value, this.cwd, this.readFile)
      } catch (error) {
        this.#refuse(key, `${key} from ${source}: ${(error as Error).message}`)
        return
      }
    }
    const before = this.#configuration.get(key)
    try {
      this.#configuration.set(key, value)
      this.#configuration.validate()
      this.#sources[key] = source
      this.#wrong.delete(key)
    } catch (error) {
      this.#configuration.set(key, before)
      // Everything before was valid, so that the one line of convict's message is about this key.
      const reason = (error as Error).message.slice(`${key}: `.length)
      this.#refuse(key, `${key} = ${shown(entry, value)} from ${source}: ${reason}`)
    }
  }
}

/** How a key was given, where it was also given in another way by the same source. */
function phrase(given: GivenValue, other: GivenValue): string {
  if (given.source === 'argument') return 'as the argument'
  return given.source === other.source ? `as ${keyOf(given)} in ${given.source}` : `by ${given.source}`
}
