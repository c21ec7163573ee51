/** Members that come and go by the thousand. */

/** Where a member sits: for rosters alone. */
export interface Seat {
  readonly roster: object
  readonly place: number
}

/** What can be on a roster, or on several. */
export interface Rostered {
  /** Empty at first, and changed by rosters only. */
  readonly seats: Seat[]
}

/**
 * A set for members that are soon gone. V8's own Set makes a table anew after every few changes and hangs it
 * on the one before: once one such table has grown old, all that follow are kept with it, and those who were
 * in them, until the whole heap is marked. So each session outlived itself by seconds, and every collection
 * of the young had its objects to copy (docs/performance.md).
 */
export class Roster<T extends Rostered> implements Iterable<T> {
  readonly #members: (T | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#members.length - this.#free.length
  }

  /** Does nothing for who is on it already. */
  add(member: T): void {
    if (this.#seatOf(member) >= 0) return
    const place = this.#free.pop() ?? this.#members.length
    this.#members[place] = member
    member.seats.push({ roster: this, place })
  }

  /** Returns whether it was on it. */
  delete(member: T): boolean {
    const at = this.#seatOf(member)
    if (at < 0) return false
    const [{ place }] = member.seats.splice(at, 1)
    this.#members[place] = undefined
    this.#free.push(place)
    if (this.size === 0) this.#members.length = this.#free.length = 0
    return true
  }

  /** In no particular order. Who comes meanwhile may be left out; who goes is. */
  *[Symbol.iterator](): Iterator<T> {
    for (const member of this.#members) if (member !== undefined) yield member
  }

  #seatOf({ seats }: T): number {
    for (let at = 0; at < seats.length; at++) if (seats[at].roster === this) return at
    return -1
  }
}
