/**
 * The tests in the directories that WARREN_COVERAGE_OF names, for scripts/coverage.mjs. Imported here they are ES modules, as in production;
 * mocha would require them, and the wrapper that CommonJS needs has branches of its own.
 */
import { readdirSync } from 'node:fs'

// Programs that tests start would be measured too, and their figures don't fit into these.
delete process.env['NODE_V8_COVERAGE']

for (const directory of process.env['WARREN_COVERAGE_OF'].split(','))
  for (const file of readdirSync(directory, { recursive: true }).sort())
    if (file.endsWith('.test.ts')) await import(`../${directory}/${file}`)
