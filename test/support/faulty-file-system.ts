/** A real file system of which single calls can be made to fail. */
import * as fs from 'node:fs'
import type { FileSystem } from '../../src/adapters/journal/file-system.js'

function failure(code: string, call: string): Error {
  const text = code === 'ENOSPC' ? 'no space left on device' : 'it was told to fail'
  return Object.assign(new Error(`${code}: ${text}, ${call}`), { code })
}

/** Passes all calls on, and remembers some. */
export class FaultyFileSystem {
  /** Bytes that can still be written. */
  room = Infinity
  /** Calls that fail, with the system's code. */
  readonly failing = new Map<keyof FileSystem, string>()
  /** What was synced and unlinked, in order. */
  readonly calls: string[] = []

  /** How often files or directories were synced. */
  get syncs(): number {
    return this.calls.filter((call) => call === 'fsyncSync').length
  }

  readonly fs: FileSystem = {
    ...fs,
    fsyncSync: (descriptor) => {
      this.#note('fsyncSync')
      fs.fsyncSync(descriptor)
    },
    unlinkSync: (path) => {
      this.#note('unlinkSync')
      fs.unlinkSync(path)
    },
    ftruncateSync: (descriptor, size) => {
      this.#note('ftruncateSync')
      fs.ftruncateSync(descriptor, size)
    },
    // As a disk does: what there's room for is written, then it fails.
    writeSync: (descriptor: number, ...args: unknown[]) => {
      this.#note('writeSync')
      const [bytes, from, size, position] = args as [Uint8Array, number, number, number]
      const possible = Math.min(this.room, size)
      if (possible === 0 && size > 0) throw failure('ENOSPC', 'write')
      this.room -= possible
      return fs.writeSync(descriptor, bytes, from, possible, position)
    },
  }

  #note(call: keyof FileSystem): void {
    this.calls.push(call)
    const code = this.failing.get(call)
    if (code !== undefined) throw failure(code, call)
  }
}
