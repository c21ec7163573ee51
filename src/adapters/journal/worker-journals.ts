/** Where the journals of several workers lie: each has a directory of its own inside of the one that is configured. */
import { type Dirent, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './file-system.js'

/** The directory of worker `number`. */
export function workerJournal(directory: string, number: number): string {
  return join(directory, `worker-${number}`)
}

/** A journal that none of the processes uses, and the number of workers with which one would. */
export interface StrayJournal {
  readonly directory: string
  /** In words. */
  readonly workers: string
}

/** The journals in `directory` that nobody uses while there are `workers` processes. They may be empty. */
export function strayJournals(directory: string, workers: number): StrayJournal[] {
  const stray: StrayJournal[] = []
  const entries = entriesOf(directory)
  if (workers > 1 && hasSegments(entries)) stray.push({ directory, workers: 'workers = 1' })
  for (const entry of entries) {
    const number = Number(/^worker-(\d{1,3})$/.exec(entry.name)?.[1] ?? 0)
    if (number === 0 || !entry.isDirectory() || (workers > 1 && number <= workers)) continue
    const inner = join(directory, entry.name)
    if (hasSegments(entriesOf(inner)))
      stray.push({ directory: inner, workers: `workers = ${Math.max(2, number)} or more` })
  }
  return stray
}

function hasSegments(entries: readonly Dirent[]): boolean {
  return entries.some(({ name }) => name.endsWith('.segment'))
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
