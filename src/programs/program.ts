/** The program behind main.ts: reads its configuration, and does what its command line asks for. */
import { helpText } from '../adapters/config/command-line.js'
import { ConfigurationError } from '../adapters/config/configuration-error.js'
import { RecordedFiles } from '../adapters/config/file-snapshot.js'
import { type LoadedSettings, loadSettings } from '../adapters/config/load-settings.js'
import { printConfig } from '../adapters/config/print-config.js'
import { RereadableSettings } from '../adapters/config/rereadable-settings.js'
import { WinstonLogger } from '../adapters/logging/winston-logger.js'
import { certificateProblems } from '../adapters/tls/certificate-problems.js'
import { version } from '../product.js'
import { logBugs } from './bugs.js'
import { EXIT_CONFIGURATION, EXIT_FAILURE } from './exit-codes.js'
import { endWithReader } from './reader.js'
import { runAlone } from './single-program.js'
import { environment, loadCertificates } from './startup.js'
import { supervise } from './supervisor-program.js'

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
  const { settings, warnings, workers } = loaded
  const logger = WinstonLogger.create(settings.log)
  const bugs = logBugs(logger)
  try {
    const certificates = loadCertificates(settings)
    for (const warning of warnings) logger.warn(warning)
    const source = new RereadableSettings(loaded, () => {
      const next = load()
      for (const warning of next.warnings) logger.warn(warning)
      return next
    })
    const groundwork = { loaded, logger, certificates, source, bugs }
    if (workers > 1) await supervise(groundwork, () => files.snapshot)
    else await runAlone(groundwork)
  } catch (error) {
    // Half a Warren is none, and one that has ended must not look as if it had done what it was for.
    logger.error('unexpected error', { error })
    process.exit(EXIT_FAILURE)
  }
}

/** Writes what was asked for; warnings go where they aren't taken for a part of it. */
function print(text: string, warnings: readonly string[] = []): void {
  endWithReader(process.stdout)
  for (const warning of warnings) process.stderr.write(`warren: warning: ${warning}\n`)
  process.stdout.write(text)
}

const loaded = loadOrExit()
switch (loaded.action) {
  case 'help':
    print(helpText())
    break
  case 'version':
    print(`${version}\n`)
    break
  case 'print-config':
    print(printConfig(loaded), loaded.warnings)
    break
  case 'check':
    print('configuration ok\n', loaded.warnings)
    break
  case 'run':
    await run(loaded)
    break
}
