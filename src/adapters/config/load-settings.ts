/** Gathers the configuration from flags, environment, file and defaults, and makes {@link Settings} of it. */
import { readFileSync } from 'node:fs'
import type { ClientCertificates, Settings } from '../../application/settings.js'
import { Secret } from '../../domain/secret.js'
import { readCommandLine, type Action } from './command-line.js'
import { ConfigurationError } from './configuration-error.js'
import { readConfigurationFile, type NamedFile, type ReadFile } from './configuration-file.js'
import { parseExternalLogins } from './external-logins.js'
import { nearestName } from './nearest-name.js'
import { parseNetworks } from './networks.js'
import {
  createConfiguration,
  entries,
  secretKeys,
  type ConfigurationKey,
  type ConfigurationValues,
  type TextList,
} from './schema.js'
import { parseUpstreamUrl, redactUrl } from './upstream-url.js'

/** Where a value comes from, in the words that messages use. */
export type Source = 'default' | `file ${string}` | `environment ${string}` | `flag ${string}` | 'argument'

/** The world that {@link loadSettings} reads. */
export interface SettingsInput {
  /** The arguments after the script's name. */
  readonly argv: readonly string[]
  /** An empty variable counts as not set, which is how containers pass "nothing". */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative file names start here. */
  readonly cwd: string
  /** In place of the file system. */
  readonly readFile?: ReadFile
}

/** The configuration, and what the program was asked to do with it. */
export interface LoadedSettings {
  readonly settings: Settings
  /** The same as people write it; may hold secrets. */
  readonly values: ConfigurationValues
  /** One line each, without secrets. */
  readonly warnings: readonly string[]
  readonly sources: Readonly<Record<ConfigurationKey, Source>>
  readonly action: Action
}

/**
 * Loads and validates the configuration. Sources, strongest first: flags (and the one argument), environment, file, defaults;
 * a wrong value is refused even where a stronger source overrides it. For `--help` and `--version` nothing beyond the flags is
 * looked at, so that they work whatever the rest holds, and the settings are the defaults.
 *
 * Throws {@link ConfigurationError}.
 */
export function loadSettings({ argv, env, cwd, readFile = readText }: SettingsInput): LoadedSettings {
  const { action, configFile, upstreamArgument, flags } = readCommandLine(argv)
  if (upstreamArgument !== undefined && flags.has('upstream.url')) {
    throw new ConfigurationError(
      'upstream.url is given twice, as the argument and by flag --upstream-url: use one',
    )
  }

  const configuration = createConfiguration()
  const sources = Object.fromEntries(entries.map(({ key }) => [key, 'default'])) as Record<
    ConfigurationKey,
    Source
  >
  const set = (key: ConfigurationKey, value: unknown, source: Source): void => {
    try {
      configuration.set<string>(key, value).validate({ allowed: 'strict' })
    } catch (error) {
      // Everything before was valid, so that the one line of convict's message is about this key.
      const reason = (error as Error).message.slice(`${key}: `.length)
      throw new ConfigurationError(`${key} = ${shown(key, value)} from ${source}: ${reason}`)
    }
    sources[key] = source
  }

  const warnings: string[] = []
  if (action !== 'help' && action !== 'version') {
    const file = readConfigurationFile(namedFile(configFile, env), cwd, readFile)
    for (const [key, value] of file?.values ?? []) set(key, value, `file ${file?.path ?? ''}`)
    for (const { key, env: own, alias } of entries)
      for (const name of alias === undefined ? [own] : [own, alias])
        if (env[name]) set(key, env[name], `environment ${name}`)
    for (const { key, flag } of entries) if (flags.has(key)) set(key, flags.get(key), `flag ${flag}`)
    if (upstreamArgument !== undefined) set('upstream.url', upstreamArgument, 'argument')
    warnings.push(...unknownVariables(env))
  }

  const values = configuration.getProperties()
  const { endpoints, unused } = parseUpstreamUrl(values.upstream.url, values.upstream_tls.enabled)
  if (unused.length > 0) {
    warnings.push(
      `upstream.url from ${sources['upstream.url']}: Warren doesn't use its ${unused.join(', nor its ')}`,
    )
  }
  checkManagement(values, sources)
  checkTls(values, sources)
  warnings.push(...tlsWarnings(values, sources, endpoints))
  return { settings: toSettings(values, endpoints), values, warnings, sources, action }
}

