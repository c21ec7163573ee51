/** Part of the build: puts what isn't TypeScript beside what was compiled. */
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PAGE = 'adapters/http/status-page'
const at = (folder) => fileURLToPath(new URL(`../${folder}/${PAGE}/`, import.meta.url))
// What is no longer there isn't served either.
rmSync(at('dist'), { recursive: true, force: true })
cpSync(at('src'), at('dist'), { recursive: true })
