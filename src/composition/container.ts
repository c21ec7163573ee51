/** Puts Warren together: which adapter stands behind which port. */
import 'reflect-metadata'
import { Container } from 'inversify'
import { SystemClock } from '../adapters/clock/system-clock.js'
import { ConfiguredCredentials } from '../adapters/credentials/configured-credentials.js'
import { createSaltedHash } from '../adapters/crypto/salted-hash.js'
import { NetDialer } from '../adapters/net/net-dialer.js'
import { NetListener } from '../adapters/net/net-listener.js'
import type { ReceptionOptions } from '../adapters/net/reception.js'
import { TrustedProxies } from '../adapters/net/trusted-proxies.js'
import { FileCertificateStore } from '../adapters/tls/file-certificate-store.js'
import { TlsDialer } from '../adapters/tls/tls-dialer.js'
import { TlsEntrance } from '../adapters/tls/tls-entrance.js'
import { AcceptedLogins } from '../application/upstream/accepted-logins.js'
import { Admission } from '../application/client/admission.js'
import { Certificates } from '../application/operations/certificates.js'
import type { SettingsSource } from '../application/ports/settings-source.js'
import { BrokerProfile } from '../application/upstream/broker-profile.js'
import { GroupCommit } from '../application/publishing/group-commit.js'
import { Heartbeats } from '../application/heartbeats.js'
import { identifiers } from '../application/identifiers.js'
import { Limits } from '../application/operations/limits.js'
import { PoolDirectory } from '../application/upstream/pool-directory.js'
import type { CredentialSource } from '../application/ports/credential-source.js'
import type { Journal } from '../application/ports/journal.js'
import type { Listener } from '../application/ports/listener.js'
import type { Logger } from '../application/ports/logger.js'
import type { LogLevels } from '../application/ports/log-levels.js'
import type { Sight, Workers } from '../application/ports/management.js'
import type { Metrics } from '../application/ports/metrics.js'
import type { ProcessFigures } from '../application/ports/process-figures.js'
import { MinuteSummary } from '../application/operations/minute-summary.js'
import { Operations } from '../application/operations/operations.js'
import { Overview } from '../application/operations/overview.js'
import { Leftovers } from '../application/publishing/leftovers.js'
import { RefusedMessages } from '../application/publishing/refused-messages.js'
import { Replay } from '../application/publishing/replay.js'
import { Readiness } from '../application/operations/readiness.js'
import { Reload } from '../application/operations/reload.js'
import { Traffic } from '../application/traffic.js'
import { ManagementServer } from '../adapters/http/management-server.js'
import { NodeProcessFigures } from '../adapters/metrics/node-process-figures.js'
import { BothMetrics } from '../adapters/metrics/both-metrics.js'
import { PrometheusMetrics } from '../adapters/metrics/prometheus-metrics.js'
import type { Product } from '../application/product.js'
import { Proxy } from '../application/proxy.js'
import { Quarantine } from '../application/client/quarantine.js'
import type { Settings } from '../application/settings.js'
import { Trials } from '../application/upstream/trials.js'
import { UnfinishedBytes } from '../application/client/unfinished-bytes.js'
import type { WorkerSummary } from '../application/workers/workers-sight.js'
import { UpstreamConnector } from '../application/upstream/upstream-connector.js'

/** What is decided before anything can be put together. */
export interface Given {
  readonly settings: Settings
  /** Whose level can be changed only if it's one of LogLevels too. */
  readonly logger: Logger & Partial<LogLevels>
  readonly product: Product
  /** Where messages outlive the process; undefined: nowhere. */
  readonly journal?: Journal | undefined
  /** Who knows the passwords of users whose messages are in the journal; without one, the settings do. */
  readonly credentials?: CredentialSource | undefined
  /** Without one, certificates are read as the settings say. */
  readonly certificates?: FileCertificateStore | undefined
  /** Where settings are read again; undefined: nowhere. */
  readonly source?: SettingsSource | undefined
  /** Where clients come from; without it they are accepted here. */
  readonly listener?: ((options: ReceptionOptions) => Listener) | undefined
}

