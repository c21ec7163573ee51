import * as fs from 'node:fs'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { DirectoryInUse, DirectoryLock, LEASE_MS } from '../../../../src/adapters/journal/directory-lock.js'
import type { FileSystem } from '../../../../src/adapters/journal/file-system.js'
import { JournalError } from '../../../../src/application/ports/journal.js'

describe('DirectoryLock', () => {
  let directory: string
  let path: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'warren-lock-'))
    path = join(directory, 'lock')
  })

  afterEach(() => rmSync(directory, { recursive: true }))

  let now: number

  beforeEach(() => {
    now = Date.now()
  })

  const take = (fileSystem: FileSystem = fs, staleBeat?: string): DirectoryLock =>
    DirectoryLock.take(fileSystem, directory, () => now, staleBeat)
  const names = (): string[] => readdirSync(directory)
  const leave = (holder: object): void => writeFileSync(path, JSON.stringify(holder))
  const held = (): { pid: number; host: string; started: string; space: string } => {
    return JSON.parse(readFileSync(path, 'utf8')) as ReturnType<typeof held>
  }
  /** What a process of this kind would have left, which is this one but for what is given. */
  const like = (different: Partial<ReturnType<typeof held>>): object => {
    const lock = take()
    const holder = { ...held(), ...different }
    lock.release()
    return holder
  }
  /** How the lock looks to one who can't take it. */
  const beat = (): string | undefined => {
    try {
      take().release()
    } catch (error) {
      return (error as DirectoryInUse).beat
    }
    throw new Error('it could be taken')
  }

  it('names its holder, and nothing is left of it after its release', () => {
    const lock = take()
    expect(names()).to.deep.equal(['lock'])
    expect([held().pid, held().host]).to.deep.equal([process.pid, hostname()])
    lock.release()
    lock.release()
    expect(names()).to.deep.equal([])
  })

  it('keeps others out, and tells them who holds it', () => {
    take()
    expect(() => take()).to.throw(JournalError, `in use by process ${process.pid} on ${hostname()}`)
    expect(names()).to.deep.equal(['lock'])
  })

  it('is taken over at once from a process that is seen to be gone', () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    leave(like({ pid, started: earlier() }))
    take()
    expect(held().pid).to.equal(process.pid)
    expect(names()).to.deep.equal(['lock'])
  })

  it('is taken over at once from an earlier process with the same number', function () {
    if (bootId() === '') this.skip()
    leave(like({ started: earlier() }))
    take()
    expect(held().started).not.to.equal(`${bootId()}/1`)
  })

  describe('on a full disk', () => {
    const full: FileSystem = {
      ...fs,
      writeFileSync: (at) => {
        fs.writeFileSync(at, '')
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      },
    }

    it('is taken over from a process that is gone, in the room of its lock', () => {
      leave({ ...like({ started: earlier() }), more: 'than there is to write'.repeat(10) })
      take(full).release()
      expect(names()).to.deep.equal([])
      leave(like({ started: earlier() }))
      take(full)
      expect(() => take()).to.throw(JournalError, `in use by process ${process.pid} on ${hostname()}`)
      expect(names()).to.deep.equal(['lock'])
    })

    it('is not taken over from one that lives', () => {
      take()
      expect(() => take(full)).to.throw(DirectoryInUse)
      expect(names()).to.deep.equal(['lock'])
    })

    it('cannot be had without one, and leaves nothing behind', () => {
      expect(() => take(full)).to.throw('ENOSPC')
      expect(names()).to.deep.equal([])
    })
  })

  it('stands while its holder lives, however long it has not been renewed', function () {
    if (bootId() === '') this.skip()
    take()
    now += 10 * LEASE_MS
    expect(beat()).to.equal(undefined)
  })

  for (const [what, different] of [
    ['another container of this machine', { host: 'b3f1c0ffee12', space: 'pid:[1]', pid: 1 }],
    ['another machine', { host: 'elsewhere.example', started: 'another boot/1', pid: 1 }],
    ['a system that tells nothing', { host: 'elsewhere.example', started: '', space: '' }],
  ] as const) {
    it(`stands at first when its holder is on ${what}, and says what to do`, () => {
      leave(like(different))
      expect(() => take()).to.throw(
        DirectoryInUse,
        new RegExp(
          `in use by process \\d+ on ${different.host}; .*, or remove ${path} if that process is gone`,
        ),
      )
      expect(beat()).not.to.equal(undefined)
      expect(names()).to.deep.equal(['lock'])
    })

    it(`is taken over from a holder on ${what} that has not renewed it`, () => {
      leave(like(different))
      const seen = beat()
      take(fs, seen)
      expect(held().pid).to.equal(process.pid)
    })

    it(`stands when a holder on ${what} has renewed it meanwhile`, () => {
      leave(like(different))
      const seen = beat()
      fs.utimesSync(path, now / 1000 + 5, now / 1000 + 5)
      expect(() => take(fs, seen)).to.throw(DirectoryInUse)
      expect(beat()).not.to.be.oneOf([undefined, seen])
    })
  }

  it('is taken over at once when another container of this machine has not renewed it for long: they have one clock', function () {
    if (bootId() === '') this.skip()
    leave(like({ host: 'b3f1c0ffee12', space: 'pid:[1]' }))
    now += LEASE_MS - 1000
    expect(() => take()).to.throw(DirectoryInUse)
    now += 2000
    take()
    expect(held().pid).to.equal(process.pid)
  })

  it('stands when it cannot be understood, and is taken over when it is not renewed', () => {
    for (const text of ['', 'null', '{}', '{"pid":-1,"host":"x"}']) {
      writeFileSync(path, text)
      expect(() => take(), text).to.throw(JournalError, 'in use by another process')
      expect(readFileSync(path, 'utf8')).to.equal(text)
      take(fs, beat()).release()
    }
  })

  it('is renewed by its holder, so that others see that it is there', () => {
    const lock = take()
    const before = fs.statSync(path).mtimeMs
    now += 5000
    expect(lock.renew()).to.equal(true)
    expect(fs.statSync(path).mtimeMs - before).to.be.closeTo(5000, 2)
  })

  it('is lost when another has taken it over in a long pause, who keeps it', () => {
    const lock = take()
    expect(lock.check()).to.equal(true)
    const other = JSON.stringify({ ...held(), host: 'elsewhere.example' })
    writeFileSync(path, other)
    // Nobody looks at the disk for each message.
    expect(lock.check()).to.equal(true)
    now += LEASE_MS
    expect([lock.check(), lock.check(), lock.renew()]).to.deep.equal([false, false, false])
    lock.release()
    expect(readFileSync(path, 'utf8')).to.equal(other)
  })

  it('is there again when somebody has removed the file of a holder that lives', () => {
    const lock = take()
    fs.unlinkSync(path)
    expect(lock.renew()).to.equal(true)
    expect(held().pid).to.equal(process.pid)
  })

  it('is not taken from one who took it over a moment earlier', () => {
    leave(like({ pid: 2 ** 22 + 1, started: earlier() }))
    const other = JSON.stringify({ pid: process.pid, host: hostname(), started: '' })
    const rival: FileSystem = {
      ...fs,
      renameSync: (from, to) => {
        writeFileSync(path, other)
        fs.renameSync(from, to)
      },
    }
    expect(() => take(rival)).to.throw(JournalError, 'in use by another process')
    expect(readFileSync(path, 'utf8')).to.equal(other)
    expect(names()).to.deep.equal(['lock'])
  })

  it('is free for the taking when its holder leaves meanwhile', () => {
    const first = take()
    let isFirst = true
    const slow: FileSystem = {
      ...fs,
      linkSync: (from, to) => {
        try {
          fs.linkSync(from, to)
        } finally {
          if (isFirst) first.release()
          isFirst = false
        }
      },
    }
    take(slow)
    expect(held().pid).to.equal(process.pid)
  })
})

/** When a process began that had the same number before; empty where the system doesn't say. */
function earlier(): string {
  return bootId() === '' ? '' : `${bootId()}/1`
}

/** Which boot of the machine this is; empty where the system doesn't say. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
