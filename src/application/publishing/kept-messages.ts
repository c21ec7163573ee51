/** The messages that one pool has accepted and its broker hasn't: in order, within bounds, and in the journal if there is one. */
import { type BufferedMessage, PublishBuffer } from '../../domain/publish/publish-buffer.js'
import { PublishedMessage, describeMessage, withExpiration } from '../../domain/publish/published-message.js'
import type { UnconfirmedMessage } from '../../domain/publish/unconfirmed-messages.js'
import type { Clock } from '../ports/clock.js'
import type { JournalPool } from '../ports/journal.js'
import type { Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import type { GroupCommit } from './group-commit.js'
import { PublishRoom } from './publish-room.js'
import type { RefusedMessages } from './refused-messages.js'
import { WrittenMessages } from './written-messages.js'

/** Who hears what became of a message that waited. */
export interface ConfirmOrigin {
  /** The broker has confirmed the message with this number, or refused it. Returns whether there's still somebody to be told. */
  onMessageSettled(sequence: number, isConfirmed: boolean): boolean
  /** Messages that were accepted can't be counted on: the journal couldn't keep them. */
  onNotKept(): void
}

/** A message from elsewhere: of an earlier run, or one that an operator tries again. */
export interface Leftover {
  readonly bytes: Uint8Array
  readonly expiresAtEpochMs: number | undefined
  /** Where it's kept in the journal; undefined without one. */
  readonly record: number | undefined
}

interface Origin {
  readonly listener: ConfirmOrigin
  readonly sequence: number
}

/** What {@link KeptMessages} is made with. */
export interface KeptMessagesParts {
  /** In messages; 0 is off. */
  readonly maxMessages: number
  readonly maxBytes: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** How long clients wait for room while the broker is away. */
  readonly waitMs: number
  /** Keeps messages where they outlive the process, if that's wanted. */
  readonly journal: GroupCommit | undefined
  /** Takes what the broker refuses. */
  readonly refused: RefusedMessages
  /** Whose messages they are, for the journal. */
  readonly pool: JournalPool
  /** For logs. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** What the broker's refusal of a single message is called. */
const NACK = 'basic.nack'

/**
 * Keeps messages until the broker has confirmed or refused them, or they have expired, and sees to it that
 * all who should hear of that do.
 */
export class KeptMessages {
  readonly #parts: KeptMessagesParts
  readonly #buffer: PublishBuffer<Origin>
  /** Counts also what was sent past the buffer and isn't confirmed. */
  readonly room: PublishRoom
  readonly #written: WrittenMessages
  #hasWarned = false

  /** `onWithdrawn`: some have left since the journal couldn't keep them. */
  constructor(parts: KeptMessagesParts, onWithdrawn: () => void) {
    this.#parts = parts
    const { maxMessages, maxBytes, clock, waitMs } = parts
    const limits = { maxMessages, maxBytes }
    this.#buffer = new PublishBuffer(limits)
    this.room = new PublishRoom({ limits, clock, limitMs: waitMs, waiting: this.#buffer })
    this.#written = new WrittenMessages({
      journal: parts.journal,
      pool: parts.pool,
      onUnwritable: (reason) =>
        parts.logger.warn('message not kept: the journal cannot take it', { ...parts.fields, reason }),
      onNotKept: (records, listeners) => {
        this.#buffer.withdraw(records)
        for (const listener of listeners) listener.onNotKept()
        onWithdrawn()
      },
    })
  }

  /** Whether messages are kept at all. */
  get isEnabled(): boolean {
    return this.#buffer.isEnabled
  }

  /** How many are kept, those on their way to the broker included. */
  get length(): number {
    return this.#buffer.length
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#buffer.bytes
  }

  /** How many are on their way to the broker. */
  get underWay(): number {
    return this.#buffer.underWay
  }

  // ---- in --------------------------------------------------------------------------------------------------------

  /** Keeps a whole message. False when there's no room for it: then it isn't kept. */
  accept(bytes: Uint8Array, listener: ConfirmOrigin, sequence: number): boolean {
    this.#buffer.expire(this.#parts.clock.now())
    this.tellExpired()
    if (!this.room.hasRoomFor(bytes.length)) {
      this.#warnFull()
      return false
    }
    const message = messageOf({ bytes, expiresAt: this.expiryOf(bytes) }, listener, sequence)
    const record = this.#write(message, listener)
    if (record === 'failed') return false
    this.#buffer.append({ ...message, record })
    return true
  }

  /**
   * Keeps a message that was accepted before, and sent, but that the broker hasn't confirmed. Without a
   * `listener` nobody is told what becomes of it.
   */
  restore(unconfirmed: UnconfirmedMessage, listener?: ConfirmOrigin, sequence = 0): void {
    this.#parts.metrics.keptMessages('repeated', 1)
    const message = messageOf(unconfirmed, listener, sequence)
    const record = this.#write(message, undefined)
    this.#buffer.restore({ ...message, record: record === 'failed' ? undefined : record })
  }

  /** Keeps a message from elsewhere, behind all others. */
  takeBack({ bytes, expiresAtEpochMs, record }: Leftover): void {
    const { clock } = this.#parts
    const expiresAt =
      expiresAtEpochMs === undefined ? Infinity : clock.now() + expiresAtEpochMs - clock.wallTime()
    this.#buffer.restore({ bytes, origin: undefined, expiresAt, record })
  }

  /** When a message that comes now expires, on the clock's scale; Infinity when it doesn't. */
  expiryOf(message: Uint8Array): number {
    const { expiration } = new PublishedMessage(message)
    return expiration === undefined ? Infinity : this.#parts.clock.now() + expiration
  }

  /** As {@link WrittenMessages.whenCommitted}. */
  whenCommitted(callback: () => void): void {
    this.#written.whenCommitted(callback)
  }

  /** As {@link WrittenMessages.isCommitting}. */
  get isCommitting(): boolean {
    return this.#written.isCommitting
  }

  #write(
    { bytes, expiresAt }: BufferedMessage<Origin>,
    listener: ConfirmOrigin | undefined,
  ): number | undefined | 'failed' {
    return this.#written.write(bytes, this.#wallTimeOf(expiresAt), listener)
  }

  /** For what outlives the process; undefined for Infinity. */
  #wallTimeOf(expiresAt: number): number | undefined {
    const { clock } = this.#parts
    return expiresAt === Infinity ? undefined : clock.wallTime() + expiresAt - clock.now()
  }

  /** Once for each time that it fills. */
  #warnFull(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const { length, bytes } = this.#buffer
    this.#parts.logger.warn('publish buffer full', { ...this.#parts.fields, messages: length, bytes })
  }

  // ---- out -------------------------------------------------------------------------------------------------------

  /** The next to be sent, as it's to be sent now, and on its way from now on; undefined when none waits. */
  takeNext(): Uint8Array | undefined {
    const message = this.#buffer.takeNext(this.#parts.clock.now())
    return message && this.#asOfNow(message)
  }

  /** The channel is gone on which they were on their way: they're sent again, before all others. The broker may have them twice then. */
  rewind(): void {
    this.#parts.metrics.keptMessages('repeated', this.#buffer.underWay)
    this.#buffer.rewind()
  }

  /** The broker has confirmed the `tag`-th that was taken since the last rewind, or all up to it. Returns how many have left with that. */
  confirm(tag: number, multiple: boolean): number {
    const confirmed = this.#buffer.confirm(tag, multiple)
    for (const { record, origin } of confirmed) {
      this.#written.forget(record)
      this.#parts.metrics.keptMessages('replayed', 1)
      origin?.listener.onMessageSettled(origin.sequence, true)
    }
    return confirmed.length
  }

  /**
   * The broker refuses the `tag`-th that was taken: it's set aside, so that it doesn't keep the others from
   * being published. Returns whether it was on its way.
   */
  refuse(tag: number, reason = NACK): boolean {
    const message = this.#buffer.takeRefused(tag)
    if (message === undefined) return false
    const { origin, record } = message
    this.#written.handOver(record)
    this.#setAside(message, reason, origin?.listener.onMessageSettled(origin.sequence, false) === true)
    return true
  }

  /** The broker has refused a message that it was sent straight, and whose client doesn't ask what became of it. */
  onNacked({ bytes, expiresAt }: UnconfirmedMessage): void {
    this.#setAside({ bytes, expiresAt, origin: undefined, record: undefined }, NACK, false)
  }

  /** Tells whoever is concerned of messages that have expired since the last call. */
  tellExpired(): void {
    const { logger, metrics, fields } = this.#parts
    for (const { bytes, origin, record } of this.#buffer.takeExpired()) {
      this.#written.forget(record)
      metrics.keptMessages('expired', 1)
      logger.warn('message expired in the publish buffer', { ...fields, ...describeMessage(bytes) })
      origin?.listener.onMessageSettled(origin.sequence, false)
    }
  }

  /** Gives all away, to be published with another login of the same user. Who had published it is gone. */
  surrender(): Leftover[] {
    return this.#buffer.takeAll().map(({ bytes, expiresAt, record }) => {
      this.#written.handOver(record)
      return { bytes, expiresAtEpochMs: this.#wallTimeOf(expiresAt), record }
    })
  }

  /** Everything is with the broker: should they fill up again, the log says so again. */
  onDrained(): void {
    this.#hasWarned = false
  }

  /** RabbitMQ counts from when a message arrives, so what it has waited here comes off its expiration. */
  #asOfNow({ bytes, expiresAt }: BufferedMessage<Origin>): Uint8Array {
    if (expiresAt === Infinity) return bytes
    const left = Math.ceil(expiresAt - this.#parts.clock.now())
    // The wall clock, on which it outlived the process, may have been set back.
    const isShorter = left < (new PublishedMessage(bytes).expiration ?? 0)
    return isShorter ? withExpiration(bytes, left) : bytes
  }

  #setAside({ bytes, expiresAt, record }: BufferedMessage<Origin>, reason: string, wasTold: boolean): void {
    const { refused, pool, fields, clock } = this.#parts
    const expiresAtEpochMs = this.#wallTimeOf(expiresAt)
    const note = { reason, refusedAt: clock.wallTime(), wasTold }
    refused.setAside({ pool, bytes, expiresAtEpochMs, record, ...note }, fields)
  }
}

/** `sequence` 0: its client doesn't ask what becomes of it. */
function messageOf(
  { bytes, expiresAt }: UnconfirmedMessage,
  listener: ConfirmOrigin | undefined,
  sequence: number,
): BufferedMessage<Origin> {
  const origin = listener === undefined || sequence === 0 ? undefined : { listener, sequence }
  return { bytes, origin, expiresAt, record: undefined }
}
