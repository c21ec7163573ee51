/** Part of the build: puts what isn't TypeScript beside what was compiled. */
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PAGE = 'adapters/http/status-page.html'
const at = (folder) => fileURLToPath(new URL(`../${folder}/${PAGE}`, import.meta.url))
copyFileSync(at('src'), at('dist'))
