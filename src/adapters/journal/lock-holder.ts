/** Who holds the lock of a directory, and whether that process still runs. */
import { hostname } from 'node:os'
import { codeOf } from '../node-error.js'
import type { FileSystem } from './file-system.js'

/** Who holds the lock, as its file says. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** The boot of the machine, and when the process began since then: tells it from a later one with the same number. Empty where the system doesn't say. */
  readonly started: string
  /** In which process numbers mean the same: a container has its own. Empty where the system doesn't say. */
  readonly space: string
}

/** The holder that a lock's file names; undefined when it names none that we understand. */
export function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, started, space } = JSON.parse(text) as Partial<Holder>
    const isHolder = Number.isInteger(pid) && pid! > 0 && typeof host === 'string'
    return isHolder ? { pid: pid!, host, started: started ?? '', space: space ?? '' } : undefined
  } catch {
    return undefined
  }
}

/** What can be seen of the holder from here. */
export function stateOf(fs: FileSystem, holder: Holder | undefined): 'alive' | 'gone' | 'unknown' {
  if (holder === undefined) return 'unknown'
  const me = thisProcess(fs)
  const isKnown = holder.started !== '' && holder.space !== '' && holder.space === me.space
  if (isKnown && isOfThisBoot(fs, holder))
    return startOf(fs, holder.pid) === holder.started ? 'alive' : 'gone'
  // Where the system says nothing of processes but whether there's one with that number.
  const isNeighbour = me.started === '' && holder.started === '' && holder.host === me.host
  return isNeighbour && !hasProcess(holder.pid) ? 'gone' : 'unknown'
}

/** Whether the holder began since this machine was started last: then both have the same clock. */
export function isOfThisBoot(fs: FileSystem, holder: Holder | undefined): boolean {
  const boot = bootOf(fs)
  return boot !== '' && holder?.started.startsWith(`${boot}/`) === true
}

function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

/** This process as a holder. */
export function thisProcess(fs: FileSystem): Holder {
  return { pid: process.pid, host: hostname(), started: startOf(fs, process.pid), space: spaceOf(fs) }
}

/** Linux numbers the namespaces of process numbers. */
function spaceOf(fs: FileSystem): string {
  try {
    return fs.readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function bootOf(fs: FileSystem): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/**
 * When the process began: the boot and the ticks since then, from Linux's /proc. In a container each run may have the same number.
 * Nothing for one that isn't there, that has ended and waits for its parent to notice, or where the system doesn't say.
 */
function startOf(fs: FileSystem, pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before them may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const boot = bootOf(fs)
    return 'ZX'.includes(fields[0]) || boot === '' ? '' : `${boot}/${fields[19]}`
  } catch {
    return ''
  }
}
