/** What Warren's first process does when there are several: it has the port, the limits, the signals and the management server; workers have the clients. */
import { fileURLToPath } from 'node:url'
import { SystemClock } from './adapters/clock/system-clock.js'
import type { FileSnapshot } from './adapters/config/file-snapshot.js'
import type { LoadedSettings } from './adapters/config/load-settings.js'
import type { WinstonLogger } from './adapters/logging/winston-logger.js'
import { leaveEndingsToProgram } from './adapters/signals/early-signals.js'
import { onControlSignal, onShutdownSignal } from './adapters/signals/process-signals.js'
import { announceReady } from './adapters/signals/service-manager.js'
import type { FileCertificateStore } from './adapters/tls/file-certificate-store.js'
import { ChildWorkers } from './adapters/workers/child-workers.js'
import { SocketGate } from './adapters/workers/socket-gate.js'
import { nameOf } from './application/ports/dialer.js'
import type { SettingsSource } from './application/ports/settings-source.js'
import { WorkerNotStarted } from './application/workers/supervisor.js'
import { createSupervision } from './composition/supervision.js'
import {
  type BugCount,
  EXIT_CONFIGURATION,
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_UNAVAILABLE,
  bringHomeStrays,
  cannotListen,
  environment,
  product,
  urlOf,
} from './startup.js'

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))
/** What a worker ends with before it was ready, and the program with it. */
const START_FAILURES: readonly (number | null)[] = [EXIT_CONFIGURATION, EXIT_UNAVAILABLE]

/** What the program has made before it knew that there are to be workers. */
export interface Supervised {
  readonly loaded: LoadedSettings
  readonly logger: WinstonLogger
  readonly certificates: FileCertificateStore
  readonly source: SettingsSource
  readonly bugs: BugCount
  /** What the configuration's files held when they were read last. */
  readonly files: () => FileSnapshot
}

/** Runs Warren as a supervisor and its workers. */
export async function supervise({
  loaded,
  logger,
  certificates,
  source,
  bugs,
  files,
}: Supervised): Promise<void> {
  const { settings, workers: count } = loaded
  await bringHomeStrays(settings, count, logger)
  const processes = new ChildWorkers(WORKER, {
    count,
    argv: process.argv.slice(2),
    env: environment(),
    cwd: process.cwd(),
    files: files(),
  })
  const clock = new SystemClock()
  const supervision = createSupervision({
    count,
    settings,
    logger,
    product,
    certificates,
    source,
    processes,
    clock,
    filesForWorkers: () => (processes.reloaded = files()),
  })
  const { supervisor, limits, reload } = supervision
  bugs.countIn(supervision.metrics)
  supervision.certificates.announce()
  const gates = { plain: new SocketGate(), tls: new SocketGate() }
  const exit = (code: number): never => {
    supervisor.kill()
    process.exit(code)
  }
  onControlSignal(process, {
    raiseLimit: () => limits.onSignal('up'),
    lowerLimit: () => limits.onSignal('down'),
    reload: () => void reload.run(),
  })
  supervisor.onShutDown = (report) => {
    gates.plain.close()
    gates.tls.close()
    void report.then(
      ({ isClean }) => exit(isClean ? EXIT_OK : EXIT_FAILURE),
      (error: unknown) => {
        logger.error('shutting down failed', { error })
        exit(EXIT_FAILURE)
      },
    )
  }
  onShutdownSignal(
    process,
    () => void supervisor.shutDown(),
    (signal) => {
      logger.warn('second signal: exiting at once', { signal })
      exit(EXIT_FAILURE)
    },
  )
  leaveEndingsToProgram()
  process.on('exit', () => supervisor.kill())
  const { management, listen, tls } = settings
  if (management.enabled) {
    const server = await supervision.createManagementServer()
    const bound = await server
      .listen(management.address, management.port)
      .catch(cannotListen(logger, management))
    logger.info('management server listening', { ...bound, url: urlOf(bound) })
  }
  try {
    await supervisor.start()
  } catch (error) {
    if (!(error instanceof WorkerNotStarted)) throw error
    // Its own last line says why.
    logger.error(error.message, { code: error.code })
    exit(START_FAILURES.includes(error.code) ? error.code! : EXIT_FAILURE)
  }
  if (!supervisor.isAccepting) return
  const open = (gate: SocketGate, port: number, isTls: boolean): Promise<{ address: string; port: number }> =>
    gate
      .open(listen.address, port, (connection) => supervisor.admit(connection, isTls))
      .catch(cannotListen(logger, { address: listen.address, port }))
  const plain = listen.enabled ? await open(gates.plain, listen.port, false) : undefined
  const secure = tls.enabled ? await open(gates.tls, tls.port, true) : undefined
  if (!supervisor.isAccepting) {
    gates.plain.close()
    gates.tls.close()
    return
  }
  logger.info('listening', {
    ...(plain ?? secure),
    ...(secure === undefined ? {} : { tlsPort: secure.port }),
    upstream: settings.upstream.endpoints.map(nameOf).join(', '),
    workers: count,
  })
  await announceReady(process.env).catch((error: unknown) =>
    logger.warn('service manager not told that Warren is ready', { error }),
  )
}
