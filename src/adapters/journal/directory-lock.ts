/** Keeps a second process out of a directory. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { JournalError } from '../../application/ports/journal.js'
import { type FileSystem, codeOf } from './file-system.js'

/** Who holds the lock, as its file says. */
interface Holder {
  readonly pid: number
  readonly host: string
  /** Tells a process from a later one with the same number; empty where the system doesn't say. */
  readonly started: string
}

const NAME = 'lock'

/**
 * A file that names its holder. One whose process is gone is taken over; Node.js knows no lock that the system itself would lift.
 * A holder on another host can't be looked at, so its lock stands until somebody removes the file.
 */
export class DirectoryLock {
  readonly #fs: FileSystem
  readonly #path: string
  #isHeld = true

  private constructor(fs: FileSystem, path: string) {
    this.#fs = fs
    this.#path = path
  }

  /** Throws {@link JournalError}, which names the holder, when another process has the directory. */
  static take(fs: FileSystem, directory: string): DirectoryLock {
    const path = join(directory, NAME)
    const own = join(directory, `${NAME}.${randomUUID()}`)
    const me: Holder = { pid: process.pid, host: hostname(), started: startOf(fs, process.pid) }
    fs.writeFileSync(own, JSON.stringify(me), { flag: 'wx', mode: 0o600 })
    try {
      // A link appears with its contents, and only where there's none yet.
      while (!link(fs, own, path)) removeStale(fs, path, `${own}.stale`, directory)
    } finally {
      fs.unlinkSync(own)
    }
    return new DirectoryLock(fs, path)
  }

  /** Lets others in; can be called twice. */
  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#fs.unlinkSync(this.#path)
  }
}

function link(fs: FileSystem, from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Removes the lock when its holder is gone, else throws. */
function removeStale(fs: FileSystem, path: string, aside: string, directory: string): void {
  const text = read(fs, path)
  if (text === undefined) return
  const holder = parse(text)
  if (isAlive(fs, holder)) throw inUse(directory, path, holder)
  try {
    fs.renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  // Another process may have taken over between the look and the renaming: then it was its lock that was moved.
  const isSame = read(fs, aside) === text
  if (!isSame) link(fs, aside, path)
  fs.unlinkSync(aside)
  if (!isSame) throw inUse(directory, path, undefined)
}

function inUse(directory: string, path: string, holder: Holder | undefined): JournalError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
  return new JournalError(
    `the journal in ${directory} is in use by ${who}; give each Warren a directory of its own, or remove ${path} if that process is gone`,
  )
}

function read(fs: FileSystem, path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Undefined for a file that isn't ours to judge. */
function parse(text: string): Holder | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Holder
    return Number.isInteger(pid) && pid > 0 && typeof host === 'string' ? { pid, host, started } : undefined
  } catch {
    return undefined
  }
}

/** Whether the holder may still be there. */
function isAlive(fs: FileSystem, holder: Holder | undefined): boolean {
  if (holder === undefined || holder.host !== hostname()) return true
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false
  }
  const started = startOf(fs, holder.pid)
  return started === '' || holder.started === '' || started === holder.started
}

/**
 * When the process began: the boot and the ticks since then, from Linux's /proc. In a container each run may have the same number.
 * Another word for one that has ended and waits for its parent to notice; nothing where the system doesn't say.
 */
function startOf(fs: FileSystem, pid: number): string {
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before them may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return 'ZX'.includes(fields[0]) ? 'ended' : `${boot}/${fields[19]}`
  } catch {
    return ''
  }
}
