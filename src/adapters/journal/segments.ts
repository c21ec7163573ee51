/** Which records of a journal are needed, and in which files they lie. */

/** Where a record lies in its segment. */
export interface Place {
  readonly offset: number
  readonly size: number
}

/** One file of the journal. */
export interface Segment {
  readonly number: number
  readonly path: string
  size: number
  /** The messages in it that are needed. */
  readonly live: Map<number, Place>
}

/** The segments of a journal, from the oldest to the one that is written. */
export class Segments {
  readonly #all: Segment[] = []
  readonly #home = new Map<number, Segment>()
  #bytes = 0
  #liveBytes = 0

  get all(): readonly Segment[] {
    return this.#all
  }

  get oldest(): Segment | undefined {
    return this.#all[0]
  }

  get newest(): Segment | undefined {
    return this.#all.at(-1)
  }

  /** Bytes of messages that are needed. */
  get liveBytes(): number {
    return this.#liveBytes
  }

  /** Bytes that are there for nothing. */
  get idleBytes(): number {
    return this.#bytes - this.#liveBytes
  }

  add(number: number, path: string, size: number): Segment {
    const segment = { number, path, size, live: new Map<number, Place>() }
    this.#all.push(segment)
    this.#bytes += size
    return segment
  }

  /** The newest has become larger. */
  grow(size: number): void {
    const segment = this.#all[this.#all.length - 1]
    this.#bytes += size - segment.size
    segment.size = size
  }

  /** A message lies here; if it has lain elsewhere too, that is a copy to forget. */
  keep(id: number, segment: Segment, place: Place): void {
    this.release(id)
    segment.live.set(id, place)
    this.#home.set(id, segment)
    this.#liveBytes += place.size
  }

  /** A message isn't needed any more; false when it wasn't before. */
  release(id: number): boolean {
    const segment = this.#home.get(id)
    if (segment === undefined) return false
    this.#home.delete(id)
    this.#liveBytes -= segment.live.get(id)!.size
    segment.live.delete(id)
    return true
  }

  /** The file of the oldest is gone. */
  dropOldest(): void {
    this.#bytes -= this.#all.shift()?.size ?? 0
  }
}
