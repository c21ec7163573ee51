/** Publisher confirms as the broker numbers them: from 1 on each channel, one by one or all up to a number, in any order. */
import { Deque } from './deque.js'

/** What was sent on one channel and isn't settled yet. Nothing is kept of what has left. */
export class ConfirmWindow<T extends object> {
  /** From the oldest that is open on; a gap is one that has left before its elders. */
  readonly #entries = new Deque<T | undefined>()
  #firstTag = 1
  #count = 0

  /** How many aren't settled. */
  get count(): number {
    return this.#count
  }

  /** Takes the next to be sent; returns its tag. */
  add(entry: T): number {
    this.#entries.pushBack(entry)
    this.#count++
    return this.#firstTag + this.#entries.length - 1
  }

  /**
   * Takes out the entry with this tag, or all up to it, and returns them in order. A tag that was never given
   * settles nothing: better sent twice than lost.
   */
  settle(tag: number, multiple: boolean): T[] {
    if (!multiple) {
      const entry = this.take(tag)
      return entry === undefined ? [] : [entry]
    }
    const count = tag - this.#firstTag + 1
    if (!(count <= this.#entries.length)) return []
    const settled: T[] = []
    for (let i = 0; i < count; i++) this.#dropFirst(settled)
    this.#closeGaps()
    return settled
  }

  /** Takes out the entry with this tag, if it's there. */
  take(tag: number): T | undefined {
    const index = tag - this.#firstTag
    const entry = this.#entries.get(index)
    if (entry === undefined) return undefined
    this.#entries.set(index, undefined)
    this.#count--
    this.#closeGaps()
    return entry
  }

  /** Takes out all, in order; the numbering goes on. */
  takeAll(): { readonly tag: number; readonly entry: T }[] {
    const all: { tag: number; entry: T }[] = []
    for (; this.#entries.length > 0; this.#firstTag++) {
      const entry = this.#entries.popFront()
      if (entry !== undefined) all.push({ tag: this.#firstTag, entry })
    }
    this.#count = 0
    return all
  }

  #dropFirst(settled: T[]): void {
    const entry = this.#entries.popFront()
    this.#firstTag++
    if (entry === undefined) return
    this.#count--
    settled.push(entry)
  }

  #closeGaps(): void {
    while (this.#entries.length > 0 && this.#entries.get(0) === undefined) {
      this.#entries.popFront()
      this.#firstTag++
    }
  }
}
