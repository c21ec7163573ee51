/** What a worker does: everything that Warren does for its clients, who are handed over by the supervisor. */
import type { Socket } from 'node:net'
import type { Container } from 'inversify'
import type { FileSnapshot } from '../adapters/config/file-snapshot.js'
import { WinstonLogger } from '../adapters/logging/winston-logger.js'
import type { PrometheusMetrics } from '../adapters/metrics/prometheus-metrics.js'
import { FileCertificateStore } from '../adapters/tls/file-certificate-store.js'
import { type ConnectionMessage, HandedListener, HandedSockets } from '../adapters/workers/handed-sockets.js'
import type { StartMessage } from '../adapters/workers/start-message.js'
import { WorkerSettings, load } from '../adapters/workers/worker-settings.js'
import { identifiers } from '../application/identifiers.js'
import type { MinuteSummary } from '../application/operations/minute-summary.js'
import type { Operations } from '../application/operations/operations.js'
import type { Overview } from '../application/operations/overview.js'
import { ProcessSight } from '../application/operations/process-sight.js'
import { CertificateError } from '../application/ports/certificate-store.js'
import type { LogLevels } from '../application/ports/log-levels.js'
import type { Sight } from '../application/ports/management.js'
import type { ProcessFigures } from '../application/ports/process-figures.js'
import type { FromWorker, Question, ToWorker } from '../application/ports/worker-processes.js'
import type { Proxy, ShutdownReport } from '../application/proxy.js'
import type { Replay } from '../application/publishing/replay.js'
import type { Readiness } from '../application/operations/readiness.js'
import type { Reload } from '../application/operations/reload.js'
import type { LogLevel, Settings } from '../application/settings.js'
import { reasonOf } from '../application/upstream/upstream-errors.js'
import type { WorkerOrder } from '../application/workers/workers-controls.js'
import { createContainer } from '../composition/container.js'
import { product } from '../product.js'
import { logBugs } from './bugs.js'
import { EXIT_FAILURE, EXIT_OK } from './exit-codes.js'
import { openJournal } from './journals.js'
import { loadCertificates } from './startup.js'

// Without its supervisor nobody counts its clients, or could end it.
process.on('disconnect', () => process.exit(EXIT_FAILURE))

function tell(message: FromWorker, onSent: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, onSent)
}

/** The certificates as they were at the last reload; the files of the start may be gone by now. */
function certificatesFor(settings: Settings, start: StartMessage): FileCertificateStore {
  if (start.reloaded === undefined) return loadCertificates(settings)
  const { tls, upstreamTls } = load(start, start.reloaded).settings
  try {
    return new FileCertificateStore({
      ...settings,
      tls: { ...tls, enabled: settings.tls.enabled },
      upstreamTls,
    })
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    return loadCertificates(settings)
  }
}

async function run(start: StartMessage): Promise<void> {
  const source = new WorkerSettings(start)
  const settings = source.initial
  const logger = WinstonLogger.create(settings.log).child({ worker: start.number })
  const bugs = logBugs(logger)
  const certificates = certificatesFor(settings, start)
  const journal = await openJournal(settings, logger)
  const container = createContainer({
    settings,
    logger,
    product,
    journal,
    certificates,
    source,
    listener: (options) => new HandedListener(options),
  })
  const proxy = container.get<Proxy>(identifiers.Proxy)
  const sight = new ProcessSight(
    container.get<Overview>(identifiers.Overview),
    container.get<ProcessFigures>(identifiers.ProcessFigures),
  )
  const metrics = container.get<PrometheusMetrics>(identifiers.Metrics)
  bugs.countIn(metrics)
  metrics.observe(container.get<Overview>(identifiers.Overview))
  const answers = {
    ...answersOf(container, source, logger),
    ...sightOf(sight),
    metrics: () => metrics.asData(),
  }
  proxy.onShutDown = (report) => void endAfter(report, logger, sight, metrics)
  obey(container, answers)
  await proxy.start()
  if (start.reloaded !== undefined) answers.reload(start.reloaded)
  container.get<MinuteSummary>(identifiers.MinuteSummary).start()
  tell({ kind: 'ready' })
}

type Answers = Record<Question, (about: unknown) => unknown>

/** What operators see of this worker. */
function sightOf(sight: Sight): Pick<Answers, 'summary' | 'clients' | 'upstreams' | 'pools' | 'aside'> {
  return {
    summary: () => sight.summary(),
    clients: () => sight.clients(),
    upstreams: () => sight.upstreams(),
    pools: () => sight.pools(),
    aside: () => sight.aside(),
  }
}

/** What operators do to it, and are warned of. */
function answersOf(
  container: Container,
  source: WorkerSettings,
  logger: LogLevels,
): Pick<Answers, 'readiness' | 'warnings' | 'operation' | 'reload' | 'level' | 'pulse'> {
  return {
    readiness: () => container.get<Readiness>(identifiers.Readiness).reasons(),
    // The supervisor has the same certificates.
    warnings: () => container.get<Replay>(identifiers.Replay).warnings(),
    operation: (about) => {
      const { operation, id } = about as WorkerOrder
      return container.get<Operations>(identifiers.Operations)[operation](id)
    },
    reload: (files) => {
      source.files = files as FileSnapshot
      return container.get<Reload>(identifiers.Reload).run()
    },
    level: (level) => {
      logger.setLevel(level as LogLevel)
      return null
    },
    pulse: () => null,
  }
}

/** Takes clients and orders of the supervisor from now on. */
function obey(container: Container, answers: Answers): void {
  const proxy = container.get<Proxy>(identifiers.Proxy)
  const { tls } = container.get<Settings>(identifiers.Settings)
  const sockets = new HandedSockets((count) => tell({ kind: 'closed', count }))
  const plain = container.get<HandedListener>(identifiers.Listener)
  const secure = tls.enabled ? container.get<HandedListener>(identifiers.TlsListener) : undefined
  process.on('message', (message: ToWorker | ConnectionMessage, handle: unknown) => {
    switch (message.kind) {
      case 'connection':
        sockets.receive(handle as Socket | undefined, message.isTls ? secure : plain)
        break
      case 'drain':
        void proxy.shutDown(message.grace)
        break
      case 'ask':
        void answer(message, answers)
        break
    }
  })
}

async function answer(
  { id, question, about }: Extract<ToWorker, { kind: 'ask' }>,
  answers: Answers,
): Promise<void> {
  try {
    tell({ kind: 'answer', id, answer: (await answers[question](about)) ?? null })
  } catch (error) {
    tell({ kind: 'failure', id, reason: reasonOf(error) })
  }
}

/** Says goodbye with the last figures once the clients have gone, and ends the process. */
async function endAfter(
  report: Promise<ShutdownReport>,
  logger: WinstonLogger,
  sight: Sight,
  metrics: PrometheusMetrics,
): Promise<void> {
  const { cutOff, buffered } = await report.catch((error: unknown) => {
    logger.error('shutting down failed', { error })
    return { cutOff: 1, buffered: 0 }
  })
  tell({ kind: 'farewell', summary: sight.summary(), metrics: await metrics.asData() }, () =>
    process.exit(cutOff + buffered === 0 ? EXIT_OK : EXIT_FAILURE),
  )
}

process.once('message', (start: StartMessage) => {
  run(start).catch((error: unknown) => {
    process.stderr.write(
      `warren: worker ${start.number}: ${error instanceof Error ? error.stack : String(error)}\n`,
    )
    process.exit(EXIT_FAILURE)
  })
})
