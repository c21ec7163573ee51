/** Part of the build: puts what isn't TypeScript beside what was compiled. */
import { cpSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PAGE = 'adapters/http/status-page'
const at = (folder) => fileURLToPath(new URL(`../${folder}/${PAGE}/`, import.meta.url))
cpSync(at('src'), at('dist'), { recursive: true })
