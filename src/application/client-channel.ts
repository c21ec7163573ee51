/** One channel of a client, from Channel.Open to its close, and its binding to an upstream channel. */
import { FRAME_METHOD, type Frame } from '../domain/amqp/frame.js'
import type { SliceList } from '../domain/amqp/slice-list.js'
import * as id from '../domain/amqp/method-ids.js'
import { methodFrame } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'
import type { AmqpError } from '../domain/amqp/reply-codes.js'
import {
  ChannelGuard,
  type GuardLimits,
  VERDICT_DROP,
  VERDICT_LAST,
  VERDICT_PART,
  VERDICT_REFUSED,
  VERDICT_SINGLE,
  VERDICT_WAIT,
  type Verdict,
} from '../domain/channel/channel-guard.js'
import { type ChannelRole, roleToldBy } from '../domain/policy/channel-role.js'
import type { AssemblyChannel, PublishAssembler } from '../domain/publish/publish-assembler.js'
import { ChannelQueues } from './channel-queues.js'
import type { BindingOwner, ChannelBinding, ClientReceiver } from './channel-binding.js'
import type { ClientOutput } from './client-output.js'
import { channelCloseOkFrame } from './common-frames.js'
import type { UpstreamConnection } from './upstream-connection.js'

/** The session that a channel belongs to. */
export interface ClientChannelHost {
  readonly output: ClientOutput
  /** Whether the client has left. */
  readonly isGone: boolean
  readonly assembler: PublishAssembler<UpstreamConnection>
  readonly guardLimits: GuardLimits
  /** Whether the client wants to hear of cancelled consumers. */
  readonly wantsConsumerCancel: boolean
  /** Watches the client's queues on `upstream` for one channel, whose current queue may have come with it. */
  queuesOn(upstream: UpstreamConnection, currentQueue: string | undefined): ChannelQueues
  /**
   * An upstream channel, on `upstream` if that's given; undefined when it will take a while, and then reading stops before the
   * current frame.
   */
  bind(
    channel: ClientChannel,
    role: ChannelRole | undefined,
    upstream: UpstreamConnection | undefined,
  ): ChannelBinding | undefined
  /** Whether a channel that has just told its role may stay where it is bound. */
  settle(upstream: UpstreamConnection, role: ChannelRole): boolean
  /** The upstream connection besides `upstream` on which the client has claimed `queue`, if there is one and it has room. */
  claimedElsewhere(queue: string, upstream: UpstreamConnection): UpstreamConnection | undefined
  /** Whether what goes to `upstream` has to wait: it doesn't take more bytes for now. Reading then goes on by itself. */
  mustWaitFor(upstream: UpstreamConnection): boolean
  /** Whether a publish on `upstream` has to wait for the end of an alarm, lest it stops the consumers there. */
  mustHoldPublish(upstream: UpstreamConnection): boolean
  /** The channel's number is free again. */
  onChannelClosed(channel: ClientChannel): void
  /** What had to wait for the channel may go on; not from inside the call. */
  resumeReading(): void
  /** An error that ends the whole connection of the client. */
  refuse(error: AmqpError): void
}

/**
 * `open`: in use. `closing`: the client sent Channel.Close, the broker's answer is to come.
 * `refused`: the client was sent Channel.Close, its Close-Ok is to come. `crossing`: both.
 */
type State = 'open' | 'closing' | 'refused' | 'crossing'

const NO_VERDICT = -1

/**
 * Why nothing of the client is looked at for now. `commit`: anything behind a commit that isn't answered would end the connection with
 * 504. `move`: the broker closes the one channel before there is another. `content`: the client is to be told of a channel error, but
 * is in the middle of a delivery.
 */
type Hold = 'commit' | 'move' | 'content'

export class ClientChannel implements AssemblyChannel<UpstreamConnection>, BindingOwner {
  readonly clientChannel: number
  readonly #host: ClientChannelHost
  readonly #guard: ChannelGuard
  #state: State = 'open'
  /** The client sent Connection.Close: nothing more is expected of it. */
  #isLeaving = false
  #binding: ChannelBinding | undefined
  /** What the channel is used for, once it has told. */
  #role: ChannelRole | undefined
  #hold: Hold | undefined
  /** Whether the channel may move to another upstream connection: it has no state there but its current queue. */
  #isMovable = true
  /** Where it's moving to, when its role doesn't say. */
  #target: UpstreamConnection | undefined
  /** The current queue of the channel before it moved. */
  #lostQueue: string | undefined
  /** What the client is told once the delivery is whole that it's in the middle of. */
  #heldRefusal: AmqpError | undefined
  /** Knows of exclusive queues, once the channel has named a queue. */
  #queues: ChannelQueues | undefined
  /** The verdict on a frame that had to wait for a binding. */
  #verdict: Verdict | typeof NO_VERDICT = NO_VERDICT
  heldMessage: SliceList | undefined = undefined

  constructor(clientChannel: number, host: ClientChannelHost) {
    this.clientChannel = clientChannel
    this.#host = host
    this.#guard = new ChannelGuard(host.guardLimits)
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
    return this.#binding
  }

