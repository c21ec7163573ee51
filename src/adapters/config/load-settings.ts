/** Gathers the configuration from flags, environment, file and defaults, and makes {@link Settings} of it. */
import { availableParallelism } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { Settings } from '../../application/settings.js'
import { Secret } from '../../domain/secret.js'
import { readCommandLine, type Action } from './command-line.js'
import { ConfigurationError } from './configuration-error.js'
import { readConfigurationFile, type NamedFile } from './configuration-file.js'
import { contradictions } from './cross-checks.js'
import { type Environment, FILE_VARIABLE, unknownVariables, valuesInEnvironment } from './environment.js'
import { type GivenValue, keyOf, type Source, type Sources } from './given-value.js'
import { type ReadFile, readText } from './read-file.js'
import { parseReplayLogins } from './replay-logins.js'
import { parseNetworks } from './networks.js'
import type { Problem } from './problem.js'
import { shown } from './redaction.js'
import {
  createConfiguration,
  entries,
  type ConfigurationKey,
  type ConfigurationValues,
  valueAt,
} from './schema.js'
import { readSecretFile } from './secret-file.js'
import { tlsSettings, tlsWarnings, upstreamTlsSettings } from './tls-settings.js'
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
  const { unused, logins } = parseUpstreamUrl(values.upstream.url, values.upstream_tls.enabled)
  const hasJournal = values.pool.publish_buffer_dir !== ''
  if (!hasJournal && values.pool.replay_logins.length > 0)
    warnings.push(
      `pool.replay_logins from ${sources['pool.replay_logins']}: not used, since there is no pool.publish_buffer_dir`,
    )
  if (!hasJournal && logins.length > 0) unused.unshift(UNUSED_CREDENTIALS)
  if (unused.length > 0) {
    warnings.push(
      `upstream.url from ${sources['upstream.url']}: Warren doesn't use its ${unused.join(', nor its ')}`,
    )
  }
  warnings.push(...tlsWarnings(values, sources, settings.upstream.endpoints))
  return new LoadedSettings(action, values, sources, settings, warnings)
}

/** Values as they come in, each source stronger than the one before. */
class Reading {
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

/** The keys whose values differ. */
export function changedKeys(before: LoadedSettings, after: LoadedSettings): ConfigurationKey[] {
  // A list is equal to another with the same entries.
  return entries
    .map(({ key }) => key)
    .filter((key) => !isDeepStrictEqual(valueAt(before.values, key), valueAt(after.values, key)))
}

/** What `before` is once the values that `after` has for `keys` are in effect. */
export function withChanges(
  before: LoadedSettings,
  after: LoadedSettings,
  keys: readonly string[],
): LoadedSettings {
  const { action, sources, settings, warnings } = before
  const values = structuredClone(before.values)
  for (const key of keys) {
    const [name, section] = key.split('.').reverse()
    const all = values as unknown as Record<string, Record<string, unknown>>
    const target: Record<string, unknown> = section === undefined ? all : all[section]
    target[name] = valueAt(after.values, key)
  }
  return new LoadedSettings(action, values, sources, settings, warnings)
}

function namedFile(flag: string | undefined, env: Environment): NamedFile | undefined {
  if (flag !== undefined) return { name: flag, source: 'flag --config' }
  const name = env[FILE_VARIABLE]
  return name ? { name, source: `environment ${FILE_VARIABLE}` } : undefined
}

const LARGEST_PORT = 65_535
/** What port `auto` is, counted from listen.port. */
const MANAGEMENT_OFFSET = 1000

/** Where listen.port is chosen by the system, or leaves no room above it, the management port is chosen by the system. */
function managementPort({ management, listen }: ConfigurationValues): number {
  if (management.port !== 'auto') return management.port
  const port = listen.port + MANAGEMENT_OFFSET
  return listen.port === 0 || port > LARGEST_PORT ? 0 : port
}

/** One for each core that this process may use. */
function workersIn({ workers }: ConfigurationValues): number {
  return workers === 'auto' ? availableParallelism() : workers
}

function toSettings(values: ConfigurationValues): Settings {
  const { listen, upstream, pool, client, management, shutdown, log } = values
  const { endpoints, logins } = parseUpstreamUrl(upstream.url, values.upstream_tls.enabled)
  return {
    listen: {
      address: listen.address,
      enabled: listen.enabled,
      port: listen.port,
      proxyProtocolFrom: parseNetworks(listen.proxy_protocol_from),
    },
    tls: tlsSettings(values),
    upstreamTls: upstreamTlsSettings(values),
    upstream: {
      endpoints,
      logins,
      connectTimeout: upstream.connect_timeout,
      heartbeat: upstream.heartbeat,
    },
    pool: {
      maxClientConnections: pool.max_client_connections,
      maxUpstreamConnections: pool.max_upstream_connections,
      maxChannels: pool.max_channels,
      separateRoles: pool.separate_roles,
      idleTimeout: pool.idle_timeout,
      cleanupInterval: pool.cleanup_interval,
      publishBufferSize: pool.publish_buffer_size,
      publishBufferBytes: pool.publish_buffer_bytes,
      publishBufferDir: pool.publish_buffer_dir === '' ? undefined : pool.publish_buffer_dir,
      publishBufferSync: pool.publish_buffer_sync,
      replayLogins: parseReplayLogins(pool.replay_logins),
      reconnectWait: pool.reconnect_wait,
      publishGuarantee: pool.publish_guarantee,
      quarantineTime: pool.quarantine_time,
    },
    client: {
      handshakeTimeout: client.handshake_timeout,
      maxBufferBytes: client.max_buffer_bytes,
      maxMessageBytes: client.max_message_bytes,
      maxUnfinishedBytes: client.max_unfinished_bytes,
      maxUnfinishedBytesTotal: client.max_unfinished_bytes_total,
      maxTableDepth: client.max_table_depth,
      maxPending: client.max_pending,
      maxPerAddress: client.max_per_address,
      maxPerUser: client.max_per_user,
      maxPerVhost: client.max_per_vhost,
      channelMax: client.channel_max,
      frameMax: client.frame_max,
      heartbeat: client.heartbeat,
    },
    management: {
      enabled: management.enabled,
      address: management.address,
      port: managementPort(values),
      token: management.token === '' ? undefined : new Secret(management.token),
      readToken: management.read_token === '' ? undefined : new Secret(management.read_token),
    },
    shutdown: { grace: shutdown.grace, timeout: shutdown.timeout },
    log: { level: log.level, format: log.format },
  }
}
