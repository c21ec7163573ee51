/** All rounds of one workload: each target in turn, another one first each time. */
import type { Target } from '../targets/target.js'
import type { Upstream } from '../upstreams/upstream.js'
import type { Workload } from '../workloads.js'
import { type Round, runRound } from './round.js'

export interface SeriesSettings {
  workload: Workload
  upstream: Upstream
  targets: Target[]
  rounds: number
  seconds: number
  scale: number
  connections: number
  closeChannels: boolean
  /** Called before each round. */
  progress(text: string): void
}

export interface Series {
  workload: Workload
  upstream: Upstream['name']
  connections: number
  seconds: number
  results: TargetResult[]
}

export interface TargetResult {
  target: string
  isProxy: boolean
  rounds: Round[]
  failure?: string
}

const RABBITMQ_WARM_UP = 0.1

/** Filling a queue takes a real broker longer than emptying it. */
const RABBITMQ_MOST_CONSUMED = 60_000

const LATENCY_RATE = 1000

export async function runSeries(settings: SeriesSettings): Promise<Series> {
  const { workload, upstream, connections, seconds } = settings
  const targets = settings.targets.filter(
    ({ name, tlsPort }) => !workload.without?.includes(name) && (!workload.tls || tlsPort !== undefined),
  )
  const rounds = workload.once ? 1 : settings.rounds
  const results = targets.map((target): TargetResult => {
    return { target: target.name, isProxy: target.pid !== undefined, rounds: [] }
  })
  const sizes = targets.map(() => warmUpSize(settings))
  // Round 0 warms everything up, and shows how many operations make a round of the wanted length.
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < targets.length; turn++) {
      const i = (turn + round) % targets.length
      if (results[i].failure) continue
      settings.progress(`${upstream.name} ${workload.name} ${round}/${rounds} ${targets[i].name}`)
      try {
        const target = targets[i]
        const { closeChannels } = settings
        const done = await runRound({
          workload,
          target,
          upstream,
          operations: sizes[i],
          connections,
          closeChannels,
        })
        sizes[i] = nextSize(settings, done)
        if (round > 0) results[i].rounds.push(done)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        results[i].failure = [reason, targets[i].lastOutput?.()].filter(Boolean).join('\n')
      }
    }
  }
  return { workload, upstream: upstream.name, connections, seconds, results }
}

function warmUpSize({ workload, upstream, scale, connections }: SeriesSettings): number {
  const share = upstream.name === 'rabbitmq' ? RABBITMQ_WARM_UP : 1
  const least = workload.once ? 1 : connections
  return Math.max(least, Math.round(workload.warmUp * scale * share))
}

function nextSize(settings: SeriesSettings, last: Round): number {
  const { workload, upstream, seconds, connections } = settings
  if (workload.once) return Math.max(1, Math.round(connections * Math.min(1, settings.scale)))
  const rate = workload.load === 'latency' ? LATENCY_RATE : last.operations / last.seconds
  const consumes = workload.load === 'consume' && upstream.name === 'rabbitmq'
  const most = consumes ? Math.min(workload.most, RABBITMQ_MOST_CONSUMED) : workload.most
  return Math.max(connections, Math.min(most, Math.round(rate * seconds)))
}
