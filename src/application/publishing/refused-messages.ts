/** Messages that Warren had accepted and that the broker refuses: operators see them, and have them tried again or dropped. */
import { inject, injectable, optional } from 'inversify'
import { AsideMessages, type AsideMessage } from '../../domain/publish/aside-messages.js'
import { describeMessage } from '../../domain/publish/published-message.js'
import type { GroupCommit } from './group-commit.js'
import { identifiers } from '../identifiers.js'
import type { Clock } from '../ports/clock.js'
import { type AsideNote, JournalError, type JournalPool, type JournalRecord } from '../ports/journal.js'
import type { LogFields, Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import type { Settings } from '../settings.js'
import type { AsideView } from '../operations/views.js'

/** A message that the broker has just refused. */
export interface Refusal extends AsideNote {
  readonly pool: JournalPool
  readonly bytes: Uint8Array
  /** Undefined when the message doesn't expire. */
  readonly expiresAtEpochMs: number | undefined
  /** Where it's kept in the journal; undefined if it isn't. */
  readonly record: number | undefined
}

/** Bounded like the publish buffer, for each user and virtual host. */
@injectable()
export class RefusedMessages {
  readonly #aside: AsideMessages
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #metrics: Metrics
  /** Where messages outlive the process, if that's wanted. */
  readonly #journal: GroupCommit | undefined

  constructor(
    @inject(identifiers.Settings) { pool }: Settings,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Metrics) metrics: Metrics,
    @inject(identifiers.GroupCommit) @optional() journal: GroupCommit | undefined,
  ) {
    const { publishBufferSize: maxMessages, publishBufferBytes: maxBytes } = pool
    this.#aside = new AsideMessages({ maxMessages, maxBytes })
    this.#clock = clock
    this.#logger = logger
    this.#metrics = metrics
    this.#journal = journal
  }

  /** How many there are. */
  get messages(): number {
    return this.#aside.length
  }

  get bytes(): number {
    return this.#aside.bytes
  }

  /** Keeps a message apart, or lets it go when as many are kept as may be; the log says what happened. */
  setAside(refusal: Refusal, fields: LogFields): void {
    const { pool, bytes, reason, record } = refusal
    const owner = { user: pool.user, virtualHost: pool.virtualHost, bytes }
    const told = { ...fields, ...describeMessage(bytes), reason }
    if (!this.#aside.hasRoomFor(owner)) {
      if (record !== undefined) this.#journal?.remove(record)
      this.#metrics.keptMessages('dropped', 1)
      this.#logger.error(
        'message lost: the broker refuses it, and as many as may be are set aside already',
        told,
      )
      return
    }
    const id = this.#aside.add({ ...owner, ...refusal, record: this.#write(refusal) })
    this.#metrics.keptMessages('set_aside', 1)
    this.#logger.warn('message set aside: the broker refuses it', { ...told, aside: id })
  }

  /** Without room on the disk the old record stays: after a restart the message is tried again. */
  #write({ pool, bytes, expiresAtEpochMs, record, ...note }: Refusal): number | undefined {
    try {
      const { reason, refusedAt, wasTold } = note
      return this.#journal?.noteRefusal(record, pool, bytes, expiresAtEpochMs, { reason, refusedAt, wasTold })
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
      this.#logger.warn('the journal cannot note that a message is set aside', { reason: error.message })
      return record
    }
  }

  /** What an earlier run had set aside. */
  recover(records: readonly JournalRecord[]): void {
    for (const { id, pool, bytes, expiresAtEpochMs, aside } of records)
      if (aside !== undefined)
        this.#aside.add({
          user: pool.user,
          virtualHost: pool.virtualHost,
          bytes,
          expiresAtEpochMs,
          record: id,
          ...aside,
        })
  }

  /** What there is to see of each, the oldest first. */
  views(): AsideView[] {
    return this.#aside.all.map((message) => viewOf(message, this.#clock.wallTime()))
  }

  get(id: number): AsideMessage | undefined {
    return this.#aside.get(id)
  }

  /** Ids of all. */
  get ids(): number[] {
    return this.#aside.all.map(({ id }) => id)
  }

  /** Whether a message has waited longer than it may. */
  isExpired(message: AsideMessage): boolean {
    return hasExpired(message, this.#clock.wallTime())
  }

  /** Takes a message out, to be tried again; its record in the journal stays. */
  take(id: number): AsideMessage | undefined {
    return this.#aside.take(id)
  }

  /** Forgets a message for good. */
  drop(id: number): AsideMessage | undefined {
    const message = this.#aside.take(id)
    if (message?.record !== undefined) this.#journal?.remove(message.record)
    return message
  }
}

function hasExpired({ expiresAtEpochMs }: AsideMessage, now: number): boolean {
  return expiresAtEpochMs !== undefined && expiresAtEpochMs <= now
}

function viewOf(message: AsideMessage, now: number): AsideView {
  const { id, user, virtualHost, bytes, reason, refusedAt, wasTold } = message
  return {
    id: String(id),
    user,
    vhost: virtualHost,
    ...describeMessage(bytes),
    reason,
    refusedAt,
    isExpired: hasExpired(message, now),
    isPublisherTold: wasTold,
  }
}
