/** Puts the supervisor of several workers together. */
import type { FileCertificateStore } from '../adapters/tls/file-certificate-store.js'
import { ManagementServer } from '../adapters/http/management-server.js'
import { NodeProcessFigures } from '../adapters/metrics/node-process-figures.js'
import { WorkersMetrics } from '../adapters/workers/workers-metrics.js'
import { Certificates } from '../application/operations/certificates.js'
import { Limits } from '../application/operations/limits.js'
import type { Clock } from '../application/ports/clock.js'
import type { Logger } from '../application/ports/logger.js'
import type { LogLevels } from '../application/ports/log-levels.js'
import type { Metrics } from '../application/ports/metrics.js'
import type { Reloading } from '../application/ports/management.js'
import type { SettingsSource } from '../application/ports/settings-source.js'
import type { WorkerProcesses } from '../application/ports/worker-processes.js'
import type { Product } from '../application/product.js'
import { Reload } from '../application/operations/reload.js'
import type { LogLevel, Settings } from '../application/settings.js'
import { Supervisor } from '../application/workers/supervisor.js'
import { WorkersControls } from '../application/workers/workers-controls.js'
import { WorkersReadiness } from '../application/workers/workers-readiness.js'
import { WorkersReload } from '../application/workers/workers-reload.js'
import { WorkersSight } from '../application/workers/workers-sight.js'

/** What is decided before anything can be put together. */
export interface SupervisionNeeds {
  readonly count: number
  readonly settings: Settings
  readonly logger: Logger & LogLevels
  readonly product: Product
  readonly certificates: FileCertificateStore
  readonly source: SettingsSource
  readonly processes: WorkerProcesses
  readonly clock: Clock
  /** What the workers need to read the configuration that the supervisor has read last. */
  readonly filesForWorkers: () => unknown
}

/** What a process with workers consists of, beside them. */
export interface Supervision {
  readonly metrics: Pick<Metrics, 'unexpectedError'>
  readonly supervisor: Supervisor
  readonly limits: Limits
  readonly certificates: Certificates
  readonly reload: Reloading
  /** It doesn't listen yet. */
  createManagementServer(): Promise<ManagementServer>
}

/** Puts the supervisor together with what it needs; nothing is started. */
export function createSupervision(needs: SupervisionNeeds): Supervision {
  const { count, settings, logger, product, processes, clock, source, filesForWorkers } = needs
  const limits = new Limits(settings, clock, logger)
  const certificates = new Certificates(needs.certificates, clock, logger)
  const metrics = new WorkersMetrics()
  const supervisor = new Supervisor({
    count,
    processes,
    limits,
    settings,
    clock,
    logger,
    random: Math.random,
    metrics,
  })
  const logLevels: LogLevels = {
    get level() {
      return logger.level
    },
    setLevel: (level: LogLevel) => {
      logger.setLevel(level)
      supervisor.tellAll('level', level)
    },
  }
  const reload = new WorkersReload(
    supervisor,
    new Reload(settings, limits, logLevels, logger, certificates, source),
    filesForWorkers,
  )
  const figures = new NodeProcessFigures()
  const sight = new WorkersSight(supervisor, {
    limits,
    clock,
    product,
    certificates,
    figures,
    refusals: () => metrics.refusals,
  })
  supervisor.onFarewell = ({ number, summary, metrics: counted }) => {
    sight.onFarewell(number, summary)
    metrics.onFarewell(number, counted)
  }
  supervisor.onGone = (number) => {
    sight.onGone(number)
    metrics.onGone(number)
  }
  supervisor.onReady = (number) => void supervisor.ask(number, 'level', logger.level).catch(() => undefined)
  metrics.observe(supervisor, () => limits.clients.limit)
  return {
    metrics,
    supervisor,
    limits,
    certificates,
    reload,
    createManagementServer: () =>
      ManagementServer.create(
        {
          overview: sight,
          operations: new WorkersControls(supervisor, limits, settings),
          limits,
          readiness: new WorkersReadiness(supervisor, certificates),
          reload,
          logLevels,
          workers: { views: () => supervisor.workers, restart: () => supervisor.restartWorkers() },
          metrics: { contentType: metrics.contentType, render: () => metrics.render(supervisor) },
        },
        settings.management,
        product,
      ),
  }
}
