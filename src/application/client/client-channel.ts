/** One channel of a client, from Channel.Open to its close. */
import { FRAME_METHOD, type Frame } from '../../domain/amqp/frame.js'
import type { SliceList } from '../../domain/amqp/slice-list.js'
import type { WholeMessage } from '../../domain/amqp/whole-message.js'
import * as id from '../../domain/amqp/method-ids.js'
import { consumerTagOf } from '../../domain/amqp/single-arguments.js'
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import {
  ChannelGuard,
  VERDICT_DROP,
  VERDICT_LAST,
  VERDICT_PART,
  VERDICT_REFUSED,
  VERDICT_SINGLE,
  VERDICT_WAIT,
  type Verdict,
} from '../../domain/channel/channel-guard.js'
import type { PendingRequests } from '../../domain/channel/pending-requests.js'
import { mayBeRisky } from '../../domain/channel/risky-requests.js'
import { type ChannelRole, roleToldBy } from '../../domain/policy/channel-role.js'
import type { AssemblyChannel } from '../../domain/publish/publish-assembler.js'
import { type CarriedChannel, ChannelPlacement, type Detour } from './channel-placement.js'
import { ChannelPublishing, type PublishingChannel } from './channel-publishing.js'
import { ChannelQueues } from './channel-queues.js'
import { ChannelRequests, type Judgement } from './channel-requests.js'
import type { ChannelBinding, ClientReceiver } from '../upstream/channel-binding.js'
import type { ClientChannelHost } from './client-channel-host.js'
import { basicQosOkFrame, channelCloseFrame, channelCloseOkFrame } from '../common-frames.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'

/**
 * `open`: in use. `closing`: the client sent Channel.Close, the broker's answer is to come.
 * `refused`: the client was sent Channel.Close, its Close-Ok is to come. `crossing`: both.
 */
type State = 'open' | 'closing' | 'refused' | 'crossing'

const NO_VERDICT = -1
const TX_CLASS = 90

/**
 * Why nothing of the client is looked at for now.
 * `commit`: anything behind a commit that isn't answered would end the connection with 504.
 * `disk`: the client closes the channel, and what was accepted there isn't safe yet.
 * `refusal`: the client is to be told of a channel error, behind what the broker has to say to what came before.
 * `move`, `confirms`, `answers`, `messages`: something else has to be done first, see {@link Detour}.
 * `promises`: the client closes the channel, and not all is confirmed that Warren keeps for it.
 */
type Hold = 'commit' | 'disk' | 'refusal' | 'promises' | Exclude<Detour, 'room'>

export class ClientChannel implements AssemblyChannel<UpstreamConnection>, CarriedChannel, PublishingChannel {
  readonly clientChannel: number
  readonly #host: ClientChannelHost
  readonly #guard: ChannelGuard
  #state: State = 'open'
  /** The client sent Connection.Close: nothing more is expected of it. */
  #isLeaving = false
  #hold: Hold | undefined
  /** Whether the channel has no state at the broker but its current queue, its prefetch and what {@link ChannelPublishing} knows. */
  #isStateless = true
  readonly #publishing: ChannelPublishing
  readonly #requests: ChannelRequests
  readonly #pending: PendingRequests
  readonly #placement: ChannelPlacement
  /** What the client is told once the broker has dealt with all that came before. */
  #heldRefusal: AmqpError | undefined
  /** The verdict on a frame that had to wait for a binding. */
  #verdict: Verdict | typeof NO_VERDICT = NO_VERDICT
  heldMessage: SliceList | undefined = undefined

  constructor(clientChannel: number, host: ClientChannelHost) {
    this.clientChannel = clientChannel
    this.#host = host
    this.#guard = new ChannelGuard(host.guardLimits)
    this.#publishing = new ChannelPublishing(this, host)
    this.#requests = new ChannelRequests(host)
    this.#pending = this.#requests.pending
    this.#placement = new ChannelPlacement(this, host, this.#publishing, this.#requests)
  }

  get client(): object {
    return this.#host
  }

  get isClientGone(): boolean {
    return this.#host.isGone
  }

  get receiver(): ClientReceiver {
    return this.#host.output
  }

  /** The upstream channel that carries this one, once it was needed. */
  get binding(): ChannelBinding | undefined {
    return this.#placement.binding
  }

  get destination(): UpstreamConnection {
    return this.binding!.upstream
  }

