/** What files held at one moment, so that several processes see the same configuration. */
import { codeOf } from '../node-error.js'
import { type ReadFile, readText } from './read-file.js'

/** By path: the text, or why there was none. */
export type FileSnapshot = Readonly<
  Record<string, { readonly text: string } | { readonly code: string | undefined }>
>

/** Reads files, and keeps what was in them. */
export class RecordedFiles {
  readonly #snapshot: Record<string, FileSnapshot[string]> = {}

  readonly read: ReadFile = (path) => {
    try {
      const text = readText(path)
      this.#snapshot[path] = { text }
      return text
    } catch (error) {
      this.#snapshot[path] = { code: codeOf(error) }
      throw error
    }
  }

  /** May hold secrets. */
  get snapshot(): FileSnapshot {
    return this.#snapshot
  }
}

/** Reads what a snapshot has; there are no other files. */
export function readFrom(snapshot: FileSnapshot): ReadFile {
  return (path) => {
    const file = snapshot[path] ?? { code: 'ENOENT' }
    if ('text' in file) return file.text
    throw Object.assign(new Error(`${path} could not be read`), { code: file.code })
  }
}
