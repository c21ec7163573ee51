/** What every Journal promises, held against the one in files and the tests' own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { FileJournal, type FileJournalOptions } from '../../src/adapters/journal/file-journal.js'
import {
  type Journal,
  JournalError,
  JournalFull,
  type JournalRecord,
} from '../../src/application/ports/journal.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeJournal, FakeJournalDisk } from '../support/fake-journal.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { RecordingLogger } from '../support/recording-logger.js'

interface Subject {
  /** Opens the journal, as each run of the program does. */
  open(): Journal
  fillDisk(): void
  emptyDisk(): void
  dispose(): void
}

function fileSubject(options: Omit<FileJournalOptions, 'directory'>): () => Subject {
  return () => {
    const parent = mkdtempSync(join(tmpdir(), 'warren-journal-'))
    const disk = new FaultyFileSystem()
    const needs = { clock: new FakeClock(), logger: new RecordingLogger(), fs: disk.fs }
    return {
      open: () => FileJournal.open({ ...options, directory: join(parent, 'journal') }, needs),
      fillDisk: () => (disk.room = 20),
      emptyDisk: () => (disk.room = Infinity),
      dispose: () => rmSync(parent, { recursive: true }),
    }
  }
}

function fakeSubject(): Subject {
  const disk = new FakeJournalDisk()
  return {
    open: () => new FakeJournal(disk),
    fillDisk: () => (disk.isFull = true),
    emptyDisk: () => (disk.isFull = false),
    dispose: () => undefined,
  }
}

const POOL = { user: 'guest', virtualHost: '/' }
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const texts = (records: readonly JournalRecord[]): string[] =>
  records.map((record) => Buffer.from(record.bytes).toString())

