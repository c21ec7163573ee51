/** The frame of a load generator: ready, go, result, end, as JSON lines on stdout. */
import { createInterface } from 'node:readline'
import { type LoadSettings, loadSettings } from './settings.js'

export interface LoadResult {
  operations: number
  seconds: number
  cpuSeconds: number
  /** Microseconds from publish to delivery, for `latency`. */
  latency?: { p50: number; p99: number; max: number }
}

export interface Load {
  /** Runs the load to its end: everything has been processed when it resolves. */
  run(): Promise<Partial<LoadResult> | void>
  /** Takes away what the load left on the broker. */
  cleanUp?(): Promise<void>
}

export async function generate(prepare: (settings: LoadSettings) => Promise<Load>): Promise<void> {
  process.on('uncaughtException', fail)
  try {
    const settings = loadSettings()
    setTimeout(
      () => fail(new Error(`not done after ${settings.deadline} s`)),
      settings.deadline * 1000,
    ).unref()
    const load = await prepare(settings)
    const lines = settings.wait ? stdinLines() : undefined
    print({ event: 'ready', pid: process.pid })
    await lines?.next()
    print({ event: 'result', ...(await timed(load, settings)) })
    await lines?.next()
    await load.cleanUp?.()
    process.exit(0)
  } catch (error) {
    fail(error)
  }
}

async function timed(load: Load, settings: LoadSettings): Promise<LoadResult> {
  const cpuBefore = process.cpuUsage()
  const before = performance.now()
  const extra = await load.run()
  const seconds = (performance.now() - before) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  return { operations: settings.total, seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6, ...extra }
}

function stdinLines(): AsyncIterator<string> {
  return createInterface({ input: process.stdin })[Symbol.asyncIterator]()
}

function print(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

function fail(error: unknown): void {
  print({ event: 'error', message: error instanceof Error ? error.message : String(error) })
  process.exit(1)
}
