/** The confirms of a channel whose messages nobody keeps: how many are still to come, and what the client calls them. */

/**
 * The broker counts what was published on an upstream channel since Confirm.Select, from 1; the client what it published on its own
 * channel. Both are the same until the channel is bound anew.
 */
export class ConfirmNumbering {
  /** Messages of the client on upstream channels before this one. */
  #before = 0
  #published = 0
  /** Everything up to here is settled. */
  #settledTo = 0
  /** Settled before their elders. */
  readonly #early = new Set<number>()

  /** Messages that wait for a confirm. */
  get count(): number {
    return this.#published - this.#settledTo - this.#early.size
  }

  /** A message goes to the broker. */
  publish(): void {
    this.#published++
  }

  /** The broker has settled `tag`, or all up to it. Returns the number by which the client knows it. */
  settle(tag: number, multiple: boolean): number {
    if (multiple) this.#settleTo(tag)
    else if (tag === this.#settledTo + 1) this.#settledTo = tag
    else if (tag > this.#settledTo) this.#early.add(tag)
    while (this.#early.size > 0 && this.#early.delete(this.#settledTo + 1)) this.#settledTo++
    return tag + this.#before
  }

  /** Another upstream channel, on which the broker counts from 1 again. Nothing may be unsettled. */
  rebind(): void {
    this.#before += this.#published
    this.#published = this.#settledTo = 0
    this.#early.clear()
  }

  #settleTo(tag: number): void {
    if (tag <= this.#settledTo) return
    this.#settledTo = tag
    for (const early of this.#early) if (early <= tag) this.#early.delete(early)
  }
}
