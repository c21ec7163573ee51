/** The files of a journal's segments: what they are called, and what an earlier run has left in them. */
import { join } from 'node:path'
import { JournalError } from '../../application/ports/journal.js'
import type { Logger } from '../../application/ports/logger.js'
import { type FileSystem, journalError } from './file-system.js'
import { NewerSegment, type Scan, scanSegment } from './segment-format.js'
import { Segments } from './segments.js'

const NAME = /^(\d{10})\.segment$/

/** The file of segment `number` in the journal's directory. */
export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(10, '0')}.segment`)
}

/** What is in a segment's file. Throws {@link JournalError} when it can't be read. */
export function readSegment(fs: FileSystem, path: string): Buffer {
  try {
    return fs.readFileSync(path)
  } catch (error) {
    throw journalError(`${path} can't be read`, error)
  }
}

/**
 * Finds the segments in `directory`, and in them the messages that weren't removed. A record that was never finished is cut off; the log is told of that, and of
 * damage. `lastId` is the largest id that was ever given, 0 if none was. Throws {@link JournalError} for a segment that can't be read or is a newer Warren's.
 */
export function loadSegments(
  fs: FileSystem,
  directory: string,
  logger: Logger,
): { segments: Segments; lastId: number } {
  const segments = new Segments()
  let lastId = 0
  const numbers = fs
    .readdirSync(directory)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
  for (const number of numbers) {
    const path = segmentPath(directory, number)
    const bytes = readSegment(fs, path)
    const scan = scanFile(path, bytes)
    if (scan.damagedBytes > 0)
      logger.error('a part of the journal is unreadable; the messages in it are lost', {
        file: path,
        lostBytes: scan.damagedBytes,
      })
    if (scan.tornBytes > 0) cutOff(fs, path, scan, logger)
    const segment = segments.add(number, path, bytes.length - scan.tornBytes)
    for (const { kind, id, offset, size } of scan.entries) {
      if (kind === 'message') segments.keep(id, segment, { offset, size })
      else segments.release(id)
      lastId = Math.max(lastId, id)
    }
  }
  return { segments, lastId }
}

function cutOff(fs: FileSystem, path: string, { goodEnd, tornBytes }: Scan, logger: Logger): void {
  logger.warn('the journal ends in a record that was never finished; it was cut off', {
    file: path,
    cutBytes: tornBytes,
  })
  const descriptor = fs.openSync(path, 'r+')
  try {
    fs.ftruncateSync(descriptor, goodEnd)
  } finally {
    fs.closeSync(descriptor)
  }
}

function scanFile(path: string, bytes: Buffer): Scan {
  try {
    return scanSegment(bytes)
  } catch (error) {
    if (!(error instanceof NewerSegment)) throw error
    throw new JournalError(`${path} was written by a newer Warren (${error.message})`)
  }
}
