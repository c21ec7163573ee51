/** What a pool does with messages while there's no broker for them: it keeps them, and publishes them first of all when it's back. */
import type { UnconfirmedMessage } from '../../domain/publish/unconfirmed-messages.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import { BacklogDrain } from './backlog-drain.js'
import { ConfirmTails } from './confirm-tails.js'
import type { ConfirmKeeper, ConfirmTracking } from './confirm-tracking.js'
import { type ConfirmOrigin, KeptMessages, type KeptMessagesParts, type Leftover } from './kept-messages.js'
import type { PublishRoom } from './publish-room.js'

/** What {@link PublishBacklog} is made with. */
export interface BacklogParts extends KeptMessagesParts {
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

/** How soon an upstream connection without room for another channel is asked again. */
const ROOM_WAIT_MS = 100

/** The publish buffer of a pool: knows whether messages go straight to the broker, wait, or have to let others go first. */
export class PublishBacklog implements ConfirmKeeper {
  readonly #parts: BacklogParts
  readonly #kept: KeptMessages
  readonly #drain: BacklogDrain
  // One of the messages is to blame: the drain will find out which.
  readonly #tails = new ConfirmTails((tracking) => this.rescue(tracking))
  #state: BacklogState = 'idle'

  constructor(parts: BacklogParts) {
    this.#parts = parts
    this.#kept = new KeptMessages(parts, () => this.#drain.pump())
    this.#drain = new BacklogDrain(this.#kept, {
      isHeld: parts.isHeld,
      onChannelClosed: () => this.resume(),
      onDrained: () => this.#finish(),
    })
  }

  /** Whether messages are kept at all. */
  get isEnabled(): boolean {
    return this.#kept.isEnabled
  }

  get state(): BacklogState {
    return this.#state
  }

  /** How much may be kept, and who waits for that. */
  get room(): PublishRoom {
    return this.#kept.room
  }

  /** Whether not even an empty message can be kept. */
  get isFull(): boolean {
    return !this.room.hasRoomFor(0)
  }

  /** Messages that wait. */
  get length(): number {
    return this.#kept.length
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#kept.bytes
  }

  // ---- messages that wait ----------------------------------------------------------------------------------------

  /** Keeps a whole message. False when there's no room for it: then it isn't kept. */
  accept(bytes: Uint8Array, listener: ConfirmOrigin, sequence: number): boolean {
    const isKept = this.#kept.accept(bytes, listener, sequence)
    if (isKept && this.#state === 'idle') this.resume()
    return isKept
  }

  /** Keeps a message that was accepted before, and sent, but that the broker hasn't confirmed. */
  restore(unconfirmed: UnconfirmedMessage, listener: ConfirmOrigin, sequence: number): void {
    this.#kept.restore(unconfirmed, listener, sequence)
  }

  /** Messages that an earlier run of the program has left in the journal. */
  recover(messages: readonly Leftover[]): void {
    const { logger, fields } = this.#parts
    for (const message of messages) this.#kept.takeBack(message)
    logger.info('messages recovered from the journal', { ...fields, messages: messages.length })
  }

  /** Gives all that waits away, to be published with another login of the same user. Who had published it is gone. */
  surrender(): Leftover[] {
    return this.#kept.surrender()
  }

  /** Tries a message again that was set aside; behind all that waits. */
  retry(message: Leftover): void {
    this.#kept.takeBack(message)
    this.resumeIfIdle()
  }

  /** As {@link KeptMessages.whenCommitted}. */
  whenCommitted(callback: () => void): void {
    this.#kept.whenCommitted(callback)
  }

  /** As {@link KeptMessages.isCommitting}. */
  get isCommitting(): boolean {
    return this.#kept.isCommitting
  }

  // ---- messages that were sent straight to the broker, and aren't confirmed -----------------------------------------

  expiryOf(message: Uint8Array): number {
    return this.#kept.expiryOf(message)
  }

  onSent(bytes: number): void {
    this.room.add(bytes)
  }

  onLeft(messages: number, bytes: number): void {
    this.room.remove(messages, bytes)
  }

  onNacked(message: UnconfirmedMessage): void {
    this.#kept.onNacked(message)
  }

  /** As {@link restore}, for a channel whose client can't hear any more what becomes of its messages. */
  rescue(tracking: ConfirmTracking): void {
    this.#restoreAll(tracking)
    this.resumeIfIdle()
  }

  /** Keeps a channel of a client that is gone until the broker has confirmed everything that was published there. */
  adopt(binding: ChannelBinding, tracking: ConfirmTracking): void {
    this.#tails.adopt(binding, tracking)
  }

  #restoreAll(tracking: ConfirmTracking): void {
    for (const message of tracking.takeAll()) this.#kept.restore(message)
  }

  // ---- the broker goes and comes -----------------------------------------------------------------------------------

  /** There is no broker: from now on messages are kept. */
  goAway(): void {
    if (this.isEnabled) this.#setState('away')
  }

  /** There will be no broker for now, and nothing waits for it: whoever publishes next is told why. */
  giveUp(): void {
    if (this.length === 0) this.#setState('idle')
  }

  /** Publishes what waits, if there is an upstream connection for it; the state is `idle` once all of it has been confirmed. */
  resume(): void {
    if (!this.isEnabled || this.#drain.isUnderWay) return
    const upstream = this.#parts.place()
    if (upstream === undefined) this.#await()
    else if (this.length === 0) this.#finish()
    else this.#drainOver(upstream)
  }

  /** Publishes what has been restored, unless that's on its way or has to wait. */
  resumeIfIdle(): void {
    if (this.#state === 'idle' && this.length > 0) this.resume()
  }

  /** An upstream connection is gone; `isOverMessage` tells whether the broker closed it over a message, whosever that was. */
  onUpstreamLost(upstream: UpstreamConnection, isOverMessage: boolean): void {
    for (const tracking of this.#tails.onUpstreamLost(upstream)) this.#restoreAll(tracking)
    if (this.#drain.onUpstreamLost(upstream, isOverMessage)) this.#setState('away')
  }

  /** Messages are no longer held back. */
  onResumed(): void {
    this.#drain.pump()
  }

  #await(): void {
    this.#setState('away')
    if (this.length > 0) this.#parts.onUpstreamNeeded()
  }

  #drainOver(upstream: UpstreamConnection): void {
    const { logger, fields, clock } = this.#parts
    if (this.#state !== 'draining')
      logger.info('publish buffer draining', { ...fields, messages: this.length })
    this.#setState('draining')
    // Without room for the channel the next one that ends makes some.
    if (!this.#drain.begin(upstream)) clock.after(ROOM_WAIT_MS, () => this.resume())
  }

  #finish(): void {
    const { logger, fields, onDrained } = this.#parts
    const messages = this.#drain.end()
    const wasDraining = this.#state === 'draining'
    this.#setState('idle')
    this.#kept.onDrained()
    if (wasDraining) logger.info('publish buffer drained', { ...fields, messages })
    onDrained()
  }

  #setState(state: BacklogState): void {
    this.#state = state
    this.room.isAway = state === 'away'
    this.room.wake()
  }
}
