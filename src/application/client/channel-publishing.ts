/** What one client channel publishes: in its confirm mode or transaction, and kept for as long as Warren answers for it. */
import { confirmTag, isRefusal, renumberConfirm } from '../../domain/amqp/confirm.js'
import type { Frame } from '../../domain/amqp/frame.js'
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as id from '../../domain/amqp/method-ids.js'
import * as method from '../../domain/amqp/methods.js'
import {
  type AmqpError,
  COMMAND_INVALID,
  PRECONDITION_FAILED,
  amqpError,
  connectionError,
} from '../../domain/amqp/reply-codes.js'
import { isMandatoryPublish, isMultiple, isSilentSelect } from '../../domain/amqp/single-arguments.js'
import { ConfirmNumbering } from '../../domain/publish/confirm-numbering.js'
import { PublishedMessage } from '../../domain/publish/published-message.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import type { ClientChannelHost } from './client-channel-host.js'
import { confirmSelectFrame, confirmSelectOkFrame, txSelectFrame } from '../common-frames.js'
import { ConfirmTracking } from '../publishing/confirm-tracking.js'
import type { ConfirmOrigin } from '../publishing/kept-messages.js'
import type { PublishRoom } from '../publishing/publish-room.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'

/** The channel that publishes. */
export interface PublishingChannel {
  readonly clientChannel: number
  /** Whether the client is still there to be told what became of its messages. */
  readonly isListening: boolean
  /** Nothing is unconfirmed any more. */
  onAllConfirmed(): void
}

/**
 * What becomes of a frame that comes while there is no upstream channel for it. `kept`: it's part of a
 * message for the backlog. `answered`: Warren has done so. `broker`: it waits for the broker's return.
 * `room`: it waits until more may be kept. `usual`: nothing else than otherwise.
 */
export type Postponement = 'kept' | 'answered' | 'broker' | 'room' | 'usual' | AmqpError

/** `work`: something was published since the last commit or rollback. */
type Transaction = 'none' | 'empty' | 'work'

export class ChannelPublishing implements ConfirmOrigin {
  readonly #channel: PublishingChannel
  readonly #host: ClientChannelHost
  /** The client's confirms, if it has asked for them and its messages aren't kept. */
  #numbering: ConfirmNumbering | undefined
  /** The messages that Warren keeps until they're confirmed, if it does. */
  #tracking: ConfirmTracking | undefined
  #transaction: Transaction = 'none'
  /** Transactions that were begun anew and whose answer the client isn't to see. */
  #hiddenSelects = 0
  /** The message that is being published is kept in the backlog of the pool. */
  #isKeeping = false
  /** Messages of the channel may wait in the backlog, until that is idle. */
  #hasKept = false
  /** A message waits because as many as may be are kept until the broker confirms them. */
  #isHeldForRoom = false

  constructor(channel: PublishingChannel, host: ClientChannelHost) {
    this.#channel = channel
    this.#host = host
  }

  /** The message that is being published is for the backlog, even if the broker is back meanwhile. */
  get isKeeping(): boolean {
    return this.#isKeeping
  }

  /** Whether messages of this channel may still wait in the backlog. */
  get hasKept(): boolean {
    return this.#hasKept
  }

  /** Whether whole messages are to be given to {@link take}. */
  get takesMessages(): boolean {
    return this.#isKeeping || this.#tracking !== undefined
  }

  /** Whether the next message is kept until it's confirmed. */
  get keepsNext(): boolean {
    return this.#isKeeping || this.#roomForNext !== undefined
  }

  /** The room that the next message takes until it's confirmed; undefined if it takes none. */
  get #roomForNext(): PublishRoom | undefined {
    if (this.#tracking !== undefined) return this.#tracking.room
    const isOfOwnMode = this.#numbering !== undefined || this.#transaction !== 'none'
    return !isOfOwnMode && this.#host.asksForConfirms ? this.#host.backlog.room : undefined
  }

  /** Whether the next message has to wait because as many as may be are kept until the broker confirms them. */
  mustWaitForRoom(): boolean {
    const room = this.#roomForNext
    this.#isHeldForRoom = room !== undefined && this.#host.mustWaitForRoom(room)
    return this.#isHeldForRoom
  }

  /** Whether the channel, or the upstream channel that its messages go over, is in confirm mode. */
  get isConfirming(): boolean {
    return this.#numbering !== undefined || this.#tracking !== undefined
  }

