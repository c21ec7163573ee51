/** Gathers the configuration from flags, environment, file and defaults, and makes {@link Settings} of it. */
import type { Settings } from '../../application/settings.js'
import { readCommandLine, type Action } from './command-line.js'
import { readConfigurationFile, type NamedFile } from './configuration-file.js'
import { contradictions } from './cross-checks.js'
import { type Environment, FILE_VARIABLE, unknownVariables, valuesInEnvironment } from './environment.js'
import type { Sources } from './given-value.js'
import { type ReadFile, readText } from './read-file.js'
import type { Problem } from './problem.js'
import { Reading } from './reading.js'
import type { ConfigurationValues } from './schema.js'
import { tlsWarnings } from './tls-settings.js'
import { toSettings, workersIn } from './to-settings.js'
import { UNUSED_CREDENTIALS, parseUpstreamUrl } from './upstream-url.js'

/** The world that {@link loadSettings} reads. */
export interface SettingsInput {
  /** The arguments after the script's name. */
  readonly argv: readonly string[]
  readonly env: Environment
  /** Relative file names start here. */
  readonly cwd: string
  /** In place of the file system. */
  readonly readFile?: ReadFile
  /** What is wrong with the certificates; asked for `--check` alone. */
  readonly certificateProblems?: (settings: Settings) => readonly Problem[]
}

/** The configuration, and what the program was asked to do with it. Its secrets are in private fields, where no inspection finds them. */
export class LoadedSettings {
  readonly #values: ConfigurationValues

  constructor(
    readonly action: Action,
    values: ConfigurationValues,
    readonly sources: Sources,
    readonly settings: Settings,
    /** One line each, without secrets. */
    readonly warnings: readonly string[],
  ) {
    this.#values = values
  }

  /** The configuration as people write it; may hold secrets. */
  get values(): ConfigurationValues {
    return this.#values
  }

  /** How many processes share the port. */
  get workers(): number {
    return workersIn(this.#values)
  }
}

/**
 * Loads and validates the configuration. Sources, strongest first: flags (and the one argument), environment, file, defaults;
 * a wrong value is refused even where a stronger source overrides it. For `--help` and `--version` nothing beyond the flags is
 * looked at, so that they work whatever the rest holds, and the settings are the defaults.
 *
 * Throws {@link ConfigurationError} with everything that is wrong; but nothing is said of a contradiction that one of the mistakes may have brought about.
 */
export function loadSettings({
  argv,
  env,
  cwd,
  readFile = readText,
  certificateProblems = () => [],
}: SettingsInput): LoadedSettings {
  const { action, configFile, values: fromFlags, problems: ofFlags } = readCommandLine(argv)
  const reading = new Reading(cwd, readFile)
  reading.misunderstood(ofFlags)
  const warnings: string[] = []
  const readsMore = action !== 'help' && action !== 'version'
  if (readsMore) {
    const file = readConfigurationFile(namedFile(configFile, env), cwd, readFile)
    reading.misunderstood(file.problems)
    for (const source of [file.values, valuesInEnvironment(env), fromFlags]) reading.take(source)
    const unknown = unknownVariables(env)
    reading.misunderstood(unknown.problems)
    warnings.push(...unknown.warnings)
  }
  const { values, sources } = reading
  const settings = toSettings(values)
  if (readsMore) {
    const { port } = settings.management
    reading.judge(contradictions(values, sources, { managementPort: port, workers: workersIn(values) }))
  }
  if (action === 'check') reading.judge(certificateProblems(settings))
  reading.demandNoProblem()
  warnings.push(...unusedWarnings(values, sources))
  warnings.push(...tlsWarnings(values, sources, settings.upstream.endpoints))
  return new LoadedSettings(action, values, sources, settings, warnings)
}

/** What was given and has no effect; one line each. */
function unusedWarnings(
  { pool, upstream, upstream_tls: tls }: ConfigurationValues,
  sources: Sources,
): string[] {
  const warnings: string[] = []
  const hasJournal = pool.publish_buffer_dir !== ''
  if (!hasJournal && pool.replay_logins.length > 0)
    warnings.push(
      `pool.replay_logins from ${sources['pool.replay_logins']}: not used, since there is no pool.publish_buffer_dir`,
    )
  const { unused, logins } = parseUpstreamUrl(upstream.url, tls.enabled)
  const parts = !hasJournal && logins.length > 0 ? [UNUSED_CREDENTIALS, ...unused] : unused
  if (parts.length > 0)
    warnings.push(
      `upstream.url from ${sources['upstream.url']}: Warren doesn't use its ${parts.join(', nor its ')}`,
    )
  return warnings
}

function namedFile(flag: string | undefined, env: Environment): NamedFile | undefined {
  if (flag !== undefined) return { name: flag, source: 'flag --config' }
  const name = env[FILE_VARIABLE]
  return name ? { name, source: `environment ${FILE_VARIABLE}` } : undefined
}
