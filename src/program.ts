/** The program behind main.ts: reads its configuration, runs the proxy, and ends with an exit code that a service manager understands. */
import { helpText } from './adapters/config/command-line.js'
import { ConfigurationError } from './adapters/config/configuration-error.js'
import { RecordedFiles } from './adapters/config/file-snapshot.js'
import { type LoadedSettings, loadSettings } from './adapters/config/load-settings.js'
import { printConfig } from './adapters/config/print-config.js'
import { RereadableSettings } from './adapters/config/rereadable-settings.js'
import { WinstonLogger } from './adapters/logging/winston-logger.js'
import { leaveEndingsToProgram } from './adapters/signals/early-signals.js'
import { onControlSignal, onShutdownSignal } from './adapters/signals/process-signals.js'
import { announceReady } from './adapters/signals/service-manager.js'
import { certificateProblems } from './adapters/tls/certificate-problems.js'
import type { Certificates } from './application/operations/certificates.js'
import { identifiers } from './application/identifiers.js'
import type { Limits } from './application/operations/limits.js'
import type { Proxy } from './application/proxy.js'
import type { Metrics } from './application/ports/metrics.js'
import type { MinuteSummary } from './application/operations/minute-summary.js'
import type { Reload } from './application/operations/reload.js'
import { createContainer, createManagementServer } from './composition/container.js'
import {
  type BugCount,
  EXIT_CONFIGURATION,
  EXIT_FAILURE,
  EXIT_OK,
  bringHomeStrays,
  cannotListen,
  environment,
  loadCertificates,
  logBugs,
  openJournal,
  product,
  urlOf,
} from './startup.js'
import { supervise } from './supervisor-program.js'
import { version } from './version.js'

/** What the configuration's files held when they were read last. */
let files = new RecordedFiles()

function load(): LoadedSettings {
  files = new RecordedFiles()
  const { read: readFile } = files
  const [argv, cwd] = [process.argv.slice(2), process.cwd()]
  return loadSettings({ argv, env: environment(), cwd, readFile, certificateProblems })
}

/** Ends the program when the configuration is wrong: with one line, or with everything that is, for whoever asks to have it checked. */
function loadOrExit(): LoadedSettings {
  try {
    return load()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const lines = process.argv.includes('--check') ? error.problems : [error.message]
    for (const line of lines) process.stderr.write(`warren: ${line}\n`)
    process.exit(EXIT_CONFIGURATION)
  }
}

async function run(loaded: LoadedSettings): Promise<void> {
  const logger = WinstonLogger.create(loaded.settings.log)
  const bugs = logBugs(logger)
  try {
    await start(loaded, logger, bugs)
  } catch (error) {
    // Half a Warren is none, and one that has ended must not look as if it had done what it was for.
    logger.error('unexpected error', { error })
    process.exit(EXIT_FAILURE)
  }
}

async function start(loaded: LoadedSettings, logger: WinstonLogger, bugs: BugCount): Promise<void> {
  const { settings, warnings } = loaded
  const certificates = loadCertificates(settings)
  for (const warning of warnings) logger.warn(warning)
  const source = new RereadableSettings(loaded, () => {
    const next = load()
    for (const warning of next.warnings) logger.warn(warning)
    return next
  })
  if (loaded.workers > 1)
    return supervise({ loaded, logger, certificates, source, bugs, files: () => files.snapshot })
  await bringHomeStrays(settings, 1, logger)
  const journal = await openJournal(settings, logger)
  const container = createContainer({ settings, logger, product, journal, certificates, source })
  bugs.countIn(container.get<Metrics>(identifiers.Metrics))
  container.get<Certificates>(identifiers.Certificates).announce()
  const limits = container.get<Limits>(identifiers.Limits)
  const proxy = container.get<Proxy>(identifiers.Proxy)
  onControlSignal(process, {
    raiseLimit: () => limits.onSignal('up'),
    lowerLimit: () => limits.onSignal('down'),
    reload: () => container.get<Reload>(identifiers.Reload).run(),
  })
  proxy.onShutDown = (report) =>
    void report.then(
      ({ cutOff, buffered }) => process.exit(cutOff + buffered === 0 ? EXIT_OK : EXIT_FAILURE),
      (error: unknown) => {
        logger.error('shutting down failed', { error })
        process.exit(EXIT_FAILURE)
      },
    )
  onShutdownSignal(
    process,
    () => {
      void proxy.shutDown()
    },
    (signal) => {
      logger.warn('second signal: exiting at once', { signal })
      process.exit(EXIT_FAILURE)
    },
  )
  leaveEndingsToProgram()
  const { management, listen } = settings
  if (management.enabled) {
    const server = await createManagementServer(container)
    const bound = await server
      .listen(management.address, management.port)
      .catch(cannotListen(logger, management))
    logger.info('management server listening', { ...bound, url: urlOf(bound) })
  }
  await proxy.start().catch(cannotListen(logger, listen))
  container.get<MinuteSummary>(identifiers.MinuteSummary).start()
  await announceReady(process.env).catch((error: unknown) =>
    logger.warn('service manager not told that Warren is ready', { error }),
  )
}

const loaded = loadOrExit()
const warn = (): void =>
  loaded.warnings.forEach((warning) => process.stderr.write(`warren: warning: ${warning}\n`))
if (loaded.action !== 'run')
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `warren --help | head`: who reads has seen enough.
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
switch (loaded.action) {
  case 'help':
    process.stdout.write(helpText())
    break
  case 'version':
    process.stdout.write(`${version}\n`)
    break
  case 'print-config':
    warn()
    process.stdout.write(printConfig(loaded))
    break
  case 'check':
    warn()
    process.stdout.write('configuration ok\n')
    break
  case 'run':
    await run(loaded)
    break
}
