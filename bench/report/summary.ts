/** The medians of a target's rounds, and how they compare with the other targets'. */
import type { Round } from '../measure/round.js'
import type { Series, TargetResult } from '../measure/series.js'

export interface Summary {
  target: string
  isProxy: boolean
  operationsPerSecond: number
  /** Microseconds of CPU for each operation. */
  proxy: { median: number; least: number; most: number }
  broker: number
  load: number
  /** Shares of one core while the load ran. */
  busy: { proxy: number; broker: number; load: number; other: number }
  /** Microseconds. */
  latency?: { p50: number; p99: number }
  /** Resident octets of the proxy, and how many of them each operation has added. */
  memory: { after: number; perOperation: number }
  early: boolean
  failure?: string
}

export function summarise(series: Series): Summary[] {
  return series.results.map(summary)
}

function summary(result: TargetResult): Summary {
  const { rounds, target, isProxy, failure } = result
  const middle = (value: (round: Round) => number): number => median(rounds.map(value))
  const proxy = rounds.map((round) => perOperation(round, round.cpu.proxy))
  const busy = (what: keyof Round['cpu']): number =>
    middle((round) => round.cpu[what] / (round.seconds * 1e9))
  return {
    target,
    isProxy,
    operationsPerSecond: middle((round) => round.operations / round.seconds),
    proxy: { median: median(proxy), least: Math.min(...proxy), most: Math.max(...proxy) },
    broker: middle((round) => perOperation(round, round.cpu.broker)),
    load: middle((round) => perOperation(round, round.cpu.load)),
    busy: { proxy: busy('proxy'), broker: busy('broker'), load: busy('load'), other: busy('other') },
    ...(rounds[0]?.latency && {
      latency: {
        p50: middle((round) => round.latency?.p50 ?? NaN),
        p99: middle((round) => round.latency?.p99 ?? NaN),
      },
    }),
    memory: {
      after: middle((round) => round.memory.after),
      perOperation: middle((round) => (round.memory.after - round.memory.before) / round.operations),
    },
    early: rounds.some((round) => round.early),
    ...(failure && { failure }),
  }
}

function perOperation(round: Round, nanoseconds: number): number {
  return nanoseconds / 1000 / round.operations
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
