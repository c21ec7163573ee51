/** The first part of the build: what was compiled of files that are gone would be packed with the rest. */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

rmSync(fileURLToPath(new URL('../dist/', import.meta.url)), { recursive: true, force: true })
