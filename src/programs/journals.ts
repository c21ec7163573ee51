/** Opens the journal of the publish buffer, and brings messages home from journals that no process uses any more. */
import { SystemClock } from '../adapters/clock/system-clock.js'
import { FileJournal } from '../adapters/journal/file-journal.js'
import {
  type StrayJournal,
  moveMessages,
  removeEmpty,
  strayJournals,
} from '../adapters/journal/worker-journals.js'
import { type Journal, JournalError } from '../application/ports/journal.js'
import type { Logger } from '../application/ports/logger.js'
import { type Settings, journalDirectory } from '../application/settings.js'
import { EXIT_UNAVAILABLE } from './exit-codes.js'

/** How often the disk is synced with `pool.publish_buffer_sync = "interval"`. */
const JOURNAL_SYNC_MS = 1000

/** The journal of the publish buffer, if one is wanted. Without it the promise of the configuration can't be kept: then the program doesn't start. */
export async function openJournal(settings: Settings, logger: Logger): Promise<Journal | undefined> {
  const directory = journalDirectory(settings)
  if (directory === undefined) return undefined
  const sync = settings.pool.publishBufferSync
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
export async function bringHomeStrays(settings: Settings, workers: number, logger: Logger): Promise<void> {
  const directory = journalDirectory(settings)
  if (directory === undefined) return
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
