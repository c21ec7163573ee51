/** Keeps a second process out of a directory. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { JournalError } from '../../application/ports/journal.js'
import { codeOf } from '../node-error.js'
import { type FileSystem, isNoRoom } from './file-system.js'
import { type Holder, isOfThisBoot, parseHolder, stateOf, thisProcess } from './lock-holder.js'

/** The lock's file in the directory. */
const NAME = 'lock'
/** A lock that its holder hasn't renewed for so long is taken over, if nothing better is known of the holder. */
export const LEASE_MS = 15_000
/** How often it's renewed. */
export const RENEWAL_MS = LEASE_MS / 3

/** Somebody else has the directory, or may have it. */
export class DirectoryInUse extends JournalError {
  /** Changes whenever the holder renews the lock; undefined if the holder is known to live. */
  readonly beat: string | undefined

  constructor(message: string, beat: string | undefined) {
    super(message)
    this.beat = beat
  }
}

/**
 * A file that names its holder, who renews it. One whose process is seen to be gone is taken over at once. A process of another machine or container can't be
 * looked at: its lock is stale once it hasn't been renewed for {@link LEASE_MS}, and a holder who comes back from a longer pause finds that out before it writes.
 */
export class DirectoryLock {
  readonly #fs: FileSystem
  readonly #path: string
  readonly #text: string
  readonly #wallTime: () => number
  #renewedAt: number
  #isHeld = true
  #isLost = false

  private constructor(fs: FileSystem, path: string, text: string, wallTime: () => number) {
    this.#fs = fs
    this.#path = path
    this.#text = text
    this.#wallTime = wallTime
    this.#renewedAt = wallTime()
  }

  /**
   * Throws {@link DirectoryInUse}, which names the holder, when another process has the directory or may have it. A lock whose beat is still
   * `staleBeat` is taken over: the caller has watched it for {@link LEASE_MS}.
   */
  static take(
    fs: FileSystem,
    directory: string,
    wallTime: () => number = Date.now,
    staleBeat?: string,
  ): DirectoryLock {
    const path = join(directory, NAME)
    const token = randomUUID()
    const own = join(directory, `${NAME}.${token}`)
    const text = JSON.stringify({ ...thisProcess(fs), token })
    const moveStale = (aside: string): boolean =>
      moveStaleAside(fs, path, aside, directory, wallTime(), staleBeat)
    try {
      writeOwn(fs, own, text, moveStale)
      // A link appears with its contents, and only where there's none yet.
      while (!link(fs, own, path)) {
        const aside = `${own}.stale`
        if (moveStale(aside)) fs.unlinkSync(aside)
      }
    } finally {
      remove(fs, own)
    }
    const lock = new DirectoryLock(fs, path, text, wallTime)
    lock.renew()
    return lock
  }

  /** Tells others that the holder is there. False once somebody else has taken the directory over: then nothing may be written there any more. */
  renew(): boolean {
    if (this.#isLost || !this.#isHeld) return false
    const text = read(this.#fs, this.#path)
    if (text === undefined) this.#fs.writeFileSync(this.#path, this.#text, { flag: 'wx', mode: 0o600 })
    else if (text !== this.#text) {
      this.#isLost = true
      return false
    }
    const now = this.#wallTime()
    this.#fs.utimesSync(this.#path, now / 1000, now / 1000)
    this.#renewedAt = now
    return true
  }

  /** As {@link renew}, if that's overdue: after a pause of the whole process somebody may have taken over. */
  check(): boolean {
    return Math.abs(this.#wallTime() - this.#renewedAt) < LEASE_MS / 2 || this.renew()
  }

  /** Lets others in; can be called twice. */
  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    if (read(this.#fs, this.#path) === this.#text) this.#fs.unlinkSync(this.#path)
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

/** On a full disk the room of a lock that is stale is enough for another one. */
function writeOwn(fs: FileSystem, own: string, text: string, moveStale: (aside: string) => boolean): void {
  try {
    fs.writeFileSync(own, text, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    remove(fs, own)
    if (!isNoRoom(error) || !moveStale(own)) throw error
    const descriptor = fs.openSync(own, 'r+')
    try {
      fs.writeSync(descriptor, text, 0)
      fs.ftruncateSync(descriptor, Buffer.byteLength(text))
    } finally {
      fs.closeSync(descriptor)
    }
  }
}

/** Moves the lock away when its holder is gone, and throws when it isn't. False when there's no lock any more. */
function moveStaleAside(
  fs: FileSystem,
  path: string,
  aside: string,
  directory: string,
  now: number,
  staleBeat: string | undefined,
): boolean {
  const text = read(fs, path)
  if (text === undefined) return false
  const holder = parseHolder(text)
  const state = stateOf(fs, holder)
  if (state === 'alive') throw inUse(directory, path, holder, undefined)
  if (state === 'unknown') {
    const renewedAt = fs.statSync(path).mtimeMs
    const beat = `${text} ${renewedAt}`
    // One kernel has one clock for all its containers; that of another machine may be wrong.
    const isOverdue = isOfThisBoot(fs, holder) && now - renewedAt >= LEASE_MS
    if (!isOverdue && beat !== staleBeat) throw inUse(directory, path, holder, beat)
  }
  try {
    fs.renameSync(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
  // Another process may have taken over between the look and the renaming: then it was its lock that was moved.
  if (read(fs, aside) === text) return true
  link(fs, aside, path)
  fs.unlinkSync(aside)
  throw inUse(directory, path, undefined, undefined)
}

function remove(fs: FileSystem, path: string): void {
  try {
    fs.unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function inUse(
  directory: string,
  path: string,
  holder: Holder | undefined,
  beat: string | undefined,
): DirectoryInUse {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
  return new DirectoryInUse(
    `the journal in ${directory} is in use by ${who}; give each Warren a directory of its own, or remove ${path} if that process is gone`,
    beat,
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
