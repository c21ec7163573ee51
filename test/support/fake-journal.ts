import {
  type AsideNote,
  type Journal,
  JournalError,
  JournalFull,
  type JournalPool,
  type JournalRecord,
} from '../../src/application/ports/journal.js'

/** Where a {@link FakeJournal} keeps its records; the next one on the same disk finds them. */
export class FakeJournalDisk {
  readonly records = new Map<number, JournalRecord>()
  lastId = 0
  isInUse = false
  /** Nothing more can be kept. */
  isFull = false
  /** What is appended doesn't get there. */
  isBroken = false
}

/** A journal without files. */
export class FakeJournal implements Journal {
  readonly #disk: FakeJournalDisk
  readonly #lastOldId: number
  #isClosed = false
  #uncommitted: number[] = []
  /** How often it was asked to make sure of what was appended. */
  commits = 0

  constructor(disk: FakeJournalDisk = new FakeJournalDisk()) {
    if (disk.isInUse) throw new JournalError('the journal is in use')
    disk.isInUse = true
    this.#disk = disk
    this.#lastOldId = disk.lastId
  }

  /** Ids of the messages that are kept. */
  get kept(): number[] {
    return [...this.#disk.records.keys()]
  }

  recover(): readonly JournalRecord[] {
    return [...this.#disk.records.values()]
      .filter(({ id }) => id <= this.#lastOldId)
      .map((record) => ({ ...record, bytes: new Uint8Array(record.bytes) }))
  }

  append(
    pool: JournalPool,
    bytes: Uint8Array,
    expiresAtEpochMs: number | undefined,
    aside?: AsideNote,
  ): number {
    if (this.#isClosed) throw new JournalError('the journal is closed')
    if (this.#disk.isFull) throw new JournalFull("the journal can't keep a message: no space left")
    const id = ++this.#disk.lastId
    const { user, virtualHost } = pool
    const record = { id, pool: { user, virtualHost }, expiresAtEpochMs, bytes: new Uint8Array(bytes), aside }
    this.#disk.records.set(id, record)
    this.#uncommitted.push(id)
    return id
  }

  commit(): void {
    const ids = this.#uncommitted
    if (ids.length === 0) return
    this.commits++
    this.#uncommitted = []
    if (!this.#disk.isBroken) return
    for (const id of ids) this.#disk.records.delete(id)
    throw new JournalError("the journal can't keep messages: it broke")
  }

  remove(id: number): void {
    if (!this.#isClosed) this.#disk.records.delete(id)
  }

  /** Ends it as a crash does: the next one finds what was kept. */
  close(): void {
    if (!this.#isClosed) this.#disk.isInUse = false
    this.#isClosed = true
  }
}
