/**
 * What the tests cover: `npm run coverage` measures the domain by its own tests and fails below 95 % of lines or branches;
 * `npm run coverage -- all` measures everything by all tests that need no broker.
 */
import { run } from './commands.mjs'

const C8 = 'node_modules/c8/bin/c8.js'
const MOCHA = ['node_modules/mocha/bin/mocha.js', '--extension', 'mjs', 'scripts/coverage-tests.mjs']
const REPORT = ['--reporter', 'text', '--reporter', 'html', '--src', 'src']
const THRESHOLD = [
  '--check-coverage',
  '--lines',
  '95',
  '--branches',
  '95',
  '--statements',
  '95',
  '--functions',
  '95',
]

const isOfAll = process.argv[2] === 'all'
const scope = isOfAll ? ['--include', 'src/**/*.ts'] : ['--include', 'src/domain/**/*.ts', ...THRESHOLD]
const tests = isOfAll ? 'test/unit,test/contract' : 'test/unit/domain'
const { code } = await run(process.execPath, [C8, ...REPORT, ...scope, ...MOCHA], {
  env: { WARREN_COVERAGE_OF: tests },
})
process.exitCode = code
