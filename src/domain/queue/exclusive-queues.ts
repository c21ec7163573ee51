/** Who owns the exclusive queues of one upstream connection: the broker knows only the connection, so the client is Warren's to know. */

/** A client's claim to an exclusive queue. */
export interface Claim {
  readonly queue: string
  /**
   * The Queue.Declare frame that made the queue, when its name was the client's choice. Declaring it again before deleting it makes
   * sure that another queue of that name, which has come since, isn't deleted by mistake.
   */
  readonly declaration: Uint8Array | undefined
  /** Whether the broker deletes the queue behind its last consumer. */
  readonly isAutoDelete: boolean
}

/** A claim and whose it is. */
export interface OwnedClaim<Owner> extends Claim {
  readonly owner: Owner
  /** Consumers that the queue has, as far as its owner's channels tell: the same count for all claims to a queue until it's gone. */
  readonly consumers: { count: number }
}

/**
 * What a queue is to a client. `free`: nobody has claimed it. `own`: the client has. `locked`: another one has.
 * `undecided`: the broker hasn't answered yet whether it's another one's.
 */
export type Standing = 'free' | 'own' | 'locked' | 'undecided'

/** The broker deletes an auto-delete queue shortly after it has said that the last consumer is gone. */
const FADING_MS = 1000

/** The exclusive queues of one upstream connection, by name. A queue is claimed when the broker has said yes to its declaration. */
export class ExclusiveQueues<Owner> {
  readonly #claims = new Map<string, OwnedClaim<Owner>>()
  /** Declarations that the broker hasn't answered: who sent them, and how many. Nobody else's can be under way for the same queue. */
  readonly #announced = new Map<string, { readonly owner: Owner; count: number }>()
  /** The same for queues that the broker is to name: who sent them, and how many. */
  readonly #announcedUnnamed = new Map<Owner, number>()
  /** The queues that each owner has claimed. */
  readonly #queues = new Map<Owner, Set<string>>()
  /** Claims to queues that have deleted themselves, and since when. */
  readonly #fading = new Map<OwnedClaim<Owner>, number>()

  /** Whether nobody has claimed a queue, or is about to. */
  get isEmpty(): boolean {
    return this.#claims.size === 0 && this.#announced.size === 0
  }

  /** Whether any of the queues is `owner`'s, or may be soon. */
  hasClaims(owner: Owner): boolean {
    if (this.#queues.has(owner) || this.#announcedUnnamed.has(owner)) return true
    for (const announced of this.#announced.values()) if (announced.owner === owner) return true
    return false
  }

  standing(owner: Owner, queue: string): Standing {
    const claim = this.#claims.get(queue)
    if (claim !== undefined) return claim.owner === owner ? 'own' : 'locked'
    const announced = this.#announced.get(queue)
    return announced === undefined || announced.owner === owner ? 'free' : 'undecided'
  }

  /** `owner` has sent an exclusive declaration of a queue that is `free` or its `own`. Each has to be followed by {@link settle}. */
  announce(owner: Owner, queue: string): void {
    const announced = this.#announced.get(queue)
    if (announced === undefined) this.#announced.set(queue, { owner, count: 1 })
    else announced.count++
  }

  /** Whether a declaration of the queue is announced, whoever sends it. */
  isAnnounced(queue: string): boolean {
    return this.#announced.has(queue)
  }

  /** The broker has answered an announced declaration, or won't any more. */
  settle(queue: string): void {
    const announced = this.#announced.get(queue)
    if (announced !== undefined && --announced.count === 0) this.#announced.delete(queue)
  }

  /**
   * As {@link announce}, for a queue that the broker is to name, and that nobody else can mean before. Has to
   * be followed by {@link settleUnnamed}.
   */
  announceUnnamed(owner: Owner): void {
    this.#announcedUnnamed.set(owner, (this.#announcedUnnamed.get(owner) ?? 0) + 1)
  }

  /** See {@link settle}. */
  settleUnnamed(owner: Owner): void {
    const left = (this.#announcedUnnamed.get(owner) ?? 0) - 1
    if (left > 0) this.#announcedUnnamed.set(owner, left)
    else this.#announcedUnnamed.delete(owner)
  }

  /** The broker has made the queue for `owner`, perhaps again. Ignored when it's claimed by another. */
  claim(owner: Owner, claim: Claim): void {
    const former = this.#claims.get(claim.queue)
    if (former !== undefined && former.owner !== owner) return
    this.#claims.set(claim.queue, { ...claim, owner, consumers: former?.consumers ?? { count: 0 } })
    const queues = this.#queues.get(owner)
    if (queues === undefined) this.#queues.set(owner, new Set([claim.queue]))
    else queues.add(claim.queue)
  }

  /** The claim to the queue, if there is one: another one each time that the broker has made the queue. */
  claimOf(queue: string): OwnedClaim<Owner> | undefined {
    return this.#claims.get(queue)
  }

  /** Who has claimed the queue, if anybody has. */
  ownerOf(queue: string): Owner | undefined {
    return this.#claims.get(queue)?.owner
  }

  /** The queue that was claimed is gone. Ignored when the broker has made another of that name since. */
  forget(claim: OwnedClaim<Owner>): void {
    const { owner, queue } = claim
    this.#fading.delete(claim)
    if (this.#claims.get(queue) !== claim) return
    this.#claims.delete(queue)
    const queues = this.#queues.get(owner)!
    queues.delete(queue)
    if (queues.size === 0) this.#queues.delete(owner)
  }

  /** The owner begins to consume from the queue. Has to be followed by {@link onConsumerGone} or {@link onNoConsumer}. */
  onConsumer(claim: OwnedClaim<Owner>): void {
    claim.consumers.count++
  }

  /** A consumer of the queue is gone: with the last one goes an auto-delete queue, and soon the claim. `now` is in milliseconds. */
  onConsumerGone({ queue, consumers }: OwnedClaim<Owner>, now: number): void {
    consumers.count--
    const claim = this.#claims.get(queue)
    if (consumers.count > 0 || claim?.consumers !== consumers || !claim.isAutoDelete) return
    this.#fading.set(claim, now)
    this.#forgetFaded(now)
  }

  /** Perhaps the broker never had the consumer: behind that it deletes nothing. */
  onNoConsumer({ consumers }: OwnedClaim<Owner>): void {
    consumers.count--
  }

  #forgetFaded(now: number): void {
    for (const [claim, since] of this.#fading) {
      if (now - since < FADING_MS) return
      this.#fading.delete(claim)
      // Unless it wasn't the last one, or the queue has been made again.
      if (claim.consumers.count === 0) this.forget(claim)
    }
  }

  /** Takes all claims of a client that is gone. `now` is in milliseconds. */
  takeAll(owner: Owner, now: number): Claim[] {
    this.#forgetFaded(now)
    const claims: Claim[] = []
    for (const queue of this.#queues.get(owner) ?? []) {
      const claim = this.#claims.get(queue)!
      this.#fading.delete(claim)
      this.#claims.delete(queue)
      claims.push(claim)
    }
    this.#queues.delete(owner)
    return claims
  }
}