for (const [name, create] of Object.entries({
  FileJournal: fileSubject({ sync: 'always' }),
  'FileJournal with small segments': fileSubject({ sync: 'never', segmentBytes: 300 }),
  'FileJournal with a segment for each record': fileSubject({ sync: { everyMs: 100 }, segmentBytes: 1 }),
  FakeJournal: fakeSubject,
})) {
  describe(`Journal: ${name}`, () => {
    let subject: Subject
    let journal: Journal

    beforeEach(() => {
      subject = create()
      journal = subject.open()
    })

    afterEach(() => {
      journal.close()
      subject.dispose()
    })

    /** Ends this run and begins the next. */
    const restart = (): readonly JournalRecord[] => {
      journal.close()
      journal = subject.open()
      return journal.recover()
    }
    const keep = (text: string): number => journal.append(POOL, bytes(text), undefined)

    it('has nothing to recover at first', () => {
      expect(journal.recover()).to.deep.equal([])
    })

    it('gives the next run what was kept, in order', () => {
      const pools = [POOL, { user: 'Zoë', virtualHost: 'Tôt 日本' }, { user: '', virtualHost: '' }]
      const records = [bytes('one'), new Uint8Array(0), Uint8Array.from({ length: 1000 }, (_, at) => at)].map(
        (bytes, i) => ({ pool: pools[i], bytes, expiresAtEpochMs: [undefined, 1_790_000_000_123, 0][i] }),
      )
      const expected = records.map(({ pool, bytes, expiresAtEpochMs }) => ({
        id: journal.append(pool, bytes, expiresAtEpochMs),
        pool,
        expiresAtEpochMs,
        bytes,
        aside: undefined,
      }))
      expect(restart()).to.deep.equal(expected)
    })

    it('gives the next run what was noted of a message that was set aside', () => {
      const aside = {
        reason: "404 NOT_FOUND - no exchange 'gone'",
        refusedAt: 1_790_000_000_123,
        wasTold: true,
      }
      const id = journal.append(POOL, bytes('one'), undefined, aside)
      keep('two')
      expect(restart().map((record) => [record.id, record.aside])).to.deep.equal([
        [id, aside],
        [id + 1, undefined],
      ])
    })

    it('can be asked at any time to make sure of what was appended', () => {
      journal.commit()
      keep('one')
      journal.commit()
      journal.commit()
      keep('two')
      expect(texts(restart())).to.deep.equal(['one', 'two'])
    })

    it('gives it to every later run, as long as it is not removed', () => {
      keep('one')
      for (let run = 0; run < 3; run++) expect(texts(restart())).to.deep.equal(['one'])
    })

    it('recovers only what an earlier run has kept', () => {
      keep('one')
      expect(journal.recover()).to.deep.equal([])
      restart()
      keep('two')
      expect(texts(journal.recover())).to.deep.equal(['one'])
      expect(texts(restart())).to.deep.equal(['one', 'two'])
    })

    it('forgets what was removed', () => {
      const ids = ['one', 'two', 'three'].map(keep)
      journal.remove(ids[1])
      expect(texts(restart())).to.deep.equal(['one', 'three'])
    })

    it('forgets what a later run removes', () => {
      const ids = ['one', 'two', 'three'].map(keep)
      restart()
      journal.remove(ids[0])
      expect(texts(journal.recover())).to.deep.equal(['two', 'three'])
      expect(texts(restart())).to.deep.equal(['two', 'three'])
    })

    it('takes no notice of the removal of what it does not have', () => {
      const id = keep('one')
      journal.remove(id + 1)
      journal.remove(0)
      const next = keep('two')
      expect(next).to.equal(id + 1)
      journal.remove(id)
      journal.remove(id)
      expect(texts(restart())).to.deep.equal(['two'])
    })

    it('gives ids from 1 that rise, also over runs', () => {
      const ids = [keep('one'), keep('two')]
      restart()
      ids.push(keep('three'))
      expect(ids).to.deep.equal([1, 2, 3])
    })

    it('gives no id of a kept message again, when later ones are removed', () => {
      keep('one')
      journal.remove(keep('two'))
      restart()
      expect(keep('three')).to.be.greaterThan(1)
      expect(texts(restart())).to.deep.equal(['one', 'three'])
    })

    it('leaves the bytes to their owners', () => {
      const mine = bytes('one')
      journal.append(POOL, mine, undefined)
      mine.fill(0)
      const [record] = restart()
      record.bytes.fill(0)
      expect(texts(journal.recover())).to.deep.equal(['one'])
    })

    it('refuses a message that there is no room for, keeps the others, and goes on when there is room', () => {
      keep('one')
      subject.fillDisk()
      expect(() => keep('x'.repeat(500))).to.throw(JournalFull, /can't keep a message.*no space left/)
      expect(() => keep('y'.repeat(500))).to.throw(JournalFull)
      subject.emptyDisk()
      keep('two')
      expect(texts(restart())).to.deep.equal(['one', 'two'])
    })

    it('removes without room, too', () => {
      const ids = ['one', 'two', 'three'].map(keep)
      subject.fillDisk()
      expect(() => keep('x'.repeat(500))).to.throw(JournalFull)
      journal.remove(ids[0])
      journal.remove(ids[1])
      subject.emptyDisk()
      expect(texts(restart())).to.deep.equal(['three'])
    })

    it('can be used by one at a time', () => {
      expect(() => subject.open()).to.throw(JournalError, /in use/)
      keep('one')
      expect(texts(restart())).to.deep.equal(['one'])
    })

    it('can be closed twice, and is of no use then', () => {
      const id = keep('one')
      journal.close()
      journal.close()
      expect(() => keep('two')).to.throw(JournalError, /closed/)
      journal.remove(id)
      journal = subject.open()
      expect(texts(journal.recover())).to.deep.equal(['one'])
    })
  })

  describe(`Journal: ${name}, whatever is kept and removed over several runs`, () => {
    it('has what a list would have', () => {
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.record({ keep: fc.nat(120) }) },
        { weight: 5, arbitrary: fc.record({ remove: fc.nat() }) },
        { weight: 1, arbitrary: fc.record({ isFull: fc.boolean() }) },
        { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
      )
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
          const subject = create()
          let journal = subject.open()
          const kept = new Map<number, Uint8Array>()
          const restart = (): void => {
            subject.emptyDisk()
            journal.close()
            journal = subject.open()
            const recovered = journal.recover().map(({ id, bytes }) => [id, bytes] as const)
            expect(recovered).to.deep.equal([...kept])
          }
          try {
            for (const step of steps) {
              if ('keep' in step) {
                const bytes = new Uint8Array(step.keep).fill(step.keep)
                try {
                  kept.set(journal.append(POOL, bytes, undefined), bytes)
                } catch (error) {
                  expect(error).to.be.instanceOf(JournalFull)
                }
              } else if ('remove' in step) {
                const id = [...kept.keys()][step.remove % Math.max(1, kept.size)]
                if (id === undefined) continue
                journal.remove(id)
                kept.delete(id)
              } else if ('isFull' in step) {
                if (step.isFull) subject.fillDisk()
                else subject.emptyDisk()
              } else {
                restart()
              }
            }
            restart()
          } finally {
            journal.close()
            subject.dispose()
          }
        }),
        { numRuns: 50 },
      )
    })
  })
}
