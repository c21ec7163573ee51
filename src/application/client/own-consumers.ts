/** The consumers of one channel that read from its client's own queues: with the last one goes a queue that deletes itself. */
import type { OwnedClaim } from '../../domain/queue/exclusive-queues.js'
import type { UpstreamQueues } from '../upstream/upstream-queues.js'

/** Tells the queues of an upstream connection who comes and goes, as far as the broker says so. */
export class OwnConsumers {
  readonly #queues: UpstreamQueues
  /** Of each Basic.Consume that isn't answered, in their order; those from other queues are undefined. */
  readonly #unanswered: (OwnedClaim<object> | undefined)[] = []
  readonly #byTag = new Map<string, OwnedClaim<object>>()
  /** Of those that wanted no answer: they count until the channel's end, as nobody says that they are cancelled. */
  readonly #silent: OwnedClaim<object>[] = []

  constructor(queues: UpstreamQueues) {
    this.#queues = queues
  }

  /** A Basic.Consume goes to the broker. `claim`: the client's, if the queue is its own. */
  onConsume(claim: OwnedClaim<object> | undefined, isSilent: boolean): void {
    if (claim !== undefined) this.#queues.claims.onConsumer(claim)
    if (!isSilent) this.#unanswered.push(claim)
    else if (claim !== undefined) this.#silent.push(claim)
  }

  /** The broker has answered the first that wasn't. */
  onConsumeOk(consumerTag: string): void {
    const claim = this.#unanswered.shift()
    if (claim !== undefined) this.#byTag.set(consumerTag, claim)
  }

  /** The broker has cancelled a consumer, whoever wanted it. */
  onCancelled(consumerTag: string): void {
    const claim = this.#byTag.get(consumerTag)
    if (claim === undefined) return
    this.#byTag.delete(consumerTag)
    this.#queues.onConsumerGone(claim)
  }

  /** The channel has ended at the broker, and all its consumers with it; whether those that weren't answered have been there isn't known. */
  onEnded(): void {
    for (const claim of [...this.#unanswered.splice(0), ...this.#silent.splice(0)])
      if (claim !== undefined) this.#queues.claims.onNoConsumer(claim)
    for (const claim of this.#byTag.values()) this.#queues.onConsumerGone(claim)
    this.#byTag.clear()
  }
}
