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
  readonly #queues = new Map<Owner, Set<string>>()

  /** Whether nobody owns a queue. */
  get isEmpty(): boolean {
    return this.#claims.size === 0
  }

  /** Whether any of the queues is `owner`'s. */
  hasClaims(owner: Owner): boolean {
    return this.#queues.has(owner)
  }

  /** Makes `owner` the one client that may use the queue. Returns false when it was already. */
  claim(owner: Owner, claim: Claim): boolean {
    const former = this.#claims.get(claim.queue)
    if (former?.owner === owner) return false
    if (former !== undefined) this.forget(former.owner, claim.queue)
    this.#claims.set(claim.queue, { ...claim, owner })
    const queues = this.#queues.get(owner)
    if (queues === undefined) this.#queues.set(owner, new Set([claim.queue]))
    else queues.add(claim.queue)
    return true
  }

  /** The queue is gone, or never was. Ignored when it's not `owner`'s. */
  forget(owner: Owner, queue: string): void {
    const queues = this.#queues.get(owner)
    if (queues?.delete(queue) !== true) return
    this.#claims.delete(queue)
    if (queues.size === 0) this.#queues.delete(owner)
  }

  /** Whether the queue is another client's. */
  isLockedFor(owner: Owner, queue: string): boolean {
    const claim = this.#claims.get(queue)
    return claim !== undefined && claim.owner !== owner
  }

  /** Takes all claims of a client that is gone. */
  takeAll(owner: Owner): Claim[] {
    const claims: Claim[] = []
    for (const queue of this.#queues.get(owner) ?? []) {
      claims.push(this.#claims.get(queue)!)
      this.#claims.delete(queue)
    }
    this.#queues.delete(owner)
    return claims
  }
}
