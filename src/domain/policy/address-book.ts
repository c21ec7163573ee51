/** Which of the broker's addresses the next connection goes to, and which are avoided because they failed. */

const AVOID_FIRST_MS = 5000
const AVOID_LIMIT_MS = 60_000

/** What is remembered of one address. */
interface Entry {
  /** The number of its last use; 0 before the first. */
  lastUse: number
  /** In a row. */
  failures: number
  avoidedUntil: number
  /** Uses up to this number began before the address was last heard of; how they fail says nothing new. */
  heardOfAt: number
}

/** An attempt at one address. */
export interface AddressUse {
  readonly address: string
  /** Uses are numbered in the order in which they begin. */
  readonly number: number
}

/** Names of addresses are whatever tells them apart. Times are milliseconds on any scale. */
export class AddressBook {
  readonly #entries = new Map<string, Entry>()
  #uses = 0

  /**
   * The one of `addresses` to try now, undefined if there are none: of those that aren't avoided the one whose last use is the
   * longest ago, which is round robin; of several unused ones any, so that the first connections of many Warrens don't all go to the
   * same node. If all are avoided, the one that is avoided no longer soonest. `random` is in [0, 1).
   */
  next(addresses: readonly string[], now: number, random: number): AddressUse | undefined {
    const fresh = addresses.filter((address) => !this.isAvoided(address, now))
    const address =
      fresh.length > 0
        ? oneOf(
            leastBy(fresh, (address) => this.#entries.get(address)?.lastUse ?? 0),
            random,
          )
        : leastBy(addresses, (address) => this.#entries.get(address)?.avoidedUntil ?? 0).at(0)
    if (address === undefined) return undefined
    const number = (this.#entryOf(address).lastUse = ++this.#uses)
    return { address, number }
  }

  /** Whether `address` failed a while ago, and isn't tried while there are others. */
  isAvoided(address: string, now: number): boolean {
    return (this.#entries.get(address)?.avoidedUntil ?? -Infinity) > now
  }

  /**
   * The attempt has failed. Returns how many failed in a row, and for how many milliseconds the address is avoided; undefined when the
   * attempt is older than what is known: of many that are made together and fail, one counts.
   */
  failed(
    { address, number }: AddressUse,
    now: number,
  ): { readonly inARow: number; readonly avoidedMs: number } | undefined {
    const entry = this.#entryOf(address)
    if (number <= entry.heardOfAt) return undefined
    const avoidedMs = Math.min(AVOID_FIRST_MS * 2 ** Math.min(entry.failures, 16), AVOID_LIMIT_MS)
    entry.failures++
    entry.avoidedUntil = now + avoidedMs
    entry.heardOfAt = this.#uses
    return { inARow: entry.failures, avoidedMs }
  }

  /** The address has answered. Returns whether it had failed before. */
  answered({ address }: AddressUse): boolean {
    const entry = this.#entryOf(address)
    const hadFailed = entry.failures > 0
    entry.failures = 0
    entry.avoidedUntil = -Infinity
    entry.heardOfAt = this.#uses
    return hadFailed
  }

  /** After an outage of all: the first that is back mustn't get all connections because the others are still avoided. */
  pardonAll(): void {
    for (const entry of this.#entries.values()) entry.avoidedUntil = -Infinity
  }

  /** Forgets all but `addresses`: names may be given new ones any number of times. */
  keepOnly(addresses: readonly string[]): void {
    const kept = new Set(addresses)
    for (const address of this.#entries.keys()) if (!kept.has(address)) this.#entries.delete(address)
  }

  #entryOf(address: string): Entry {
    let entry = this.#entries.get(address)
    if (entry === undefined) {
      entry = { lastUse: 0, failures: 0, avoidedUntil: -Infinity, heardOfAt: 0 }
      this.#entries.set(address, entry)
    }
    return entry
  }
}

/** All items for which `measure` gives the smallest value. */
function leastBy<T>(items: readonly T[], measure: (item: T) => number): T[] {
  const least = Math.min(...items.map(measure))
  return items.filter((item) => measure(item) === least)
}

function oneOf<T>(items: readonly T[], random: number): T | undefined {
  return items[Math.floor(random * items.length)]
}
