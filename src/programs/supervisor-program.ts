/** What Warren's first process does when there are several: it has the port, the limits, the signals and the management server; workers have the clients. */
import { fileURLToPath } from 'node:url'
import { SystemClock } from '../adapters/clock/system-clock.js'
import type { FileSnapshot } from '../adapters/config/file-snapshot.js'
import { ChildWorkers } from '../adapters/workers/child-workers.js'
import { SocketGate } from '../adapters/workers/socket-gate.js'
import { nameOf } from '../application/ports/dialer.js'
import type { BoundAddress } from '../application/ports/listener.js'
import type { LogFields, Logger } from '../application/ports/logger.js'
import type { Settings } from '../application/settings.js'
import { type Supervisor, WorkerNotStarted } from '../application/workers/supervisor.js'
import { createSupervision } from '../composition/supervision.js'
import { product } from '../product.js'
import { EXIT_CONFIGURATION, EXIT_FAILURE, EXIT_UNAVAILABLE } from './exit-codes.js'
import { bringHomeStrays } from './journals.js'
import { exitAfter, obeySignals } from './signals.js'
import { type Groundwork, cannotListen, environment, startManagement, tellReady } from './startup.js'

const WORKER = fileURLToPath(new URL('../worker.js', import.meta.url))
/** What a worker ends with before it was ready, and the program with it. */
const START_FAILURES: readonly (number | null)[] = [EXIT_CONFIGURATION, EXIT_UNAVAILABLE]

/** Runs Warren as a supervisor and its workers. `files`: what the configuration's files held when they were read last. */
export async function supervise(
  { loaded, logger, certificates, source, bugs }: Groundwork,
  files: () => FileSnapshot,
): Promise<void> {
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
  const closeGates = (): void => {
    gates.plain.close()
    gates.tls.close()
  }
  supervisor.onShutDown = (report) => {
    closeGates()
    const isClean = report.then((shutdown) => shutdown.isClean)
    exitAfter(isClean, { logger, exit })
  }
  obeySignals({
    limits,
    logger,
    reload: () => void reload.run(),
    shutDown: () => void supervisor.shutDown(),
    exit,
  })
  process.on('exit', () => supervisor.kill())
  await startManagement(() => supervision.createManagementServer(), settings.management, logger)
  try {
    await supervisor.start()
  } catch (error) {
    if (!(error instanceof WorkerNotStarted)) throw error
    // Its own last line says why.
    logger.error(error.message, { code: error.code })
    exit(START_FAILURES.includes(error.code) ? error.code! : EXIT_FAILURE)
  }
  if (!supervisor.isAccepting) return
  const listening = await openGates(gates, supervisor, settings, logger)
  if (!supervisor.isAccepting) return closeGates()
  logger.info('listening', { ...listening, workers: count })
  await tellReady(logger)
}

/** Accepts clients from now on, and says where. Ends the program when an address can't be had. */
async function openGates(
  gates: { readonly plain: SocketGate; readonly tls: SocketGate },
  supervisor: Supervisor,
  { listen, tls, upstream }: Settings,
  logger: Logger,
): Promise<LogFields> {
  const { address } = listen
  const open = (gate: SocketGate, port: number, isTls: boolean): Promise<BoundAddress> =>
    gate
      .open(address, port, (connection) => supervisor.admit(connection, isTls))
      .catch(cannotListen(logger, { address, port }))
  const plain = listen.enabled ? await open(gates.plain, listen.port, false) : undefined
  const secure = tls.enabled ? await open(gates.tls, tls.port, true) : undefined
  return {
    ...(plain ?? secure),
    ...(secure === undefined ? {} : { tlsPort: secure.port }),
    upstream: upstream.endpoints.map(nameOf).join(', '),
  }
}
