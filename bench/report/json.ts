/** Every round and every median, with what is needed to compare them with another run's. */
import { writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import type { Series } from '../measure/series.js'
import { haproxyVersion } from '../targets/haproxy.js'
import { type Summary, summarise } from './summary.js'

/** What is in such a file. */
export interface Report {
  readonly date: string
  readonly node: string
  readonly kernel: string
  readonly cores: number
  readonly cpu: string | undefined
  readonly haproxy: string | undefined
  readonly series: readonly {
    readonly workload: string
    readonly upstream: string
    readonly connections: number
    readonly seconds: number
    readonly medians: readonly Summary[]
    readonly rounds: Series['results']
  }[]
}

export async function writeJson(file: string, all: Series[]): Promise<void> {
  const report: Report = {
    date: new Date().toISOString(),
    node: process.version,
    kernel: release(),
    cores: cpus().length,
    cpu: cpus()[0]?.model,
    haproxy: haproxyVersion(),
    series: all.map(({ workload, upstream, connections, seconds, results }) => ({
      workload: workload.name,
      upstream,
      connections,
      seconds,
      medians: summarise({ workload, upstream, connections, seconds, results }),
      rounds: results,
    })),
  }
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`)
}
