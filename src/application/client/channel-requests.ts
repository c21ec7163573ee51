/**
 * What one client channel asks of the broker: requests that have to be judged before they go, what has to go
 * before them, and their answers.
 */
import type { Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import {
  type AmqpError,
  COMMAND_INVALID,
  FRAME_ERROR,
  connectionError,
} from '../../domain/amqp/reply-codes.js'
import { isSilentSelect } from '../../domain/amqp/single-arguments.js'
import { PendingRequests } from '../../domain/channel/pending-requests.js'
import { isMostlyHarmless, mayBeRisky, riskOf, trialOf } from '../../domain/channel/risky-requests.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import type { TrialFailure } from '../upstream/trials.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import { ChannelQueues } from './channel-queues.js'
import type { ClientChannelHost } from './client-channel-host.js'
import { KeptPrefetch } from './kept-prefetch.js'
import { MovedQueue } from './moved-queue.js'

/** What stands against a request that AMQP's rules allow. `wait`: it's to be judged again when reading goes on. */
export type Judgement = AmqpError | 'wait' | undefined

export class ChannelRequests {
  readonly #host: ClientChannelHost
  /** What the broker hasn't dealt with yet, messages included. */
  readonly pending = new PendingRequests()
  /** What the client wants for its consumers. */
  readonly #prefetch = new KeptPrefetch()
  readonly #movedQueue = new MovedQueue()
  /** Knows of exclusive queues, once the channel has named a queue. */
  #queues: ChannelQueues | undefined
  /** Why the risky request that waits couldn't be tried. */
  #trialFailure: TrialFailure | undefined

  constructor(host: ClientChannelHost) {
    this.#host = host
  }

  /** Whether the upstream channel has a prefetch. */
  get hasPrefetch(): boolean {
    return this.#prefetch.isSent
  }

  /** Judges a method by what the broker may make of it, wherever it goes. */
  judge(frame: Frame): Judgement {
    const { methodId } = frame
    if (mayBeRisky(frame)) {
      const judgement = this.#judgeRisk(frame)
      if (judgement !== undefined) return judgement
    }
    // A consumer that is cancelled while its queue is being deleted can crash the broker's channel.
    if (methodId === id.BASIC_CANCEL && this.pending.includes(id.QUEUE_DELETE)) return 'wait'
    return isRejection(methodId) ? this.#queues?.judgeRejection(methodId) : undefined
  }

  /** The queue that a method which names one is about: an empty name means the last one declared on this channel. */
  queueMeantBy(frame: Frame): string {
    const named = ChannelQueues.namedIn(frame)
    if (named !== '' || frame.methodId === id.QUEUE_DECLARE) return named
    return this.#queues?.currentQueue ?? this.#movedQueue.name ?? ''
  }

  /** Judges a method that names a queue, and goes to `upstream`. */
  judgeQueue(frame: Frame, upstream: UpstreamConnection): Judgement {
    if (this.#movedQueue.outgrows(frame, upstream.tuning.frameMax))
      return connectionError(FRAME_ERROR, 'frame too large once it names its queue', frame.methodId)
    this.#queues ??= this.#host.queuesOn(upstream, this.#movedQueue.name)
    this.#queues.onQos(this.#prefetch.isGlobal)
    return this.#queues.judge(frame)
  }

  /** A Basic.Qos that the client is answered now, and the broker hears of when it matters. */
  keepPrefetch(frame: Frame): void {
    this.#prefetch.keep(frame)
  }

  /**
   * A request goes to the broker, behind what the broker has to know before. Returns whether it's to go as it
   * is: otherwise another has gone in its place, with the name of its queue, say, as the broker wouldn't know
   * which the client means.
   */
  send(frame: Frame, binding: ChannelBinding): boolean {
    const { methodId } = frame
    if (needsPrefetch(methodId)) this.#sendPrefetch(binding)
    if (methodId === id.BASIC_QOS) this.#prefetch.pass(frame)
    this.pending.sent(methodId, methodId === id.CONFIRM_SELECT && isSilentSelect(frame))
    const { upstream, upstreamChannel } = binding
    if (!ChannelQueues.concerns(methodId)) return true
    const other =
      this.#queues?.insteadOf(upstreamChannel) ?? this.#movedQueue.spellOut(frame, upstreamChannel)
    if (other === undefined) return true
    this.#host.assembler.endOfChunk()
    upstream.send(other)
    return false
  }

  /** The broker has answered something, whoever hears of it. */
  onAnswered(answer: Frame): void {
    this.pending.answered(answer.methodId)
    this.#queues?.onAnswered(answer)
  }

  /** The broker has cancelled a consumer by itself. */
  onBrokerCancel(consumerTag: string): void {
    this.#queues?.onBrokerCancel(consumerTag)
  }

  /** The broker has answered. Returns whether the client is to see it. */
  onAnswer(answer: Frame): boolean {
    switch (answer.methodId) {
      case id.QUEUE_DECLARE_OK:
        this.#host.resumeReading()
        return this.#queues?.onDeclareOk(answer) ?? true
      case id.QUEUE_DELETE_OK:
        this.#host.resumeReading()
        return this.#queues?.onDeleteOk() ?? true
      case id.BASIC_QOS_OK:
        return this.#prefetch.onAnswer()
      default:
        return true
    }
  }

  /** The upstream channel is over: what wasn't answered won't be. */
  onEnded(): void {
    this.#queues?.onEnded()
  }

  /** The upstream channel is over, behind all that was asked of it or with its connection, and the client's goes on with another. */
  onMoved(): void {
    this.pending.forget()
    this.#movedQueue.moveOn(this.#queues?.currentQueue)
    this.#queues?.onEnded()
    this.#queues = undefined
    this.#prefetch.onMoved()
  }

  /** Judges a declaration that may make the broker close the connection. */
  #judgeRisk(frame: Frame): Judgement {
    const kind = riskOf(frame)
    if (kind === undefined) return undefined
    const failure = this.#trialFailure
    this.#trialFailure = undefined
    if (failure !== undefined && isMostlyHarmless(kind)) return undefined
    if (failure !== undefined) return connectionError(COMMAND_INVALID, failure, frame.methodId)
    return this.#host.judgeRisk(kind, trialOf(frame), (reason) => {
      this.#trialFailure = reason
      this.#host.resumeReading()
    })
  }

  #sendPrefetch({ upstream, upstreamChannel }: ChannelBinding): void {
    const requests = this.#prefetch.take(upstreamChannel)
    if (requests.length === 0) return
    this.#host.assembler.endOfChunk()
    for (const request of requests) {
      // Its answer mustn't be taken for that of the client's next.
      this.pending.sent(id.BASIC_QOS)
      upstream.send(request)
    }
  }
}

/**
 * Whether the broker looks at the prefetch now, or changes what there is: it counts for the limit of a
 * channel what was taken by Basic.Get when that was set.
 */
function needsPrefetch(methodId: number): boolean {
  return methodId === id.BASIC_CONSUME || methodId === id.BASIC_GET || methodId === id.BASIC_QOS
}

function isRejection(methodId: number): boolean {
  return (
    methodId === id.BASIC_NACK ||
    methodId === id.BASIC_REJECT ||
    methodId === id.BASIC_RECOVER ||
    methodId === id.BASIC_RECOVER_ASYNC
  )
}
