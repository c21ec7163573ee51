/** A list with two ends, for many entries: none of its operations moves the others. */

const LEAST_CAPACITY = 16

/** A ring of slots that doubles when it's full and halves when three quarters are empty, so that memory follows the length. */
export class Deque<T> {
  #slots: (T | undefined)[] = new Array<T | undefined>(LEAST_CAPACITY)
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The entry at `index`, counted from the front; undefined outside of the list. */
  get(index: number): T | undefined {
    return index >= 0 && index < this.#length ? this.#slots[this.#slot(index)] : undefined
  }

  /** Replaces the entry at `index`, which must be there. */
  set(index: number, value: T): void {
    if (index < 0 || index >= this.#length) throw new RangeError(`no entry ${index} among ${this.#length}`)
    this.#slots[this.#slot(index)] = value
  }

  pushBack(value: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#length * 2)
    this.#slots[this.#slot(this.#length++)] = value
  }

  pushFront(value: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#length * 2)
    this.#first = this.#slot(this.#slots.length - 1)
    this.#slots[this.#first] = value
    this.#length++
  }

  /** Takes the first entry out; undefined when there is none. */
  popFront(): T | undefined {
    if (this.#length === 0) return undefined
    const value = this.#slots[this.#first]
    this.#slots[this.#first] = undefined
    this.#first = this.#slot(1)
    this.#length--
    const capacity = this.#slots.length
    if (capacity > LEAST_CAPACITY && this.#length * 4 <= capacity) this.#resize(capacity / 2)
    return value
  }

  /** Capacities are powers of two. */
  #slot(index: number): number {
    return (this.#first + index) & (this.#slots.length - 1)
  }

  #resize(capacity: number): void {
    const slots = new Array<T | undefined>(capacity)
    for (let i = 0; i < this.#length; i++) slots[i] = this.#slots[this.#slot(i)]
    this.#slots = slots
    this.#first = 0
  }
}
