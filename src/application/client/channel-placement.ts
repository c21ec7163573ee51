/**
 * Which upstream channels carry a client's: one is bound when it's needed, where its role belongs, and
 * exchanged when it turns out to belong elsewhere; messages may need another.
 */
import type { Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { isNoAck } from '../../domain/amqp/single-arguments.js'
import type { PendingRequests } from '../../domain/channel/pending-requests.js'
import { asksForReplies } from '../../domain/channel/reply-to.js'
import { UnacknowledgedTags } from '../../domain/channel/unacknowledged-tags.js'
import { type ChannelRole, declaresExclusiveQueue, roleToldBy } from '../../domain/policy/channel-role.js'
import { channelFlowFrame } from '../common-frames.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import type { ChannelPublishing } from './channel-publishing.js'
import { ChannelQueues } from './channel-queues.js'
import type { ChannelRequests } from './channel-requests.js'
import type { ClientChannelHost } from './client-channel-host.js'
import { type BypassedChannel, PublishBypass } from './publish-bypass.js'

/**
 * Why a request can't go yet. `room`: an upstream channel will take a while. `move`: the broker ends the one channel
 * before there is another. `confirms`: the channel is to move, and not all is confirmed. `answers`: a message is to go another way than
 * what was asked for before. `messages`: the request is to go another way than the messages before it.
 */
export type Detour = 'room' | 'move' | 'confirms' | 'answers' | 'messages'

/** The channel that is carried. */
export interface CarriedChannel extends BypassedChannel {
  /** The broker has processed the messages that a request had to wait for. */
  onMessagesProcessed(): void
}

export class ChannelPlacement {
  readonly #channel: CarriedChannel
  readonly #host: ClientChannelHost
  readonly #publishing: ChannelPublishing
  readonly #requests: ChannelRequests
  readonly #pending: PendingRequests
  /** The upstream channel that carries this one, once it was needed. */
  binding: ChannelBinding | undefined
  /** The way that messages take, if it's another than that of everything else. */
  bypass: PublishBypass | undefined
  /** Messages take the way of everything else, and go on doing so. */
  #publishesHere = false
  /** Messages and everything else can't go separate ways for want of an upstream channel: something waits for one, or no longer does. */
  #lacksBypass = false
  #staysWhole = false
  /** There may be deliveries that need no ack. */
  #hasNoAck = false
  /** What the channel is used for, once it has told. */
  role: ChannelRole | undefined
  /** Where it's moving to, when its role doesn't say. */
  #target: UpstreamConnection | undefined

  constructor(
    channel: CarriedChannel,
    host: ClientChannelHost,
    publishing: ChannelPublishing,
    requests: ChannelRequests,
  ) {
    this.#channel = channel
    this.#host = host
    this.#publishing = publishing
    this.#requests = requests
    this.#pending = requests.pending
  }

  /**
   * The role that a well-formed method tells: the channel keeps the first. Whoever asks for direct replies publishes, but goes where its
   * exclusive queues are if it has any: it couldn't reach them from elsewhere.
   */
  roleToldBy(frame: Frame): ChannelRole | undefined {
    if (this.role !== undefined) return this.role
    return asksForReplies(frame) && this.#host.ownsQueues ? 'consumer' : roleToldBy(frame)
  }

  /**
   * Has the channel carried where a method that tells `role` is to go; undefined when it's there.
   * `isStateless`: nothing of it would be lost with the upstream channel but what {@link ChannelPublishing}
   * knows.
   */
  reach(
    frame: Frame,
    methodId: number,
    role: ChannelRole | undefined,
    isStateless: boolean,
  ): Detour | undefined {
    if (methodId === id.BASIC_CONSUME || methodId === id.BASIC_GET) this.#onConsumer(frame)
    if (methodId === id.BASIC_PUBLISH) {
      if (this.#goesRound(role)) return this.#reachBypass(this.binding!)
      this.#publishesHere = true
    }
    if (this.binding === undefined) {
      if (!this.#bind(role)) return 'room'
    } else if (this.#pending.isFull) {
      return this.#askForAnswers(this.binding)
    } else if (role !== this.role && role !== undefined && !this.#host.settle(this.binding.upstream, role)) {
      return this.#move(this.binding, undefined)
    }
    if (!isStateless || this.bypass !== undefined) return undefined
    if (methodId === id.TX_SELECT) return this.#shedConfirms(this.binding!)
    return this.#followConsumers(frame, this.binding!)
  }

  #bind(role: ChannelRole | undefined): boolean {
    this.binding = this.#host.bind(this.#channel, role, this.#target)
    if (this.binding === undefined) return false
    if (this.#publishing.onBound(this.binding)) this.#pending.sent(id.TX_SELECT)
    return true
  }

  /**
   * A transaction can't begin on an upstream channel that Warren has put in confirm mode by itself, but on
   * another, once all is confirmed.
   */
  #shedConfirms(binding: ChannelBinding): Detour | undefined {
    if (!this.#publishing.isTrackedUnasked) return undefined
    if (this.#publishing.canMove === 'wait') return this.#waitForConfirms()
    const detour = this.#move(binding, binding.upstream)
    this.#publishing.stopTracking()
    return detour
  }

  /**
   * A queue that the client owns on another upstream connection can be reached only there. A publisher's
   * messages stay where they are, lest an alarm holds up what consumers acknowledge.
   */
  #followConsumers(frame: Frame, binding: ChannelBinding): Detour | undefined {
    const { upstream } = binding
    const target = ChannelQueues.concerns(frame.methodId) ? this.#whereOwned(frame, upstream) : undefined
    if (this.role === 'publisher' && upstream.role === 'publisher' && this.#maySplit) {
      const isElsewhere =
        target === undefined
          ? roleToldBy(frame) === 'consumer' && !this.#host.settle(upstream, 'consumer')
          : target.role === 'consumer'
      if (isElsewhere) return this.#split(binding, target)
    }
    const { canMove } = this.#publishing
    if (target === undefined || canMove === false) return undefined
    return canMove === 'wait' ? this.#waitForConfirms() : this.#move(binding, target)
  }

  /**
   * Where else the client's exclusive queue is that a request is about; and a further one is made where the
   * others are, or there would be no place for a channel that means both.
   */
  #whereOwned(request: Frame, upstream: UpstreamConnection): UpstreamConnection | undefined {
    return (
      this.#host.claimedElsewhere(this.#requests.queueMeantBy(request), upstream) ??
      (declaresExclusiveQueue(request) ? this.#host.claimsElsewhere(upstream) : undefined)
    )
  }

  #waitForConfirms(): Detour {
    this.#host.assembler.endOfChunk()
    return 'confirms'
  }

  /** Once the broker has processed what was sent so far, the channel gets another upstream channel. */
  #move(binding: ChannelBinding, target: UpstreamConnection | undefined): Detour {
    this.#target = target
    this.#host.assembler.endOfChunk()
    binding.upstream.endBinding(binding)
    return 'move'
  }

  // ---- messages that go another way ------------------------------------------------------------------------------

  /** The upstream channel for messages, if anything is bound. */
  get publishBinding(): ChannelBinding | undefined {
    return this.bypass?.binding ?? this.binding
  }

  /** Whether an upstream connection that the channel is on takes no more bytes for now. Reading then goes on by itself. */
  mustWaitForDrain(): boolean {
    const { binding } = this
    if (binding === undefined) return false
    if (binding.upstream.isCongested && this.#host.mustWaitFor(binding.upstream)) return true
    const other = this.bypass?.binding?.upstream
    return other?.isCongested === true && this.#host.mustWaitFor(other)
  }

  /**
   * Whether messages go round: a consumer's do, lest an alarm stops its neighbours. Not in a transaction,
   * which acks and messages have in common, and not where direct replies are asked for, which come only to
   * the upstream channel that publishes the questions.
   */
  #goesRound(role: ChannelRole | undefined): boolean {
    if (this.bypass !== undefined) return true
    if (role !== 'consumer' || this.binding?.upstream.role !== 'consumer') return false
    return !this.#publishesHere && this.#maySplit
  }

  get #maySplit(): boolean {
    return !this.#staysWhole && this.#host.separatesRoles && !this.#publishing.isInTransaction
  }

  /** Messages go on where they went, and everything else to `target`, or else where consumers are. */
  #split(binding: ChannelBinding, target: UpstreamConnection | undefined): Detour | undefined {
    if (this.#pending.includes(0)) return this.#askForAnswers(binding)
    const main = this.#host.bind(this.#channel, 'consumer', target)
    this.#lacksBypass = main === undefined
    if (main === undefined) return 'room'
    this.#host.assembler.endOfChunk()
    this.binding = main
    this.role = 'consumer'
    this.#publishesHere = false
    this.bypass = this.#bypassOf(main)
    this.bypass.take(binding, this.#pending)
    this.#requests.onMoved()
    return this.#waitForMessages(this.bypass)
  }

  #bypassOf(main: ChannelBinding): PublishBypass {
    // Nobody knows which deliveries a client has answered for that has done so before.
    const unacknowledged = new UnacknowledgedTags(this.#pending.hasEverAcked ? main.delivered + 1 : 1)
    if (this.#hasNoAck) unacknowledged.stopFollowing()
    return new PublishBypass(this.#channel, this.#host, this.#publishing, main, unacknowledged)
  }

  #onConsumer(frame: Frame): void {
    // The answers come to whoever publishes on the same upstream channel.
    if (asksForReplies(frame)) this.#publishesHere = true
    if (!isNoAck(frame)) return
    this.#hasNoAck = true
    this.bypass?.distrustTags()
  }

  #reachBypass(binding: ChannelBinding): Detour | undefined {
    // What was asked for before comes first.
    if (this.#pending.includes(0) || this.#isInDoubt)
      return this.#waitForMessages(this.bypass) ?? this.#askForAnswers(binding)
    if (this.bypass !== undefined) return undefined
    if (this.#host.backlog.state === 'draining') {
      this.#host.waitForBroker()
      return 'room'
    }
    const bypass = this.#bypassOf(binding)
    this.#lacksBypass = !bypass.bind()
    if (this.#lacksBypass) return 'room'
    this.bypass = bypass
    return undefined
  }

  /** Whether the broker may yet close the channel over an ack. */
  get #isInDoubt(): boolean {
    return this.bypass === undefined ? this.#pending.hasAcks : this.bypass.isInDoubt
  }

  /** Whether the next message takes the way of the last one, and has nothing to wait for. */
  get isOnItsWay(): boolean {
    if (this.bypass === undefined) return this.role === 'publisher'
    return !this.#pending.includes(0) && !this.bypass.isInDoubt
  }

  /** There can be no second upstream channel now. Returns whether something waited for one: then all goes the same way. */
  onNoBypass(): boolean {
    if (!this.#lacksBypass || this.#staysWhole) return false
    this.#staysWhole = true
    return true
  }

  #askForAnswers({ upstream, upstreamChannel }: ChannelBinding): Detour {
    this.bypass?.onDoubtRaised()
    this.#host.assembler.endOfChunk()
    this.#pending.sent(id.CHANNEL_FLOW)
    upstream.send(channelFlowFrame(upstreamChannel))
    return 'answers'
  }

  /**
   * Has a method that isn't a publish come behind messages that go round, and their way end if the method is
   * about it; undefined when it may go.
   */
  followMessages(frame: Frame, methodId: number): Detour | undefined {
    const { bypass } = this
    if (bypass === undefined) return undefined
    const detour = this.#waitForMessages(bypass)
    if (detour !== undefined) return detour
    if (methodId === id.TX_SELECT || asksForReplies(frame)) return this.#publishHere(methodId)
    const isEnding = methodId === id.CHANNEL_CLOSE && !this.#publishing.owesMessages
    // Behind Confirm.Select the next message gets an upstream channel in confirm mode.
    if (isEnding || (methodId === id.CONFIRM_SELECT && !this.#publishing.isConfirming)) this.endBypass()
    return undefined
  }

  #waitForMessages(bypass: PublishBypass | undefined): Detour | undefined {
    if (bypass === undefined || bypass.isQuiet) return undefined
    bypass.whenQuiet(() => this.#channel.onMessagesProcessed())
    return 'messages'
  }

  /** From now on messages have to take the way of everything else. */
  #publishHere(methodId: number): Detour | undefined {
    if (this.#publishing.canMove === 'wait') return this.#waitForConfirms()
    // Before: the upstream channel is in confirm mode, and isn't for others.
    this.endBypass()
    if (methodId === id.TX_SELECT && this.#publishing.isTrackedUnasked) this.#publishing.stopTracking()
    this.#publishesHere = true
    this.#publishing.onBound(this.binding!)
    return undefined
  }

  /** Gives up the way round at once, if there is one. */
  endBypass(): void {
    const pair = this.binding?.pair
    this.bypass?.close()
    this.bypass = undefined
    pair?.dissolve()
  }

  /** The broker has closed the upstream channel that messages went over. */
  onBypassClosed(): void {
    this.binding?.pair?.dissolve()
    this.bypass = undefined
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** Asks for the end of the upstream channel, once the broker has processed what has gone another way. */
  end(): void {
    const { binding, bypass } = this
    if (binding === undefined) return
    if (bypass === undefined) return binding.upstream.endBinding(binding)
    bypass.whenQuiet(() => {
      this.endBypass()
      binding.upstream.endBinding(binding)
    })
  }

  /** Gives everything back: nobody is there any more to hear of the end. `isStateless` as for {@link reach}. */
  giveBack(isStateless: boolean): void {
    const { binding, bypass } = this
    this.binding = this.bypass = undefined
    if (binding === undefined) return
    if (bypass === undefined) {
      // Who waits for confirms in the client's place wouldn't hear which exclusive queues the broker has made.
      const isQueueDue = this.#pending.includes(id.QUEUE_DECLARE) || this.#pending.includes(id.QUEUE_DELETE)
      return this.#publishing.giveBack(binding, isStateless && !isQueueDue)
    }
    const { pair } = binding
    bypass.sendAcks()
    bypass.close()
    binding.upstream.release(binding)
    pair?.dissolve()
  }
}
