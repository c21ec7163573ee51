/** Warren inside another program, with adapters of that program's own where it brings any. */
import { ConfigurationError } from '../adapters/config/configuration-error.js'
import type { ManagementServer } from '../adapters/http/management-server.js'
import { WinstonLogger } from '../adapters/logging/winston-logger.js'
import { BothMetrics } from '../adapters/metrics/both-metrics.js'
import { PrometheusMetrics } from '../adapters/metrics/prometheus-metrics.js'
import { identifiers } from '../application/identifiers.js'
import type { Limits } from '../application/operations/limits.js'
import type { Operations } from '../application/operations/operations.js'
import type { Overview } from '../application/operations/overview.js'
import type { Clock } from '../application/ports/clock.js'
import type { CredentialSource } from '../application/ports/credential-source.js'
import type { Dialer } from '../application/ports/dialer.js'
import type { Journal } from '../application/ports/journal.js'
import type { BoundAddress, Listener } from '../application/ports/listener.js'
import type { LogLevels } from '../application/ports/log-levels.js'
import type { Logger } from '../application/ports/logger.js'
import type { Metrics, MetricsSink } from '../application/ports/metrics.js'
import type { BoundAddresses, Proxy, ShutdownReport } from '../application/proxy.js'
import { type Settings, journalDirectory } from '../application/settings.js'
import { product } from '../product.js'
import { createContainer, createManagementServer } from './container.js'

/** What stands behind the ports; whatever is left out is what the program `warren` uses. */
export interface Adapters {
  /** With LogLevels, `/log` shows and changes the level. */
  readonly logger?: Logger & Partial<LogLevels>
  /** Hears what Warren counts, beside `/metrics`. One that extends PrometheusMetrics is what `/metrics` shows. */
  readonly metrics?: MetricsSink
  readonly listener?: Listener
  readonly dialer?: Dialer
  readonly clock?: Clock
  /** Where buffered messages outlive the process; nowhere if left out. */
  readonly journal?: Journal
  /** Knows the passwords of users whose messages an earlier run has left in the journal; the settings do if it's left out. */
  readonly credentials?: CredentialSource
}

/** Where Warren listens: for clients without and with TLS, and for operators. Undefined is what the settings leave out. */
export interface Addresses extends BoundAddresses {
  readonly management: BoundAddress | undefined
}

/** A Warren that this program runs. */
export interface Warren {
  /** Listens, with a management server where the settings enable one. Rejects when an address can't be had. To be called once. */
  start(): Promise<Addresses>
  /** What SIGTERM does to the program: lets clients finish, then ends everything. May be called again. */
  shutDown(): Promise<ShutdownReport>
  readonly overview: Overview
  readonly operations: Operations
  readonly limits: Limits
}

/**
 * A Warren that doesn't listen yet. Signals and the end of the process are the caller's business. Throws a
 * {@link ConfigurationError} if the settings want a journal and there is none.
 */
export function createWarren(settings: Settings, adapters: Adapters = {}): Warren {
  const { logger = WinstonLogger.create(settings.log), metrics, listener, dialer, clock } = adapters
  const { journal, credentials } = adapters
  if (journal === undefined && journalDirectory(settings) !== undefined)
    throw new ConfigurationError(
      'pool.publish_buffer_dir keeps nothing by itself: give createWarren a journal, such as FileJournal, or leave it out',
    )
  const container = createContainer({ settings, logger, product, journal, credentials })
  for (const [identifier, adapter] of [
    [identifiers.Metrics, metrics && scrapedToo(metrics)],
    [identifiers.Listener, listener],
    [identifiers.Dialer, dialer],
    [identifiers.Clock, clock],
  ] as const)
    if (adapter !== undefined) container.rebind<unknown>(identifier).toConstantValue(adapter)
  const proxy = container.get<Proxy>(identifiers.Proxy)
  let management: ManagementServer | undefined
  return {
    overview: container.get<Overview>(identifiers.Overview),
    operations: container.get<Operations>(identifiers.Operations),
    limits: container.get<Limits>(identifiers.Limits),
    async start() {
      const { enabled, address, port } = settings.management
      if (enabled) management = await createManagementServer(container)
      const managementAddress = await management?.listen(address, port)
      try {
        return { ...(await proxy.start()), management: managementAddress }
      } catch (error) {
        await management?.close()
        throw error
      }
    },
    async shutDown() {
      const report = await proxy.shutDown()
      await management?.close()
      return report
    },
  }
}

/** The program's own metrics in such a way that operators still have theirs. */
function scrapedToo(metrics: MetricsSink): Metrics {
  return metrics instanceof PrometheusMetrics ? metrics : new BothMetrics(new PrometheusMetrics(), metrics)
}