/** The keys whose values differ. */
export function changedKeys(before: LoadedSettings, after: LoadedSettings): ConfigurationKey[] {
  // A list is equal to another with the same entries.
  const valueOf = ({ values }: LoadedSettings, key: string): string => JSON.stringify(valueAt(values, key))
  return entries.map(({ key }) => key).filter((key) => valueOf(before, key) !== valueOf(after, key))
}

/** What `before` is once the values that `after` has for `keys` are in effect. */
export function withChanges(
  before: LoadedSettings,
  after: LoadedSettings,
  keys: readonly string[],
): LoadedSettings {
  const values = structuredClone(before.values)
  for (const key of keys) {
    const [section, name] = key.split('.')
    const target = (values as unknown as Record<string, Record<string, unknown>>)[section]
    target[name] = valueAt(after.values, key)
  }
  return { ...before, values }
}

function valueAt(values: ConfigurationValues, key: string): unknown {
  const [section, name] = key.split('.')
  return (values as unknown as Record<string, Record<string, unknown>>)[section][name]
}

function namedFile(flag: string | undefined, env: SettingsInput['env']): NamedFile | undefined {
  if (flag !== undefined) return { name: flag, source: 'flag --config' }
  return env.AMQP_CONFIG ? { name: env.AMQP_CONFIG, source: 'environment AMQP_CONFIG' } : undefined
}

/** Warnings only: the prefix AMQP_ isn't ours alone. */
function unknownVariables(env: SettingsInput['env']): string[] {
  const known = [
    ...entries.flatMap(({ env, alias }) => (alias === undefined ? [env] : [env, alias])),
    'AMQP_CONFIG',
  ]
  return Object.keys(env)
    .filter((name) => name.startsWith('AMQP_') && !known.includes(name))
    .map((name) => {
      const nearest = nearestName(name, known)
      const suggestion = nearest === undefined ? '' : `; did you mean ${nearest}?`
      return `environment ${name}: not a setting of Warren, ignored${suggestion}`
    })
}

const LARGEST_PORT = 65_535
/** What port `auto` is, counted from listen.port. */
const MANAGEMENT_OFFSET = 1000

/** What no single key can tell. Throws {@link ConfigurationError}. */
function checkManagement({ management }: ConfigurationValues, sources: LoadedSettings['sources']): void {
  if (!management.enabled) return
  const { address, token, read_token: readToken } = management
  const refuse = (key: ConfigurationKey, value: string, reason: string): never => {
    throw new ConfigurationError(`${key}${value} from ${sources[key]}: ${reason}`)
  }
  if (token === '' && readToken === '' && !isLoopback(address))
    refuse(
      'management.address',
      ` = ${JSON.stringify(address)}`,
      'an address that others can reach needs management.token or management.read_token',
    )
  if (token !== '' && token === readToken)
    refuse('management.read_token', '', 'must be another than management.token')
}

/** What no single key can tell. Throws {@link ConfigurationError}. */
function checkTls(values: ConfigurationValues, sources: LoadedSettings['sources']): void {
  const { listen, tls, upstream_tls: upstream } = values
  const refuse = (key: ConfigurationKey, reason: string): never => {
    throw new ConfigurationError(`${key} from ${sources[key]}: ${reason}`)
  }
  if (!listen.enabled && !tls.enabled) refuse('listen.enabled', 'no client could connect without tls.enabled')
  if (listen.enabled && tls.enabled && listen.port !== 0 && listen.port === tls.port)
    refuse('tls.port', 'must be another than listen.port; listen.enabled = false leaves that one to TLS')
  const [certificates, keys] = [sourcesIn(tls.cert).length, sourcesIn(tls.key).length]
  if (tls.enabled && certificates === 0) refuse('tls.cert', 'must be given, since tls.enabled is true')
  if (certificates !== keys)
    refuse('tls.key', `must be as many as tls.cert: there are ${keys} for ${certificates}`)
  const asks = clientCertificates(values) !== 'none'
  if (asks && tls.ca === '') refuse('tls.client_certificates', 'needs tls.ca, which says who may issue them')
  if (!asks && sourcesIn(tls.external_logins).length > 0)
    refuse(
      'tls.external_logins',
      'needs tls.client_certificates: EXTERNAL is about the certificates of clients',
    )
  if ((upstream.client_cert === '') !== (upstream.client_key === ''))
    refuse(
      upstream.client_cert === '' ? 'upstream_tls.client_cert' : 'upstream_tls.client_key',
      'certificate and key must be given together',
    )
}

