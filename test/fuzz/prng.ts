/** Chance that is the same for the same seed. */

/** Numbers by mulberry32. */
export class Prng {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  /** From 0 to 1, 1 excluded. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `limit`, which is excluded. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.next() * times < 1
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)]
  }
}

/** A seed made of several numbers. */
export function seedOf(...numbers: readonly number[]): number {
  let seed = 0x9e3779b9
  for (const number of numbers) {
    seed = Math.imul(seed ^ number, 0x85ebca6b)
    seed ^= seed >>> 13
  }
  return seed >>> 0
}
