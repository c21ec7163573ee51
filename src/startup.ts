/** What the programs (program.ts, supervisor-program.ts, worker-program.ts) have in common: exit codes, and what can fail before anything runs. */
import { hostname } from 'node:os'
import { SystemClock } from './adapters/clock/system-clock.js'
import { type Environment, secretVariables } from './adapters/config/environment.js'
import {
  type StrayJournal,
  moveMessages,
  removeEmpty,
  strayJournals,
} from './adapters/journal/worker-journals.js'
import { FileJournal } from './adapters/journal/file-journal.js'
import { FileCertificateStore } from './adapters/tls/file-certificate-store.js'
import { CertificateError } from './application/ports/certificate-store.js'
import { type Journal, JournalError } from './application/ports/journal.js'
import type { Logger } from './application/ports/logger.js'
import type { Metrics } from './application/ports/metrics.js'
import type { Product } from './application/product.js'
import type { Settings } from './application/settings.js'
import { version } from './version.js'

export const EXIT_OK = 0
/** Something was cut off at shutdown, or was still in the publish buffer; or a bug ended the process. */
export const EXIT_FAILURE = 1
/** The configuration is wrong: starting again won't help (as LSB and systemd understand 2 and 78; 78 is EX_CONFIG). */
export const EXIT_CONFIGURATION = 78
/** The address or the journal can't be had now; a service manager may try again (EX_UNAVAILABLE). */
export const EXIT_UNAVAILABLE = 69

const JOURNAL_SYNC_MS = 1000

export const product: Product = {
  name: 'Warren',
  version,
  platform: `Node.js ${process.version}`,
  host: hostname(),
}

/**
 * The environment as it was at the start, for SIGHUP too. Its secrets are taken out of `process.env`, which ends up in diagnostic
 * reports and in whatever is started from here.
 */
export const environment = (() => {
  const all = { ...process.env }
  for (const name of secretVariables) delete process.env[name]
  return (): Environment => all
})()

/** Certificates that can't be used are a wrong configuration. */
export function loadCertificates(settings: Settings): FileCertificateStore {
  try {
    return new FileCertificateStore(settings)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    process.stderr.write(`warren: ${error.message}\n`)
    process.exit(EXIT_CONFIGURATION)
  }
}

/** The journal of the publish buffer, if one is wanted. Without it the promise of the configuration can't be kept: then the program doesn't start. */
export async function openJournal({ pool }: Settings, logger: Logger): Promise<Journal | undefined> {
  const { publishBufferDir: directory, publishBufferSync: sync, publishBufferSize } = pool
  if (directory === undefined || publishBufferSize === 0) return undefined
  const policy = sync === 'interval' ? { everyMs: JOURNAL_SYNC_MS } : sync
  try {
    return await FileJournal.openWhenFree({ directory, sync: policy }, { clock: new SystemClock(), logger })
  } catch (error) {
    endWithoutJournal(error, logger)
  }
}

function endWithoutJournal(error: unknown, logger: Logger): never {
  if (!(error instanceof JournalError)) throw error
  logger.error(error.message)
  process.exit(EXIT_UNAVAILABLE)
}

/**
 * Messages may be kept where none of so many processes would look: from a time when there were more, or fewer, of them. Each goes to the journal of one that there
 * is. When that can't be, they mustn't lie there unnoticed: then the program doesn't start.
 */
export async function bringHomeStrays({ pool }: Settings, workers: number, logger: Logger): Promise<void> {
  const { publishBufferDir: directory, publishBufferSize } = pool
  if (directory === undefined || publishBufferSize === 0) return
  try {
    for (const stray of strayJournals(directory, workers)) await bringHome(stray, logger)
  } catch (error) {
    endWithoutJournal(error, logger)
  }
}

async function bringHome(stray: StrayJournal, logger: Logger): Promise<void> {
  const open = (at: string): Promise<FileJournal> =>
    FileJournal.openWhenFree({ directory: at, sync: 'always' }, { clock: new SystemClock(), logger })
  const opened: Journal[] = []
  try {
    const from = await open(stray.directory)
    opened.push(from)
    const to = await open(stray.home)
    opened.push(to)
    const messages = moveMessages(from, to)
    if (messages > 0)
      logger.info('messages moved to the journal of a process that there is', {
        from: stray.directory,
        to: stray.home,
        messages,
      })
  } finally {
    for (const journal of opened) journal.close()
  }
  removeEmpty(stray)
}

/** Bugs are told to the log, and end nothing but what they happened in. */
export function logBugs(logger: Logger): BugCount {
  let early = 0
  let metrics: Pick<Metrics, 'unexpectedError'> = { unexpectedError: () => early++ }
  const tell = (message: string) => (error: unknown) => {
    logger.error(message, { error })
    metrics.unexpectedError()
  }
  process.on('uncaughtException', tell('unexpected error'))
  process.on('unhandledRejection', tell('unexpected rejection'))
  return {
    countIn(counter) {
      for (; early > 0; early--) counter.unexpectedError()
      metrics = counter
    },
  }
}

/** Bugs that no session or connection has caught. */
export interface BugCount {
  /** Counts there, those included that there were before. To be called once there is something to count in. */
  countIn(metrics: Pick<Metrics, 'unexpectedError'>): void
}

/** For an address that can't be had: says so, and ends the program. */
export function cannotListen(
  logger: Logger,
  { address, port }: { readonly address: string; readonly port: number },
): (error: unknown) => never {
  return (error) => {
    // Of several ports it's the one in the error.
    const taken = (error as { port?: number }).port ?? port
    logger.error(`cannot listen on ${address}:${taken}`, {
      reason: error instanceof Error ? error.message : String(error),
    })
    process.exit(EXIT_UNAVAILABLE)
  }
}

export function urlOf({ address, port }: { address: string; port: number }): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}/`
}
