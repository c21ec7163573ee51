/** A set of numbers out of a range, with the lowest one found in constant time. */

const WORD = 32

/**
 * Which of the numbers 1 to `limit` are free: all at first. A bitmap of up to four levels: each bit above
 * tells whether the word below has a bit set.
 */
export class FreeNumbers {
  readonly #levels: Int32Array[] = []
  #count: number
  readonly limit: number

  /** `limit` is 1 to 65535. */
  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1 || limit > 65535)
      throw new RangeError(`limit ${limit} is not 1 to 65535`)
    this.limit = limit
    this.#count = limit
    let size = limit + 1
    do {
      size = Math.ceil(size / WORD)
      this.#levels.push(new Int32Array(size))
    } while (size > 1)
    for (let number = 1; number <= limit; number++) this.#mark(number)
  }

  /** The same range with no number free. */
  static none(limit: number): FreeNumbers {
    const numbers = new FreeNumbers(limit)
    for (const words of numbers.#levels) words.fill(0)
    numbers.#count = 0
    return numbers
  }

  /** How many numbers are free. */
  get count(): number {
    return this.#count
  }

  has(number: number): boolean {
    return number >= 1 && number <= this.limit && (this.#levels[0][number >>> 5] & (1 << (number & 31))) !== 0
  }

  /** Takes the lowest free number; 0 when there is none. */
  takeLowest(): number {
    if (this.#count === 0) return 0
    let at = 0
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const word = this.#levels[level][at]
      at = at * WORD + (31 - Math.clz32(word & -word))
    }
    this.#clear(at)
    this.#count--
    return at
  }

  /** Takes this number. Throws when it isn't free: that is a bug of the caller. */
  take(number: number): void {
    if (!this.has(number)) throw new RangeError(`number ${number} is not free`)
    this.#clear(number)
    this.#count--
  }

  /** Gives a number back. Throws when it's free already or out of range: that is a bug of the caller. */
  release(number: number): void {
    if (number < 1 || number > this.limit || this.has(number))
      throw new RangeError(`number ${number} is not taken`)
    this.#mark(number)
    this.#count++
  }

  #mark(number: number): void {
    let at = number
    for (const words of this.#levels) {
      words[at >>> 5] |= 1 << (at & 31)
      at >>>= 5
    }
  }

  #clear(number: number): void {
    let at = number
    for (const words of this.#levels) {
      words[at >>> 5] &= ~(1 << (at & 31))
      if (words[at >>> 5] !== 0) return
      at >>>= 5
    }
  }
}
