/** Where the journals of several workers lie: each has a directory of its own inside of the one that is configured. */
import { type Dirent, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Journal, JournalRecord } from '../../application/ports/journal.js'
import { codeOf } from '../node-error.js'
import { journalError } from './file-system.js'

/** The directory of worker `number`. */
export function workerJournal(directory: string, number: number): string {
  return join(directory, `worker-${number}`)
}

/** A journal that none of the processes uses, since there were more of them before, or fewer. */
export interface StrayJournal {
  readonly directory: string
  /** The directory of the process that is to have its messages. */
  readonly home: string
}

/** The journals in `directory` that nobody uses while there are `workers` processes. They may be empty. Throws {@link JournalError} when it can't be looked into. */
export function strayJournals(directory: string, workers: number): StrayJournal[] {
  const stray: StrayJournal[] = []
  const entries = entriesOf(directory)
  if (workers > 1 && hasSegments(entries)) stray.push({ directory, home: workerJournal(directory, 1) })
  const numbers = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => Number(/^worker-([1-9]\d{0,2})$/.exec(name)?.[1] ?? 0))
    .sort((a, b) => a - b)
  for (const number of numbers) {
    if (number === 0 || (workers > 1 && number <= workers)) continue
    const inner = workerJournal(directory, number)
    const home = workers === 1 ? directory : workerJournal(directory, ((number - 1) % workers) + 1)
    if (hasSegments(entriesOf(inner))) stray.push({ directory: inner, home })
  }
  return stray
}

/** Messages that are written twice for a moment, so that a full disk can be made room on bit by bit. */
const AT_ONCE = 500

/**
 * Moves all that `from` holds behind what `to` holds, in order; returns how many messages. A message is removed only once the other has it for sure: when that's
 * interrupted, some may be in both. Throws {@link JournalError} when `to` can't take them; what it hasn't is still in `from`.
 */
export function moveMessages(from: Journal, to: Journal): number {
  const records = from.recover()
  for (let at = 0; at < records.length; at += AT_ONCE) {
    const some = records.slice(at, at + AT_ONCE)
    copyAll(some, to)
    for (const { id } of some) from.remove(id)
  }
  return records.length
}

/** All of them, or none. */
function copyAll(records: readonly JournalRecord[], to: Journal): void {
  const copies: number[] = []
  try {
    for (const { pool, bytes, expiresAtEpochMs, aside } of records)
      copies.push(to.append(pool, bytes, expiresAtEpochMs, aside))
    to.commit()
  } catch (error) {
    for (const id of copies) to.remove(id)
    throw error
  }
}

/** Removes a worker's directory that holds nothing any more. */
export function removeEmpty({ directory, home }: StrayJournal): void {
  // The configured directory holds those of the workers.
  if (home.startsWith(join(directory, '/'))) return
  try {
    rmdirSync(directory)
  } catch {
    // It does no harm there.
  }
}

function hasSegments(entries: readonly Dirent[]): boolean {
  return entries.some(({ name }) => name.endsWith('.segment'))
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw journalError(`the journal in ${directory} can't be read`, error)
  }
}
