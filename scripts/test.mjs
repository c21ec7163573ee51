/** All checks of the project, from a fresh clone on: `npm test`, and `npm test -- --help` for parts of it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './commands.mjs'
import { installDependencies, requireNode } from './dependencies.mjs'

const USAGE = `npm test                              build, lint, and all suites
npm test -- --only unit               one part: build, lint, unit, contract or integration; may be given more than once
npm test -- test/unit/domain          the tests in a directory or a file
npm test -- --grep 'Channel.Close'    any option of mocha`

const MINUTE = 60_000
/** How long mocha may take to end after its last test. */
const LINGER_MS = 30_000
const SUITES = ['unit', 'contract', 'integration']
const PARTS = ['build', 'lint', ...SUITES]
const SUITE_PATH = new RegExp(`^(?:\\./)?test/(${SUITES.join('|')})(?:/|$)`)

const results = []
const scratch = mkdtempSync(join(tmpdir(), 'warren-test-'))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))

await main()

async function main() {
  const wish = readArguments(process.argv.slice(2))
  if (wish.problem || wish.help) {
    console.log([wish.problem, USAGE].filter(Boolean).join('\n\n'))
    process.exitCode = wish.problem ? 2 : 0
    return
  }
  try {
    requireNode()
    await installDependencies()
    await runParts(wish)
  } catch (error) {
    fail('preparation', error.message)
  }
  process.exitCode = summarize()
}

/** What is to run: the parts, the paths of tests, and what goes to mocha as it is. */
function readArguments(args) {
  const only = []
  const paths = []
  const forMocha = []
  for (let at = 0; at < args.length; at++) {
    const [flag, value] = args[at].split('=')
    if (flag === '--help') return { help: true }
    else if (flag === '--only') only.push(...(value ?? args[++at] ?? '').split(','))
    else if (SUITE_PATH.test(args[at])) paths.push(args[at])
    else forMocha.push(args[at])
  }
  const unknown = only.find((part) => !PARTS.includes(part))
  if (unknown !== undefined) return { problem: `--only '${unknown}': there is ${PARTS.join(', ')}.` }
  const missing = paths.find((path) => !existsSync(path))
  if (missing !== undefined) return { problem: `There is no ${missing}.` }
  const parts = new Set(only)
  for (const path of paths) parts.add(SUITE_PATH.exec(path)[1])
  if (parts.size === 0) for (const part of forMocha.length > 0 ? SUITES : PARTS) parts.add(part)
  // The integration tests run the program.
  if (parts.has('integration')) parts.add('build')
  return { parts, paths, forMocha }
}

async function runParts({ parts, paths, forMocha }) {
  const hasBroker = !parts.has('integration') || (await prepareRabbitMq())
  if (parts.has('integration') && hasBroker) await prepareClients()
  const isBuilt = !parts.has('build') || (await check('build', 2 * MINUTE))
  // Beside the suites that need one core; the integration tests have the machine to themselves.
  const linting = parts.has('lint') ? check('lint', 6 * MINUTE, true) : undefined
  for (const suite of SUITES.filter((name) => parts.has(name))) {
    if (suite === 'integration') await linting
    const own = paths.filter((path) => SUITE_PATH.exec(path)[1] === suite).map(testsUnder)
    const files = own.length > 0 ? own : [testsUnder(`test/${suite}`)]
    if (suite !== 'integration') await mocha(suite, [...files, ...forMocha], 6 * MINUTE)
    else if (!hasBroker) console.log('\nintegration is left out, as there is no RabbitMQ')
    else if (!isBuilt) console.log('\nintegration is left out, as the build failed')
    else {
      const hooks = ['--require', './test/support/shared-broker.ts']
      await mocha(suite, [...hooks, ...files, ...forMocha], 20 * MINUTE)
    }
  }
  await linting
}

function testsUnder(path) {
  return statSync(path).isDirectory() ? `${path.replace(/\/$/, '')}/**/*.test.ts` : path
}

async function prepareRabbitMq() {
  const { code } = await run(process.execPath, ['scripts/install-rabbitmq.mjs'], {
    signalGroup: true,
    patienceMs: 5 * MINUTE,
  })
  if (code !== 0) fail('rabbitmq', 'no RabbitMQ for the integration tests')
  return code === 0
}

/** Tests whose client can't be had are skipped, so this doesn't fail. */
async function prepareClients() {
  await run(process.execPath, ['scripts/install-clients.mjs'], { signalGroup: true, patienceMs: 5 * MINUTE })
}

/** An npm script that passes or fails as a whole. `quiet`: what it says is shown once it has ended. */
async function check(name, limitMs, quiet = false) {
  if (!quiet) console.log(`\n== ${name}`)
  const started = Date.now()
  const options = { limitMs, signalGroup: true, quiet }
  const { code, timedOut, output } = await run('npm', ['run', '--silent', name], options)
  if (quiet) console.log(`\n== ${name}\n${output}`)
  const why = timedOut ? 'took too long' : code === 0 ? '' : `exit code ${code}`
  results.push({ name, passed: why ? 0 : 1, failed: why ? 1 : 0, why, seconds: since(started) })
  return !why
}

async function mocha(name, args, limitMs) {
  console.log(`\n== ${name}`)
  const started = Date.now()
  const totalsFile = join(scratch, `${name}.json`)
  const reporter = fileURLToPath(new URL('test-reporter.mjs', import.meta.url))
  const bin = 'node_modules/mocha/bin/mocha.js'
  const { code, timedOut } = await run(process.execPath, [bin, '--reporter', reporter, ...args], {
    env: { WARREN_TEST_TOTALS: totalsFile },
    limitMs,
    // The only signal that mocha hands on to the process in which the tests run.
    endSignal: 'SIGINT',
    // What a test leaves open would keep mocha waiting for ever.
    isOverdue: () => existsSync(totalsFile) && Date.now() - statSync(totalsFile).mtimeMs > LINGER_MS,
  })
  const totals = existsSync(totalsFile) ? JSON.parse(readFileSync(totalsFile, 'utf8')) : undefined
  const { passed = 0, failed = 0, skipped = 0 } = totals ?? {}
  // A mocha that did not get to its end, or failed after it, has failed even if no test did.
  const broke = timedOut || totals === undefined || (code !== 0 && failed === 0)
  const why = describe({ timedOut, broke, code, totals })
  results.push({ name, passed, failed: failed + (broke ? 1 : 0), skipped, why, seconds: since(started) })
}

function describe({ timedOut, broke, code, totals }) {
  if (timedOut && totals)
    return 'mocha did not end after the last test: a test has left something open or running'
  if (timedOut) return 'took too long'
  return broke ? `mocha ended with exit code ${code}` : ''
}

function fail(name, why) {
  console.error(`\n${name}: ${why}`)
  results.push({ name, passed: 0, failed: 1, why: why.split('\n')[0] })
}

/** @returns the exit code. */
function summarize() {
  console.log('')
  for (const { name, passed, failed, skipped, why, seconds } of results) {
    const counts = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`
    const time = seconds === undefined ? '' : ` in ${seconds} s`
    console.log(`${name.padEnd(12)} ${counts}${time}${why ? `: ${why}` : ''}`)
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0)
  const [passed, failed] = [sum('passed'), sum('failed')]
  const suites = results.filter(({ name }) => SUITES.includes(name))
  const isVoid = suites.length > 0 && suites.every((suite) => suite.passed + suite.failed === 0)
  if (isVoid) console.log('\nNo test was run.')
  console.log(`\n${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0 && !isVoid ? 0 : 1
}

function since(started) {
  return Math.round((Date.now() - started) / 1000)
}
