/** The program behind main.ts: reads its configuration, runs the proxy, and ends with an exit code that a service manager understands. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type Environment, secretVariables } from './adapters/config/environment.js'
import { helpText } from './adapters/config/command-line.js'
import { ConfigurationError } from './adapters/config/configuration-error.js'
import { type LoadedSettings, loadSettings } from './adapters/config/load-settings.js'
import { printConfig } from './adapters/config/print-config.js'
import { RereadableSettings } from './adapters/config/rereadable-settings.js'
import { SystemClock } from './adapters/clock/system-clock.js'
import { FileJournal } from './adapters/journal/file-journal.js'
import { WinstonLogger } from './adapters/logging/winston-logger.js'
import { FileCertificateStore } from './adapters/tls/file-certificate-store.js'
import { leaveEndingsToProgram } from './adapters/signals/early-signals.js'
import { onControlSignal, onShutdownSignal } from './adapters/signals/process-signals.js'
import { announceReady } from './adapters/signals/service-manager.js'
import type { Certificates } from './application/certificates.js'
import { identifiers } from './application/identifiers.js'
import type { Limits } from './application/limits.js'
import { CertificateError } from './application/ports/certificate-store.js'
import { type Journal, JournalError } from './application/ports/journal.js'
import type { Logger } from './application/ports/logger.js'
import type { Settings } from './application/settings.js'
import type { Proxy } from './application/proxy.js'
import type { MinuteSummary } from './application/minute-summary.js'
import type { Reload } from './application/reload.js'
import { createContainer, createManagementServer } from './composition/container.js'

const EXIT_OK = 0
/** Something was cut off at shutdown, or was still in the publish buffer; or a bug ended the process. */
const EXIT_FAILURE = 1
/** The configuration is wrong: starting again won't help (as LSB and systemd understand 2 and 78; 78 is EX_CONFIG). */
const EXIT_CONFIGURATION = 78
/** The address or the journal can't be had now; a service manager may try again (EX_UNAVAILABLE). */
const EXIT_UNAVAILABLE = 69

const JOURNAL_SYNC_MS = 1000

const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version

/**
 * The environment as it was at the start, for SIGHUP too. Its secrets are taken out of `process.env`, which ends up in diagnostic
 * reports and in whatever is started from here.
 */
const environment = (() => {
  const all = { ...process.env }
  for (const name of secretVariables) delete process.env[name]
  return (): Environment => all
})()

function load(): LoadedSettings {
  return loadSettings({ argv: process.argv.slice(2), env: environment(), cwd: process.cwd() })
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

/** Certificates that can't be used are a wrong configuration. */
function loadCertificates(settings: Settings): FileCertificateStore {
  try {
    return new FileCertificateStore(settings)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    process.stderr.write(`warren: ${error.message}\n`)
    process.exit(EXIT_CONFIGURATION)
  }
}

/** The journal of the publish buffer, if one is wanted. Without it the promise of the configuration can't be kept: then the program doesn't start. */
async function openJournal({ pool }: Settings, logger: Logger): Promise<Journal | undefined> {
  const { publishBufferDir: directory, publishBufferSync: sync, publishBufferSize } = pool
  if (directory === undefined || publishBufferSize === 0) return undefined
  const policy = sync === 'interval' ? { everyMs: JOURNAL_SYNC_MS } : sync
  try {
    return await FileJournal.openWhenFree({ directory, sync: policy }, { clock: new SystemClock(), logger })
  } catch (error) {
    if (!(error instanceof JournalError)) throw error
    logger.error(error.message)
    process.exit(EXIT_UNAVAILABLE)
  }
}

async function run(loaded: LoadedSettings): Promise<void> {
  const { settings, warnings } = loaded
  const certificates = loadCertificates(settings)
  const logger = WinstonLogger.create(settings.log)
  for (const warning of warnings) logger.warn(warning)
  process.on('uncaughtException', (error) => logger.error('unexpected error', { error }))
  process.on('unhandledRejection', (error) => logger.error('unexpected rejection', { error }))
  const product = { name: 'Warren', version, platform: `Node.js ${process.version}`, host: hostname() }
  const journal = await openJournal(settings, logger)
  const source = new RereadableSettings(loaded, () => {
    const next = load()
    for (const warning of next.warnings) logger.warn(warning)
    return next
  })
  const container = createContainer({ settings, logger, product, journal, certificates, source })
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
  const cannotListen =
    ({ address, port }: { address: string; port: number }) =>
    (error: unknown): never => {
      // Of several ports it's the one in the error.
      const taken = (error as { port?: number }).port ?? port
      logger.error(`cannot listen on ${address}:${taken}`, {
        reason: error instanceof Error ? error.message : String(error),
      })
      process.exit(EXIT_UNAVAILABLE)
    }
  const { management, listen } = settings
  if (management.enabled) {
    const server = await createManagementServer(container)
    const bound = await server.listen(management.address, management.port).catch(cannotListen(management))
    logger.info('management server listening', { ...bound, url: urlOf(bound) })
  }
  await proxy.start().catch(cannotListen(listen))
  container.get<MinuteSummary>(identifiers.MinuteSummary).start()
  await announceReady(process.env).catch((error: unknown) =>
    logger.warn('service manager not told that Warren is ready', { error }),
  )
}

function urlOf({ address, port }: { address: string; port: number }): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}/`
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
    loadCertificates(loaded.settings)
    process.stdout.write('configuration ok\n')
    break
  case 'run':
    await run(loaded)
    break
}
