/**
 * Has Warren become more expensive? Measures it beside HAProxy, and compares the ratios with those of the last release, which are
 * kept in `bench/baseline.json`. `npm run bench:gate`; with `-- --update` what was measured becomes the baseline.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Report } from './report/json.js'
import { scratchFile } from './processes/scratch-folder.js'

const BASELINE = fileURLToPath(new URL('baseline.json', import.meta.url))
const WORKLOADS = 'publish,confirm,consume,churn'
/** How much more a ratio may be: medians of two runs on a quiet machine differ by less. */
const TOLERANCE = 1.15

/** Warren's CPU time for an operation as a multiple of HAProxy's, by workload. */
type Ratios = Record<string, number>

const { values } = parseArgs({
  options: { update: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})

const ratios = measure(values.rounds)
if (values.update || !existsSync(BASELINE)) {
  writeFileSync(BASELINE, `${JSON.stringify(ratios, undefined, 2)}\n`)
  console.log(`the baseline is now: ${JSON.stringify(ratios)}`)
} else {
  process.exitCode = compare(JSON.parse(readFileSync(BASELINE, 'utf8')) as Ratios, ratios)
}

function measure(rounds: string): Ratios {
  const file = scratchFile('gate.json')
  const run = fileURLToPath(new URL('run.ts', import.meta.url))
  const args = ['--import', 'tsx', run, '--workloads', WORKLOADS, '--rounds', rounds, '--json', file]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) throw new Error('the benchmark failed')
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  return Object.fromEntries(
    report.series.map(({ workload, medians }) => {
      const cost = (name: string): number | undefined =>
        medians.find(({ target }) => target === name)?.proxy.median
      const [warren, haproxy] = [cost('warren'), cost('haproxy')]
      if (warren === undefined || haproxy === undefined)
        throw new Error(`${workload}: Warren and HAProxy are needed, HAProxy from Debian's package`)
      return [workload, Number((warren / haproxy).toFixed(2))]
    }),
  )
}

/** Returns the exit code. */
function compare(baseline: Ratios, now: Ratios): number {
  let worse = 0
  console.log(`Warren's CPU time as a multiple of HAProxy's; at most ${TOLERANCE} times the last release's`)
  for (const [workload, ratio] of Object.entries(now)) {
    const before = baseline[workload] as number | undefined
    const isWorse = before !== undefined && ratio > before * TOLERANCE
    if (isWorse) worse++
    console.log(
      `  ${workload.padEnd(12)} ${ratio.toFixed(2).padStart(6)}  was ${before?.toFixed(2) ?? 'not measured'}${isWorse ? '  WORSE' : ''}`,
    )
  }
  return worse === 0 ? 0 : 1
}
