/** Files as the configuration reads them, and why one can't be read. */
import { readFileSync } from 'node:fs'

/** Gives a file's text, or throws an Error with Node's `code`. */
export type ReadFile = (path: string) => string

/** The text of a file in UTF-8, without a byte order mark. Other bytes are refused: in place of them there would be characters that nobody wrote. */
export function readText(path: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
}

/** Node's code for what went wrong with a file, if it has one. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/** The reason in words, without the path. */
export function failureOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'no such file'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'EISDIR':
      return 'it is a directory'
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8'
    default:
      return codeOf(error) ?? 'unknown reason'
  }
}
