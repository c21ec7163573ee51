/** Counts which delivery tags are settled when acks come singly, in any order, or for all up to a tag. */
export class TagWindow {
  private readonly mask: number
  private readonly settled: Uint8Array
  /** Everything up to this tag is settled. */
  private low = 0

  /** `size`: the most tags that are ever open at once. */
  constructor(size: number) {
    const slots = 2 ** Math.ceil(Math.log2(size + 1))
    this.mask = slots - 1
    this.settled = new Uint8Array(slots)
  }

  /** Returns how many tags this ack settled that weren't before. */
  settle(tag: number, multiple: boolean): number {
    if (tag <= this.low) return 0
    if (multiple) return this.settleAllUpTo(tag)
    if (tag > this.low + 1) {
      if (this.settled[tag & this.mask] === 1) return 0
      this.settled[tag & this.mask] = 1
      return 1
    }
    this.low = tag
    while (this.settled[(this.low + 1) & this.mask] === 1) {
      this.low++
      this.settled[this.low & this.mask] = 0
    }
    return 1
  }

  private settleAllUpTo(tag: number): number {
    let count = 0
    while (this.low < tag) {
      this.low++
      count += 1 - this.settled[this.low & this.mask]
      this.settled[this.low & this.mask] = 0
    }
    while (this.settled[(this.low + 1) & this.mask] === 1) {
      this.low++
      this.settled[this.low & this.mask] = 0
    }
    return count
  }
}
