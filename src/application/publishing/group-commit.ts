/** Makes the disk hold what several clients have published at once: one wait for all that was kept in the meantime. */
import { inject, injectable } from 'inversify'
import { identifiers } from '../identifiers.js'
import type { Clock, Timer } from '../ports/clock.js'
import { type AsideNote, type Journal, JournalError, type JournalPool } from '../ports/journal.js'
import type { Logger } from '../ports/logger.js'

/** Hears what became of the records that it has appended. */
export interface CommitOwner {
  /** The disk holds them all. */
  onCommitted(): void
  /** The journal holds none of them: they can't be counted on. */
  onNotKept(): void
}

/** The journal, and who waits for it. What was appended is committed a moment later: what comes meanwhile goes with it. */
@injectable()
export class GroupCommit {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #owners = new Set<CommitOwner>()
  #waiting: (() => void)[] = []
  #timer: Timer | undefined

  constructor(
    @inject(identifiers.Journal) journal: Journal,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#logger = logger
  }

  /** As {@link Journal.append}; `owner` then hears of the commit. */
  append(
    owner: CommitOwner,
    pool: JournalPool,
    bytes: Uint8Array,
    expiresAtEpochMs: number | undefined,
  ): number {
    const record = this.#journal.append(pool, bytes, expiresAtEpochMs)
    this.#owners.add(owner)
    this.#timer ??= this.#clock.after(0, () => this.commit())
    return record
  }

  remove(record: number): void {
    this.#journal.remove(record)
  }

  /**
   * Puts a message that the broker has refused in the place of the record that it had. Returns its new
   * record; throws {@link JournalError}, and then the old one is there still.
   */
  noteRefusal(
    former: number | undefined,
    pool: JournalPool,
    bytes: Uint8Array,
    expiresAtEpochMs: number | undefined,
    aside: AsideNote,
  ): number {
    const record = this.#journal.append(pool, bytes, expiresAtEpochMs, aside)
    this.#commitNow()
    if (former !== undefined) this.#journal.remove(former)
    return record
  }

  /** Calls `callback` once everything that was appended is safe, or is known not to be; at once if nothing waits. */
  whenCommitted(callback: () => void): void {
    if (this.#timer === undefined) callback()
    else this.#waiting.push(callback)
  }

  /** Whether something was appended that isn't committed. */
  get isPending(): boolean {
    return this.#timer !== undefined
  }

  /** Commits what waits. Never throws: the owners hear of a failure. */
  commit(): void {
    try {
      this.#commitNow()
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
    }
  }

  #commitNow(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const owners = [...this.#owners]
    const waiting = this.#waiting
    this.#owners.clear()
    this.#waiting = []
    try {
      this.#journal.commit()
      for (const owner of owners) owner.onCommitted()
    } catch (error) {
      if (error instanceof JournalError)
        this.#logger.error('messages not kept: the disk does not hold them', { reason: error.message })
      for (const owner of owners) owner.onNotKept()
      throw error
    } finally {
      for (const callback of waiting) callback()
    }
  }
}
