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
  readonly assembler: PublishAssembler<UpstreamConnection>
  readonly guardLimits: GuardLimits
  /** Whether the client wants to hear of cancelled consumers. */
  readonly wantsConsumerCancel: boolean
  /** Watches the client's queues on `upstream` for one channel. */
  queuesOn(upstream: UpstreamConnection): ChannelQueues
  /** An upstream channel; undefined when it will take a while, and then reading stops before the current frame. */
  bind(channel: ClientChannel, role: ChannelRole | undefined): ChannelBinding | undefined
  /** Whether a channel that has just told its role may stay where it is bound. */
  settle(upstream: UpstreamConnection, role: ChannelRole): boolean
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
  /** The client sent Tx.Commit, the broker's answer is to come. */
  #isCommitting = false
  /** It has told a role that its upstream connection isn't for: the broker closes the one channel before there is another. */
  #isMoving = false
  /** The current queue of the channel before it moved. */
  #lostQueue: string | undefined
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
    // Anything behind a commit that isn't answered would end the connection with 504.
    if (this.#isCommitting) return false
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
    if (this.#binding === undefined) return this.#host.onChannelClosed(this)
    this.#binding.upstream.endBinding(this.#binding)
  }

  get isSafe(): boolean {
    return this.#guard.isSafe
  }

  onBrokerClose(): void {
    this.#host.assembler.discard(this)
    this.#queues?.onBrokerClose()
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

  onSettled(): void {
    if (this.#onEnded()) this.#host.output.send(channelCloseOkFrame(this.clientChannel))
  }

  /** The broker has answered; returns whether the client waits for a Close-Ok. */
  #onEnded(): boolean {
    const isAskedFor = this.#state === 'closing' || this.#state === 'crossing'
    this.#binding = undefined
    if (this.#isMoving && !this.#isLeaving) {
      this.#isMoving = false
      this.#host.resumeReading()
      return false
    }
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
    this.#isCommitting = false
    this.#host.resumeReading()
  }

  onConsumeOk(consumerTag: string): void {
    this.#guard.rememberConsumer(consumerTag)
  }

  onCancelOk(consumerTag: string): void {
    this.#guard.forgetConsumer(consumerTag)
  }

  onBrokerCancel(consumerTag: string): boolean {
    this.#guard.forgetConsumer(consumerTag)
    return this.#host.wantsConsumerCancel
  }

  #forward(frame: Frame, verdict: Verdict): boolean {
    const methodId = frame.type === FRAME_METHOD ? frame.methodId : 0
    if (methodId === id.CHANNEL_CLOSE && (this.#binding === undefined || this.#guard.isSafe))
      return this.#closeSafely()
    const role = methodId === 0 ? undefined : (this.#role ?? roleToldBy(frame))
    if (!this.#isWellPlaced(role)) {
      this.#verdict = verdict
      return false
    }
    this.#role = role ?? this.#role
    const binding = this.#binding!
    this.#verdict = NO_VERDICT
    if (ChannelQueues.concerns(methodId)) {
      this.#queues ??= this.#host.queuesOn(binding.upstream)
      const refusal = this.#queues.judge(frame)
      if (refusal !== undefined) {
        this.#refuse(refusal)
        return true
      }
      if (this.#lostQueue !== undefined) this.#restoreCurrentQueue(frame, binding)
    }
    frame.rewriteChannel(binding.upstreamChannel)
    if (verdict === VERDICT_PART) this.#host.assembler.part(frame, this)
    else if (verdict === VERDICT_LAST) this.#host.assembler.last(frame, this)
    else this.#host.assembler.single(frame, this)
    if (methodId === id.TX_COMMIT) this.#isCommitting = true
    if (methodId === id.CHANNEL_CLOSE) {
      binding.end = 'closing'
      this.#state = 'closing'
    }
    return true
  }

  /** Whether the channel is bound where its role belongs; if not, that is on its way. */
  #isWellPlaced(role: ChannelRole | undefined): boolean {
    if (this.#isMoving) return false
    if (this.#binding === undefined) {
      this.#binding = this.#host.bind(this, role)
      return this.#binding !== undefined
    }
    if (role === this.#role || role === undefined || this.#host.settle(this.#binding.upstream, role))
      return true
    this.#startMoving(this.#binding)
    return false
  }

  /**
   * The channel has declared things and now tells that it belongs elsewhere: once the broker has processed them, it gets
   * another upstream channel. Nothing else is lost, since a channel that has told no role has no state but its current queue.
   */
  #startMoving(binding: ChannelBinding): void {
    this.#isMoving = true
    this.#lostQueue = this.#queues?.currentQueue
    this.#queues = undefined
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
