/**
 * What a consumer's channel publishes goes round the consumers' upstream connection, which the broker would
 * stop reading in an alarm: over a second upstream channel, on the publishers' connection.
 */
import { readClose } from '../../domain/amqp/close-error.js'
import type { Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import { deliveryTagOf, isMultiple } from '../../domain/amqp/single-arguments.js'
import { joinSlices, type SliceList } from '../../domain/amqp/slice-list.js'
import type { PendingRequests } from '../../domain/channel/pending-requests.js'
import type { UnacknowledgedTags } from '../../domain/channel/unacknowledged-tags.js'
import type { AssemblyChannel } from '../../domain/publish/publish-assembler.js'
import { channelFlowFrame } from '../common-frames.js'
import type { BindingOwner, ChannelBinding, ClientReceiver } from '../upstream/channel-binding.js'
import { ChannelPair } from '../upstream/channel-pair.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import type { ChannelPublishing } from './channel-publishing.js'
import type { ClientChannelHost } from './client-channel-host.js'

/** The client channel that publishes and consumes. */
export interface BypassedChannel extends BindingOwner {
  /** A message can't be taken: the client is to be told of `error`. */
  refuse(error: AmqpError): void
  /** The broker has closed the channel over a message, and the second upstream channel is gone. */
  onPublishRefused(error: AmqpError): void
}

/** Most bytes of acks of one client that wait for the broker to have processed the messages before them. */
const MOST_WAITING_BYTES = 64 * 1024

/**
 * RabbitMQ deals with all that comes on a channel in its order. So what the client sends behind messages
 * waits until the broker has processed those: a fence (Channel.Flow active=true) on the second upstream
 * channel tells. Acks wait here, everything else with the client. RabbitMQ ends the channel over a wrong ack,
 * and drops what is published behind: so the broker has to deal with acks that aren't certain before a
 * message may follow.
 */
export class PublishBypass implements AssemblyChannel<UpstreamConnection>, BindingOwner {
  readonly #channel: BypassedChannel
  readonly #host: ClientChannelHost
  readonly #publishing: ChannelPublishing
  /** The channel that everything but messages goes over. */
  readonly #main: ChannelBinding
  #binding: ChannelBinding | undefined
  /** Messages have gone since the last fence, or, before the channels were parted, something else that gets no answer. */
  #isAhead = false
  /** Not all of that gets a confirm. */
  #lacksConfirms = false
  #isFenced = false
  /** Acks behind the fence that is under way, and those that need another. */
  #acks: Uint8Array[] = []
  #laterAcks: Uint8Array[] = []
  #whenQuiet: (() => void) | undefined
  readonly #unacknowledged: UnacknowledgedTags
  #isInDoubt = false
  #isReusable = true
  heldMessage: SliceList | undefined = undefined

  constructor(
    channel: BypassedChannel,
    host: ClientChannelHost,
    publishing: ChannelPublishing,
    main: ChannelBinding,
    unacknowledged: UnacknowledgedTags,
  ) {
    this.#channel = channel
    this.#host = host
    this.#publishing = publishing
    this.#main = main
    this.#unacknowledged = unacknowledged
  }

  /** The second upstream channel, while there is one. */
  get binding(): ChannelBinding | undefined {
    return this.#binding
  }

  /** Gets an upstream channel where publishers are; false when that will take a while: reading then stops before the current frame. */
  bind(): boolean {
    this.#binding ??= this.#host.bind(this, 'publisher', undefined)
    if (this.#binding === undefined) return false
    new ChannelPair(this.#main, this.#binding)
    this.#publishing.onBound(this.#binding)
    return true
  }

  /**
   * Has the upstream channel over which the messages have gone so far carry them on, while everything else
   * gets another. It's of no use to anybody else then. `pending`: what was asked for there.
   */
  take(binding: ChannelBinding, pending: PendingRequests): void {
    this.#binding = binding
    this.#isReusable = false
    this.#isAhead = !pending.isEmpty
    this.#lacksConfirms = pending.hasUnconfirmable
    binding.owner = this
    new ChannelPair(this.#main, binding)
  }

  /** A message begins to go to the broker, once there is a binding. */
  onPublish(): void {
    this.#isAhead = true
  }

  /** Whether the broker has processed all messages, as far as it has said, and everything behind them has gone. */
  get isQuiet(): boolean {
    if (this.#isFenced) return false
    // Each confirm speaks for all that came before its message.
    if (this.#isAhead && !this.#lacksConfirms && this.#publishing.isAllConfirmed) this.#isAhead = false
    return !this.#isAhead
  }

  /** Whether the broker may close the channel over an ack that has gone: a message behind it has to wait until it has dealt with that. */
  get isInDoubt(): boolean {
    return this.#isInDoubt
  }

  /** The broker has been asked, and nothing follows before it has answered. */
  onDoubtRaised(): void {
    this.#isInDoubt = false
  }

  /** From now on there may be deliveries that aren't to be acknowledged, and that nobody tells from others. */
  distrustTags(): void {
    this.#unacknowledged.stopFollowing()
  }

  /** A request other than Basic.Ack goes to the broker. */
  onRequest(frame: Frame): void {
    switch (frame.methodId) {
      case id.BASIC_NACK:
      case id.BASIC_REJECT:
        if (!this.#isCertain(frame)) this.#isInDoubt = true
        break
      case id.BASIC_RECOVER:
      case id.BASIC_RECOVER_ASYNC:
        this.#unacknowledged.stopFollowing()
    }
  }

  /**
   * Takes a Basic.Ack. `pass`: it may go. `kept`: it follows once the broker has processed the messages
   * before it. `wait`: it's to come again then, as there's no room for it.
   */
  takeAck(ack: Frame): 'pass' | 'kept' | 'wait' {
    const size = ack.end - ack.start
    const { isQuiet } = this
    if (!isQuiet && this.#host.waitingAckBytes + size > MOST_WAITING_BYTES) return 'wait'
    if (!this.#isCertain(ack)) this.#isInDoubt = true
    if (isQuiet) return 'pass'
    this.#host.waitingAckBytes += size
    ack.rewriteChannel(this.#main.upstreamChannel)
    const acks = this.#isFenced && this.#isAhead ? this.#laterAcks : this.#acks
    acks.push(ack.bytes.slice(ack.start, ack.end))
    if (!this.#isFenced) this.#sendFence()
    return 'kept'
  }

  #isCertain(frame: Frame): boolean {
    return this.#unacknowledged.settle(deliveryTagOf(frame), isMultiple(frame), this.#main.delivered)
  }

  /** Calls `callback` once it {@link isQuiet}, perhaps at once; a callback that was given before is forgotten. */
  whenQuiet(callback: () => void): void {
    if (this.isQuiet) return callback()
    this.#whenQuiet = callback
    if (!this.#isFenced) this.#sendFence()
  }

  /**
   * The client is gone, and has sent its acks in time: they don't wait any longer. But if the messages before
   * them are lost with their connection, or may be, as the broker doesn't read them for now, the acks mustn't
   * count: what they are for is delivered again. Unless Warren keeps the messages.
   */
  sendAcks(): void {
    const { isOpen, isCongested, blockedReason } = this.#binding!.upstream
    const isOnTheWay = isOpen && !isCongested && blockedReason === undefined
    if (this.#main.end !== undefined || !(isOnTheWay || this.#publishing.isTrackedUnasked)) return
    this.#sendBatch(this.#acks)
    this.#sendBatch(this.#laterAcks)
    this.#acks = this.#laterAcks = []
  }

  #forgetAcks(): void {
    for (const acks of [this.#acks, this.#laterAcks]) this.#countOut(acks)
    this.#acks = this.#laterAcks = []
  }

  /** Gives the upstream channel back. Acks that wait are forgotten. */
  close(): void {
    this.#host.assembler.discard(this)
    this.#forgetAcks()
    this.#whenQuiet = undefined
    const binding = this.#binding
    this.#binding = undefined
    if (binding !== undefined) this.#publishing.giveBack(binding, true)
  }

  #sendFence(): void {
    const { upstream, upstreamChannel } = this.#binding!
    this.#host.assembler.endOfChunk()
    this.#isFenced = true
    // The fence goes before a message that isn't whole yet.
    this.#isAhead = this.heldMessage !== undefined
    this.#lacksConfirms = false
    upstream.send(channelFlowFrame(upstreamChannel))
  }

  #onFenceAnswered(): void {
    this.#isFenced = false
    this.#sendBatch(this.#acks)
    this.#acks = this.#laterAcks
    this.#laterAcks = []
    if (this.#acks.length > 0 || (this.#whenQuiet !== undefined && !this.isQuiet)) return this.#sendFence()
    const callback = this.#whenQuiet
    this.#whenQuiet = undefined
    callback?.()
  }

  #sendBatch(acks: readonly Uint8Array[]): void {
    this.#countOut(acks)
    if (acks.length > 0) this.#main.upstream.send(joinSlices(acks))
  }

  #countOut(acks: readonly Uint8Array[]): void {
    for (const { length } of acks) this.#host.waitingAckBytes -= length
  }

  /** Whether the broker may still have to deal with a message on `upstream`. */
  isPublishingOn(upstream: UpstreamConnection): boolean {
    return this.#binding?.upstream === upstream && (this.#isAhead || this.#isFenced)
  }

  // ---- what is published -----------------------------------------------------------------------------------------

  get destination(): UpstreamConnection {
    return this.#binding!.upstream
  }

  get takesMessages(): boolean {
    return this.#publishing.takesMessages
  }

  takeMessage(bytes: Uint8Array): void {
    const error = this.#publishing.take(bytes, this.#binding?.upstream)
    if (error !== undefined) this.#channel.refuse(error)
  }

  // ---- what the broker says --------------------------------------------------------------------------------------

  get clientChannel(): number {
    return this.#channel.clientChannel
  }

  get receiver(): ClientReceiver {
    return this.#channel.receiver
  }

  get client(): object {
    return this.#channel.client
  }

  get isClientGone(): boolean {
    return this.#channel.isClientGone
  }

  /** Not behind a fence whose answer would be taken for that of the barrier. */
  get isSafe(): boolean {
    return this.#isReusable && !this.#isFenced && !this.#publishing.isConfirming
  }

  onConfirm(confirm: Frame): boolean {
    return this.#channel.onConfirm(confirm)
  }

  onAnswer(answer: Frame): boolean {
    if (answer.methodId === id.CHANNEL_FLOW_OK) this.#onFenceAnswered()
    return false
  }

  /** The client hears of it once the other upstream channel is over, too, and what wasn't acknowledged there is back in its queue. */
  onBrokerClose(close: Frame): boolean {
    const error = readClose(close)
    this.#binding = undefined
    this.#forgetAcks()
    this.#whenQuiet = undefined
    this.#host.assembler.discard(this)
    this.#channel.onPublishRefused(error)
    return false
  }

  onCloseOk(): boolean {
    return false
  }

  onSettled(): void {}

  onReleased(): void {}

  onBrokerCancel(): boolean {
    return false
  }
}
