/** Where messages outlive the process. */

/** Whose messages a record belongs to. No password is ever kept. */
export interface JournalPool {
  readonly user: string
  readonly virtualHost: string
}

/** That the broker has refused a message, and that an operator decides what becomes of it. */
export interface AsideNote {
  /** Why, in the broker's words. */
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly refusedAt: number
  /** Whether its publisher was told. */
  readonly wasTold: boolean
}

/** A message that was kept and not removed. */
export interface JournalRecord {
  /** From 1, rising in the order in which messages were kept. */
  readonly id: number
  readonly pool: JournalPool
  /** Milliseconds since 1970, since it outlives the process and its clock; undefined when the message doesn't expire. */
  readonly expiresAtEpochMs: number | undefined
  readonly bytes: Uint8Array
  /** Undefined for a message that waits for the broker. */
  readonly aside: AsideNote | undefined
}

/** Keeps messages where they outlive the process. */
export interface Journal {
  /** Records kept from an earlier run, in order: those that haven't been removed since. */
  recover(): readonly JournalRecord[]
  /**
   * Writes a message and returns its id. It survives the end of the process from now on, and a failure of the machine from the next {@link commit} on.
   * Throws {@link JournalFull} or {@link JournalError} when it can't be: then nothing was kept, and the next call may succeed.
   */
  append(
    pool: JournalPool,
    bytes: Uint8Array,
    expiresAtEpochMs: number | undefined,
    aside?: AsideNote,
  ): number
  /**
   * Makes the disk hold what was appended, at once for all of it, as far as the policy asks for that. Throws {@link JournalError} when it
   * can't be made sure: then nothing was kept that was appended since the last commit.
   */
  commit(): void
  /** The message isn't needed any more. Never throws: what couldn't be removed for good comes back after a restart. */
  remove(id: number): void
  /** Lets go of everything; can be called twice. What isn't removed is kept for the next run. */
  close(): void
}

/** The journal can't do what was asked; the message is one line for people. */
export class JournalError extends Error {
  override readonly name: string = 'JournalError'
}

/** There's no room for the message. */
export class JournalFull extends JournalError {
  override readonly name = 'JournalFull'
}
