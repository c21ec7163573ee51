/** The journal of the publish buffer in a directory: append-only segments, of which only those are kept that still hold something. */
import * as nodeFs from 'node:fs'
import type { Clock, Timer } from '../../application/ports/clock.js'
import {
  type AsideNote,
  type Journal,
  JournalError,
  type JournalPool,
  type JournalRecord,
} from '../../application/ports/journal.js'
import type { Logger } from '../../application/ports/logger.js'
import { DirectoryLock, RENEWAL_MS } from './directory-lock.js'
import { codeOf } from '../node-error.js'
import { type FileSystem, journalError } from './file-system.js'
import { whenLockIsFree } from './lock-watch.js'
import { loadSegments, readSegment, segmentPath } from './segment-files.js'
import { decodeMessage, encodeMessage, encodeRemoval, remark } from './segment-format.js'
import { SegmentWriter } from './segment-writer.js'
import type { Place, Segment, Segments } from './segments.js'

/** When the disk is made to hold what was written: with each `commit`, now and then, or when the system likes. */
export type SyncPolicy = 'always' | { readonly everyMs: number } | 'never'

/** Where and how a journal is kept. */
export interface FileJournalOptions {
  /** Made when it isn't there. One process can use it. */
  readonly directory: string
  readonly sync: SyncPolicy
  /** In bytes: from this size on another segment is begun. 64 MiB if left out. */
  readonly segmentBytes?: number
}

/** What a journal needs of the world. */
export interface FileJournalNeeds {
  readonly clock: Clock
  readonly logger: Logger
  readonly fs?: FileSystem
}

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
/** The permissions of everybody but the owner. */
const OTHERS = 0o077
/** A full disk is asked again with each removal, so each time only for a few. */
const REMOVALS_AT_ONCE = 64

/**
 * A journal in a directory of its own: segments to which records are only ever added, removals too. A segment goes when it's the oldest and none of its messages is
 * needed; never before an older one, since its removals hold for those. Messages that would keep old segments alive for long are moved to the newest.
 */
export class FileJournal implements Journal {
  readonly #directory: string
  readonly #policy: SyncPolicy
  readonly #segmentBytes: number
  readonly #logger: Logger
  readonly #fs: FileSystem
  readonly #lock: DirectoryLock
  readonly #timers: Timer[]
  readonly #segments: Segments
  #writer: SegmentWriter | undefined
  #lastId: number
  /** Up to here messages are from an earlier run. */
  readonly #lastOldId: number
  /** Removals that the disk had no room for. */
  #unwritten: number[] = []
  /** What was appended since the last commit, where that means something. */
  #uncommitted: number[] = []
  /** Segments that are known to be deleted. */
  readonly #missing = new WeakSet<Segment>()
  /** A sync of what isn't committed has failed. */
  #syncError: Error | undefined
  #isMoving = false
  #isClosed = false

