import {
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
}

/** A journal without files. */
export class FakeJournal implements Journal {
  readonly #disk: FakeJournalDisk
  readonly #lastOldId: number
  #isClosed = false

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

  append(pool: JournalPool, bytes: Uint8Array, expiresAtEpochMs: number | undefined): number {
    if (this.#isClosed) throw new JournalError('the journal is closed')
    if (this.#disk.isFull) throw new JournalFull("the journal can't keep a message: no space left")
    const id = ++this.#disk.lastId
    const { user, virtualHost } = pool
    const record = { id, pool: { user, virtualHost }, expiresAtEpochMs, bytes: new Uint8Array(bytes) }
    this.#disk.records.set(id, record)
    return id
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