  /** Takes a frame of the client; false when it has to wait for a binding or for the broker. */
  onFrame(frame: Frame): boolean {
    if (this.#state !== 'open') return this.#onFrameWhileClosing(frame)
    if (this.#hold !== undefined) return false
    if (this.#placement.mustWaitForDrain()) return false
    const verdict = this.#verdict === NO_VERDICT ? this.#guard.judge(frame) : this.#verdict
    switch (verdict) {
      case VERDICT_SINGLE:
      case VERDICT_PART:
      case VERDICT_LAST:
        return this.#forward(frame, verdict)
      case VERDICT_DROP:
        return true
      case VERDICT_REFUSED:
        this.refuse(this.#guard.refusal)
        return true
      case VERDICT_WAIT:
        return false
    }
  }

  /**
   * Takes a message of the client that is whole in its chunk, if it's one like those before it; false when
   * its frames have to be looked at.
   */
  onMessage(message: WholeMessage): boolean {
    const binding = this.#placement.publishBinding
    if (this.#state !== 'open' || this.#hold !== undefined || this.#verdict !== NO_VERDICT) return false
    if (binding === undefined || !this.#placement.isOnItsWay || this.#publishing.keepsNext) return false
    const { upstream } = binding
    if (upstream.isCongested || this.#host.mustHoldPublish(upstream) || !this.#guard.admits(message))
      return false
    this.#announcePublish(binding)
    message.rewriteChannel(binding.upstreamChannel)
    this.#host.assembler.single(message, this.#placement.bypass ?? this)
    return true
  }

  /** The client is gone, or the channel: takes what it had away from the assembler and gives the upstream channel back. */
  abandon(): void {
    this.#host.assembler.discard(this)
    this.#placement.giveBack(this.#isStateless)
  }

  /** The client says goodbye to all its channels: the host hears once the broker has processed what was sent on this one. */
  leave(): void {
    this.#discardMessage()
    this.#isLeaving = true
    if (this.binding === undefined) return this.#host.onChannelClosed(this)
    this.#endIfDue()
  }

  /**
   * Asks for the end of the upstream channel once nothing is due that RabbitMQ keeps back behind
   * Channel.Close: confirms, and Consume-Ok, though not what the consumer is sent.
   */
  #endIfDue(): void {
    const isEnding = this.#isLeaving || this.#hold === 'refusal'
    const isAwaited = this.#publishing.owesMessages || this.#pending.includes(id.BASIC_CONSUME)
    if (isEnding && !isAwaited) this.#placement.end()
  }

  get isSafe(): boolean {
    return (
      this.#guard.isSafe && this.#isStateless && !this.#publishing.isTracked && !this.#requests.hasPrefetch
    )
  }

  // ---- what is published -----------------------------------------------------------------------------------------

  get isListening(): boolean {
    return this.#state === 'open' && this.#host.isCurrent(this)
  }

  get takesMessages(): boolean {
    return this.#publishing.takesMessages
  }

  takeMessage(bytes: Uint8Array): void {
    const error = this.#publishing.take(bytes, this.binding?.upstream)
    if (error !== undefined) this.refuse(error)
  }

  onConfirm(frame: Frame): boolean {
    return this.#publishing.onConfirm(frame)
  }

  onAllConfirmed(): void {
    this.#endIfDue()
    if (this.#hold !== 'confirms' && this.#hold !== 'promises') return
    this.#hold = undefined
    this.#host.resumeReading()
  }

  /**
   * Whether the client can do without the upstream connection that is gone: it only publishes, and waits for
   * nothing that is lost with it.
   */
  get canSurvive(): boolean {
    if ((this.binding !== undefined && this.binding.contentLeft !== 0) || this.#hold === 'refusal')
      return false
    if (this.#placement.bypass !== undefined) return false
    const { isTracked } = this.#publishing
    if (this.#state !== 'open') return this.#state === 'closing' && isTracked
    if (this.#isLeaving && !isTracked) return false
    // Confirm.Select is the one request that Warren can answer itself.
    const isAnswerable = this.#pending.countIfOnly(id.CONFIRM_SELECT) >= 0
    return this.#isStateless && this.#publishing.canSurvive && isAnswerable
  }

  /** The upstream connection is gone, and the client stays: what the broker hasn't confirmed is published once it's back. */
  onUpstreamGone(): void {
    this.#placement.binding = undefined
    this.#publishing.onUpstreamGone(this.#pending.countIfOnly(id.CONFIRM_SELECT), this.#guard.isInContent)
    this.#requests.onMoved()
    this.#hold = undefined
    // Also for what was being judged: whom Warren has asked over that connection won't answer.
    this.#host.resumeReading()
    if (this.#state === 'open' && !this.#isLeaving) return
    this.#host.backlog.whenCommitted(() => {
      if (this.#host.isGone) return
      if (this.#state === 'closing') this.#host.output.send(channelCloseOkFrame(this.clientChannel))
      this.#host.onChannelClosed(this)
    })
  }

  // ---- what the broker says --------------------------------------------------------------------------------------

  /** See {@link ChannelPlacement.onNoBypass}. */
  onNoBypass(): boolean {
    return this.#placement.onNoBypass()
  }

  /** Whether `upstream` carries the channel, or what it publishes. */
  isCarriedBy(upstream: UpstreamConnection): boolean {
    return this.binding?.upstream === upstream || this.#placement.publishBinding?.upstream === upstream
  }

  /** Whether the broker may still have to deal with a request of this kind on `upstream`. */
  isWaitingFor(methodId: number, upstream: UpstreamConnection): boolean {
    if (methodId === id.BASIC_PUBLISH && this.#placement.bypass?.isPublishingOn(upstream) === true)
      return true
    return this.binding?.upstream === upstream && this.#pending.includes(methodId)
  }

  onBrokerClose(): boolean {
    this.#host.assembler.discard(this)
    this.#requests.onEnded()
    const isAnswerDue = this.binding?.end !== undefined
    // Who has said goodbye won't look at the broker's reasons: what isn't confirmed is published again, but for what is to blame.
    const hasGone = this.#isLeaving || this.#hold === 'promises'
    if (this.#placement.bypass === undefined) this.#endPublishing(hasGone)
    else this.#placement.endBypass()
    // The broker may close both upstream channels, but a channel is closed only once.
    const isKnown = this.#state === 'refused'
    if (this.#state === 'open') this.#state = 'refused'
    else if (this.#state === 'closing') this.#state = 'crossing'
    // An opening that waited for the end of the channel came too early: behind it waits the client's Close-Ok.
    this.#host.resumeReading()
    if (isAnswerDue) return !isKnown
    this.#placement.binding = undefined
    if (this.#isLeaving) this.#host.onChannelClosed(this)
    return true
  }

  /** The upstream channel that messages went over is gone. `hasGone`: nobody is there any more to publish again what isn't confirmed. */
  #endPublishing(hasGone: boolean): void {
    if (hasGone && this.#publishing.owesMessages) this.#publishing.rescue()
    this.#publishing.onEnded()
  }

  onPublishRefused(error: AmqpError): void {
    this.#placement.onBypassClosed()
    this.#endPublishing(this.#isLeaving || this.#hold === 'promises')
    if (this.#isLeaving) this.#tellRefusal(error)
    else this.#holdRefusal(error)
    this.#placement.end()
  }

  onMessagesProcessed(): void {
    this.#resumeAfter('messages')
  }

  onCloseOk(): boolean {
    return this.#onEnded()
  }

  onReleased(): void {
    this.#requests.onEnded()
  }

  onSettled(): void {
    if (this.#onEnded()) this.#host.output.send(channelCloseOkFrame(this.clientChannel))
  }

  /** The broker has answered; returns whether the client waits for a Close-Ok. */
  #onEnded(): boolean {
    const isAskedFor = this.#state === 'closing' || this.#state === 'crossing'
    this.#placement.binding = undefined
    if (this.#hold === 'move' && !this.#isLeaving) {
      this.#hold = undefined
      this.#requests.onMoved()
      this.#host.resumeReading()
      return false
    }
    this.#requests.onEnded()
    this.#publishing.onEnded()
    if (this.#hold === 'refusal') {
      this.#hold = undefined
      // Unless the broker itself has closed the channel, over something that came before.
      if (this.#state === 'open') this.#tellRefusal(this.#heldRefusal!)
      this.#host.resumeReading()
      if (!this.#isLeaving) return false
    }
    if (this.#state === 'crossing' && !this.#isLeaving) this.#state = 'refused'
    else this.#host.onChannelClosed(this)
    return isAskedFor
  }

  onAnswer(answer: Frame): boolean {
    const { methodId } = answer
    this.#requests.onAnswered(answer)
    switch (methodId) {
      case id.CHANNEL_FLOW_OK:
        return !this.#isLastAnswer()
      case id.TX_SELECT_OK:
        return this.#publishing.onTxSelectOk()
      case id.TX_COMMIT_OK:
        this.#hold = undefined
        this.#host.resumeReading()
        return true
      case id.BASIC_CONSUME_OK:
        this.#endIfDue()
        this.#host.resumeReading()
        return this.#guard.onConsumeOk(consumerTagOf(answer))
      case id.BASIC_CANCEL_OK:
        this.#host.resumeReading()
        return this.#guard.onCancelOk(consumerTagOf(answer))
      default:
        return this.#requests.onAnswer(answer)
    }
  }

  /** Whether an answer is the one that a message waits for: the last of its kind, as nothing of the client was looked at since. */
  #isLastAnswer(): boolean {
    if (this.#hold !== 'answers' || this.#pending.includes(id.CHANNEL_FLOW)) return false
    this.#resumeAfter('answers')
    return true
  }

  onBrokerCancel(consumerTag: string): boolean {
    this.#guard.onBrokerCancel(consumerTag)
    this.#requests.onBrokerCancel(consumerTag)
    return this.#host.wantsConsumerCancel
  }

  #forward(frame: Frame, verdict: Verdict): boolean {
    const methodId = frame.type === FRAME_METHOD ? frame.methodId : 0
    const { bypass, publishBinding } = this.#placement
    if (publishBinding !== undefined && !this.#publishing.isKeeping) {
      // Most of what comes: the content of a message whose method is on its way, the method of one that is like those before, and acks.
      if (methodId === 0) return this.#pass(frame, verdict, publishBinding, bypass)
      if (methodId === id.BASIC_PUBLISH && this.#isLikeBefore(frame, publishBinding))
        return this.#publish(frame, verdict, publishBinding)
      if (methodId === id.BASIC_ACK) {
        const way = bypass === undefined ? 'pass' : bypass.takeAck(frame)
        if (way !== 'wait') this.#pending.acknowledged()
        if (way === 'pass') return this.#pass(frame, verdict, this.binding!)
        if (way === 'kept') {
          this.#verdict = NO_VERDICT
          return true
        }
      }
    }
    if (methodId !== id.BASIC_PUBLISH) {
      const detour = this.#placement.followMessages(frame, methodId)
      if (detour !== undefined) {
        this.#holdFor(detour)
        return this.#putOff(verdict)
      }
    }
    if (methodId === id.CHANNEL_CLOSE) {
      const isTaken = this.#closeEarly(verdict)
      if (isTaken !== undefined) return isTaken
    }
    if (methodId === id.BASIC_QOS && this.#mayKeepPrefetch) return this.#keepPrefetch(frame)
    // What was begun without the broker is kept to its end, even if the broker is back meanwhile.
    if (this.#publishing.isKeeping || this.#host.backlog.state !== 'idle') {
      const isTaken = this.#forwardLater(frame, verdict, methodId)
      if (isTaken !== undefined) return isTaken
    }
    const role = methodId === 0 ? this.#placement.role : this.#placement.roleToldBy(frame)
    const judgement = this.#judge(frame, methodId, role)
    if (judgement === 'wait') return this.#putOff(verdict)
    if (judgement !== undefined) {
      this.refuse(judgement)
      return true
    }
    return this.#send(frame, verdict, methodId, role)
  }

  /** A frame against which nothing stands goes to the broker. */
  #send(frame: Frame, verdict: Verdict, methodId: number, role: ChannelRole | undefined): true {
    const binding = this.binding!
    this.#placement.role ??= role
    if (methodId === 0) return this.#pass(frame, verdict, binding)
    if (methodId === id.BASIC_PUBLISH) return this.#publish(frame, verdict, this.#placement.publishBinding!)
    if (methodId === id.CONFIRM_SELECT) this.#publishing.onConfirmSelect(this.#isStateless)
    else if (methodId >>> 16 === TX_CLASS) this.#publishing.onTransaction(methodId)
    // An exclusive queue is the client's, not the channel's.
    else if (roleToldBy(frame) !== undefined && methodId !== id.QUEUE_DECLARE) this.#isStateless = false
    this.#placement.bypass?.onRequest(frame)
    if (this.#requests.send(frame, binding)) this.#pass(frame, verdict, binding)
    this.#verdict = NO_VERDICT
    if (methodId === id.TX_COMMIT) this.#hold = 'commit'
    if (methodId === id.CHANNEL_CLOSE) {
      binding.end = 'closing'
      this.#state = 'closing'
    }
    return true
  }

  /**
   * Judges what AMQP's rules allow by what it would do at the broker; nothing stands against it once the
   * channel is bound where it belongs.
   */
  #judge(frame: Frame, methodId: number, role: ChannelRole | undefined): Judgement {
    if (methodId !== 0) {
      const judgement = this.#requests.judge(frame)
      if (judgement !== undefined) return judgement
    }
    const detour = this.#placement.reach(frame, methodId, role, this.#isStateless)
    if (detour !== undefined) {
      this.#holdFor(detour)
      return 'wait'
    }
    if (methodId === id.BASIC_PUBLISH) {
      const { upstream } = this.#placement.publishBinding!
      const mustWait = this.#host.mustHoldPublish(upstream) || this.#publishing.mustWaitForRoom()
      return mustWait ? 'wait' : undefined
    }
    return ChannelQueues.concerns(methodId)
      ? this.#requests.judgeQueue(frame, this.binding!.upstream)
      : undefined
  }

  /** Whether a publish is one like those before it, and goes where they went. */
  #isLikeBefore(frame: Frame, { upstream }: ChannelBinding): boolean {
    if (!this.#placement.isOnItsWay || mayBeRisky(frame)) return false
    // Who isn't tracked after the first message never is.
    if (this.#publishing.isTracked && this.#publishing.mustWaitForRoom()) return false
    return !this.#host.mustHoldPublish(upstream)
  }

  #publish(frame: Frame, verdict: Verdict, binding: ChannelBinding): true {
    this.#announcePublish(binding)
    return this.#pass(frame, verdict, binding, this.#placement.bypass)
  }

  /** A message begins to go to the broker. */
  #announcePublish(binding: ChannelBinding): void {
    this.#host.onPublish()
    this.#publishing.beforePublish(binding)
    if (this.#placement.bypass === undefined) this.#pending.published()
    else this.#placement.bypass.onPublish()
  }

  /** The frame goes to the broker by the way of `channel`, with the message that it's part of. */
  #pass(
    frame: Frame,
    verdict: Verdict,
    binding: ChannelBinding,
    channel: AssemblyChannel<UpstreamConnection> = this,
  ): true {
    this.#verdict = NO_VERDICT
    frame.rewriteChannel(binding.upstreamChannel)
    if (verdict === VERDICT_PART) this.#host.assembler.part(frame, channel)
    else if (verdict === VERDICT_LAST) this.#host.assembler.last(frame, channel)
    else this.#host.assembler.single(frame, channel)
    return true
  }

  /**
   * A frame for the broker while there is none, or while what was kept for it goes first. Returns undefined when it has to wait for
   * an upstream connection like any other, else as {@link onFrame}.
   */
  #forwardLater(frame: Frame, verdict: Verdict, methodId: number): boolean | undefined {
    if (this.binding !== undefined) {
      // A session that has asked for something first must not overtake what those before it have published.
      const isFirst = methodId === id.BASIC_PUBLISH && this.#placement.role === undefined
      return isFirst && this.#host.backlog.state === 'draining' ? this.#waitForBroker(verdict) : undefined
    }
    const postponement = this.#publishing.postpone(frame, methodId, this.#isStateless)
    switch (postponement) {
      case 'usual':
        return undefined
      case 'broker':
        return this.#waitForBroker(verdict)
      case 'room':
        return this.#putOff(verdict)
      case 'answered':
      case 'kept':
        break
      default:
        this.refuse(postponement)
        return true
    }
    this.#verdict = NO_VERDICT
    this.#placement.role = 'publisher'
    if (postponement === 'answered') return true
    if (verdict === VERDICT_PART) this.#host.assembler.part(frame, this)
    else this.#host.assembler.last(frame, this)
    return true
  }

  /** Until an upstream channel is there, the pool says when to go on. */
  #holdFor(detour: Detour): void {
    if (detour !== 'room') this.#hold = detour
  }

  /** The frame waits, with the verdict that the guard has given on it. */
  #putOff(verdict: Verdict): false {
    this.#verdict = verdict
    return false
  }

  /** The goodbye to a channel says that what was published there is kept: so that comes first. */
  #waitForDisk(verdict: Verdict): false {
    this.#hold = 'disk'
    this.#host.backlog.whenCommitted(() => this.#resumeAfter('disk'))
    return this.#putOff(verdict)
  }

  /** What `hold` was about is over. */
  #resumeAfter(hold: Hold): void {
    if (this.#hold !== hold) return
    this.#hold = undefined
    this.#host.resumeReading()
  }

  #waitForBroker(verdict: Verdict): false {
    this.#host.waitForBroker()
    return this.#putOff(verdict)
  }

  /**
   * Whether a prefetch can stay with Warren until the channel consumes: php-amqp asks for one on every
   * channel, and one that only publishes can be handed on without it, and counts as a publisher's. Not behind
   * anything that the broker hasn't dealt with: answers keep the order of requests, and if it ends the
   * channel over something before (a publish to an exchange that isn't there), it never answers.
   */
  get #mayKeepPrefetch(): boolean {
    if (!this.#isStateless || !this.#pending.isEmpty) return false
    return this.binding === undefined || this.binding.contentLeft === 0
  }

  #keepPrefetch(frame: Frame): true {
    this.#verdict = NO_VERDICT
    this.#requests.keepPrefetch(frame)
    this.#host.output.send(basicQosOkFrame(this.clientChannel))
    return true
  }

  /** The client closes the channel. Returns undefined when the broker is to do so, else as {@link onFrame}. */
  #closeEarly(verdict: Verdict): boolean | undefined {
    if (this.#publishing.owesMessages) {
      this.#hold = 'promises'
      return this.#putOff(verdict)
    }
    if (this.#publishing.hasKept && this.#host.backlog.isCommitting) return this.#waitForDisk(verdict)
    return this.binding === undefined || this.isSafe ? this.#closeSafely() : undefined
  }

  /** The broker need not close what it never saw, or what can be handed on once it has processed what was sent. */
  #closeSafely(): boolean {
    this.#verdict = NO_VERDICT
    if (this.binding === undefined) {
      this.#host.output.send(channelCloseOkFrame(this.clientChannel))
      this.#host.onChannelClosed(this)
    } else {
      this.#state = 'closing'
      this.#host.assembler.endOfChunk()
      this.binding.upstream.endBinding(this.binding)
    }
    return true
  }

  #onFrameWhileClosing(frame: Frame): boolean {
    const methodId = frame.type === FRAME_METHOD && frame.payloadSize >= 4 ? frame.methodId : 0
    if (this.#verdict !== NO_VERDICT) {
      // A frame that was judged before the broker closed the channel: it comes too late, unless it's a Close that waited.
      this.#verdict = NO_VERDICT
      if (methodId !== id.CHANNEL_CLOSE) return true
    }
    if (this.#state === 'closing') {
      // The number is free after Close-Ok; a client in a hurry may ask for it before. Anything else comes too late to matter.
      return methodId !== id.CHANNEL_OPEN
    }
    // After a channel error nothing counts but Close and Close-Ok (AMQP 0-9-1, 1.5.2.6); the form of the rest still does.
    if (methodId === id.CHANNEL_CLOSE && !this.#guard.isInContent) {
      this.#host.output.send(channelCloseOkFrame(this.clientChannel))
    } else if (methodId === id.CHANNEL_CLOSE_OK && !this.#guard.isInContent) {
      if (this.#state === 'crossing') this.#state = 'closing'
      else this.#host.onChannelClosed(this)
    } else if (this.#guard.judge(frame) === VERDICT_REFUSED && this.#guard.refusal.scope === 'connection') {
      this.#host.refuse(this.#guard.refusal)
    }
    return true
  }

  /** The client is told of `error`, of the channel or the connection, behind what the broker has to say to what came before. */
  refuse(error: AmqpError): void {
    if (error.scope === 'connection') return this.#host.refuse(error)
    this.#verdict = NO_VERDICT
    this.#discardMessage()
    if (this.binding === undefined) return this.#tellRefusal(error)
    // RabbitMQ deals with a channel's requests in their order: the answers to what came before are due, and so is an error over it.
    this.#holdRefusal(error)
    this.#endIfDue()
  }

  /** Forgets a message that isn't whole, and won't be. */
  #discardMessage(): void {
    this.#host.assembler.discard(this.#placement.bypass ?? this)
  }

  #holdRefusal(error: AmqpError): void {
    this.#hold = 'refusal'
    this.#heldRefusal = error
    this.#host.assembler.endOfChunk()
  }

  #tellRefusal(error: AmqpError): void {
    this.#state = 'refused'
    this.#host.output.send(channelCloseFrame(this.clientChannel, error))
  }
}
