/** Which deliveries of a channel its client has still to acknowledge, so that it's known in advance which acks the broker will accept. */

/** Acks that come before those of earlier deliveries are remembered one by one; whoever leaves this many gaps is followed no longer. */
const MOST_EARLY = 1000

/** RabbitMQ numbers a channel's deliveries from 1, and closes the channel over an ack for any that is settled or hasn't come (406, unknown delivery tag). */
export class UnacknowledgedTags {
  /** All before this one is settled, or nobody knows. */
  #from: number
  /** Settled before their elders. */
  readonly #early = new Set<number>()
  #isFollowing = true

  /** Deliveries from number `from` on are known not to be settled. */
  constructor(from: number) {
    this.#from = from
  }

  /**
   * The client settles `tag`, or all up to it, of which 0 means all; `delivered` have come so far. Returns whether the broker is sure to accept
   * that.
   */
  settle(tag: number, isMultiple: boolean, delivered: number): boolean {
    if (!this.#isFollowing) return false
    if (isMultiple && tag === 0) return this.#settleTo(delivered)
    if (tag < this.#from || tag > delivered || this.#early.has(tag)) return false
    if (isMultiple) return this.#settleTo(tag)
    if (tag === this.#from) this.#from++
    else this.#early.add(tag)
    while (this.#early.size > 0 && this.#early.delete(this.#from)) this.#from++
    if (this.#early.size > MOST_EARLY) this.stopFollowing()
    return true
  }

  /** From now on it's sure of nothing. */
  stopFollowing(): void {
    this.#isFollowing = false
    this.#early.clear()
  }

  #settleTo(tag: number): true {
    this.#from = tag + 1
    for (const early of this.#early) if (early <= tag) this.#early.delete(early)
    return true
  }
}
