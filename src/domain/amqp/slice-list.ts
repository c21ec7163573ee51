/** Bytes that wait for their end: large slices are kept as they are, small ones copied so that they don't pin the chunk they came in. */

/** From this size on a slice is worth keeping a chunk alive for. */
const LARGE_SLICE = 4096
/** A slice may keep alive at most this many times its own size. */
const MOST_PINNED = 4
const FIRST_TAIL = 256
const LARGEST_TAIL = 16 * 1024

/**
 * An ordered list of byte slices which never keeps more than a small multiple of its own length in memory,
 * however small the pieces come.
 */
export class SliceList {
  #length = 0
  readonly #slices: Uint8Array[] = []
  #tail: Uint8Array | undefined
  #tailUsed = 0

  /** Bytes in the list. */
  get length(): number {
    return this.#length
  }

  /** Adds `bytes[start, end)`; what is large stays shared with `bytes`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (size <= 0) return
    this.#length += size
    if (size >= LARGE_SLICE && size * MOST_PINNED >= bytes.length) {
      this.#sealTail()
      this.#slices.push(bytes.subarray(start, end))
    } else {
      this.#copy(bytes, start, end)
    }
  }

  /** All slices, in order. The list must not be used afterwards. */
  take(): Uint8Array[] {
    this.#sealTail()
    return this.#slices
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    while (from < end) {
      if (this.#tail === undefined) {
        const wanted = Math.min(LARGEST_TAIL, Math.max(FIRST_TAIL, this.#length - (end - from)))
        this.#tail = new Uint8Array(Math.max(wanted, Math.min(end - from, LARGEST_TAIL)))
        this.#tailUsed = 0
      }
      const room = Math.min(this.#tail.length - this.#tailUsed, end - from)
      this.#tail.set(bytes.subarray(from, from + room), this.#tailUsed)
      this.#tailUsed += room
      from += room
      if (this.#tailUsed === this.#tail.length) this.#sealTail()
    }
  }

  #sealTail(): void {
    if (this.#tail === undefined) return
    if (this.#tailUsed > 0) this.#slices.push(this.#tail.subarray(0, this.#tailUsed))
    this.#tail = undefined
  }
}

/** One array with the bytes of all `slices`. */
export function joinSlices(slices: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const slice of slices) length += slice.length
  const joined = new Uint8Array(length)
  let at = 0
  for (const slice of slices) {
    joined.set(slice, at)
    at += slice.length
  }
  return joined
}
