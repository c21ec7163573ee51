/** One round: a load generator against one target, and what it cost each process. */
import { fileURLToPath } from 'node:url'
import type { LoadResult } from '../load/generator.js'
import { cpuTime, machineCpuTime } from '../processes/cpu-time.js'
import { startScript } from '../processes/started-process.js'
import { residentMemory } from '../processes/memory.js'
import type { Target } from '../targets/target.js'
import type { Upstream } from '../upstreams/upstream.js'
import type { Workload } from '../workloads.js'

export interface RoundSettings {
  workload: Workload
  target: Target
  upstream: Upstream
  operations: number
  connections: number
  closeChannels: boolean
}

export interface Round {
  operations: number
  seconds: number
  /** Nanoseconds of CPU. */
  cpu: { load: number; proxy: number; broker: number; other: number }
  latency?: LoadResult['latency']
  /** The proxy's resident octets. */
  memory: { before: number; after: number }
  /** The load was done before the broker had seen all of it. */
  early: boolean
}

const READY_TIMEOUT_MS = 90_000
const ROUND_TIMEOUT_MS = 120_000
const ARRIVAL_TIMEOUT_MS = 3_000
const ARRIVAL_POLL_MS = 10

export async function runRound(settings: RoundSettings): Promise<Round> {
  const { workload, target, upstream } = settings
  const load = startScript(`load ${workload.load}`, loadScript(workload), loadArguments(settings))
  try {
    await load.next('ready', READY_TIMEOUT_MS)
    const arrivedBefore = await arrived(upstream, workload)
    const before = sample(target, upstream, load.pid)
    load.send('go')
    const result = await load.next<LoadResult>('result', ROUND_TIMEOUT_MS)
    const early = await waitForArrival(upstream, workload, arrivedBefore + result.operations)
    const after = sample(target, upstream, load.pid)
    load.send('end')
    await load.finish()
    return round(result, before, after, early)
  } finally {
    await load.stop()
  }
}

interface Sample {
  memory: number
  proxy: number
  broker: number
  load: number
  machine: number
}

function sample(target: Target, upstream: Upstream, loadPid: number): Sample {
  return {
    memory: target.pid === undefined ? 0 : residentMemory(target.pid),
    proxy: target.pid === undefined ? 0 : cpuTime(target.pid),
    broker: upstream.cpuTime(),
    load: cpuTime(loadPid),
    machine: machineCpuTime(),
  }
}

function round(result: LoadResult, before: Sample, after: Sample, early: boolean): Round {
  const spent = (what: keyof Sample): number => Math.max(0, after[what] - before[what])
  const ours = spent('load') + spent('proxy') + spent('broker')
  const { operations, seconds, cpuSeconds, latency } = result
  return {
    operations,
    seconds,
    cpu: {
      load: cpuSeconds * 1e9,
      proxy: spent('proxy'),
      broker: spent('broker'),
      other: Math.max(0, spent('machine') - ours),
    },
    ...(latency && { latency }),
    memory: { before: before.memory, after: after.memory },
    early,
  }
}

/** Makes sure that the broker got exactly what was sent; true if that took longer than the load itself. */
async function waitForArrival(upstream: Upstream, workload: Workload, expected: number): Promise<boolean> {
  if (!upstream.stats || !workload.counted) return false
  const deadline = Date.now() + ARRIVAL_TIMEOUT_MS
  for (let early = false; ; early = true) {
    const count = await arrived(upstream, workload)
    if (count === expected) return early
    if (count > expected) throw new Error(`${count - expected} more ${workload.counted} than were sent`)
    if (Date.now() > deadline) throw new Error(`${expected - count} ${workload.counted} never arrived`)
    await new Promise((resolve) => setTimeout(resolve, ARRIVAL_POLL_MS))
  }
}

async function arrived(upstream: Upstream, workload: Workload): Promise<number> {
  return workload.counted ? ((await upstream.stats?.())?.[workload.counted] ?? 0) : 0
}

function loadScript(workload: Workload): string {
  return fileURLToPath(new URL(`../load/${workload.load}.ts`, import.meta.url))
}

function loadArguments(settings: RoundSettings): string[] {
  const { workload, target, upstream, operations, connections } = settings
  const values = {
    host: target.host,
    port: workload.tls ? (target.tlsPort ?? 0) : target.port,
    user: upstream.user,
    password: upstream.password,
    'broker-port': upstream.port,
    connections,
    channels: workload.channels ?? 1,
    body: workload.body,
    total: operations,
    deadline: (READY_TIMEOUT_MS + ROUND_TIMEOUT_MS) / 1000,
  }
  const args = Object.entries(values).map(([name, value]) => `--${name}=${value}`)
  // A real broker has no messages of its own to deliver.
  if (upstream.name === 'rabbitmq') args.push('--fill')
  if (settings.closeChannels) args.push('--close-channels')
  if (workload.tls) args.push('--tls')
  return [...args, '--wait']
}
