import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import * as nodeFs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { FileJournal, type FileJournalOptions } from '../../../../src/adapters/journal/file-journal.js'
import type { FileSystem } from '../../../../src/adapters/journal/file-system.js'
import { JournalError, JournalFull } from '../../../../src/application/ports/journal.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { FakeClock } from '../../../support/fake-clock.js'
import { FaultyFileSystem } from '../../../support/faulty-file-system.js'
import { RecordingLogger } from '../../../support/recording-logger.js'

const POOL = { user: 'guest', virtualHost: '/' }

describe('FileJournal', () => {
  let parent: string
  let directory: string
  let disk: FaultyFileSystem
  let clock: FakeClock
  let logger: RecordingLogger
  let journals: FileJournal[]

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'warren-journal-'))
    directory = join(parent, 'some', 'journal')
    disk = new FaultyFileSystem()
    clock = new FakeClock()
    logger = new RecordingLogger()
    journals = []
  })

  afterEach(() => {
    disk.room = Infinity
    disk.failing.clear()
    for (const journal of journals) journal.close()
    rmSync(parent, { recursive: true })
  })

  const open = (options: Partial<FileJournalOptions> = {}): FileJournal => {
    const journal = FileJournal.open({ directory, sync: 'never', ...options }, { clock, logger, fs: disk.fs })
    journals.push(journal)
    return journal
  }
  const append = (journal: FileJournal, text: string): number =>
    journal.append(POOL, Buffer.from(text), undefined)
  const keep = (journal: FileJournal, text: string): number => {
    const id = append(journal, text)
    journal.commit()
    return id
  }
  const kept = (journal: FileJournal): string[] =>
    journal.recover().map(({ bytes }) => Buffer.from(bytes).toString())
  const segments = (): string[] => readdirSync(directory).filter((name) => name.endsWith('.segment'))
  const path = (name: string): string => join(directory, name)
  const sizeOnDisk = (): number => segments().reduce((sum, name) => sum + statSync(path(name)).size, 0)

  /** What a run that was killed leaves behind: the files, and a lock that nobody holds. */
  const crash = (journal: FileJournal): void => {
    const left = segments().map((name) => [name, readFileSync(path(name))] as const)
    journal.close()
    for (const [name, bytes] of left) writeFileSync(path(name), bytes)
  }

  describe('its files', () => {
    it('are for its own user alone', () => {
      keep(open(), 'secret plans')
      expect(statSync(directory).mode & 0o777).to.equal(0o700)
      for (const name of readdirSync(directory))
        expect(statSync(path(name)).mode & 0o777, name).to.equal(0o600)
      expect(logger.messages('warn')).to.deep.equal([])
    })

    it('cause a warning when others may see them', () => {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      open()
      expect(logger.messages('warn')).to.deep.equal(['others may look into the journal directory'])
    })

    it('are gone when nothing in them is needed any more', () => {
      const journal = open()
      const ids = ['one', 'two'].map((text) => keep(journal, text))
      for (const id of ids) journal.remove(id)
      journal.close()
      expect(readdirSync(directory)).to.deep.equal([])
    })

    it('go one by one, as soon as nothing in them is needed', () => {
      const journal = open({ segmentBytes: 60 })
      const ids = ['one', 'two', 'three', 'four'].map((text) => keep(journal, text))
      expect(segments()).to.have.length(4)
      journal.remove(ids[0])
      expect(segments()).not.to.include('0000000001.segment')
      journal.remove(ids[2])
      expect(segments()).to.include('0000000003.segment')
      journal.remove(ids[1])
      expect(segments()).not.to.include.members(['0000000002.segment', '0000000003.segment'])
    })

    it('let other files in the directory alone', () => {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      writeFileSync(path('notes.txt'), 'mine')
      const journal = open()
      journal.remove(keep(journal, 'one'))
      journal.close()
      expect(readdirSync(directory)).to.deep.equal(['notes.txt'])
    })

    it('take little more than twice the room of what is needed, with old messages that stay', () => {
      const journal = open({ segmentBytes: 2000 })
      const old = Array.from({ length: 5 }, (_, i) => keep(journal, `old ${i}`))
      for (let i = 0; i < 500; i++) journal.remove(keep(journal, 'x'.repeat(200)))
      expect(sizeOnDisk()).to.be.lessThan(3 * 2000)
      journal.remove(old[2])
      crash(journal)
      expect(kept(open())).to.deep.equal(['old 0', 'old 1', 'old 3', 'old 4'])
    })

    it('keep their order when old messages are moved', () => {
      const journal = open({ segmentBytes: 500 })
      const texts: string[] = []
      for (let i = 0; i < 200; i++) {
        const text = `message ${i}`
        const id = keep(journal, text)
        if (i % 20 === 0) texts.push(text)
        else journal.remove(id)
      }
      crash(journal)
      expect(kept(open())).to.deep.equal(texts)
    })
  })

  describe('after a crash', () => {
    it('has what was kept, wherever the last write was cut off, and cuts off the rest', () => {
      const journal = open()
      keep(journal, 'one')
      const end = sizeOnDisk()
      keep(journal, 'two')
      const whole = sizeOnDisk()
      crash(journal)
      const [name] = segments()
      const bytes = readFileSync(path(name))
      for (let size = whole; size >= end; size--) {
        writeFileSync(path(name), bytes)
        truncateSync(path(name), size)
        logger.lines.length = 0
        const next = open()
        expect(kept(next), `${size} bytes`).to.deep.equal(size === whole ? ['one', 'two'] : ['one'])
        expect(statSync(path(name)).size).to.equal(size === whole ? whole : end)
        const isTorn = size !== whole && size !== end
        expect(logger.lines.map(({ level, fields }) => [level, fields])).to.deep.equal(
          isTorn ? [['warn', { file: path(name), cutBytes: size - end }]] : [],
        )
        next.close()
      }
    })

    it('goes on where it was cut off', () => {
      const journal = open()
      keep(journal, 'one')
      keep(journal, 'two')
      crash(journal)
      truncateSync(path(segments()[0]), sizeOnDisk() - 1)
      const next = open()
      keep(next, 'three')
      crash(next)
      expect(kept(open())).to.deep.equal(['one', 'three'])
    })

    it('begins anew when not even the header was written', () => {
      for (const size of [0, 1, 23]) {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        writeFileSync(path('0000000007.segment'), Buffer.from('WARRENPJ'.repeat(3)).subarray(0, size))
        const journal = open()
        expect(segments()).to.deep.equal([])
        keep(journal, 'one')
        journal.close()
        rmSync(path('0000000001.segment'))
      }
    })

    it('has each message once, when it was stopped between moving a message and deleting the old copy', () => {
      const journal = open({ segmentBytes: 1000 })
      const id = keep(journal, 'old')
      keep(journal, 'older')
      const first = segments()[0]
      disk.failing.set('unlinkSync', 'EIO')
      for (let i = 0; i < 60; i++) journal.remove(keep(journal, 'x'.repeat(50)))
      disk.failing.clear()
      expect(segments()).to.include(first)
      crash(journal)
      const next = open()
      expect(kept(next)).to.deep.equal(['old', 'older'])
      next.remove(id)
      crash(next)
      expect(kept(open())).to.deep.equal(['older'])
    })

    it('skips what is unreadable in the middle, and says how much was lost', () => {
      const journal = open()
      keep(journal, 'one')
      const start = sizeOnDisk()
      keep(journal, 'two')
      const size = sizeOnDisk() - start
      keep(journal, 'three')
      crash(journal)
      const [name] = segments()
      const bytes = readFileSync(path(name))
      bytes[start + size - 1] ^= 1
      writeFileSync(path(name), bytes)
      expect(kept(open())).to.deep.equal(['one', 'three'])
      expect(logger.lines).to.deep.equal([
        {
          level: 'error',
          message: 'a part of the journal is unreadable; the messages in it are lost',
          fields: { file: path(name), lostBytes: size },
        },
      ])
    })
  })

  describe('on a full disk', () => {
    it('keeps nothing of what it refuses, and goes on when there is room again', () => {
      const journal = open()
      keep(journal, 'one')
      const size = sizeOnDisk()
      for (const room of [0, 1, 8, 30]) {
        disk.room = room
        expect(() => keep(journal, 'refused')).to.throw(
          JournalFull,
          `the journal in ${directory} can't keep a message: ENOSPC`,
        )
        expect(sizeOnDisk()).to.equal(size)
      }
      disk.room = Infinity
      keep(journal, 'two')
      crash(journal)
      expect(kept(open())).to.deep.equal(['one', 'two'])
      expect(logger.messages('warn')).to.deep.equal([])
    })

    it('leaves no empty segment behind', () => {
      const journal = open()
      disk.room = 10
      expect(() => keep(journal, 'refused')).to.throw(JournalFull)
      expect(segments()).to.deep.equal([])
    })

    it('goes on in another segment when what was written cannot be taken back', () => {
      const journal = open()
      keep(journal, 'one')
      disk.room = 30
      disk.failing.set('ftruncateSync', 'EIO')
      expect(() => keep(journal, 'refused')).to.throw(JournalFull)
      disk.room = Infinity
      keep(journal, 'two')
      disk.failing.clear()
      expect(segments()).to.have.length(2)
      crash(journal)
      expect(kept(open())).to.deep.equal(['one', 'two'])
    })

    it('still makes room by removals', () => {
      const journal = open({ segmentBytes: 60 })
      const ids = ['one', 'two', 'three'].map((text) => keep(journal, text))
      disk.room = 0
      journal.remove(ids[0])
      journal.remove(ids[1])
      expect(segments()).to.deep.equal(['0000000003.segment'])
      crash(journal)
      disk.room = Infinity
      expect(kept(open())).to.deep.equal(['three'])
    })

    it('writes removals when there is room again', () => {
      const journal = open()
      const ids = Array.from({ length: 200 }, (_, i) => keep(journal, `message ${i}`))
      disk.room = 0
      for (const id of ids.slice(0, 150)) journal.remove(id)
      disk.room = Infinity
      keep(journal, 'last')
      crash(journal)
      expect(kept(open())).to.deep.equal([
        ...Array.from({ length: 50 }, (_, i) => `message ${150 + i}`),
        'last',
      ])
    })

    it('can be opened', () => {
      const journal = open()
      keep(journal, 'one')
      journal.close()
      disk.room = 0
      expect(kept(open())).to.deep.equal(['one'])
    })
  })

  describe('files that somebody deletes', () => {
    const removeSegments = (): void => {
      for (const name of readdirSync(directory)) if (name.endsWith('.segment')) rmSync(join(directory, name))
    }

    it('make what was written to them since refused, and the next message goes to another', () => {
      const journal = open({ sync: 'always' })
      keep(journal, 'one')
      removeSegments()
      append(journal, 'two')
      expect(() => journal.commit()).to.throw(JournalError, 'somebody has deleted the file')
      keep(journal, 'three')
      crash(journal)
      expect(kept(open())).to.deep.equal(['three'])
    })

    for (const sync of ['always', 'never'] as const)
      it(`are told of, once, also where nothing is written (sync ${sync})`, () => {
        const journal = open({ sync })
        keep(journal, 'one')
        keep(journal, 'two')
        clock.advance(60_000)
        expect(logger.messages('error')).to.deep.equal([])
        removeSegments()
        clock.advance(60_000)
        expect(logger.messages('error')).to.deep.equal([
          'somebody has deleted a segment of the journal; its messages are kept in memory alone',
        ])
        keep(journal, 'three')
        crash(journal)
        expect(kept(open())).to.deep.equal(['three'])
      })

    it('are told of when they are those of an earlier run', () => {
      const earlier = open()
      keep(earlier, 'one')
      crash(earlier)
      const journal = open()
      removeSegments()
      clock.advance(10_000)
      expect(logger.messages('error')).to.have.length(1)
      keep(journal, 'two')
      clock.advance(60_000)
      expect(logger.messages('error')).to.have.length(1)
    })
  })

  describe('syncing', () => {
    it('is done before commit returns, when it is always', () => {
      const journal = open({ sync: 'always' })
      keep(journal, 'one')
      for (let i = 0; i < 3; i++) {
        disk.calls.length = 0
        keep(journal, 'another')
        expect(disk.calls).to.deep.equal(['writeSync', 'fsyncSync'])
      }
    })

    it('is done once for everything that was appended', () => {
      const journal = open({ sync: 'always' })
      keep(journal, 'one')
      disk.calls.length = 0
      for (let i = 0; i < 100; i++) append(journal, 'another')
      expect(disk.syncs).to.equal(0)
      journal.commit()
      journal.commit()
      expect(disk.syncs).to.equal(1)
    })

    it('makes all refused that was appended since the last time when it fails', () => {
      const journal = open({ sync: 'always' })
      keep(journal, 'one')
      for (const text of ['two', 'three']) append(journal, text)
      disk.failing.set('fsyncSync', 'EIO')
      expect(() => journal.commit()).to.throw(JournalError, "can't keep messages: EIO")
      disk.failing.clear()
      // Only what was refused is gone.
      journal.commit()
      keep(journal, 'four')
      crash(journal)
      expect(kept(open())).to.deep.equal(['one', 'four'])
    })

    it('makes it refused also when it fails as a segment is full, between appending and commit', () => {
      const journal = open({ sync: 'always', segmentBytes: 60 })
      append(journal, 'one')
      disk.failing.set('fsyncSync', 'EIO')
      expect(() => append(journal, 'two')).to.throw(JournalError)
      disk.failing.clear()
      append(journal, 'three')
      expect(() => journal.commit()).to.throw(JournalError, "can't keep messages: EIO")
      crash(journal)
      expect(kept(open())).to.deep.equal([])
    })

    it('is not done for removals: at worst a message comes back', () => {
      const journal = open({ sync: 'always' })
      const id = keep(journal, 'one')
      disk.calls.length = 0
      journal.remove(id)
      expect(disk.calls).to.deep.equal(['writeSync'])
    })

    it('is done now and then, when there is something to sync', () => {
      const journal = open({ sync: { everyMs: 100 } })
      keep(journal, 'one')
      const before = disk.syncs
      clock.advance(99)
      expect(disk.syncs).to.equal(before)
      clock.advance(1)
      expect(disk.syncs).to.equal(before + 1)
      clock.advance(1000)
      expect(disk.syncs).to.equal(before + 1)
      journal.close()
      expect(clock.pendingTimers).to.equal(0)
    })

    it('is done at the end', () => {
      const journal = open({ sync: { everyMs: 100 } })
      keep(journal, 'one')
      const before = disk.syncs
      journal.close()
      expect(disk.syncs).to.equal(before + 1)
    })

    it('is never done, when it is never', () => {
      const journal = open({ sync: 'never', segmentBytes: 100 })
      for (let i = 0; i < 20; i++) keep(journal, 'x'.repeat(50))
      journal.close()
      expect(disk.syncs).to.equal(0)
    })

    it('makes a message refused when it fails', () => {
      const journal = open({ sync: 'always' })
      keep(journal, 'one')
      disk.failing.set('fsyncSync', 'EIO')
      expect(() => keep(journal, 'refused')).to.throw(JournalError, "can't keep messages: EIO")
      disk.failing.clear()
      keep(journal, 'two')
      crash(journal)
      expect(kept(open())).to.deep.equal(['one', 'two'])
    })

    it('makes a message refused when it fails, even if the record stays where it is', () => {
      const journal = open({ sync: 'always' })
      keep(journal, 'one')
      disk.failing.set('fsyncSync', 'EIO').set('ftruncateSync', 'EIO')
      expect(() => keep(journal, 'refused')).to.throw(JournalError)
      disk.failing.clear()
      keep(journal, 'two')
      crash(journal)
      expect(kept(open())).to.deep.equal(['one', 'two'])
    })

    it('is told about when it fails now and then, and goes on in another segment', () => {
      const journal = open({ sync: { everyMs: 100 } })
      keep(journal, 'one')
      disk.failing.set('fsyncSync', 'EIO')
      clock.advance(100)
      expect(logger.messages('error')).to.deep.equal([
        'the disk may not hold what was written to the journal last',
      ])
      disk.failing.clear()
      keep(journal, 'two')
      expect(segments()).to.have.length(2)
      crash(journal)
      expect(kept(open())).to.deep.equal(['one', 'two'])
    })

    it('loses nothing that was kept, whichever sync fails and takes with it what it should have saved', () => {
      let failures = 0
      for (let nth = 1; ; nth++) {
        const flaky = new FlakyDisk(nth)
        const journal = FileJournal.open(
          { directory, sync: 'always', segmentBytes: 600 },
          { clock, logger, fs: flaky.fs },
        )
        const needed = new Map<number, string>()
        const tryToKeep = (text: string, isNeeded: boolean): void => {
          try {
            const id = keep(journal, text)
            if (isNeeded) needed.set(id, text)
            else journal.remove(id)
          } catch (error) {
            expect(error).to.be.instanceOf(JournalError)
          }
        }
        for (let i = 0; i < 12; i++) tryToKeep(`needed ${i} ${'x'.repeat(150)}`, true)
        for (let i = 0; i < 25; i++) tryToKeep(`passing ${i} ${'x'.repeat(100)}`, false)
        // Some of what was moved goes, so that its old segments would.
        for (const id of [...needed.keys()].filter((id) => id % 3 === 0)) {
          journal.remove(id)
          needed.delete(id)
        }
        for (let i = 0; i < 25; i++) tryToKeep(`passing ${i} ${'x'.repeat(100)}`, false)
        crash(journal)
        const next = open()
        expect(kept(next), `failure of sync ${nth}`).to.include.members([...needed.values()])
        next.close()
        for (const name of segments()) rmSync(path(name))
        if (!flaky.hasFailed) break
        failures++
      }
      expect(failures).to.be.greaterThan(60)
    })

    it('is done for a moved message before its old copy goes', () => {
      const journal = open({ sync: { everyMs: 1000 }, segmentBytes: 1000 })
      keep(journal, 'old')
      const ids = Array.from({ length: 19 }, () => keep(journal, 'x'.repeat(50)))
      for (const id of ids) journal.remove(id)
      disk.calls.length = 0
      while (!disk.calls.includes('unlinkSync')) journal.remove(keep(journal, 'x'.repeat(50)))
      const before = disk.calls.slice(0, disk.calls.indexOf('unlinkSync'))
      expect(before.slice(-2)).to.deep.equal(['writeSync', 'fsyncSync'])
    })
  })

  describe('a lock whose holder cannot be seen', () => {
    const leaveLock = (): void => {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      writeFileSync(path('lock'), JSON.stringify({ pid: 1, host: 'b3f1c0ffee12', started: '', space: '' }))
    }
    const openWhenFree = async (
      meanwhile: (seconds: number) => void = () => undefined,
    ): Promise<FileJournal | Error> => {
      let outcome: FileJournal | Error | undefined
      FileJournal.openWhenFree({ directory, sync: 'never' }, { clock, logger, fs: disk.fs }).then(
        (journal) => (outcome = journal),
        (error: unknown) => (outcome = error as Error),
      )
      for (let seconds = 0; seconds < 60; seconds++) {
        await settle()
        if (outcome !== undefined) break
        meanwhile(seconds)
        clock.advance(1000)
      }
      if (outcome instanceof FileJournal) journals.push(outcome)
      return outcome ?? new Error('nothing happened within a minute')
    }

    it('is waited for, and taken over when it is not renewed: a container that was killed has another name when it comes back', async () => {
      keep(open(), 'one')
      crash(journals[0])
      leaveLock()
      const began = clock.now()
      const journal = await openWhenFree()
      expect(kept(journal as FileJournal)).to.deep.equal(['one'])
      expect(clock.now() - began).to.be.within(15_000, 17_000)
      expect(logger.messages('warn')).to.deep.equal([
        'the journal may be in use: waiting whether its lock is renewed',
      ])
    })

    it('is left to a holder who renews it', async () => {
      leaveLock()
      const began = clock.now()
      const outcome = await openWhenFree((seconds) => {
        if (seconds === 4) nodeFs.utimesSync(path('lock'), 1, 1)
      })
      expect(outcome).to.be.instanceOf(JournalError)
      expect((outcome as Error).message).to.contain('in use by process 1 on b3f1c0ffee12')
      expect(clock.now() - began).to.be.at.most(7000)
    })

    it('is not waited for when there is none', async () => {
      expect(await openWhenFree(() => expect.fail('waited'))).to.be.instanceOf(FileJournal)
    })

    it('is renewed while the journal is open', () => {
      open()
      const beats = new Set<number>()
      for (let i = 0; i < 4; i++) {
        beats.add(statSync(path('lock')).mtimeMs)
        clock.advance(5000)
      }
      expect(beats.size).to.equal(4)
    })

    it('makes who has lost it in a long pause refuse messages, and remove nothing', () => {
      const journal = open()
      const id = keep(journal, 'one')
      keep(journal, 'two')
      writeFileSync(path('lock'), JSON.stringify({ pid: 1, host: 'b3f1c0ffee12', started: '', space: '' }))
      const size = sizeOnDisk()
      clock.advance(20_000)
      expect(() => keep(journal, 'three')).to.throw(
        JournalError,
        'another process has taken the directory over',
      )
      journal.remove(id)
      journal.close()
      expect(sizeOnDisk()).to.equal(size)
      expect(logger.messages('error')).to.deep.equal([
        'another process has taken the journal over: no further messages are kept',
      ])
      expect(readdirSync(directory)).to.include('lock')
    })
  })

  describe('opening', () => {
    it('fails with the reason when the directory cannot be made', () => {
      writeFileSync(join(parent, 'some'), 'a file')
      expect(() => open()).to.throw(JournalError, `the journal in ${directory} can't be opened: E`)
    })

    it('fails when a newer Warren has written there, and leaves all as it was', () => {
      const journal = open()
      keep(journal, 'one')
      crash(journal)
      const [name] = segments()
      const bytes = readFileSync(path(name))
      // A header of version 2, with the checksum that goes with it.
      bytes.set(Buffer.from('57415252454e504a00000002000000000000000053142d9a', 'hex'))
      writeFileSync(path(name), bytes)
      expect(() => open()).to.throw(JournalError, `${path(name)} was written by a newer Warren (version 2)`)
      expect(readFileSync(path(name)).equals(bytes)).to.equal(true)
      expect(readdirSync(directory)).to.deep.equal([name])
    })

    it('lets the next one in after it has failed', () => {
      const journal = open()
      keep(journal, 'one')
      journal.close()
      const readFileSync = disk.fs.readFileSync
      const broken = { ...disk.fs, readFileSync: failingFor('.segment', readFileSync) }
      expect(() => FileJournal.open({ directory, sync: 'never' }, { clock, logger, fs: broken })).to.throw(
        JournalError,
        /0000000001\.segment can't be read: it broke/,
      )
      expect(kept(open())).to.deep.equal(['one'])
    })
  })
})

function failingFor(ending: string, read: typeof readFileSync): typeof readFileSync {
  return ((path: string, ...rest: []) => {
    if (path.endsWith(ending)) throw new Error('it broke')
    return read(path, ...rest)
  }) as typeof readFileSync
}

/** A disk whose `nth` sync of a segment fails; what was written to that file since the last one is lost. */
class FlakyDisk {
  hasFailed = false
  #syncs = 0
  /** By descriptor, what the disk surely has. */
  readonly #safe = new Map<number, number>()
  readonly fs: FileSystem

  constructor(nth: number) {
    this.fs = {
      ...nodeFs,
      openSync: (path, flags, mode) => {
        const descriptor = nodeFs.openSync(path, flags, mode)
        this.#safe.delete(descriptor)
        if (flags === 'wx') this.#safe.set(descriptor, 0)
        return descriptor
      },
      fsyncSync: (descriptor) => {
        const safe = this.#safe.get(descriptor)
        if (safe !== undefined && ++this.#syncs === nth) {
          this.hasFailed = true
          nodeFs.ftruncateSync(descriptor, safe)
          throw new Error('EIO: it was told to fail')
        }
        this.#safe.set(descriptor, nodeFs.fstatSync(descriptor).size)
      },
    }
  }
}
