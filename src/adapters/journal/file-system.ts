/** The file system as the journal uses it, and its errors in the journal's words. */
import type * as fs from 'node:fs'
import { JournalError, JournalFull } from '../../application/ports/journal.js'
import { codeOf } from '../node-error.js'

/** What the journal asks of the file system; tests hand in one that fails. */
export type FileSystem = Pick<
  typeof fs,
  | 'closeSync'
  | 'existsSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'linkSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readFileSync'
  | 'readSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'renameSync'
  | 'statSync'
  | 'unlinkSync'
  | 'utimesSync'
  | 'writeFileSync'
  | 'writeSync'
>

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT'])

/** Whether the disk is full, or the user's share of it. */
export function isNoRoom(error: unknown): boolean {
  return NO_ROOM.has(codeOf(error) ?? '')
}

/** What the port promises, for whatever the file system has thrown. */
export function journalError(what: string, error: unknown): JournalError {
  if (error instanceof JournalError) return error
  const message = `${what}: ${(error as Error).message}`
  return isNoRoom(error) ? new JournalFull(message) : new JournalError(message)
}

/** Makes sure that the names in `directory` outlive a power failure, as fsync on a file doesn't. */
export function syncDirectory(fs: FileSystem, directory: string): void {
  const descriptor = fs.openSync(directory, 'r')
  try {
    fs.fsyncSync(descriptor)
  } catch (error) {
    // Some file systems can't, and say so.
    if (codeOf(error) !== 'EINVAL') throw error
  } finally {
    fs.closeSync(descriptor)
  }
}
