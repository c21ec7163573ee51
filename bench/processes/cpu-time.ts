/** CPU time of processes from /proc, in nanoseconds where the kernel counts them. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const NANOSECONDS_PER_TICK = 1e9 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** CPU time so far of a process, all its threads, and the processes it has started. */
export function cpuTime(pid: number): number {
  const threads = listing(`/proc/${pid}/task`)
  const own = threads.reduce((sum, thread) => sum + threadTime(pid, thread), 0)
  return threads.flatMap((thread) => children(pid, thread)).reduce((sum, child) => sum + cpuTime(child), own)
}

/** CPU time that all processes of the machine have used. */
export function machineCpuTime(): number {
  const [user, nice, system, , , irq, softIrq] = read('/proc/stat')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softIrq) * NANOSECONDS_PER_TICK
}

function threadTime(pid: number, thread: string): number {
  const schedstat = read(`/proc/${pid}/task/${thread}/schedstat`)
  if (schedstat) return Number(schedstat.split(' ')[0])
  // The command's name in parentheses may contain spaces.
  const fields = read(`/proc/${pid}/task/${thread}/stat`).split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * NANOSECONDS_PER_TICK
}

function children(pid: number, thread: string): number[] {
  return read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number)
}

function listing(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
