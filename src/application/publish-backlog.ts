/** Messages that one pool has accepted and that wait for its broker: kept during an outage, published first of all afterwards. */
import type { Frame } from '../domain/amqp/frame.js'
import { methodFrame, readArguments } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'
import * as id from '../domain/amqp/method-ids.js'
import { type BufferedMessage, PublishBuffer } from '../domain/publish/publish-buffer.js'
import { PublishedMessage, channelOf, rewriteChannel } from '../domain/publish/published-message.js'
import type { ChannelBinding } from './channel-binding.js'
import type { ConfirmTracking } from './confirm-tracking.js'
import { InternalChannel } from './internal-channel.js'
import type { Clock } from './ports/clock.js'
import { type Journal, JournalError, type JournalPool, type JournalRecord } from './ports/journal.js'
import type { Logger } from './ports/logger.js'
import type { DrainWaiter, UpstreamConnection } from './upstream-connection.js'

/** Who hears what became of a message that waited. */
export interface ConfirmOrigin {
  /** The broker has confirmed the message with this number, or refused it. */
  onMessageSettled(sequence: number, isConfirmed: boolean): void
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
  /** Keeps messages where they outlive the process, if that's wanted. */
  readonly journal: Journal | undefined
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
export class PublishBacklog implements DrainWaiter {
  readonly #parts: BacklogParts
  readonly #buffer: PublishBuffer<Origin>
  #state: BacklogState = 'idle'
  #binding: ChannelBinding | undefined
  /** Messages to be sent one by one, since the broker has refused one of them, and didn't say which. */
  #suspects = 0
  /** The number of the last message that was sent, as the broker counts on the channel of the drain. */
  #lastTag = 0
  #hasWarned = false
  #drained = 0
  /** Channels whose clients are gone while the broker hasn't confirmed all that they had published. */
  readonly #tails = new Set<ConfirmTail>()

  constructor(parts: BacklogParts) {
    this.#parts = parts
    this.#buffer = new PublishBuffer({ maxMessages: parts.maxMessages, maxBytes: parts.maxBytes })
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
    return !this.#buffer.hasRoomFor(0)
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
    if (this.isEnabled) this.#state = 'away'
  }

  /** There will be no broker for now, and nothing waits for it: whoever publishes next is told why. */
  giveUp(): void {
    if (this.#buffer.length === 0) this.#state = 'idle'
  }

  /** Keeps a whole message. False when there's no room for it: then it isn't kept. */
  accept(bytes: Uint8Array, listener: ConfirmOrigin, sequence: number): boolean {
    this.#buffer.expire(this.#parts.clock.now())
    this.#tellExpired()
    if (!this.#buffer.hasRoomFor(bytes.length)) {
      this.#warnFull()
      return false
    }
    const message = this.#message(bytes, listener, sequence)
    const record = this.#write(message)
    if (record === 'failed') return false
    this.#buffer.append({ ...message, record })
    if (this.#state === 'idle') this.resume()
    return true
  }

  /** Keeps a message that was accepted before, and sent, but that the broker hasn't confirmed. */
  restore(bytes: Uint8Array, listener: ConfirmOrigin, sequence: number): void {
    const message = this.#message(bytes, listener, sequence)
    const record = this.#write(message)
    this.#buffer.restore({ ...message, record: record === 'failed' ? undefined : record })
  }

  /** Messages that an earlier run of the program has left in the journal. */
  recover(records: readonly JournalRecord[]): void {
    const { clock, logger, fields } = this.#parts
    for (const { id: record, bytes, expiresAtEpochMs } of records) {
      const expiresAt =
        expiresAtEpochMs === undefined ? Infinity : clock.now() + expiresAtEpochMs - clock.wallTime()
      this.#buffer.restore({ bytes, origin: undefined, expiresAt, record })
    }
    logger.info('messages recovered from the journal', { ...fields, messages: records.length })
  }

  /** Keeps a message in the journal; undefined without one. */
  #write({ bytes, expiresAt }: BufferedMessage<Origin>): number | undefined | 'failed' {
    const { journal, clock, logger, pool, fields } = this.#parts
    if (journal === undefined) return undefined
    try {
      const expiry = expiresAt === Infinity ? undefined : clock.wallTime() + expiresAt - clock.now()
      return journal.append(pool, bytes, expiry)
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
      logger.warn('message not kept: the journal cannot take it', { ...fields, reason: error.message })
      return 'failed'
    }
  }

  #forget({ record }: BufferedMessage<Origin>): void {
    if (record !== undefined) this.#parts.journal?.remove(record)
  }

