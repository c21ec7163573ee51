/** What one client channel does with exclusive queues, which the broker takes for the whole upstream connection's. */
import type { Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { argumentsOf } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { consumerTagOf, wantsNoAnswer } from '../../domain/amqp/single-arguments.js'
import { type AmqpError, RESOURCE_LOCKED, amqpError } from '../../domain/amqp/reply-codes.js'
import {
  type Demand,
  type NamedQueue,
  type QueueKind,
  demandOf,
  refusalOf,
  streamRejection,
} from '../../domain/queue/queue-kinds.js'
import { declaresExclusiveQueue } from '../../domain/policy/channel-role.js'
import type { Claim, OwnedClaim } from '../../domain/queue/exclusive-queues.js'
import type { UpstreamQueues } from '../upstream/upstream-queues.js'
import { ForeignBinding } from './foreign-binding.js'
import { OwnConsumers } from './own-consumers.js'

/** A Queue.Declare that isn't answered. */
interface Declaration {
  /** The client didn't ask for the answer. */
  readonly isHidden: boolean
  /** What the answer makes true. */
  readonly onAnswer?: (frame: Frame) => void
  /** There is an answer, or there won't be any more. */
  readonly onSettled?: () => void
}

/** A request about a queue that isn't answered. */
interface Request {
  readonly queue: string
  /** The method that answers it. */
  readonly answer: number
}

/** A Queue.Delete that isn't answered. */
interface Deletion {
  /** The client didn't ask for the answer. */
  readonly isHidden: boolean
  readonly queue: string
  /** The client's claim to the queue that is being deleted: it may declare another on another channel meanwhile. */
  claim: OwnedClaim<object> | undefined
}

/** The one whose channel it is. */
export interface ChannelQueuesHost {
  /** The client, as the owner of exclusive queues. */
  readonly client: object
  readonly virtualHost: string
  /** A request that had to wait can be judged again; not from inside the call. */
  resumeReading(): void
  /** What the broker says to a request on a connection of its own, see {@link UpstreamPool.tryAlone}. */
  tryAlone(request: Uint8Array): Promise<AmqpError | undefined>
}

const text = new TextDecoder('utf-8', { ignoreBOM: true })
/** Behind the ids and two reserved octets. */
const NAME_AT = 6
const PASSIVE = 0b0_0001
const AUTO_DELETE = 0b0_1000
const NO_WAIT = 0b1_0000
const DELETE_NO_WAIT = 0b100
/** Queues that the broker has named, which are classic ones, and the address of direct reply-to. */
const RESERVED = 'amq.'

/** Watches the queue methods of one channel while it is bound to one upstream connection. */
export class ChannelQueues {
  readonly #queues: UpstreamQueues
  readonly #host: ChannelQueuesHost
  /** What isn't answered, in the order of the requests. */
  readonly #requests: Request[] = []
  /** Of those, and of some that wanted no answer, what the answers change. */
  readonly #declares: Declaration[] = []
  readonly #deletes: Deletion[] = []
  /** The queue of an exclusive declaration that is announced, and waits for what others have asked before. */
  #announced: string | undefined
  #currentQueue: string | undefined
  /** Declarations whose queue the broker is to name, and hasn't yet. */
  #unnamed = 0
  /** Another client's queue: the broker is being asked whether it's still there, or has just said so. */
  #verifying: string | undefined
  #verified: string | undefined
  /** The request, about such a queue, that the broker is asked about, or was when it was judged last. */
  #foreign: ForeignBinding | undefined
  /** The queue whose kind the broker is being asked for. */
  #asking: string | undefined
  /** Queues from which the channel has consumed, but for its client's own. */
  readonly #consumed = new Set<string>()
  /** It has consumed from queues of its client, too. */
  #consumesOwn = false
  readonly #consumers: OwnConsumers
  #hasGlobalPrefetch = false

  /** `currentQueue` is the one of a channel that has moved here. */
  constructor(queues: UpstreamQueues, host: ChannelQueuesHost, currentQueue: string | undefined) {
    this.#queues = queues
    this.#host = host
    this.#currentQueue = currentQueue
    this.#consumers = new OwnConsumers(queues)
  }

  /** The queue that an empty name means on this channel: the last one declared. */
  get currentQueue(): string | undefined {
    return this.#currentQueue
  }

  /** Whether the method names a queue that may be somebody's own. */
  static concerns(methodId: number): boolean {
    return methodId >>> 16 === 50 || methodId === id.BASIC_CONSUME || methodId === id.BASIC_GET
  }

  /** The queue that a method which {@link concerns} queues names; RabbitMQ drops line ends from such names. */
  static namedIn({ bytes, payloadStart }: Frame): string {
    const nameAt = payloadStart + NAME_AT
    const name = text.decode(bytes.subarray(nameAt + 1, nameAt + 1 + bytes[nameAt]))
    return name.replace(/[\r\n]/g, '')
  }

  /**
   * Judges a well-formed method that {@link concerns} queues, and remembers what will follow from it. May change flags in the frame.
   * `wait`: it's to be judged again when the host hears that reading may go on.
   */
  judge(frame: Frame): AmqpError | 'wait' | undefined {
    const { methodId } = frame
    const { claims } = this.#queues
    const foreign = this.#foreign
    this.#foreign = undefined
    const isDeclare = methodId === id.QUEUE_DECLARE
    const isConsume = methodId === id.BASIC_CONSUME
    const demand = demandOf(frame, this.#hasGlobalPrefetch)
    const isOfInterest = isDeclare || isConsume || methodId === id.QUEUE_DELETE || demand !== undefined
    const named = ChannelQueues.namedIn(frame)
    if (!isOfInterest && claims.isEmpty) return this.#onSent(frame, named === '' ? this.#currentQueue : named)
    // An empty name means the queue whose name the broker is about to tell, unless another is declared before it has.
    if (this.#unnamed > 0 && isDeclare === (named !== '')) return 'wait'
    const queue = named === '' && !isDeclare ? (this.#currentQueue ?? '') : named
    const standing = claims.standing(this.#host.client, queue)
    if (standing !== 'locked') this.#verified = undefined
    switch (standing) {
      case 'undecided':
        this.#queues.whenDecided(() => this.#host.resumeReading())
        return 'wait'
      case 'locked':
        // The broker refuses the name before it looks for the queue.
        if (isDeclare && queue.startsWith(RESERVED) && !isPassive(frame)) return undefined
        return this.#judgeLocked(frame, queue, foreign) ?? this.#onSent(frame, queue)
    }
    // Whose queue it consumes from is known once that is answered.
    if (isConsume && claims.isAnnounced(queue)) {
      this.#queues.whenDecided(() => this.#host.resumeReading())
      return 'wait'
    }
    if (demand !== undefined && claims.ownerOf(queue) === undefined) {
      const judgement = this.#judgeDemand(demand, queue, methodId)
      if (judgement !== undefined) return judgement
    }
    if (declaresExclusiveQueue(frame) && !isPassive(frame) && !this.#mayClaim(queue)) return 'wait'
    if (isConsume) this.#onConsume(frame, queue)
    else if (isDeclare) this.#onDeclare(frame, queue)
    else if (methodId === id.QUEUE_DELETE) this.#onDelete(frame, queue)
    return this.#onSent(frame, queue)
  }

  /**
   * What others have asked about a queue comes first: once the broker has made it for this connection, it would let them in. What they
   * ask from now on waits for the declaration.
   */
  #mayClaim(queue: string): boolean {
    if (queue === '') return true
    if (this.#announced === undefined) this.#queues.claims.announce(this.#host.client, queue)
    this.#announced = queue
    if (!this.#queues.isAskedAbout(this.#host.client, queue)) return true
    this.#queues.whenDecided(() => this.#host.resumeReading())
    return false
  }

  /** A request goes to the broker. One that wants no answer isn't followed, as nobody would say when it's over. */
  #onSent(frame: Frame, queue: string | undefined): undefined {
    if (queue === undefined || queue === '' || wantsNoAnswer(frame)) return undefined
    this.#queues.onSent(this.#host.client, queue)
    this.#requests.push({ queue, answer: frame.methodId + 1 })
    return undefined
  }

  #onConsume(frame: Frame, queue: string): void {
    const claim = this.#ownClaim(queue)
    if (claim === undefined) this.#consumed.add(queue)
    else this.#consumesOwn = true
    this.#consumers.onConsume(claim, wantsNoAnswer(frame))
  }

  /** The broker has cancelled a consumer by itself. */
  onBrokerCancel(consumerTag: string): void {
    this.#consumers.onCancelled(consumerTag)
  }

  /** The broker has answered something. */
  onAnswered(frame: Frame): void {
    const { methodId } = frame
    if (methodId === id.BASIC_CANCEL_OK) return this.#consumers.onCancelled(consumerTagOf(frame))
    if (methodId === id.BASIC_CONSUME_OK) this.#consumers.onConsumeOk(consumerTagOf(frame))
    const answer = methodId === id.BASIC_GET_EMPTY ? id.BASIC_GET_OK : methodId
    const at = this.#requests.findIndex((request) => request.answer === answer)
    this.#forgetRequests(at + 1)
  }

  #forgetRequests(count: number): void {
    for (const { queue } of this.#requests.splice(0, count)) this.#queues.onAnswered(this.#host.client, queue)
  }

  /** What the broker is to be sent on `channel` instead of the request that has just been judged; undefined if that may go as it is. */
  insteadOf(channel: number): Uint8Array | undefined {
    return this.#foreign?.insteadOf(channel)
  }

  /** Judges Basic.Nack, Reject and Recover: RabbitMQ closes the connection over one for a delivery from a stream. */
  judgeRejection(methodId: number): AmqpError | 'wait' | undefined {
    if (this.#consumesOwn) return undefined
    for (const queue of this.#consumed) {
      const kind = this.#kindOf(queue)
      if (kind === undefined) return this.#askForKind(queue)
      // Which delivery it was isn't known here: with another queue it may well be allowed.
      if (kind !== 'stream') return undefined
    }
    const [queue] = this.#consumed
    return queue === undefined ? undefined : streamRejection(methodId, this.#shown(queue))
  }

  /** The channel's Basic.Qos has been seen: whether it limits all consumers together. */
  onQos(isGlobal: boolean): void {
    this.#hasGlobalPrefetch = isGlobal
  }

  /** The broker answered Queue.Declare. Returns whether the client is to see it. */
  onDeclareOk(frame: Frame): boolean {
    const request = this.#declares.shift()
    request?.onAnswer?.(frame)
    request?.onSettled?.()
    return request?.isHidden !== true
  }

  /** The broker answered Queue.Delete. Returns whether the client is to see it. */
  onDeleteOk(): boolean {
    const request = this.#deletes.shift()
    if (request?.claim !== undefined) this.#queues.claims.forget(request.claim)
    return request?.isHidden !== true
  }

  /** The channel has ended at the broker: nothing that wasn't answered has happened. */
  onEnded(): void {
    for (const { onSettled } of this.#declares.splice(0)) onSettled?.()
    if (this.#announced !== undefined) this.#queues.settle(this.#announced)
    this.#announced = undefined
    this.#forgetRequests(this.#requests.length)
    this.#consumers.onEnded()
    this.#deletes.length = 0
    this.#unnamed = 0
  }

  #judgeDemand(demand: Demand, queue: string, methodId: number): AmqpError | 'wait' | undefined {
    const kind = this.#kindOf(queue)
    if (kind === undefined) return this.#askForKind(queue)
    return refusalOf(demand, kind, this.#shown(queue), methodId)
  }

  /** Exclusive queues are classic ones, and RabbitMQ's own names are no queues. */
  #kindOf(queue: string): QueueKind | undefined {
    if (this.#ownClaim(queue) !== undefined) return 'classic'
    return queue === '' || queue.startsWith(RESERVED) ? 'other' : this.#queues.kindOf(queue)
  }

  #askForKind(queue: string): 'wait' {
    if (this.#asking === queue) return 'wait'
    this.#asking = queue
    this.#queues.askForKind(queue, () => {
      this.#asking = undefined
      this.#host.resumeReading()
    })
    return 'wait'
  }

  #shown(queue: string): NamedQueue {
    return { queue, virtualHost: this.#host.virtualHost }
  }

  /** A claim that stands in somebody's way is verified: the broker doesn't tell when a queue is auto-deleted or expires. */
  #judgeLocked(
    frame: Frame,
    queue: string,
    foreign: ForeignBinding | undefined,
  ): AmqpError | 'wait' | undefined {
    if (this.#verified === queue) {
      const judgement = this.#judgeForeign(frame, queue, foreign)
      if (judgement !== 'wait') this.#verified = undefined
      return judgement
    }
    if (this.#verifying === queue) return 'wait'
    this.#verifying = queue
    this.#queues.verify(queue, (exists) => {
      this.#verifying = undefined
      if (exists) this.#verified = queue
      this.#host.resumeReading()
    })
    return 'wait'
  }

  /** Another client's queue is there, so it's locked; but RabbitMQ judges the other end of a binding first. */
  #judgeForeign(
    frame: Frame,
    queue: string,
    foreign: ForeignBinding | undefined,
  ): AmqpError | 'wait' | undefined {
    const locked = this.#locked(queue, frame.methodId)
    if (!ForeignBinding.is(frame.methodId)) return locked
    this.#foreign = foreign ?? new ForeignBinding(frame, queue, this.#host, locked)
    return this.#foreign.judgement
  }

  #onDeclare(frame: Frame, queue: string): void {
    const { bytes, payloadStart, start, end } = frame
    const flagsAt = payloadStart + NAME_AT + 1 + bytes[payloadStart + NAME_AT]
    const flags = bytes[flagsAt]
    this.#queues.forgetKind(queue)
    const isHidden = wantsNoAnswer(frame)
    const isCheck = isPassive(frame)
    const isExclusive = declaresExclusiveQueue(frame) && !isCheck
    const isAutoDelete = (flags & AUTO_DELETE) !== 0
    const claim = this.#ownClaim(queue)
    if (queue !== '') this.#currentQueue = queue
    if (isHidden && queue !== '' && !isExclusive && claim === undefined) return
    // The answer tells whether a claim holds, and the name that the broker chose.
    bytes[flagsAt] = flags & ~NO_WAIT
    if (queue === '') {
      this.#onUnnamed(isHidden, isExclusive, isAutoDelete)
    } else if (isExclusive) {
      const declaration = new Uint8Array(bytes.subarray(start, end))
      this.#announced = undefined
      this.#declares.push({
        isHidden,
        onAnswer: () => this.#claim({ queue, declaration, isAutoDelete }),
        onSettled: () => this.#queues.settle(queue),
      })
    } else if (claim !== undefined && !isCheck) {
      // A yes means that the exclusive one is gone: RabbitMQ doesn't take the one for the other.
      this.#declares.push({ isHidden, onAnswer: () => this.#queues.claims.forget(claim) })
    } else {
      this.#declares.push({ isHidden })
    }
  }

  #onUnnamed(isHidden: boolean, isExclusive: boolean, isAutoDelete: boolean): void {
    const { claims } = this.#queues
    const { client } = this.#host
    this.#unnamed++
    if (isExclusive) claims.announceUnnamed(client)
    this.#declares.push({
      isHidden,
      onAnswer: (answer) => {
        const queue = this.#onNamed(answer)
        if (isExclusive) this.#claim({ queue, declaration: undefined, isAutoDelete })
      },
      ...(isExclusive && { onSettled: () => claims.settleUnnamed(client) }),
    })
  }

  #onNamed(answer: Frame): string {
    this.#unnamed--
    const { queue } = argumentsOf(method.QueueDeclareOk, answer)
    this.#currentQueue = queue
    return queue
  }

  #claim(claim: Claim): void {
    const { queue } = claim
    this.#queues.claims.claim(this.#host.client, claim)
    // Answers keep the order of requests, so the deletions that aren't answered are of this queue, not of the one before.
    for (const deletion of this.#deletes) if (deletion.queue === queue) deletion.claim = this.#ownClaim(queue)
  }

  #ownClaim(queue: string): OwnedClaim<object> | undefined {
    const claim = this.#queues.claims.claimOf(queue)
    return claim?.owner === this.#host.client ? claim : undefined
  }

  #onDelete(frame: Frame, queue: string): void {
    const { bytes, payloadStart } = frame
    const flagsAt = payloadStart + NAME_AT + 1 + bytes[payloadStart + NAME_AT]
    this.#queues.forgetKind(queue)
    const isHidden = wantsNoAnswer(frame)
    // A consumer that is cancelled while its queue is being deleted can crash the broker's channel, so the answer matters.
    bytes[flagsAt] &= ~DELETE_NO_WAIT
    this.#deletes.push({ isHidden, queue, claim: this.#ownClaim(queue) })
  }

  #locked(queue: string, methodId: number): AmqpError {
    return amqpError(
      RESOURCE_LOCKED,
      `cannot obtain exclusive access to locked queue '${queue}' in vhost '${this.#host.virtualHost}'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
      methodId,
    )
  }
}

/** Of a Queue.Declare: whether it only asks if the queue is there. */
function isPassive({ bytes, payloadStart }: Frame): boolean {
  return (bytes[payloadStart + NAME_AT + 1 + bytes[payloadStart + NAME_AT]] & PASSIVE) !== 0
}
