/** What a worker does: everything that Warren does for its clients, who are handed over by the supervisor. */
import type { Socket } from 'node:net'
import { type LoadedSettings, loadSettings } from './adapters/config/load-settings.js'
import { type FileSnapshot, readFrom } from './adapters/config/file-snapshot.js'
import { RereadableSettings } from './adapters/config/rereadable-settings.js'
import { workerJournal } from './adapters/journal/worker-journals.js'
import { WinstonLogger } from './adapters/logging/winston-logger.js'
import type { PrometheusMetrics } from './adapters/metrics/prometheus-metrics.js'
import { FileCertificateStore } from './adapters/tls/file-certificate-store.js'
import { HandedListener, HandedSockets } from './adapters/workers/handed-sockets.js'
import type { StartMessage } from './adapters/workers/start-message.js'
import { identifiers } from './application/identifiers.js'
import type { MinuteSummary } from './application/operations/minute-summary.js'
import type { Operations } from './application/operations/operations.js'
import type { Overview } from './application/operations/overview.js'
import { CertificateError } from './application/ports/certificate-store.js'
import type { ProcessFigures } from './application/ports/process-figures.js'
import type { SettingsSource } from './application/ports/settings-source.js'
import type { FromWorker, Question, ToWorker } from './application/ports/worker-processes.js'
import type { Proxy } from './application/proxy.js'
import type { Replay } from './application/publishing/replay.js'
import type { Readiness } from './application/operations/readiness.js'
import type { Reload } from './application/operations/reload.js'
import type { LogLevel, Settings } from './application/settings.js'
import { reasonOf } from './application/upstream/upstream-errors.js'
import type { WorkerOrder } from './application/workers/workers-controls.js'
import { shareOf } from './domain/policy/shares.js'
import { createContainer, overviewWithProcess } from './composition/container.js'
import { EXIT_FAILURE, EXIT_OK, loadCertificates, logBugs, openJournal, product } from './startup.js'

// Without its supervisor nobody counts its clients, or could end it.
process.on('disconnect', () => process.exit(EXIT_FAILURE))

function tell(message: FromWorker, onSent: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, onSent)
}

/** What of the settings is this worker's part. */
function partOf(settings: Settings, { number, count }: StartMessage): Settings {
  const { pool, management } = settings
  const { publishBufferDir: directory, maxUpstreamConnections } = pool
  return {
    ...settings,
    // The supervisor limits clients, and is there for operators.
    management: { ...management, enabled: false },
    pool: {
      ...pool,
      maxClientConnections: 0,
      maxUpstreamConnections: shareOf(maxUpstreamConnections, number, count),
      publishBufferDir: directory === undefined ? undefined : workerJournal(directory, number),
    },
  }
}

/** What the supervisor has read, for the part that is this worker's. */
class SuppliedSettings implements SettingsSource {
  readonly #source: RereadableSettings
  readonly #start: StartMessage
  files: FileSnapshot

  constructor(loaded: LoadedSettings, start: StartMessage) {
    this.#source = new RereadableSettings(loaded, () => load(start, this.files))
    this.#start = start
    this.files = start.files
  }

  read(): { settings: Settings; changed: readonly string[] } {
    const { settings, changed } = this.#source.read()
    return {
      settings: partOf(settings, this.#start),
      changed: changed.filter((key) => key !== 'pool.max_client_connections'),
    }
  }

  accept(keys: readonly string[]): void {
    this.#source.accept(keys)
  }
}

function load({ argv, env, cwd }: StartMessage, files: FileSnapshot): LoadedSettings {
  return loadSettings({ argv, env, cwd, readFile: readFrom(files) })
}

/** As they were at the last reload; those of the start may be gone by now. */
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
  const loaded = load(start, start.files)
  const settings = partOf(loaded.settings, start)
  const logger = WinstonLogger.create(settings.log).child({ worker: start.number })
  logBugs(logger)
  const certificates = certificatesFor(settings, start)
  const journal = await openJournal(settings, logger)
  const source = new SuppliedSettings(loaded, start)
  const listener = (options: object): HandedListener => new HandedListener(options)
  const container = createContainer({ settings, logger, product, journal, certificates, source, listener })
  const get = <T>(identifier: symbol): T => container.get<T>(identifier)
  const proxy = get<Proxy>(identifiers.Proxy)
  const overview = get<Overview>(identifiers.Overview)
  const sight = overviewWithProcess(overview, get<ProcessFigures>(identifiers.ProcessFigures))
  const metrics = get<PrometheusMetrics>(identifiers.Metrics)
  metrics.observe(overview)
  const reload = get<Reload>(identifiers.Reload)
  const answers: Record<Question, (about: unknown) => unknown> = {
    summary: () => sight.summary(),
    clients: () => sight.clients(),
    upstreams: () => sight.upstreams(),
    pools: () => sight.pools(),
    aside: () => sight.aside(),
    readiness: () => get<Readiness>(identifiers.Readiness).reasons(),
    // The supervisor has the same certificates.
    warnings: () => get<Replay>(identifiers.Replay).warnings(),
    metrics: () => metrics.asData(),
    operation: (about) => {
      const { operation, id } = about as WorkerOrder
      return get<Operations>(identifiers.Operations)[operation](id)
    },
    reload: (files) => {
      source.files = files as FileSnapshot
      return reload.run()
    },
    level: (level) => {
      logger.setLevel(level as LogLevel)
      return null
    },
  }
  proxy.onShutDown = (report) =>
    void report
      .catch((error: unknown) => {
        logger.error('shutting down failed', { error })
        return { cutOff: 1, buffered: 0 }
      })
      .then(async ({ cutOff, buffered }) => {
        const farewell = {
          kind: 'farewell',
          summary: sight.summary(),
          metrics: await metrics.asData(),
        } as const
        tell(farewell, () => process.exit(cutOff + buffered === 0 ? EXIT_OK : EXIT_FAILURE))
      })
  const sockets = new HandedSockets((count) => tell({ kind: 'closed', count }))
  const listeners = {
    plain: container.get<HandedListener>(identifiers.Listener),
    tls: settings.tls.enabled ? container.get<HandedListener>(identifiers.TlsListener) : undefined,
  }
  process.on('message', (message: ToWorker | { kind: 'connection'; isTls: boolean }, handle: unknown) => {
    switch (message.kind) {
      case 'connection':
        sockets.receive(handle as Socket | undefined, message.isTls ? listeners.tls : listeners.plain)
        break
      case 'drain':
        if (message.grace !== undefined) (settings.shutdown as { grace: number }).grace = message.grace
        void proxy.shutDown()
        break
      case 'ask':
        void answer(message)
        break
    }
  })
  const answer = async ({ id, question, about }: Extract<ToWorker, { kind: 'ask' }>): Promise<void> => {
    try {
      tell({ kind: 'answer', id, answer: (await answers[question](about)) ?? null })
    } catch (error) {
      tell({ kind: 'failure', id, reason: reasonOf(error) })
    }
  }
  await proxy.start()
  if (start.reloaded !== undefined) answers.reload(start.reloaded)
  get<MinuteSummary>(identifiers.MinuteSummary).start()
  tell({ kind: 'ready' })
}

process.once('message', (start: StartMessage) => {
  run(start).catch((error: unknown) => {
    process.stderr.write(
      `warren: worker ${start.number}: ${error instanceof Error ? error.stack : String(error)}\n`,
    )
    process.exit(EXIT_FAILURE)
  })
})