  /** Whether the broker has confirmed everything, and says when it has. */
  get isAllConfirmed(): boolean {
    return (this.#tracking ?? this.#numbering)?.count === 0
  }

  /** Whether a transaction was begun. */
  get isInTransaction(): boolean {
    return this.#transaction !== 'none'
  }

  /** Whether Warren waits for confirms of the broker. */
  get isTracked(): boolean {
    return this.#tracking !== undefined
  }

  /** Whether it does so although the client hasn't asked for confirms. */
  get isTrackedUnasked(): boolean {
    return this.#tracking?.isClientAsking === false
  }

  /** The channel goes on without: all is confirmed, or somebody else waits for that. */
  stopTracking(): void {
    this.#tracking = undefined
  }

  /**
   * Whether the broker hasn't confirmed everything that Warren has promised to deliver. A client that asked
   * for confirms knows itself what was.
   */
  get owesMessages(): boolean {
    return this.#tracking !== undefined && !this.#tracking.isClientAsking && this.#tracking.count > 0
  }

  /** Whether an upstream channel can be exchanged for another: `wait` until {@link PublishingChannel.onAllConfirmed}. */
  get canMove(): boolean | 'wait' {
    if (this.#transaction === 'work') return false
    const unconfirmed = this.#tracking?.count ?? this.#numbering?.count ?? 0
    return unconfirmed === 0 || 'wait'
  }

  /** Whether what is unfinished here outlives the upstream connection. */
  get canSurvive(): boolean {
    return this.#transaction === 'none' && this.#numbering === undefined
  }

  /**
   * The channel was bound to an upstream channel that nothing has been sent on: it goes on in its mode. Returns whether the broker is to
   * answer a Tx.Select.
   */
  onBound({ upstream, upstreamChannel }: ChannelBinding): boolean {
    this.#hasKept = false
    const confirms = this.#tracking ?? this.#numbering
    confirms?.rebind()
    if (confirms !== undefined) upstream.send(confirmSelectFrame(upstreamChannel))
    if (this.#transaction === 'none') return false
    this.#hiddenSelects++
    upstream.send(txSelectFrame(upstreamChannel))
    return true
  }

  /** A message begins that goes straight to the broker. */
  beforePublish({ upstream, upstreamChannel }: ChannelBinding): void {
    if (this.#numbering !== undefined) return this.#numbering.publish()
    if (this.#tracking !== undefined) return
    if (this.#transaction !== 'none') this.#transaction = 'work'
    else if (this.#host.asksForConfirms) {
      this.#tracking = new ConfirmTracking(false, this.#host.backlog)
      this.#host.assembler.endOfChunk()
      upstream.send(confirmSelectFrame(upstreamChannel))
    }
  }

  /**
   * Judges a frame of a channel without an upstream channel, while there's no broker or while what was kept
   * for it goes first. `isStateless` as for {@link onConfirmSelect}.
   */
  postpone(frame: Frame, methodId: number, isStateless: boolean): Postponement {
    const { backlog } = this.#host
    const isDraining = backlog.state === 'draining'
    if (methodId === id.BASIC_PUBLISH) {
      if (isDraining) return 'broker'
      // Who was held up before the broker went away hasn't asked for too much: there may be room when it's back.
      if (this.#isHeldForRoom && this.#host.mustWaitForRoom(backlog.room)) return 'room'
      this.#isHeldForRoom = false
      if (isMandatoryPublish(frame)) return unbuffered('a mandatory message', methodId)
      this.#isKeeping = true
      this.#host.onPublish()
    } else if (methodId === id.CONFIRM_SELECT && isStateless) {
      this.onConfirmSelect(isStateless)
      if (!isSilentSelect(frame)) this.#host.output.send(confirmSelectOkFrame(this.#channel.clientChannel))
      return 'answered'
    } else if (methodId === id.TX_SELECT && !isDraining) {
      return unbuffered('a transaction', methodId)
    }
    if (this.#isKeeping) return 'kept'
    // What it asks of the broker comes after what it has published.
    return this.#hasKept ? 'broker' : 'usual'
  }

  /**
   * The client asks for confirms. With a publish buffer Warren keeps the messages until they have come, but
   * on a channel with another state.
   */
  onConfirmSelect(isStateless: boolean): void {
    if (this.#tracking !== undefined) this.#tracking.askForClient()
    else if (this.#numbering === undefined && this.#host.backlog.isEnabled && isStateless)
      this.#tracking = new ConfirmTracking(true, this.#host.backlog)
    else this.#numbering ??= new ConfirmNumbering()
  }

  /** Tx.Select, Tx.Commit or Tx.Rollback goes to the broker. */
  onTransaction(methodId: number): void {
    // A second Tx.Select changes nothing.
    if (methodId !== id.TX_SELECT || this.#transaction === 'none') this.#transaction = 'empty'
  }

  /** The broker has begun a transaction. Returns whether the client is to see it. */
  onTxSelectOk(): boolean {
    if (this.#hiddenSelects === 0) return true
    this.#hiddenSelects--
    return false
  }

  /** A whole message, for the backlog or for `upstream`. The client is to be told what's wrong if it can't be taken. */
  take(bytes: Uint8Array, upstream: UpstreamConnection | undefined): AmqpError | undefined {
    const isKept = this.#isKeeping
    this.#isKeeping = false
    // A message that was begun while there was a broker.
    if (isKept && new PublishedMessage(bytes).isMandatory)
      return unbuffered('a mandatory message', id.BASIC_PUBLISH)
    if (!isKept && upstream !== undefined) {
      this.#tracking!.publish(bytes, upstream)
      return undefined
    }
    const sequence = this.#tracking?.publishLater() ?? 0
    this.#hasKept = true
    return this.#host.backlog.accept(bytes, this, sequence) ? undefined : backlogFull()
  }

  /** The broker has confirmed a message of this channel that waited, or refused it. */
  onMessageSettled(sequence: number, isConfirmed: boolean): boolean {
    if (!this.#channel.isListening) return false
    const args = { deliveryTag: BigInt(sequence), multiple: false }
    this.#host.output.send(
      isConfirmed
        ? methodFrame(method.BasicAck, this.#channel.clientChannel, args)
        : methodFrame(method.BasicNack, this.#channel.clientChannel, { ...args, requeue: false }),
    )
    return true
  }

  onNotKept(): void {
    this.#host.refuse(notKept())
  }

  /** A confirm of the broker. Returns whether the client is to see it: only if it has asked, and then in its own numbering. */
  onConfirm(frame: Frame): boolean {
    const confirms = this.#tracking ?? this.#numbering
    if (confirms === undefined) return true
    const tag = confirmTag(frame)
    const sequence = confirms.settle(tag, isMultiple(frame), isRefusal(frame))
    if (confirms.count === 0) this.#channel.onAllConfirmed()
    if (sequence === 0) return false
    if (sequence !== tag) renumberConfirm(frame, sequence)
    return true
  }

  /**
   * The channel gives its binding back. What Warren has promised to deliver is published again if the
   * upstream channel is gone; or if it has more state than that, consumers perhaps, who mustn't outlive the
   * client. Otherwise the confirms are waited for there.
   */
  giveBack(binding: ChannelBinding, isStateless: boolean): void {
    const { upstream } = binding
    const canWait = upstream.isOpen && binding.end === undefined
    if (this.owesMessages && canWait && isStateless) {
      this.#host.backlog.adopt(binding, this.#tracking!)
      return this.stopTracking()
    }
    if (this.owesMessages && (canWait || !upstream.isOpen)) this.rescue()
    this.onEnded()
    upstream.release(binding)
  }

  /** The upstream channel is over, and what isn't confirmed with it is its client's business: it takes no room any more. */
  onEnded(): void {
    this.#tracking?.forget()
  }

  /** What the broker hasn't confirmed is published again. */
  rescue(): void {
    this.#host.backlog.rescue(this.#tracking!)
  }

  /**
   * The upstream connection is gone, and the channel stays: what the broker hasn't confirmed is published once it's back, and so is the
   * message in whose middle the client is, if it is. `selects` are the client's Confirm.Select without an answer.
   */
  onUpstreamGone(selects: number, isInContent: boolean): void {
    for (; selects > 0; selects--) this.#host.output.send(confirmSelectOkFrame(this.#channel.clientChannel))
    this.#isKeeping = isInContent
    for (const message of this.#tracking?.takeAll() ?? []) {
      const { bytes, sequence } = message
      this.#hasKept = true
      // Who gets confirms can be told that nobody knows what became of a mandatory message; for others a queue may still take it.
      if (sequence > 0 && new PublishedMessage(bytes).isMandatory) this.onMessageSettled(sequence, false)
      else this.#host.backlog.restore(message, this, sequence)
    }
  }
}

/** Somebody would wait for an answer that can't come. */
function unbuffered(what: string, methodId: number): AmqpError {
  return amqpError(PRECONDITION_FAILED, `${what} can't be kept while the broker is away`, methodId)
}

/** The disk doesn't take what was accepted: nobody shall count on it. */
function notKept(): AmqpError {
  return connectionError(
    COMMAND_INVALID,
    "message not kept: the broker is away, and Warren's journal can't hold more",
  )
}

function backlogFull(): AmqpError {
  return connectionError(
    COMMAND_INVALID,
    'publish buffer full: the broker is away, and no more messages can be kept for it',
  )
}
