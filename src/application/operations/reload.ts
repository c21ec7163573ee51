/** What of a changed configuration can be applied to the Warren that runs. */
import { inject, injectable, optional } from 'inversify'
import { isRefusal } from '../../domain/policy/connection-limit.js'
import type { Certificates } from './certificates.js'
import { identifiers } from '../identifiers.js'
import type { Limits } from './limits.js'
import type { LogLevels } from '../ports/log-levels.js'
import type { Logger } from '../ports/logger.js'
import type { SettingsSource } from '../ports/settings-source.js'
import type { Settings } from '../settings.js'
import { reasonOf } from '../upstream/upstream-errors.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Keys that are read where they are used: what connects or ends from then on has the new value. */
const READ_WHEN_USED: Readonly<Record<string, (from: Settings, to: Settings) => void>> = {
  'client.handshake_timeout': (from, to) =>
    (write(to.client).handshakeTimeout = from.client.handshakeTimeout),
  'client.max_buffer_bytes': (from, to) => (write(to.client).maxBufferBytes = from.client.maxBufferBytes),
  'client.max_message_bytes': (from, to) => (write(to.client).maxMessageBytes = from.client.maxMessageBytes),
  'client.max_table_depth': (from, to) => (write(to.client).maxTableDepth = from.client.maxTableDepth),
  'client.channel_max': (from, to) => (write(to.client).channelMax = from.client.channelMax),
  'client.frame_max': (from, to) => (write(to.client).frameMax = from.client.frameMax),
  'client.heartbeat': (from, to) => (write(to.client).heartbeat = from.client.heartbeat),
  'upstream.connect_timeout': (from, to) =>
    (write(to.upstream).connectTimeout = from.upstream.connectTimeout),
  'upstream.heartbeat': (from, to) => (write(to.upstream).heartbeat = from.upstream.heartbeat),
  'shutdown.grace': (from, to) => (write(to.shutdown).grace = from.shutdown.grace),
  'shutdown.timeout': (from, to) => (write(to.shutdown).timeout = from.shutdown.timeout),
  'management.token': (from, to) => (write(to.management).token = from.management.token),
  'management.read_token': (from, to) => (write(to.management).readToken = from.management.readToken),
  'pool.replay_logins': (from, to) => (write(to.pool).replayLogins = from.pool.replayLogins),
  'tls.external_name': (from, to) => (write(to.tls).externalName = from.tls.externalName),
  'tls.external_logins': (from, to) => (write(to.tls).externalLogins = from.tls.externalLogins),
}

/** Only a restart can take one away: the address that is bound may need it, and stays bound. */
const TOKENS: Readonly<Record<string, 'token' | 'readToken'>> = {
  'management.token': 'token',
  'management.read_token': 'readToken',
}

/** In the place of a reason: the key can be applied by a restart alone. */
const RESTART = 'restart'

/** Applied together, all or none of them. What they name is read anew even when none of them has changed. */
const CERTIFICATE_KEYS: ReadonlySet<string> = new Set([
  'tls.cert',
  'tls.key',
  'tls.ca',
  'tls.client_certificates',
  'tls.min_version',
  'upstream_tls.ca',
  'upstream_tls.client_cert',
  'upstream_tls.client_key',
  'upstream_tls.server_name',
  'upstream_tls.skip_verify',
])

/** The keys that {@link Reload} can apply. */
export const liveKeys: ReadonlySet<string> = new Set([
  ...Object.keys(READ_WHEN_USED),
  ...CERTIFICATE_KEYS,
  'log.level',
  'pool.max_upstream_connections',
  'pool.max_client_connections',
])

/** What became of the changed keys. */
export interface ReloadReport {
  readonly applied: readonly string[]
  readonly needsRestart: readonly string[]
  /** Keys that could be changed, but not to this value now, with the reason. */
  readonly refused: readonly string[]
}

/** Applies what can be applied, each key for itself; the rest is named, and stays as it was. */
@injectable()
export class Reload {
  readonly #settings: Settings
  readonly #limits: Limits
  readonly #levels: LogLevels | undefined
  readonly #logger: Logger
  readonly #certificates: Certificates
  readonly #source: SettingsSource | undefined

  constructor(
    @inject(identifiers.Settings) settings: Settings,
    @inject(identifiers.Limits) limits: Limits,
    @inject(identifiers.LogLevels) @optional() levels: LogLevels | undefined,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Certificates) certificates: Certificates,
    @inject(identifiers.SettingsSource) @optional() source: SettingsSource | undefined,
  ) {
    this.#settings = settings
    this.#limits = limits
    this.#levels = levels
    this.#logger = logger
    this.#certificates = certificates
    this.#source = source
  }

  /** Reads configuration and certificates again, and applies what can be applied. Returns why not, when nothing could even be read. */
  run(): ReloadReport | string {
    if (this.#source === undefined) return 'there is nothing to read the configuration from'
    try {
      const { settings, changed } = this.#source.read()
      const report = this.apply(settings, changed)
      this.#source.accept(report.applied)
      return report
    } catch (error) {
      const reason = reasonOf(error)
      this.#logger.error('configuration not reloaded', { reason })
      return reason
    }
  }

  /** Applies what it can of `settings`; `changed` names the keys in which they differ from what was loaded before. */
  apply(settings: Settings, changed: readonly string[]): ReloadReport {
    const applied: string[] = []
    const needsRestart: string[] = []
    const refused: string[] = []
    const badCertificates = this.#reloadCertificates(settings)
    const hasCertificateKey = changed.some((key) => CERTIFICATE_KEYS.has(key))
    if (badCertificates !== undefined && !hasCertificateKey) refused.push(badCertificates)
    for (const key of changed) {
      const reason = CERTIFICATE_KEYS.has(key) ? badCertificates : this.#applyOne(key, settings)
      if (reason === undefined) applied.push(key)
      else if (reason === RESTART) needsRestart.push(key)
      else refused.push(`${key}: ${reason}`)
    }
    const report = { applied, needsRestart, refused }
    if (refused.length > 0) this.#logger.warn('configuration reloaded, but for what was refused', report)
    else this.#logger.info('configuration reloaded', report)
    return report
  }

  /** Returns why not, if it can't be done. A listener with TLS comes and goes with a restart only. */
  #reloadCertificates(settings: Settings): string | undefined {
    const { enabled } = this.#settings.tls
    if (enabled && !settings.tls.enabled) return undefined
    return this.#certificates.reload({ ...settings, tls: { ...settings.tls, enabled } })
  }

  /** Returns why not, or RESTART. */
  #applyOne(key: string, settings: Settings): string | undefined {
    const token = TOKENS[key]
    if (token !== undefined && settings.management[token] === undefined) return RESTART
    const write = READ_WHEN_USED[key]
    if (write !== undefined) write(settings, this.#settings)
    else if (key === 'log.level') {
      if (this.#levels === undefined) return 'this logger has no level that Warren could change'
      this.#levels.setLevel(settings.log.level)
    } else if (key === 'pool.max_upstream_connections')
      this.#limits.upstreamLimit = settings.pool.maxUpstreamConnections
    else if (key === 'pool.max_client_connections')
      return this.#limitClients(settings.pool.maxClientConnections)
    else return RESTART
    return undefined
  }

  #limitClients(limit: number): string | undefined {
    const outcome = limit === 0 ? this.#limits.lift('reload') : this.#limits.set(limit, 'reload')
    return isRefusal(outcome) ? outcome.reason : undefined
  }
}

/** The settings are one object for the whole of Warren; nobody else writes into it. */
function write<T>(section: T): Writable<T> {
  return section
}