  get destination(): UpstreamConnection {
    return this.#binding!.upstream
  }

  /** Takes a frame of the client; false when it has to wait for a binding or for the broker. */
  onFrame(frame: Frame): boolean {
    if (this.#state !== 'open') return this.#onFrameWhileClosing(frame)
    if (this.#hold !== undefined) return false
    if (this.#binding?.upstream.isCongested === true && this.#host.mustWaitFor(this.#binding.upstream))
      return false
    const verdict = this.#verdict === NO_VERDICT ? this.#guard.judge(frame) : this.#verdict
    switch (verdict) {
      case VERDICT_SINGLE:
      case VERDICT_PART:
      case VERDICT_LAST:
        return this.#forward(frame, verdict)
      case VERDICT_DROP:
        return true
      case VERDICT_REFUSED:
        this.#refuse(this.#guard.refusal)
        return true
      case VERDICT_WAIT:
        return false
    }
  }

  /** The client is gone: takes what the channel had away from the assembler and hands the binding back to be closed. */
  abandon(): ChannelBinding | undefined {
    this.#host.assembler.discard(this)
    const binding = this.#binding
    this.#binding = undefined
    return binding
  }

  /** The client says goodbye to all its channels: the host hears once the broker has processed what was sent on this one. */
  leave(): void {
    this.#host.assembler.discard(this)
    this.#isLeaving = true
    // Refusing the channel now would take it out of the goodbye, which would then never end.
    this.#heldRefusal = undefined
    if (this.#binding === undefined) return this.#host.onChannelClosed(this)
    this.#binding.upstream.endBinding(this.#binding)
  }

  get isSafe(): boolean {
    return this.#guard.isSafe
  }

  onBrokerClose(): void {
    this.#host.assembler.discard(this)
    this.#queues?.onEnded()
    const isAnswerDue = this.#binding?.end !== undefined
    if (this.#state === 'open') this.#state = 'refused'
    else if (this.#state === 'closing') this.#state = 'crossing'
    // An opening that waited for the end of the channel came too early: behind it waits the client's Close-Ok.
    this.#host.resumeReading()
    if (!isAnswerDue) this.#binding = undefined
  }

  onCloseOk(): boolean {
    return this.#onEnded()
  }

  onReleased(): void {
    this.#queues?.onEnded()
  }

  onSettled(): void {
    if (this.#onEnded()) this.#host.output.send(channelCloseOkFrame(this.clientChannel))
  }

  /** The broker has answered; returns whether the client waits for a Close-Ok. */
  #onEnded(): boolean {
    const isAskedFor = this.#state === 'closing' || this.#state === 'crossing'
    this.#binding = undefined
    if (this.#hold === 'move' && !this.#isLeaving) {
      this.#hold = undefined
      this.#lostQueue = this.#queues?.currentQueue ?? this.#lostQueue
      this.#queues = undefined
      this.#host.resumeReading()
      return false
    }
    this.#queues?.onEnded()
    if (this.#state === 'crossing' && !this.#isLeaving) this.#state = 'refused'
    else this.#host.onChannelClosed(this)
    return isAskedFor
  }

  onQueueAnswer(frame: Frame): boolean {
    if (this.#queues === undefined) return true
    return frame.methodId === id.QUEUE_DECLARE_OK
      ? this.#queues.onDeclareOk(frame)
      : this.#queues.onDeleteOk(frame)
  }

  onCommitOk(): void {
    this.#hold = undefined
    this.#host.resumeReading()
  }

  onConsumeOk(consumerTag: string): boolean {
    this.#host.resumeReading()
    return this.#guard.onConsumeOk(consumerTag)
  }

  onCancelOk(consumerTag: string): boolean {
    this.#host.resumeReading()
    return this.#guard.onCancelOk(consumerTag)
  }

  onBrokerCancel(consumerTag: string): boolean {
    this.#guard.onBrokerCancel(consumerTag)
    return this.#host.wantsConsumerCancel
  }

  onContentEnd(): void {
    this.#hold = undefined
    const refusal = this.#heldRefusal
    this.#heldRefusal = undefined
    if (refusal !== undefined && this.#state === 'open') this.#refuse(refusal)
    this.#host.resumeReading()
  }

  #forward(frame: Frame, verdict: Verdict): boolean {
    const methodId = frame.type === FRAME_METHOD ? frame.methodId : 0
    if (methodId === id.CHANNEL_CLOSE && (this.#binding === undefined || this.#guard.isSafe))
      return this.#closeSafely()
    const told = methodId === 0 ? undefined : roleToldBy(frame)
    const role = this.#role ?? told
    if (!this.#isWellPlaced(role) || this.#mustHold(methodId)) {
      this.#verdict = verdict
      return false
    }
    const binding = this.#binding!
    if (ChannelQueues.concerns(methodId)) {
      const judgement = this.#judgeQueue(frame, binding)
      if (judgement === 'wait') {
        this.#verdict = verdict
        return false
      }
      if (judgement !== undefined) {
        this.#refuse(judgement)
        return true
      }
    }
    this.#role = role
    this.#verdict = NO_VERDICT
    if (told !== undefined && methodId !== id.BASIC_PUBLISH) this.#isMovable = false
    frame.rewriteChannel(binding.upstreamChannel)
    if (verdict === VERDICT_PART) this.#host.assembler.part(frame, this)
    else if (verdict === VERDICT_LAST) this.#host.assembler.last(frame, this)
    else this.#host.assembler.single(frame, this)
    if (methodId === id.TX_COMMIT) this.#hold = 'commit'
    if (methodId === id.CHANNEL_CLOSE) {
      binding.end = 'closing'
      this.#state = 'closing'
    }
    return true
  }

  /** Whether the channel is bound where its role belongs; if not, that is on its way. */
  #isWellPlaced(role: ChannelRole | undefined): boolean {
    if (this.#binding === undefined) {
      this.#binding = this.#host.bind(this, role, this.#target)
      return this.#binding !== undefined
    }
    if (role === this.#role || role === undefined || this.#host.settle(this.#binding.upstream, role))
      return true
    this.#startMoving(this.#binding, undefined)
    return false
  }

  /** Whether a message has to wait that would make the broker stop reading what consumers send. */
  #mustHold(methodId: number): boolean {
    return methodId === id.BASIC_PUBLISH && this.#host.mustHoldPublish(this.#binding!.upstream)
  }

  /** Judges a method that names a queue. One that the client owns on another upstream connection can be reached only there. */
  #judgeQueue(frame: Frame, binding: ChannelBinding): AmqpError | 'wait' | undefined {
    if (this.#isMovable) {
      const target = this.#host.claimedElsewhere(ChannelQueues.namedIn(frame), binding.upstream)
      if (target !== undefined) {
        this.#startMoving(binding, target)
        return 'wait'
      }
    }
    this.#queues ??= this.#host.queuesOn(binding.upstream, this.#lostQueue)
    const judgement = this.#queues.judge(frame)
    if (judgement === undefined && this.#lostQueue !== undefined) this.#restoreCurrentQueue(frame, binding)
    return judgement
  }

  /** The channel belongs elsewhere: once the broker has processed what was sent so far, it gets another upstream channel. */
  #startMoving(binding: ChannelBinding, target: UpstreamConnection | undefined): void {
    this.#hold = 'move'
    this.#target = target
    this.#host.assembler.endOfChunk()
    binding.upstream.endBinding(binding)
  }

  /** Makes an empty queue name mean on the new upstream channel what it meant on the old one, when the client uses one. */
  #restoreCurrentQueue(frame: Frame, { upstream, upstreamChannel }: ChannelBinding): void {
    const queue = this.#lostQueue!
    const isDeclare = frame.methodId === id.QUEUE_DECLARE
    if (!isDeclare && !ChannelQueues.meansCurrent(frame)) return
    this.#lostQueue = undefined
    if (isDeclare) return
    this.#host.assembler.endOfChunk()
    upstream.send(
      methodFrame(method.QueueDeclare, upstreamChannel, {
        queue,
        passive: true,
        durable: false,
        exclusive: false,
        autoDelete: false,
        noWait: true,
        arguments: [],
      }),
    )
  }

  /** The broker need not close what it never saw, or what can be handed on once it has processed what was sent. */
  #closeSafely(): boolean {
    this.#verdict = NO_VERDICT
    if (this.#binding === undefined) {
      this.#host.output.send(channelCloseOkFrame(this.clientChannel))
      this.#host.onChannelClosed(this)
    } else {
      this.#state = 'closing'
      this.#host.assembler.endOfChunk()
      this.#binding.upstream.endBinding(this.#binding)
    }
    return true
  }

  #onFrameWhileClosing(frame: Frame): boolean {
    // A frame that was judged before the broker closed the channel: it comes too late.
    if (this.#verdict !== NO_VERDICT) {
      this.#verdict = NO_VERDICT
      return true
    }
    const methodId = frame.type === FRAME_METHOD && frame.payloadSize >= 4 ? frame.methodId : 0
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

  #refuse(error: AmqpError): void {
    if (error.scope === 'connection') return this.#host.refuse(error)
    this.#verdict = NO_VERDICT
    if (this.#binding !== undefined && this.#binding.contentLeft !== 0) {
      // A Close may not stand between a delivery's method, header and body.
      this.#hold = 'content'
      this.#heldRefusal = error
      this.#binding.wantsContentEnd = true
      return
    }
    const binding = this.abandon()
    // What came before in this chunk goes first: after Close it would be an error for the whole connection.
    this.#host.assembler.endOfChunk()
    binding?.upstream.release(binding)
    this.#state = 'refused'
    this.#host.output.send(
      methodFrame(method.ChannelClose, this.clientChannel, {
        replyCode: error.code,
        replyText: error.text,
        classId: error.methodId >>> 16,
        methodId: error.methodId & 0xffff,
      }),
    )
  }
}
