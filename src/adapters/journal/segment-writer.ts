/** The segment of the journal that is being written. */
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { type FileSystem, syncDirectory } from './file-system.js'
import { MARKER_SIZE, encodeHeader } from './segment-format.js'

/** The segment that records are added to. */
export class SegmentWriter {
  readonly #fs: FileSystem
  readonly #descriptor: number
  /** What begins each of its records. */
  readonly marker: Uint8Array
  #size = 0
  #isSynced = true
  #syncError: Error | undefined
  #isSound = true

  private constructor(fs: FileSystem, descriptor: number) {
    this.#fs = fs
    this.#descriptor = descriptor
    this.marker = randomBytes(MARKER_SIZE)
  }

  /** Makes a new file. Throws what the file system throws, and then there's none. */
  static create(fs: FileSystem, path: string, isSynced: boolean): SegmentWriter {
    const writer = new SegmentWriter(fs, fs.openSync(path, 'wx', 0o600))
    try {
      writer.append(encodeHeader(writer.marker))
      if (isSynced) syncDirectory(fs, dirname(path))
    } catch (error) {
      fs.closeSync(writer.#descriptor)
      fs.unlinkSync(path)
      throw error
    }
    return writer
  }

  /** Bytes of the file, as far as they are good. */
  get size(): number {
    return this.#size
  }

  /** False once it can't be known what the disk holds of it: then go on with another. */
  get isSound(): boolean {
    return this.#isSound
  }

  /** Adds a record and returns where it begins; throws what the file system throws, and then it isn't there. */
  append(record: Uint8Array): number {
    const offset = this.#size
    try {
      for (let done = 0; done < record.length;)
        done += this.#fs.writeSync(this.#descriptor, record, done, record.length - done, offset + done)
    } catch (error) {
      this.#cutBack(offset)
      throw error
    }
    this.#size += record.length
    this.#isSynced = false
    return offset
  }

  /** Takes back what lies behind `size`. */
  #cutBack(size: number): void {
    this.#size = size
    try {
      this.#fs.ftruncateSync(this.#descriptor, size)
    } catch {
      this.#isSound = false
    }
  }

  /** Waits until the disk has it all. Throws what the file system throws; then nobody can say what the disk has, and another attempt would say nothing true. */
  sync(): void {
    if (this.#syncError !== undefined) throw this.#syncError
    if (this.#isSynced) return
    try {
      // Bytes of a file without a name are synced, too, and gone with the process.
      if (!this.hasName()) throw new Error('somebody has deleted the file')
      this.#fs.fsyncSync(this.#descriptor)
    } catch (error) {
      this.#isSound = false
      this.#syncError = error as Error
      throw error
    }
    this.#isSynced = true
  }

  /** Whether the file is still to be found in a directory; once it isn't, go on with another. */
  hasName(): boolean {
    const hasName = this.#fs.fstatSync(this.#descriptor).nlink > 0
    if (!hasName) this.#isSound = false
    return hasName
  }

  close(): void {
    this.#fs.closeSync(this.#descriptor)
  }
}
