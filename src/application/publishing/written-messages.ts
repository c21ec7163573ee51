/** The messages of one pool as the journal has them: what is written, and who may count on it. */
import { type JournalPool, JournalError } from '../ports/journal.js'
import type { CommitOwner, GroupCommit } from './group-commit.js'

/** Can be told that messages which it was told are accepted can't be counted on. */
export interface WriteListener {
  onNotKept(): void
}

/** What {@link WrittenMessages} is made with. */
export interface WrittenMessagesParts {
  /** Undefined when messages needn't outlive the process. */
  readonly journal: GroupCommit | undefined
  readonly pool: JournalPool
  /** The journal can't take a message; `reason` is one line for people. */
  readonly onUnwritable: (reason: string) => void
  /** The disk doesn't hold these records, which `listeners` were told are accepted. */
  readonly onNotKept: (records: ReadonlySet<number>, listeners: ReadonlySet<WriteListener>) => void
}

/** Writes messages down, and knows which of them the disk may still fail to hold. */
export class WrittenMessages implements CommitOwner {
  readonly #parts: WrittenMessagesParts
  /** By record, who is to hear if the disk doesn't take what was accepted; nobody for what was accepted before. */
  readonly #uncommitted = new Map<number, WriteListener | undefined>()

  constructor(parts: WrittenMessagesParts) {
    this.#parts = parts
  }

  /**
   * Writes a message down; returns its record, undefined without a journal, 'failed' if it can't be written. With a `listener` the message
   * is new, and is withdrawn when the disk turns out not to hold it; without, it's kept in memory nevertheless.
   */
  write(
    bytes: Uint8Array,
    expiresAtEpochMs: number | undefined,
    listener: WriteListener | undefined,
  ): number | undefined | 'failed' {
    const { journal, pool, onUnwritable } = this.#parts
    if (journal === undefined) return undefined
    try {
      const record = journal.append(this, pool, bytes, expiresAtEpochMs)
      this.#uncommitted.set(record, listener)
      return record
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
      onUnwritable(error.message)
      return 'failed'
    }
  }

  /** The message isn't needed any more. */
  forget(record: number | undefined): void {
    if (record === undefined) return
    this.#uncommitted.delete(record)
    this.#parts.journal?.remove(record)
  }

  /** The record goes to another owner, who keeps it or removes it. */
  handOver(record: number | undefined): void {
    if (record !== undefined) this.#uncommitted.delete(record)
  }

  /** Calls `callback` once what was accepted is where it survives a failure, as far as that was asked for; at once if it is. */
  whenCommitted(callback: () => void): void {
    if (this.#parts.journal === undefined) callback()
    else this.#parts.journal.whenCommitted(callback)
  }

  /** Whether something was accepted that could still turn out not to be safe. */
  get isCommitting(): boolean {
    return this.#parts.journal?.isPending === true
  }

  onCommitted(): void {
    this.#uncommitted.clear()
  }

  onNotKept(): void {
    const records = new Set<number>()
    const listeners = new Set<WriteListener>()
    for (const [record, listener] of this.#uncommitted) {
      if (listener === undefined) continue
      records.add(record)
      listeners.add(listener)
    }
    this.#uncommitted.clear()
    this.#parts.onNotKept(records, listeners)
  }
}