  /** As {@link restore}, for a channel whose client can't hear any more what becomes of its messages. */
  rescue(tracking: ConfirmTracking): void {
    for (const { bytes } of tracking.takeAll()) this.restore(bytes, NOBODY, 0)
    this.resumeIfIdle()
  }

  /** Publishes what has been restored, unless that's on its way or has to wait. */
  resumeIfIdle(): void {
    if (this.#state === 'idle' && this.#buffer.length > 0) this.resume()
  }

  /** Keeps a channel of a client that is gone until the broker has confirmed everything that was published there. */
  adopt(binding: ChannelBinding, tracking: ConfirmTracking): void {
    const tail = new ConfirmTail(
      binding,
      tracking,
      () => {
        this.#tails.delete(tail)
        binding.upstream.release(binding)
      },
      // One of the messages is to blame: the drain will find out which.
      () => {
        this.#tails.delete(tail)
        this.rescue(tracking)
      },
      (bytes) => this.onLost(bytes),
    )
    binding.owner = tail
    this.#tails.add(tail)
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
    this.#state = 'away'
    if (this.#buffer.length > 0) this.#parts.onUpstreamNeeded()
  }

  /** The broker has refused a message whose client doesn't ask what became of it. */
  onLost(bytes: Uint8Array): void {
    this.#log('the broker refused a message of a client without confirms', bytes)
  }

  /** An upstream connection is gone; `isOverMessage` tells whether the broker closed it over a message, whosever that was. */
  onUpstreamLost(upstream: UpstreamConnection, isOverMessage: boolean): void {
    for (const tail of this.#tails) {
      if (tail.upstream !== upstream) continue
      this.#tails.delete(tail)
      for (const { bytes } of tail.tracking.takeAll()) this.restore(bytes, NOBODY, 0)
    }
    if (upstream !== this.#binding?.upstream) return
    this.#binding = undefined
    // Others publish on the connection too: only who was alone with it, and was suspected before, is to blame.
    const isProven = this.#suspects > 0 && this.#buffer.underWay === 1
    if (isOverMessage && isProven) this.#onRefused('the broker closed the connection over it')
    else if (isOverMessage) this.#suspects = Math.max(this.#suspects, this.#buffer.underWay)
    this.#rewind()
    this.#state = 'away'
  }

  onUpstreamDrained(): void {
    this.#pump()
  }

  /** Messages are no longer held back. */
  onResumed(): void {
    this.#pump()
  }

  #message(bytes: Uint8Array, listener: ConfirmOrigin, sequence: number): BufferedMessage<Origin> {
    const { expiration } = new PublishedMessage(bytes)
    return {
      bytes,
      origin: sequence === 0 ? undefined : { listener, sequence },
      expiresAt: expiration === undefined ? Infinity : this.#parts.clock.now() + expiration,
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
    this.#state = 'draining'
    const channel = new DrainChannel(
      (confirm) => this.#onConfirm(confirm),
      (close) => this.#onChannelClosed(close),
    )
    this.#binding = upstream.bind(channel)
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
      upstream.send(onChannel(message.bytes, upstreamChannel))
    }
    this.#tellExpired()
    if (this.#buffer.length === 0) this.#finish()
  }

  #tellExpired(): void {
    for (const message of this.#buffer.takeExpired()) {
      const { bytes, origin } = message
      this.#forget(message)
      this.#log('message expired in the publish buffer', bytes)
      origin?.listener.onMessageSettled(origin.sequence, false)
    }
  }

  #onConfirm({ deliveryTag, multiple, isConfirmed }: Confirm): void {
    if (!isConfirmed) {
      for (let tag = multiple ? 1 : deliveryTag; tag <= deliveryTag; tag++) this.#setAside(tag, 'basic.nack')
    } else {
      for (const message of this.#buffer.confirm(deliveryTag, multiple)) {
        const { origin } = message
        this.#forget(message)
        this.#drained++
        this.#suspects = Math.max(0, this.#suspects - 1)
        origin?.listener.onMessageSettled(origin.sequence, true)
      }
    }
    this.#pump()
  }

  /** One of the messages under way is to blame. When it's the only one, it is set aside; else they are tried one by one. */
  #onChannelClosed(close: Frame): void {
    this.#binding = undefined
    const { replyCode, replyText } = readArguments(
      method.ChannelClose,
      close.bytes,
      close.payloadStart + 4,
      close.payloadEnd,
    )
    this.#onRefused(`${replyCode} ${replyText}`)
    this.resume()
  }

