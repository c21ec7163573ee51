/** Puts Warren together: which adapter stands behind which port. */
import 'reflect-metadata'
import { Container } from 'inversify'
import { SystemClock } from '../adapters/clock/system-clock.js'
import { ConfiguredCredentials } from '../adapters/credentials/configured-credentials.js'
import { createSaltedHash } from '../adapters/crypto/salted-hash.js'
import { ManagementServer } from '../adapters/http/management-server.js'
import { NodeProcessFigures } from '../adapters/metrics/node-process-figures.js'
import { BothMetrics } from '../adapters/metrics/both-metrics.js'
import { PrometheusMetrics } from '../adapters/metrics/prometheus-metrics.js'
import { NetDialer } from '../adapters/net/net-dialer.js'
import { NetListener } from '../adapters/net/net-listener.js'
import type { ReceptionOptions } from '../adapters/net/reception.js'
import { TrustedProxies } from '../adapters/net/trusted-proxies.js'
import { FileCertificateStore } from '../adapters/tls/file-certificate-store.js'
import { TlsDialer } from '../adapters/tls/tls-dialer.js'
import { TlsEntrance } from '../adapters/tls/tls-entrance.js'
import { Admission } from '../application/client/admission.js'
import { Quarantine } from '../application/client/quarantine.js'
import { UnfinishedBytes } from '../application/client/unfinished-bytes.js'
import { Heartbeats } from '../application/heartbeats.js'
import { identifiers } from '../application/identifiers.js'
import { Certificates } from '../application/operations/certificates.js'
import { Limits } from '../application/operations/limits.js'
import { MinuteSummary } from '../application/operations/minute-summary.js'
import { Operations } from '../application/operations/operations.js'
import { Overview } from '../application/operations/overview.js'
import { ProcessSight } from '../application/operations/process-sight.js'
import { Readiness } from '../application/operations/readiness.js'
import { Reload } from '../application/operations/reload.js'
import type { CredentialSource } from '../application/ports/credential-source.js'
import type { Journal } from '../application/ports/journal.js'
import type { Listener } from '../application/ports/listener.js'
import type { LogLevels } from '../application/ports/log-levels.js'
import type { Logger } from '../application/ports/logger.js'
import type { Metrics } from '../application/ports/metrics.js'
import type { ProcessFigures } from '../application/ports/process-figures.js'
import type { SettingsSource } from '../application/ports/settings-source.js'
import type { Product } from '../application/product.js'
import { Proxy } from '../application/proxy.js'
import { GroupCommit } from '../application/publishing/group-commit.js'
import { Leftovers } from '../application/publishing/leftovers.js'
import { RefusedMessages } from '../application/publishing/refused-messages.js'
import { Replay } from '../application/publishing/replay.js'
import type { Settings } from '../application/settings.js'
import { Traffic } from '../application/traffic.js'
import { AcceptedLogins } from '../application/upstream/accepted-logins.js'
import { BrokerProfile } from '../application/upstream/broker-profile.js'
import { PoolDirectory } from '../application/upstream/pool-directory.js'
import { Trials } from '../application/upstream/trials.js'
import { UpstreamConnector } from '../application/upstream/upstream-connector.js'
import { NO_WORKERS } from '../application/workers/no-workers.js'

/** What is decided before anything can be put together. */
export interface ContainerNeeds {
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

/** A container from which `identifiers.Proxy` can be had. Tests and `createWarren` rebind ports before they ask for it. */
export function createContainer(needs: ContainerNeeds): Container {
  const container = new Container({ defaultScope: 'Singleton' })
  const { certificates = new FileCertificateStore(needs.settings) } = needs
  bindNeeds(container, needs)
  bindNetwork(container, needs, certificates)
  bindAdapters(container, certificates)
  bindApplication(container)
  return container
}

function bindNeeds(container: Container, needs: ContainerNeeds): void {
  const { settings, logger, product, journal, source } = needs
  const { credentials = new ConfiguredCredentials(settings) } = needs
  container.bind(identifiers.Settings).toConstantValue(settings)
  container.bind(identifiers.Logger).toConstantValue(logger)
  if (hasLevels(logger)) container.bind(identifiers.LogLevels).toConstantValue(logger)
  container.bind(identifiers.Product).toConstantValue(product)
  container.bind(identifiers.CredentialSource).toConstantValue(credentials)
  if (source !== undefined) container.bind(identifiers.SettingsSource).toConstantValue(source)
  if (journal === undefined) return
  container.bind(identifiers.Journal).toConstantValue(journal)
  container.bind(identifiers.GroupCommit).to(GroupCommit)
}

/** How clients come in, and how the broker is reached. */
function bindNetwork(
  container: Container,
  { settings, listener = (options) => new NetListener(options) }: ContainerNeeds,
  certificates: FileCertificateStore,
): void {
  const { listen, client, tls } = settings
  const networks = listen.proxyProtocolFrom
  const reception = {
    proxies: networks.length === 0 ? undefined : new TrustedProxies(networks),
    limitMs: () => client.handshakeTimeout * 1000,
    mostPending: client.maxPending,
  }
  container.bind(identifiers.Listener).toConstantValue(listener(reception))
  if (tls.enabled) {
    const entrance = new TlsEntrance(certificates)
    container.bind(identifiers.TlsListener).toConstantValue(listener({ ...reception, entrance }))
  }
  container.bind(identifiers.Dialer).toConstantValue(new TlsDialer(new NetDialer(), certificates))
}

function bindAdapters(container: Container, certificates: FileCertificateStore): void {
  container.bind(identifiers.CertificateStore).toConstantValue(certificates)
  container.bind(identifiers.Clock).to(SystemClock)
  container.bind(identifiers.Metrics).to(PrometheusMetrics)
  container.bind(identifiers.ProcessFigures).to(NodeProcessFigures)
  container.bind(identifiers.Random).toConstantValue(Math.random)
  container.bind(identifiers.SecretHash).toConstantValue(createSaltedHash())
}

function bindApplication(container: Container): void {
  container.bind(identifiers.AcceptedLogins).to(AcceptedLogins)
  container.bind(identifiers.Admission).to(Admission)
  container.bind(identifiers.BrokerProfile).to(BrokerProfile)
  container.bind(identifiers.Certificates).to(Certificates)
  container.bind(identifiers.Heartbeats).to(Heartbeats)
  container.bind(identifiers.Leftovers).to(Leftovers)
  container.bind(identifiers.Limits).to(Limits)
  container.bind(identifiers.MinuteSummary).to(MinuteSummary)
  container.bind(identifiers.Operations).to(Operations)
  container.bind(identifiers.Overview).to(Overview)
  container.bind(identifiers.PoolDirectory).to(PoolDirectory)
  container.bind(identifiers.Proxy).to(Proxy)
  container.bind(identifiers.Quarantine).to(Quarantine)
  container.bind(identifiers.Readiness).to(Readiness)
  container.bind(identifiers.RefusedMessages).to(RefusedMessages)
  container.bind(identifiers.Reload).to(Reload)
  container.bind(identifiers.Replay).to(Replay)
  container.bind(identifiers.Traffic).to(Traffic)
  container.bind(identifiers.Trials).to(Trials)
  container.bind(identifiers.UnfinishedBytes).to(UnfinishedBytes)
  container.bind(identifiers.UpstreamConnector).to(UpstreamConnector)
}

function hasLevels(logger: Partial<LogLevels>): logger is LogLevels {
  return typeof logger.setLevel === 'function' && typeof logger.level === 'string'
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
      overview: new ProcessSight(overview, container.get<ProcessFigures>(identifiers.ProcessFigures)),
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
