/** A folder for configurations and logs, which goes when the benchmark does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let folder: string | undefined

export function scratchFile(name: string): string {
  folder ??= mkdtempSync(join(tmpdir(), 'warren-bench-'))
  return join(folder, name)
}

process.on('exit', () => {
  if (folder) rmSync(folder, { recursive: true, force: true })
})