function tlsWarnings(
  { tls, upstream_tls: upstream }: ConfigurationValues,
  sources: LoadedSettings['sources'],
  endpoints: Settings['upstream']['endpoints'],
): string[] {
  const warnings: string[] = []
  const isUsed = endpoints.some((endpoint) => endpoint.tls === true)
  if (upstream.skip_verify && isUsed)
    warnings.push(
      `upstream_tls.skip_verify from ${sources['upstream_tls.skip_verify']}: THE BROKER'S CERTIFICATE IS NOT VERIFIED: anybody on the way can pose as the broker and read passwords and messages`,
    )
  if (!isUsed)
    for (const key of ['ca', 'client_cert', 'server_name'] as const)
      if (upstream[key] !== '')
        warnings.push(
          `upstream_tls.${key} from ${sources[`upstream_tls.${key}`]}: not used, since upstream.url doesn't say amqps:// and upstream_tls.enabled is false`,
        )
  if (!tls.enabled && sourcesIn(tls.cert).length > 0)
    warnings.push(`tls.cert from ${sources['tls.cert']}: not used, since tls.enabled is false`)
  return warnings
}

function clientCertificates({ tls }: ConfigurationValues): ClientCertificates {
  if (tls.client_certificates !== 'auto') return tls.client_certificates
  return tls.ca === '' ? 'none' : 'required'
}

/** PEM has no commas, nor has base64. */
function sourcesIn(list: TextList): string[] {
  return (typeof list === 'string' ? [list] : list)
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.\d+){3}$/.test(address)
}

/** Where listen.port is chosen by the system, or leaves no room above it, the management port is chosen by the system. */
function managementPort({ management, listen }: ConfigurationValues): number {
  if (management.port !== 'auto') return management.port
  const port = listen.port + MANAGEMENT_OFFSET
  return listen.port === 0 || port > LARGEST_PORT ? 0 : port
}

/** The value on one short line, without secrets. */
function shown(key: ConfigurationKey, value: unknown): string {
  if (secretKeys.has(key)) return '***'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return key === 'upstream.url' ? shownList(value) : '(a list)'
  if (typeof value !== 'string') return '(not text or a number)'
  // A URL that was put under the wrong key hides its password too.
  const text =
    key === 'upstream.url' || value.includes('@') || value.includes('://') ? redactUrl(value) : value
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

function shownList(values: readonly unknown[]): string {
  return `[${values.map((value) => (Array.isArray(value) ? '(a list)' : shown('upstream.url', value))).join(', ')}]`
}

function toSettings(values: ConfigurationValues, endpoints: Settings['upstream']['endpoints']): Settings {
  const { listen, tls, upstream, upstream_tls: upstreamTls, pool, client, management, shutdown, log } = values
  const keys = sourcesIn(tls.key)
  return {
    listen: {
      address: listen.address,
      enabled: listen.enabled,
      port: listen.port,
      proxyProtocolFrom: parseNetworks(listen.proxy_protocol_from),
    },
    tls: {
      enabled: tls.enabled,
      port: tls.port,
      certificates: sourcesIn(tls.cert).map((cert, at) => ({
        cert: new Secret(cert),
        key: new Secret(keys[at]),
      })),
      ca: tls.ca === '' ? undefined : new Secret(tls.ca),
      clientCertificates: clientCertificates(values),
      minVersion: tls.min_version,
      externalName: tls.external_name,
      externalLogins: parseExternalLogins(tls.external_logins),
    },
    upstreamTls: {
      ca: upstreamTls.ca === '' ? undefined : new Secret(upstreamTls.ca),
      client:
        upstreamTls.client_cert === ''
          ? undefined
          : { cert: new Secret(upstreamTls.client_cert), key: new Secret(upstreamTls.client_key) },
      serverName: upstreamTls.server_name === '' ? undefined : upstreamTls.server_name,
      skipVerify: upstreamTls.skip_verify,
    },
    upstream: {
      endpoints,
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

function readText(path: string): string {
  return readFileSync(path, 'utf8')
}
