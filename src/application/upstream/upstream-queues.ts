/** The exclusive queues of one upstream connection: who owns them, whether they're still there, and their end when their owner goes. */
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { type Claim, ExclusiveQueues, type OwnedClaim } from '../../domain/queue/exclusive-queues.js'
import { QueueRequests } from '../../domain/queue/queue-requests.js'
import type { QueueKind } from '../../domain/queue/queue-kinds.js'
import type { BindingOwner, ChannelBinding } from './channel-binding.js'
import { onChannel } from '../common-frames.js'
import { ExclusiveQueueProbe, silentCheck } from './exclusive-queue-probe.js'
import { InternalChannel } from './internal-channel.js'
import { QueueKindProbe } from './queue-kind-probe.js'

/** A queue can be deleted and made again as another kind; nobody tells. */
const KIND_MS = 60_000
const MOST_KINDS = 10_000

/** The channels of the connection, for Warren's own use. */
export interface ChannelSource {
  readonly hasRoom: boolean
  /** A channel that can be used at once; undefined when there is no room. */
  bind(owner: BindingOwner): ChannelBinding | undefined
  /** Takes it back. */
  release(binding: ChannelBinding): void
  send(bytes: Uint8Array): void
}

/** What the broker takes for one connection's, told apart by client. */
export class UpstreamQueues {
  readonly claims = new ExclusiveQueues<object>()
  readonly #requests = new QueueRequests<object>()
  readonly #channels: ChannelSource
  /** Queues to be deleted once there is a channel to do it on. */
  readonly #owedDeletions: OwedDeletion[] = []
  #waiting: (() => void)[] = []
  /** What is known of the kinds of queues, and since when. */
  readonly #kinds = new Map<string, { readonly kind: QueueKind; readonly at: number }>()
  readonly #now: () => number

  /** `now` is in milliseconds. */
  constructor(channels: ChannelSource, now: () => number) {
    this.#channels = channels
    this.#now = now
  }

  /** Of what kind a queue is; undefined when the broker hasn't been asked, or not lately. */
  kindOf(queue: string): QueueKind | undefined {
    const known = this.#kinds.get(queue)
    return known !== undefined && this.#now() - known.at < KIND_MS ? known.kind : undefined
  }

  /** The queue may be of another kind from now on. */
  forgetKind(queue: string): void {
    this.#kinds.delete(queue)
  }

  /**
   * Asks the broker for the kind of a queue: afterwards {@link kindOf} knows it. Without room for the
   * question nothing is known against the queue.
   */
  askForKind(queue: string, onAnswer: () => void): void {
    const learn = (kind: QueueKind): void => {
      if (this.#kinds.size >= MOST_KINDS) this.#kinds.delete(this.#kinds.keys().next().value!)
      this.#kinds.set(queue, { kind, at: this.#now() })
      onAnswer()
    }
    const probe = new QueueKindProbe((kind, isOpen) => {
      if (isOpen) this.#channels.release(binding!)
      learn(kind)
    })
    const binding = this.#channels.bind(probe)
    if (binding === undefined) return learn('other')
    for (const frame of QueueKindProbe.question(binding.upstreamChannel, queue)) this.#channels.send(frame)
  }

  /** A client's request about a queue goes to the broker. Has to be followed by {@link onAnswered}. */
  onSent(client: object, queue: string): void {
    this.#requests.sent(client, queue)
  }

  /** The broker has answered it, or won't any more. */
  onAnswered(client: object, queue: string): void {
    this.#requests.answered(client, queue)
    this.#wake()
  }

  /** Whether the broker may still have to deal with what other clients have asked about a queue. */
  isAskedAbout(client: object, queue: string): boolean {
    return this.#requests.hasOthers(client, queue)
  }

  /** A consumer of a client's own queue is gone, see {@link ExclusiveQueues.onConsumerGone}. */
  onConsumerGone(claim: OwnedClaim<object>): void {
    this.claims.onConsumerGone(claim, this.#now())
  }

  /** Calls `onDecided` once after the next answer to an announced declaration, or to what {@link isAskedAbout} tells of. */
  whenDecided(onDecided: () => void): void {
    this.#waiting.push(onDecided)
  }

  /** What was announced about the queue is over: a declaration is answered, or won't be. */
  settle(queue: string): void {
    this.claims.settle(queue)
    this.#wake()
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const onDecided of waiting) onDecided()
  }

  /**
   * Asks the broker whether a claimed queue is still there: it may have been auto-deleted, expired, or deleted by an operator.
   * Forgets the claim if not, or if another queue of that name has come since. Without room for the question the queue is taken to be there.
   */
  verify(queue: string, onAnswer: (exists: boolean) => void): void {
    const claim = this.claims.claimOf(queue)
    const answer = (exists: boolean, isOpen: boolean): void => {
      if (isOpen) this.#channels.release(binding!)
      if (!exists && claim !== undefined) this.claims.forget(claim)
      onAnswer(exists)
    }
    const binding = this.#channels.bind(new ExclusiveQueueProbe(answer))
    if (binding === undefined) return onAnswer(true)
    for (const frame of ExclusiveQueueProbe.question(binding.upstreamChannel, queue))
      this.#channels.send(frame)
  }

  /**
   * Deletes the exclusive queues of a client that is gone, as the broker does when a connection of its own ends. Returns how many
   * there are; `onDeleted` is called for each that the broker has dealt with, and never again once the connection is lost. Nobody
   * else gets one before that: on this connection the broker would let everybody use it.
   */
  deleteQueuesOf(client: object, onDeleted: () => void = () => undefined): number {
    const claims = this.claims.takeAll(client, this.#now())
    for (const claim of claims) {
      const { queue } = claim
      this.claims.announce(this, queue)
      this.#owedDeletions.push({
        ...claim,
        onDeleted: () => {
          this.settle(queue)
          onDeleted()
        },
      })
    }
    this.deleteOwed()
    return claims.length
  }

  /**
   * Goes on with deletions for which there was no room. Each gets a channel of its own, since one that can't
   * be deleted takes its channel with it.
   */
  deleteOwed(): void {
    while (this.#owedDeletions.length > 0 && this.#channels.hasRoom) {
      const { queue, declaration, onDeleted } = this.#owedDeletions.shift()!
      const binding = this.#channels.bind(new DeletionChannel(onDeleted))!
      const channel = binding.upstreamChannel
      if (declaration !== undefined) {
        // What is gone already isn't made again.
        this.#channels.send(silentCheck(channel, queue))
        this.#channels.send(onChannel(declaration, channel))
      }
      this.#channels.send(
        methodFrame(method.QueueDelete, channel, { queue, ifUnused: false, ifEmpty: false, noWait: true }),
      )
      this.#channels.release(binding)
    }
  }
}

/** A queue that is to go, and who wants to hear of it. */
interface OwedDeletion extends Claim {
  readonly onDeleted: () => void
}

/** Deletes one queue: whatever the broker said to that, it's over with the channel. */
class DeletionChannel extends InternalChannel {
  constructor(private readonly onDeleted: () => void) {
    super()
  }

  override onReleased(): void {
    this.onDeleted()
  }
}