  #onRefused(reason: string): void {
    if (this.#buffer.underWay === 1) this.#setAside(this.#lastTag, reason)
    else this.#suspects = this.#buffer.underWay
    this.#rewind()
  }

  /** The broker refuses a message: it must not keep the others from being published. */
  #setAside(tag: number, reason: string): void {
    const message = this.#buffer.setAside(tag, reason)
    if (message === undefined) return
    this.#suspects = Math.max(0, this.#suspects - 1)
    this.#log('message set aside: the broker refuses it', message.bytes, reason)
    message.origin?.listener.onMessageSettled(message.origin.sequence, false)
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
    this.#state = 'idle'
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

  #log(text: string, bytes: Uint8Array, reason?: string): void {
    const { exchange, routingKey, bodySize } = new PublishedMessage(bytes)
    this.#parts.logger.warn(text, {
      ...this.#parts.fields,
      exchange,
      routingKey,
      size: bodySize,
      ...(reason === undefined ? {} : { reason }),
    })
  }
}

/** Hears of messages whose client has gone. */
const NOBODY: ConfirmOrigin = { onMessageSettled: () => undefined }

/** The message with this channel number. A copy, if it has another: those bytes may still be on their way to where they were sent first. */
function onChannel(message: Uint8Array, channel: number): Uint8Array {
  if (channelOf(message) === channel) return message
  const copy = new Uint8Array(message)
  rewriteChannel(copy, channel)
  return copy
}

/** What the broker says of messages that were published on a channel in confirm mode. */
export interface Confirm {
  readonly deliveryTag: number
  readonly multiple: boolean
  /** False: the broker said no. */
  readonly isConfirmed: boolean
}

/** The channel over which a backlog drains. */
class DrainChannel extends InternalChannel {
  readonly #onConfirm: (confirm: Confirm) => void
  readonly #onClose: (close: Frame) => void

  constructor(onConfirm: (confirm: Confirm) => void, onClose: (close: Frame) => void) {
    super()
    this.#onConfirm = onConfirm
    this.#onClose = onClose
  }

  override onConfirm(frame?: Frame): boolean {
    if (frame !== undefined) this.#onConfirm(readConfirm(frame))
    return false
  }

  override onBrokerClose(close?: Frame): void {
    if (close !== undefined) this.#onClose(close)
  }
}

/** A channel whose client is gone, until the broker has confirmed everything. */
class ConfirmTail extends InternalChannel {
  readonly upstream: UpstreamConnection
  readonly tracking: ConfirmTracking
  readonly #onConfirmed: () => void
  readonly #onClosed: () => void
  readonly #onRefused: (message: Uint8Array) => void

  /** `onConfirmed` hears that nothing is open any more, `onClosed` that the broker has closed the channel, `onRefused` of each Basic.Nack. */
  constructor(
    { upstream }: ChannelBinding,
    tracking: ConfirmTracking,
    onConfirmed: () => void,
    onClosed: () => void,
    onRefused: (message: Uint8Array) => void,
  ) {
    super()
    this.upstream = upstream
    this.tracking = tracking
    this.#onConfirmed = onConfirmed
    this.#onClosed = onClosed
    this.#onRefused = onRefused
  }

  override onConfirm(frame?: Frame): boolean {
    if (frame === undefined) return false
    const { deliveryTag, multiple, isConfirmed } = readConfirm(frame)
    const onRefused = isConfirmed ? undefined : this.#onRefused
    this.tracking.settle(deliveryTag, multiple, onRefused)
    if (this.tracking.count === 0) this.#onConfirmed()
    return false
  }

  override onBrokerClose(): void {
    this.#onClosed()
  }
}

/** A Basic.Ack or Basic.Nack of the broker. */
export function readConfirm(frame: Frame): Confirm {
  const { bytes, payloadStart, payloadEnd, methodId } = frame
  const layout = methodId === id.BASIC_ACK ? method.BasicAck : method.BasicNack
  const { deliveryTag, multiple } = readArguments(layout, bytes, payloadStart + 4, payloadEnd)
  return { deliveryTag: Number(deliveryTag), multiple, isConfirmed: methodId === id.BASIC_ACK }
}