/** A container from which `identifiers.Proxy` can be had. Tests rebind ports before they ask for it. */
export function createContainer(given: Given): Container {
  const { settings, logger, product, journal, source } = given
  const { certificates = new FileCertificateStore(settings) } = given
  const { credentials = new ConfiguredCredentials(settings) } = given
  const { listener = (options) => new NetListener(options) } = given
  const container = new Container({ defaultScope: 'Singleton' })
  container.bind(identifiers.Settings).toConstantValue(settings)
  container.bind(identifiers.Logger).toConstantValue(logger)
  container.bind(identifiers.Product).toConstantValue(product)
  if (journal !== undefined) {
    container.bind(identifiers.Journal).toConstantValue(journal)
    container.bind(identifiers.GroupCommit).to(GroupCommit)
  }
  container.bind(identifiers.Random).toConstantValue(Math.random)
  container.bind(identifiers.Clock).to(SystemClock)
  if (source !== undefined) container.bind(identifiers.SettingsSource).toConstantValue(source)
  container.bind(identifiers.Certificates).to(Certificates)
  container.bind(identifiers.CertificateStore).toConstantValue(certificates)
  container.bind(identifiers.Dialer).toConstantValue(new TlsDialer(new NetDialer(), certificates))
  const proxies =
    settings.listen.proxyProtocolFrom.length === 0
      ? undefined
      : new TrustedProxies(settings.listen.proxyProtocolFrom)
  const approach = {
    proxies,
    limitMs: () => settings.client.handshakeTimeout * 1000,
    mostPending: settings.client.maxPending,
  }
  container.bind(identifiers.Listener).toConstantValue(listener(approach))
  if (settings.tls.enabled) {
    const entrance = new TlsEntrance(certificates)
    container.bind(identifiers.TlsListener).toConstantValue(listener({ ...approach, entrance }))
  }
  container.bind(identifiers.Heartbeats).to(Heartbeats)
  container.bind(identifiers.BrokerProfile).to(BrokerProfile)
  container.bind(identifiers.UpstreamConnector).to(UpstreamConnector)
  if (hasLevels(logger)) container.bind(identifiers.LogLevels).toConstantValue(logger)
  container.bind(identifiers.Metrics).to(PrometheusMetrics)
  container.bind(identifiers.ProcessFigures).to(NodeProcessFigures)
  container.bind(identifiers.Traffic).to(Traffic)
  container.bind(identifiers.Overview).to(Overview)
  container.bind(identifiers.Operations).to(Operations)
  container.bind(identifiers.Readiness).to(Readiness)
  container.bind(identifiers.MinuteSummary).to(MinuteSummary)
  container.bind(identifiers.Reload).to(Reload)
  container.bind(identifiers.Limits).to(Limits)
  container.bind(identifiers.Admission).to(Admission)
  container.bind(identifiers.SecretHash).toConstantValue(createSaltedHash())
  container.bind(identifiers.AcceptedLogins).to(AcceptedLogins)
  container.bind(identifiers.Trials).to(Trials)
  container.bind(identifiers.Quarantine).to(Quarantine)
  container.bind(identifiers.UnfinishedBytes).to(UnfinishedBytes)
  container.bind(identifiers.RefusedMessages).to(RefusedMessages)
  container.bind(identifiers.Leftovers).to(Leftovers)
  container.bind(identifiers.CredentialSource).toConstantValue(credentials)
  container.bind(identifiers.Replay).to(Replay)
  container.bind(identifiers.PoolDirectory).to(PoolDirectory)
  container.bind(identifiers.Proxy).to(Proxy)
  return container
}

function hasLevels(logger: Partial<LogLevels>): logger is LogLevels {
  return typeof logger.setLevel === 'function' && typeof logger.level === 'string'
}

/** What of a single process can be asked for beside what is in `overview`. */
export function overviewWithProcess(
  overview: Overview,
  figures: ProcessFigures,
): Omit<Sight, 'summary'> & { summary(): WorkerSummary } {
  return {
    stats: () => overview.stats(),
    clients: () => overview.clients(),
    upstreams: () => overview.upstreams(),
    pools: () => overview.pools(),
    aside: () => overview.aside(),
    summary: () => {
      const { p50, p99 } = figures.takeEventLoopLag()
      const { residentBytes, cpuSeconds } = figures
      return {
        ...overview.summary(),
        process: { eventLoopLagP50Seconds: p50, eventLoopLagP99Seconds: p99, residentBytes, cpuSeconds },
      }
    },
  }
}

/** One process is there for everything. */
const NO_WORKERS: Workers = {
  views: () => [],
  restart: () => ({ refused: 'conflict', reason: 'there are no workers to restart: Warren is one process' }),
}

/** The management server for what is in `container`, which doesn't listen yet. */
export function createManagementServer(container: Container): Promise<ManagementServer> {
  const overview = container.get<Overview>(identifiers.Overview)
  const bound = container.get<Metrics>(identifiers.Metrics)
  const counted = bound instanceof BothMetrics ? bound.scraped : bound
  // Where a test counts, there is still the overview to see.
  const metrics = counted instanceof PrometheusMetrics ? counted : new PrometheusMetrics()
  metrics.observe(overview)
  return ManagementServer.create(
    {
      overview: overviewWithProcess(overview, container.get<ProcessFigures>(identifiers.ProcessFigures)),
      operations: container.get<Operations>(identifiers.Operations),
      limits: container.get<Limits>(identifiers.Limits),
      readiness: container.get<Readiness>(identifiers.Readiness),
      reload: container.get<Reload>(identifiers.Reload),
      logLevels: container.get<LogLevels>(identifiers.LogLevels, { optional: true }),
      workers: NO_WORKERS,
      metrics,
    },
    container.get<Settings>(identifiers.Settings).management,
    container.get<Product>(identifiers.Product),
  )
}
