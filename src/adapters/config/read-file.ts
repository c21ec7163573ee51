/** Files as the configuration reads them. */
import { readFileSync } from 'node:fs'

/** Gives a file's text, or throws an Error with Node's `code`. */
export type ReadFile = (path: string) => string

/** The text of a file in UTF-8, without a byte order mark. Other bytes are refused: in place of them there would be characters that nobody wrote. */
export function readText(path: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
}
