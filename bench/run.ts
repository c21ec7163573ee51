/**
 * What Warren costs, beside a direct connection, HAProxy, and any other proxy. Started by `npm run bench`;
 * docs/performance.md says what is measured and how.
 */
import { TestAuthority } from '../test/support/certificates.js'
import { runSeries, type Series } from './measure/series.js'
import { type Options, parseOptions, USAGE } from './options.js'
import { killAllProcesses, stopAllProcesses } from './processes/started-process.js'
import { writeJson } from './report/json.js'
import { table } from './report/table.js'
import { haproxyVersion, startHaproxy } from './targets/haproxy.js'
import type { Target } from './targets/target.js'
import { isWarrenBuilt, startWarren } from './targets/warren.js'
import { runningRabbitMq, startRabbitMq } from './upstreams/rabbitmq.js'
import { startSink } from './upstreams/sink.js'
import type { Upstream, UpstreamName } from './upstreams/upstream.js'

/** What has to be ended, the last started first. */
const started: { stop(): Promise<void> }[] = []

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (!options) {
    console.log(USAGE)
    return 0
  }
  const all: Series[] = []
  for (const name of options.upstreams) {
    await measureBefore(name, options, all)
    await stopEverything()
  }
  if (options.json) await writeJson(options.json, all)
  const failed = all.some((series) => series.results.some((result) => result.failure))
  return failed ? 1 : 0
}

/** All workloads with one broker behind the targets. */
async function measureBefore(name: UpstreamName, options: Options, all: Series[]): Promise<void> {
  progress(`starting ${name}`)
  const upstream = await startUpstream(name, options)
  started.push(upstream)
  const targets = await startTargets(upstream, options)
  for (const workload of options.workloads) {
    const { rounds, seconds, scale, closeChannels } = options
    const connections = options.connections ?? workload.connections
    const settings = {
      workload,
      upstream,
      targets,
      rounds,
      seconds,
      scale,
      connections,
      closeChannels,
      progress,
    }
    const series = await runSeries(settings)
    if (series.results.length === 0) continue
    all.push(series)
    progress('')
    console.log(`${table(series)}\n`)
  }
}

function startUpstream(name: UpstreamName, options: Options): Promise<Upstream> {
  if (name === 'sink') return startSink(options.sinkPort)
  if (!options.rabbitMq) return startRabbitMq()
  return Promise.resolve(runningRabbitMq(options.rabbitMq.url, options.rabbitMq.pid))
}

async function startTargets(upstream: Upstream, options: Options): Promise<Target[]> {
  const stop = (): Promise<void> => Promise.resolve()
  const targets: Target[] = [{ name: 'direct', host: '127.0.0.1', port: upstream.port, stop }]
  const certificate = options.workloads.some(({ tls }) => tls) ? new TestAuthority().server() : undefined
  const add = (target: Target): void => {
    targets.push(target)
    started.push(target)
  }
  if (options.without.includes('haproxy')) progress('')
  else if (haproxyVersion()) add(await startHaproxy(upstream.port, certificate))
  else say('haproxy is not installed: left out')
  if (options.without.includes('warren')) progress('')
  else if (isWarrenBuilt()) {
    await startWarren(upstream.port, options.warrenArguments, certificate).then(add, (error: Error) => {
      say(`Warren is left out: ${error.message}`)
      process.exitCode = 1
    })
  } else say('dist/main.js is not there: Warren is left out')
  for (const extra of options.extraTargets) {
    if (!extra.upstream || extra.upstream === upstream.name) targets.push({ ...extra, stop })
  }
  return targets
}

async function stopEverything(): Promise<void> {
  for (let one = started.pop(); one; one = started.pop()) await one.stop()
  await stopAllProcesses()
}

/** One line that is written over, and only for somebody who watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function say(text: string): void {
  progress('')
  console.error(text)
}

function stopOnSignal(signal: NodeJS.Signals, code: number): void {
  process.on(signal, () => {
    void stopEverything().finally(() => process.exit(code))
  })
}

stopOnSignal('SIGINT', 130)
stopOnSignal('SIGTERM', 143)
process.on('exit', killAllProcesses)

try {
  process.exitCode = (await main()) || process.exitCode || 0
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  await stopEverything()
}
