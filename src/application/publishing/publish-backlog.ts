/** Messages that one pool has accepted and that wait for its broker: kept during an outage, published first of all afterwards. */
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { type BufferedMessage, PublishBuffer } from '../../domain/publish/publish-buffer.js'
import {
  PublishedMessage,
  channelOf,
  describeMessage,
  rewriteChannel,
  withExpiration,
} from '../../domain/publish/published-message.js'
import type { UnconfirmedMessage } from '../../domain/publish/unconfirmed-messages.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import type { ConfirmKeeper, ConfirmTracking } from './confirm-tracking.js'
import { ConfirmTails } from './confirm-tails.js'
import { DrainChannel, type DrainChannelHost } from './drain-channel.js'
import type { GroupCommit } from './group-commit.js'
import { WrittenMessages } from './written-messages.js'
import type { Clock } from '../ports/clock.js'
import type { JournalPool } from '../ports/journal.js'
import type { Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import { PublishRoom } from './publish-room.js'
import type { RefusedMessages } from './refused-messages.js'
import type { DrainWaiter, UpstreamConnection } from '../upstream/upstream-connection.js'

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

export interface BacklogParts {
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
  /** Where publishers' channels go; undefined when a further upstream connection is needed. */
  readonly place: () => UpstreamConnection | undefined
  /** Messages wait, and there's no upstream connection for them: the pool gets one, and calls `resume`. */
  readonly onUpstreamNeeded: () => void
  /** Whether an operator holds messages back: then nothing more is sent until {@link PublishBacklog.onResumed}. */
  readonly isHeld: () => boolean
  /** Nothing waits any more: ordinary traffic may go on. */
  readonly onDrained: () => void
}

/**
 * `idle`: nothing waits, messages go straight to the broker. `away`: there is no broker, messages are kept. `draining`: those that were
 * kept are on their way; others have to wait, so that none overtakes them.
 */
export type BacklogState = 'idle' | 'away' | 'draining'

/** Messages on their way at the same time while the backlog drains. */
const WINDOW = 256
/** How soon an upstream connection without room for another channel is asked again. */
const ROOM_WAIT_MS = 100

/** The publish buffer of a pool and its draining. */
export class PublishBacklog implements DrainWaiter, ConfirmKeeper, DrainChannelHost {
  readonly #parts: BacklogParts
  readonly #buffer: PublishBuffer<Origin>
  /** Counts also what was sent and isn't confirmed. */
  readonly room: PublishRoom
  #state: BacklogState = 'idle'
  #binding: ChannelBinding | undefined
  /** Messages to be sent one by one, since the broker has refused one of them, and didn't say which. */
  #suspects = 0
  /** The number of the last message that was sent, as the broker counts on the channel of the drain. */
  #lastTag = 0
  #hasWarned = false
  #drained = 0
  // One of the messages is to blame: the drain will find out which.
  readonly #tails = new ConfirmTails((tracking) => this.rescue(tracking))
  readonly #written: WrittenMessages

  constructor(parts: BacklogParts) {
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
        this.#pump()
      },
    })
  }

  /** Whether messages are kept at all. */
  get isEnabled(): boolean {
    return this.#buffer.isEnabled
  }

  get state(): BacklogState {
    return this.#state
  }

  /** Whether not even an empty message can be kept. */
  get isFull(): boolean {
    return !this.room.hasRoomFor(0)
  }

  /** Messages that wait. */
  get length(): number {
    return this.#buffer.length
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#buffer.bytes
  }

  /** There is no broker: from now on messages are kept. */
  goAway(): void {
    if (this.isEnabled) this.#setState('away')
  }

  /** There will be no broker for now, and nothing waits for it: whoever publishes next is told why. */
  giveUp(): void {
    if (this.#buffer.length === 0) this.#setState('idle')
  }

  #setState(state: BacklogState): void {
    this.#state = state
    this.room.isAway = state === 'away'
    this.room.wake()
  }

  /** Keeps a whole message. False when there's no room for it: then it isn't kept. */
  accept(bytes: Uint8Array, listener: ConfirmOrigin, sequence: number): boolean {
    this.#buffer.expire(this.#parts.clock.now())
    this.#tellExpired()
    if (!this.room.hasRoomFor(bytes.length)) {
      this.#warnFull()
      return false
    }
    const message = this.#message({ bytes, expiresAt: this.expiryOf(bytes) }, listener, sequence)
    const record = this.#write(message, listener)
    if (record === 'failed') return false
    this.#buffer.append({ ...message, record })
    if (this.#state === 'idle') this.resume()
    return true
  }

  /** Keeps a message that was accepted before, and sent, but that the broker hasn't confirmed. */
  restore(unconfirmed: UnconfirmedMessage, listener: ConfirmOrigin, sequence: number): void {
    this.#parts.metrics.keptMessages('repeated', 1)
    const message = this.#message(unconfirmed, listener, sequence)
    const record = this.#write(message, undefined)
    this.#buffer.restore({ ...message, record: record === 'failed' ? undefined : record })
  }

  /** Messages that an earlier run of the program has left in the journal. */
  recover(messages: readonly Leftover[]): void {
    const { logger, fields } = this.#parts
    for (const message of messages) this.#takeBack(message)
    logger.info('messages recovered from the journal', { ...fields, messages: messages.length })
  }

  /** Gives all that waits away, to be published with another login of the same user. Who had published it is gone. */
  surrender(): Leftover[] {
    return this.#buffer.takeAll().map(({ bytes, expiresAt, record }) => {
      this.#written.handOver(record)
      return { bytes, expiresAtEpochMs: this.#wallTimeOf(expiresAt), record }
    })
  }

  /** Tries a message again that was set aside; behind all that waits. */
  retry(message: Leftover): void {
    this.#takeBack(message)
    this.resumeIfIdle()
  }

  #takeBack({ bytes, expiresAtEpochMs, record }: Leftover): void {
    const { clock } = this.#parts
    const expiresAt =
      expiresAtEpochMs === undefined ? Infinity : clock.now() + expiresAtEpochMs - clock.wallTime()
    this.#buffer.restore({ bytes, origin: undefined, expiresAt, record })
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

  /** As {@link WrittenMessages.whenCommitted}. */
  whenCommitted(callback: () => void): void {
    this.#written.whenCommitted(callback)
  }

  /** As {@link WrittenMessages.isCommitting}. */
  get isCommitting(): boolean {
    return this.#written.isCommitting
  }

  // ---- messages that were sent and aren't confirmed ----------------------------------------------------------------

  expiryOf(message: Uint8Array): number {
    const { expiration } = new PublishedMessage(message)
    return expiration === undefined ? Infinity : this.#parts.clock.now() + expiration
  }

  onSent(bytes: number): void {
    this.room.add(bytes)
  }

  onLeft(messages: number, bytes: number): void {
    this.room.remove(messages, bytes)
  }

  /** As {@link restore}, for a channel whose client can't hear any more what becomes of its messages. */
  rescue(tracking: ConfirmTracking): void {
    for (const message of tracking.takeAll()) this.restore(message, NOBODY, 0)
    this.resumeIfIdle()
  }

  /** Publishes what has been restored, unless that's on its way or has to wait. */
  resumeIfIdle(): void {
    if (this.#state === 'idle' && this.#buffer.length > 0) this.resume()
  }

  /** Keeps a channel of a client that is gone until the broker has confirmed everything that was published there. */
  adopt(binding: ChannelBinding, tracking: ConfirmTracking): void {
    this.#tails.adopt(binding, tracking)
  }

  /** Publishes what waits, if there is an upstream connection for it; the state is `idle` once all of it has been confirmed. */
  resume(): void {
    if (!this.isEnabled || this.#binding !== undefined) return
    const upstream = this.#parts.place()
    if (upstream === undefined) this.#await()
    else if (this.#buffer.length === 0) this.#finish()
    else this.#drainOver(upstream)
  }

  #await(): void {
    this.#setState('away')
    if (this.#buffer.length > 0) this.#parts.onUpstreamNeeded()
  }

  onNacked({ bytes, expiresAt }: UnconfirmedMessage): void {
    this.#keepAside({ bytes, expiresAt, origin: undefined, record: undefined }, NACK, false)
  }

  /** An upstream connection is gone; `isOverMessage` tells whether the broker closed it over a message, whosever that was. */
  onUpstreamLost(upstream: UpstreamConnection, isOverMessage: boolean): void {
    for (const tracking of this.#tails.onUpstreamLost(upstream))
      for (const message of tracking.takeAll()) this.restore(message, NOBODY, 0)
    if (upstream !== this.#binding?.upstream) return
    this.#binding = undefined
    // Others publish on the connection too: only who was alone with it, and was suspected before, is to blame.
    const isProven = this.#suspects > 0 && this.#buffer.underWay === 1
    if (isOverMessage && isProven) this.#onRefused('the broker closed the connection over it')
    else if (isOverMessage) this.#suspects = Math.max(this.#suspects, this.#buffer.underWay)
    this.#parts.metrics.keptMessages('repeated', this.#buffer.underWay)
    this.#rewind()
    this.#setState('away')
  }

  onUpstreamDrained(): void {
    this.#pump()
  }

  /** Messages are no longer held back. */
  onResumed(): void {
    this.#pump()
  }

  #message(
    { bytes, expiresAt }: UnconfirmedMessage,
    listener: ConfirmOrigin,
    sequence: number,
  ): BufferedMessage<Origin> {
    return {
      bytes,
      origin: sequence === 0 ? undefined : { listener, sequence },
      expiresAt,
      record: undefined,
    }
  }

  #drainOver(upstream: UpstreamConnection): void {
    if (this.#state !== 'draining') {
      this.#drained = 0
      this.#parts.logger.info('publish buffer draining', {
        ...this.#parts.fields,
        messages: this.#buffer.length,
      })
    }
    this.#setState('draining')
    this.#binding = upstream.bind(new DrainChannel(this))
    // Without room for the channel the next one that ends makes some.
    if (this.#binding === undefined) return void this.#parts.clock.after(ROOM_WAIT_MS, () => this.resume())
    // The broker counts from 1 again.
    this.#rewind()
    upstream.role ??= 'publisher'
    upstream.send(methodFrame(method.ConfirmSelect, this.#binding.upstreamChannel, { noWait: true }))
    this.#pump()
  }

  /** Sends as much as may be under way. */
  #pump(): void {
    const binding = this.#binding
    if (binding === undefined) return
    const { upstream, upstreamChannel } = binding
    const window = this.#suspects > 0 ? 1 : WINDOW
    while (this.#buffer.underWay < window && !this.#parts.isHeld()) {
      if (upstream.isCongested) {
        upstream.whenDrained(this)
        break
      }
      const message = this.#buffer.takeNext(this.#parts.clock.now())
      if (message === undefined) break
      this.#lastTag++
      upstream.send(onChannel(this.#asOfNow(message), upstreamChannel))
    }
    this.#tellExpired()
    if (this.#buffer.length === 0) this.#finish()
  }

  /** The message as it's to be sent: RabbitMQ counts from when it arrives, so what it has waited here comes off its expiration. */
  #asOfNow({ bytes, expiresAt }: BufferedMessage<Origin>): Uint8Array {
    if (expiresAt === Infinity) return bytes
    const left = Math.ceil(expiresAt - this.#parts.clock.now())
    // The wall clock, on which it outlived the process, may have been set back.
    const isShorter = left < (new PublishedMessage(bytes).expiration ?? 0)
    return isShorter ? withExpiration(bytes, left) : bytes
  }

  #tellExpired(): void {
    for (const message of this.#buffer.takeExpired()) {
      const { bytes, origin } = message
      this.#written.forget(message.record)
      this.#parts.metrics.keptMessages('expired', 1)
      this.#log('message expired in the publish buffer', bytes)
      origin?.listener.onMessageSettled(origin.sequence, false)
    }
  }

  onDrainConfirm(lastTag: number, multiple: boolean, isRefused: boolean): void {
    if (isRefused) {
      for (let tag = multiple ? 1 : lastTag; tag <= lastTag; tag++) this.#setAside(tag, NACK)
    } else {
      for (const message of this.#buffer.confirm(lastTag, multiple)) {
        const { origin } = message
        this.#written.forget(message.record)
        this.#drained++
        this.#parts.metrics.keptMessages('replayed', 1)
        this.#suspects = Math.max(0, this.#suspects - 1)
        origin?.listener.onMessageSettled(origin.sequence, true)
      }
    }
    this.#pump()
  }

  /** One of the messages under way is to blame. When it's the only one, it is set aside; else they are tried one by one. */
  onDrainClosed(reason: string): void {
    this.#binding = undefined
    this.#onRefused(reason)
    this.resume()
  }

  #onRefused(reason: string): void {
    if (this.#buffer.underWay === 1) this.#setAside(this.#lastTag, reason)
    else this.#suspects = this.#buffer.underWay
    this.#rewind()
  }

  /** The broker refuses a message: it must not keep the others from being published. */
  #setAside(tag: number, reason: string): void {
    const message = this.#buffer.takeRefused(tag)
    if (message === undefined) return
    this.#suspects = Math.max(0, this.#suspects - 1)
    const { origin, record } = message
    this.#written.handOver(record)
    this.#keepAside(message, reason, origin?.listener.onMessageSettled(origin.sequence, false) === true)
  }

  #keepAside({ bytes, expiresAt, record }: BufferedMessage<Origin>, reason: string, wasTold: boolean): void {
    const { refused, pool, fields, clock } = this.#parts
    const note = { reason, refusedAt: clock.wallTime(), wasTold }
    refused.setAside({ pool, bytes, expiresAtEpochMs: this.#wallTimeOf(expiresAt), record, ...note }, fields)
  }

  #rewind(): void {
    this.#buffer.rewind()
    this.#lastTag = 0
  }

  #finish(): void {
    const binding = this.#binding
    this.#binding = undefined
    binding?.upstream.release(binding)
    const wasDraining = this.#state === 'draining'
    this.#setState('idle')
    this.#suspects = 0
    this.#hasWarned = false
    if (wasDraining)
      this.#parts.logger.info('publish buffer drained', { ...this.#parts.fields, messages: this.#drained })
    this.#parts.onDrained()
  }

  /** Once for each time that it fills. */
  #warnFull(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const { length, bytes } = this.#buffer
    this.#parts.logger.warn('publish buffer full', { ...this.#parts.fields, messages: length, bytes })
  }

  #log(text: string, bytes: Uint8Array): void {
    this.#parts.logger.warn(text, { ...this.#parts.fields, ...describeMessage(bytes) })
  }
}

const NACK = 'basic.nack'

/** Hears of messages whose client has gone. */
const NOBODY: ConfirmOrigin = { onMessageSettled: () => false, onNotKept: () => undefined }

/** The message with this channel number. A copy, if it has another: those bytes may still be on their way to where they were sent first. */
function onChannel(message: Uint8Array, channel: number): Uint8Array {
  if (channelOf(message) === channel) return message
  const copy = new Uint8Array(message)
  rewriteChannel(copy, channel)
  return copy
}
