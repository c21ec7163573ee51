/**
 * Does an operation cost the same however many clients, channels and upstream connections there are? `npm run bench:scaling`.
 * Each point is measured with a fresh Warren and a fresh HAProxy before the sink.
 */
import { parseArgs } from 'node:util'
import { type Series, runSeries } from './measure/series.js'
import { stopAllProcesses } from './processes/started-process.js'
import { writeJson } from './report/json.js'
import { summarise } from './report/summary.js'
import { quantity } from './report/table.js'
import { haproxyVersion, startHaproxy } from './targets/haproxy.js'
import type { Target } from './targets/target.js'
import { startWarren } from './targets/warren.js'
import { startSink } from './upstreams/sink.js'
import { type Workload, chosenWorkloads } from './workloads.js'

interface Point {
  readonly label: string
  readonly workload: Workload
  readonly connections: number
  readonly warrenArguments?: string[]
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
})

const publish = named('publish-100')
const confirm = named('confirm')

/** Clients beyond these take longer to connect than to be measured. */
const CLIENTS = [10, 100, 1000, 10_000]
/** The sink grants 2,047 channels on a connection. */
const CHANNELS = [1, 100, 2000]
const UPSTREAMS = [1, 10, 50]

const points: Point[] = [
  ...CLIENTS.map((connections) => ({
    label: `${connections} clients publish`,
    workload: publish,
    connections,
  })),
  ...CLIENTS.map((connections) => ({
    label: `${connections} clients, confirms`,
    workload: confirm,
    connections,
  })),
  ...CHANNELS.map((channels) => ({
    label: `1 client with ${channels} channels publishes`,
    workload: { ...publish, channels },
    connections: 1,
  })),
  ...UPSTREAMS.map((upstreams) => ({
    label: `50 clients publish over ${upstreams} upstream connections`,
    workload: publish,
    connections: 50,
    warrenArguments: ['--pool-max-channels', String(50 / upstreams)],
  })),
]

const all: Series[] = []
try {
  for (const point of points) {
    const series = await measure(point)
    all.push(series)
    console.log(`${point.label.padEnd(50)} ${summary(series)}`)
  }
  if (values.json !== undefined) await writeJson(values.json, all)
} finally {
  await stopAllProcesses()
}

async function measure({ workload, connections, warrenArguments = [] }: Point): Promise<Series> {
  const upstream = await startSink(0)
  const targets: Target[] = [await startWarren(upstream.port, warrenArguments)]
  // It needs two descriptors for each client, of which many systems grant 20,000.
  if (haproxyVersion() && connections < 9000) targets.push(await startHaproxy(upstream.port))
  try {
    return await runSeries({
      workload,
      upstream,
      targets,
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      scale: 1,
      connections,
      closeChannels: false,
      progress: () => undefined,
    })
  } finally {
    for (const target of targets) await target.stop()
    await upstream.stop()
  }
}

function summary(series: Series): string {
  return summarise(series)
    .map(
      ({ target, proxy, failure }) =>
        `${target} ${failure ? `failed: ${failure}` : `${quantity(proxy.median)} µs`}`,
    )
    .join(', ')
}

function named(name: string): Workload {
  return chosenWorkloads([name])[0]
}
