/** Reads a value out of a file that holds nothing else, such as a secret that Docker or Kubernetes mounts. */
import { resolve } from 'node:path'
import { fileFailure } from '../node-error.js'
import type { ReadFile } from './read-file.js'

/** The text of the file without the line break at its end. Throws an Error whose message goes on after a colon, and quotes nothing of the file. */
export function readSecretFile(path: string, cwd: string, readFile: ReadFile): string {
  let text
  try {
    text = readFile(resolve(cwd, path))
  } catch (error) {
    throw new Error(`can't be read: ${fileFailure(error)}`, { cause: error })
  }
  const secret = text.replace(/^\uFEFF/, '').replace(/[\r\n]+$/, '')
  if (secret.trim() === '') throw new Error('is empty')
  return secret
}