  private constructor(
    options: FileJournalOptions,
    { clock, logger, fs = nodeFs }: FileJournalNeeds,
    staleBeat: string | undefined,
  ) {
    this.#directory = options.directory
    this.#policy = options.sync
    this.#segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES
    this.#logger = logger
    this.#fs = fs
    fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    if ((fs.statSync(this.#directory).mode & OTHERS) !== 0)
      logger.warn('others may look into the journal directory', { directory: this.#directory })
    this.#lock = DirectoryLock.take(fs, this.#directory, () => clock.wallTime(), staleBeat)
    try {
      const { segments, lastId } = loadSegments(fs, this.#directory, logger)
      this.#segments = segments
      this.#lastId = this.#lastOldId = lastId
    } catch (error) {
      this.#lock.release()
      throw error
    }
    this.#dropIdle()
    this.#timers = [
      clock.every(RENEWAL_MS, () => {
        if (this.#renewLock()) this.#lookAfterSegments()
      }),
    ]
    if (typeof options.sync === 'object')
      this.#timers.push(clock.every(options.sync.everyMs, () => this.#syncQuietly()))
  }

  /** Opens the journal in a directory, which is made when it isn't there. Throws {@link JournalError} when it can't be used: it's in use, unreadable, or a newer Warren's. */
  static open(options: FileJournalOptions, needs: FileJournalNeeds, staleBeat?: string): FileJournal {
    try {
      return new FileJournal(options, needs, staleBeat)
    } catch (error) {
      throw journalError(`the journal in ${options.directory} can't be opened`, error)
    }
  }

  /**
   * As {@link open}, but for a lock whose holder can't be seen from here, as it was in another container or on another machine: it's watched,
   * and taken over when it isn't renewed.
   */
  static openWhenFree(options: FileJournalOptions, needs: FileJournalNeeds): Promise<FileJournal> {
    return whenLockIsFree(
      (staleBeat) => FileJournal.open(options, needs, staleBeat),
      options.directory,
      needs,
    )
  }

  recover(): readonly JournalRecord[] {
    const records: JournalRecord[] = []
    for (const { path, live } of this.#segments.all) {
      const old = [...live].filter(([id]) => id <= this.#lastOldId)
      if (old.length === 0) continue
      const bytes = readSegment(this.#fs, path)
      for (const [, { offset, size }] of old)
        records.push(decodeMessage(bytes.subarray(offset, offset + size)))
    }
    return records.sort((a, b) => a.id - b.id)
  }

  append(
    pool: JournalPool,
    bytes: Uint8Array,
    expiresAtEpochMs: number | undefined,
    aside?: AsideNote,
  ): number {
    if (this.#isClosed) throw new JournalError(`the journal in ${this.#directory} is closed`)
    // An id is never given again, not even after a failure: something of it may be on the disk.
    const id = ++this.#lastId
    try {
      if (!this.#lock.check()) throw new JournalError('another process has taken the directory over')
      this.#keep(id, (marker) => encodeMessage(marker, { id, pool, expiresAtEpochMs, bytes, aside }))
    } catch (error) {
      throw journalError(`the journal in ${this.#directory} can't keep a message`, error)
    }
    if (this.#policy === 'always') this.#uncommitted.push(id)
    this.#writeRemovals()
    return id
  }

  commit(): void {
    const ids = this.#uncommitted
    if (ids.length === 0) return
    this.#uncommitted = []
    try {
      if (this.#syncError !== undefined) throw this.#syncError
      this.#writer?.sync()
    } catch (error) {
      this.#syncError = undefined
      // What isn't surely on the disk was not kept; in case that it's there all the same, it's removed.
      for (const id of ids) if (this.#segments.release(id)) this.#unwritten.push(id)
      this.#writeRemovals()
      throw journalError(`the journal in ${this.#directory} can't keep messages`, error)
    }
  }

  remove(id: number): void {
    if (this.#isClosed || !this.#isOurs() || !this.#segments.release(id)) return
    this.#unwritten.push(id)
    this.#writeRemovals()
    this.#dropIdle()
  }

  /** Whether nobody has taken the directory over; false also if that can't be known. */
  #isOurs(): boolean {
    try {
      return this.#lock.check()
    } catch {
      return false
    }
  }

  /** False once the directory is another's. */
  #renewLock(): boolean {
    try {
      if (this.#lock.renew()) return true
      this.#logger.error('another process has taken the journal over: no further messages are kept', {
        directory: this.#directory,
      })
      this.#timers.forEach((timer) => timer.cancel())
      return false
    } catch (error) {
      this.#logger.warn("the journal's lock can't be renewed", { error: (error as Error).message })
      return true
    }
  }

  /** Somebody may have tidied up: what lay in a deleted segment is in memory alone, and what is written to it would be, too. */
  #lookAfterSegments(): void {
    for (const segment of this.#segments.all) {
      const { path, live } = segment
      if (live.size === 0 || this.#missing.has(segment)) continue
      try {
        const isThere = segment === this.#segments.newest ? this.#writer?.hasName() : undefined
        if (isThere ?? this.#fs.existsSync(path)) continue
      } catch (error) {
        this.#logger.warn("the journal's segments can't be looked after", { error: (error as Error).message })
        return
      }
      this.#missing.add(segment)
      this.#logger.error(
        'somebody has deleted a segment of the journal; its messages are kept in memory alone',
        {
          file: path,
          messages: live.size,
        },
      )
    }
  }

  close(): void {
    if (this.#isClosed) return
    if (this.#isOurs()) this.#writeRemovals()
    this.#isClosed = true
    this.#timers.forEach((timer) => timer.cancel())
    if (this.#policy !== 'never') this.#syncQuietly()
    this.#writer?.close()
    this.#writer = undefined
    this.#dropIdle()
    try {
      this.#lock.release()
    } catch (error) {
      this.#logger.warn("the journal's lock can't be removed", { error: (error as Error).message })
    }
  }

  /** Adds a message's record to the newest segment. */
  #keep(id: number, encode: (marker: Uint8Array) => Buffer): void {
    const offset = this.#write(encode)
    const segment = this.#segments.newest!
    this.#segments.keep(id, segment, { offset, size: segment.size - offset })
  }

  #write(encode: (marker: Uint8Array) => Buffer): number {
    const writer = this.#writerWithRoom()
    const offset = writer.append(encode(writer.marker))
    this.#segments.grow(writer.size)
    return offset
  }

  #writerWithRoom(): SegmentWriter {
    const writer = this.#writer
    if (writer?.isSound === true && writer.size < this.#segmentBytes) return writer
    if (this.#isMoving) this.#syncMoved()
    else if (this.#policy !== 'never') this.#syncQuietly()
    const number = (this.#segments.newest?.number ?? 0) + 1
    const path = segmentPath(this.#directory, number)
    const next = SegmentWriter.create(this.#fs, path, this.#policy !== 'never')
    writer?.close()
    this.#writer = next
    this.#segments.add(number, path, next.size)
    this.#moveOldOut()
    return this.#writer
  }

  /** When more than half of the journal is there for nothing, a few old messages hold up the rest. */
  #moveOldOut(): void {
    if (this.#isMoving) return
    this.#isMoving = true
    try {
      for (let left = this.#segments.all.length - 1; left > 0; left--) {
        if (this.#segments.idleBytes <= Math.max(this.#segments.liveBytes, this.#segmentBytes)) break
        this.#moveOut(this.#segments.oldest!)
        this.#dropIdle()
      }
    } catch (error) {
      this.#logger.warn("the journal can't be tidied up", { error: (error as Error).message })
    } finally {
      this.#isMoving = false
    }
  }

  /** Copies first, and counts on the copies only once they're as safe as the originals. */
  #moveOut({ path, live }: Segment): void {
    if (live.size === 0) return
    const bytes = readSegment(this.#fs, path)
    const moved: { id: number; segment: Segment; place: Place }[] = []
    for (const [id, { offset, size }] of live) {
      const at = this.#write((marker) => remark(bytes.subarray(offset, offset + size), marker))
      moved.push({ id, segment: this.#segments.newest!, place: { offset: at, size } })
    }
    this.#syncMoved()
    for (const { id, segment, place } of moved) this.#segments.keep(id, segment, place)
  }

  #syncMoved(): void {
    if (this.#policy !== 'never') this.#writer?.sync()
  }

  #writeRemovals(): void {
    while (this.#unwritten.length > 0) {
      const some = this.#unwritten.slice(0, REMOVALS_AT_ONCE)
      try {
        this.#write((marker) => Buffer.concat(some.map((id) => encodeRemoval(marker, id))))
      } catch (error) {
        this.#logger.debug('removals from the journal wait', { error: (error as Error).message })
        return
      }
      this.#unwritten.splice(0, some.length)
    }
  }

  /** Deletes the oldest segments as long as none of their messages is needed. */
  #dropIdle(): void {
    for (;;) {
      const { oldest, newest } = this.#segments
      if (oldest === undefined || oldest.live.size > 0) return
      if (oldest === newest && this.#writer !== undefined) return
      try {
        this.#fs.unlinkSync(oldest.path)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') {
          this.#logger.warn("a segment of the journal can't be deleted", { error: (error as Error).message })
          return
        }
      }
      this.#segments.dropOldest()
    }
  }

  #syncQuietly(): void {
    try {
      this.#writer?.sync()
    } catch (error) {
      if (this.#uncommitted.length > 0) this.#syncError = error as Error
      this.#logger.error('the disk may not hold what was written to the journal last', {
        error: (error as Error).message,
      })
    }
  }
}
