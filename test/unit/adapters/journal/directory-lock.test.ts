import * as fs from 'node:fs'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { DirectoryLock } from '../../../../src/adapters/journal/directory-lock.js'
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

  const take = (fileSystem: FileSystem = fs): DirectoryLock => DirectoryLock.take(fileSystem, directory)
  const names = (): string[] => readdirSync(directory)
  const leave = (holder: object): void => writeFileSync(path, JSON.stringify(holder))
  const held = (): { pid: number; host: string; started: string } => {
    return JSON.parse(readFileSync(path, 'utf8')) as ReturnType<typeof held>
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

  it('is taken over from a process that is gone', () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    leave({ pid, host: hostname(), started: 'earlier' })
    take()
    expect(held().pid).to.equal(process.pid)
    expect(names()).to.deep.equal(['lock'])
  })

  it('is taken over from an earlier process with the same number, as in a container that was started again', function () {
    if (!fs.existsSync('/proc/self/stat')) this.skip()
    take()
    leave({ ...held(), started: 'another boot/1' })
    take()
    expect(held().started).not.to.equal('another boot/1')
  })

  it('stands while its holder is on another host, where nobody can look, and says what to do', () => {
    leave({ pid: 1, host: 'elsewhere.example', started: '' })
    expect(() => take()).to.throw(
      JournalError,
      `in use by process 1 on elsewhere.example; give each Warren a directory of its own, or remove ${path} if`,
    )
  })

  it('stands when it cannot be understood', () => {
    for (const text of ['', 'null', '{}', '{"pid":-1,"host":"x"}']) {
      writeFileSync(path, text)
      expect(() => take(), text).to.throw(JournalError, 'in use by another process')
      expect(readFileSync(path, 'utf8')).to.equal(text)
    }
  })

  it('is not taken from one who took it over a moment earlier', () => {
    leave({ pid: 2 ** 30, host: hostname(), started: '' })
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
