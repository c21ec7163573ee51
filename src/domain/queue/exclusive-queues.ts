/** Who owns the exclusive queues of one upstream connection: the broker knows only the connection, so the client is Warren's to know. */

/** A client's claim to an exclusive queue. */
export interface Claim {
  readonly queue: string
  /**
   * The Queue.Declare frame that made the queue, when its name was the client's choice. Declaring it again before deleting it makes
   * sure that another queue of that name, which has come since, isn't deleted by mistake.
   */
  readonly declaration: Uint8Array | undefined
}

/** The exclusive queues of one upstream connection, by name. */
export class ExclusiveQueues<Owner> {
  readonly #claims = new Map<string, Claim & { readonly owner: Owner }>()

  /** Whether nobody owns a queue. */
  get isEmpty(): boolean {
    return this.#claims.size === 0
  }

  /** Makes `owner` the one client that may use the queue. Returns false when it was already. */
  claim(owner: Owner, claim: Claim): boolean {
    if (this.#claims.get(claim.queue)?.owner === owner) return false
    this.#claims.set(claim.queue, { ...claim, owner })
    return true
  }

  /** The queue is gone, or never was. Ignored when it's not `owner`'s. */
  forget(owner: Owner, queue: string): void {
    if (this.#claims.get(queue)?.owner === owner) this.#claims.delete(queue)
  }

  /** Whether the queue is another client's. */
  isLockedFor(owner: Owner, queue: string): boolean {
    const claim = this.#claims.get(queue)
    return claim !== undefined && claim.owner !== owner
  }

  /** Takes all claims of a client that is gone. */
  takeAll(owner: Owner): Claim[] {
    const claims = [...this.#claims.values()].filter((claim) => claim.owner === owner)
    for (const { queue } of claims) this.#claims.delete(queue)
    return claims
  }
}
