import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { JournalError } from '../../../../src/application/ports/journal.js'
import { FakeJournal, FakeJournalDisk } from '../../../support/fake-journal.js'
import {
  moveMessages,
  removeEmpty,
  strayJournals,
  workerJournal,
} from '../../../../src/adapters/journal/worker-journals.js'

describe('the journals of workers', () => {
  let directory: string

  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'warren-journals-'))))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  function keep(...at: string[]): void {
    for (const folder of at) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, '0000000001.segment'), '')
    }
  }

  const stray = (workers: number): string[] =>
    strayJournals(directory, workers).map((journal) => journal.directory)

  it('lie where one of so many processes looks for them', () => {
    keep(workerJournal(directory, 1), workerJournal(directory, 3))
    mkdirSync(workerJournal(directory, 9))
    expect(stray(3)).to.deep.equal([])
    expect(stray(2)).to.deep.equal([workerJournal(directory, 3)])
  })

  it('are found when Warren is one process now, and when it was one before', () => {
    keep(directory, workerJournal(directory, 1))
    expect(stray(1)).to.deep.equal([workerJournal(directory, 1)])
    expect(stray(2)).to.deep.equal([directory])
  })

  it('cannot be told in a directory that cannot be read', () => {
    writeFileSync(join(directory, 'file'), '')
    expect(() => strayJournals(join(directory, 'file'), 1)).to.throw(JournalError, "can't be read: ENOTDIR")
  })

  it('need no directory', () => {
    expect(strayJournals(join(directory, 'none'), 2)).to.deep.equal([])
  })

  it('go to a worker that there is, spread over all, or to the one process', () => {
    const homes = (workers: number): [string, string][] =>
      strayJournals(directory, workers).map((stray) => [stray.directory, stray.home])
    const of = (number: number): string => workerJournal(directory, number)
    keep(directory, of(1), of(2), of(3), of(4), of(10), of(0), join(directory, 'worker-01'))
    expect(homes(3)).to.deep.equal([
      [directory, of(1)],
      [of(4), of(1)],
      [of(10), of(1)],
    ])
    expect(homes(2)).to.deep.equal([
      [directory, of(1)],
      [of(3), of(1)],
      [of(4), of(2)],
      [of(10), of(2)],
    ])
    expect(homes(1)).to.deep.equal([1, 2, 3, 4, 10].map((number) => [of(number), directory]))
  })

  it('leave no empty directory behind, and never the one that is configured', () => {
    keep(directory, workerJournal(directory, 7))
    const [own, seventh] = strayJournals(directory, 2)
    removeEmpty(seventh)
    expect(existsSync(seventh.directory)).to.equal(true)
    rmSync(join(seventh.directory, '0000000001.segment'))
    removeEmpty(seventh)
    expect(existsSync(seventh.directory)).to.equal(false)
    rmSync(join(directory, '0000000001.segment'))
    removeEmpty(own)
    expect(existsSync(directory)).to.equal(true)
  })
})

describe('messages that move to another journal', () => {
  const owner = { user: 'u', virtualHost: '/' }
  const note = { reason: '404', refusedAt: 7, wasTold: true }
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
  let disks: { from: FakeJournalDisk; to: FakeJournalDisk }

  beforeEach(() => {
    disks = { from: new FakeJournalDisk(), to: new FakeJournalDisk() }
    fill(disks.to, 'there')
  })

  /** What an earlier run has left. */
  function fill(disk: FakeJournalDisk, ...texts: string[]): void {
    const journal = new FakeJournal(disk)
    for (const text of texts)
      journal.append(
        owner,
        bytes(text),
        text === 'late' ? 99 : undefined,
        text === 'aside' ? note : undefined,
      )
    journal.close()
  }

  function move(): number {
    const [from, to] = [new FakeJournal(disks.from), new FakeJournal(disks.to)]
    try {
      return moveMessages(from, to)
    } finally {
      from.close()
      to.close()
    }
  }

  const texts = (disk: FakeJournalDisk): string[] =>
    [...disk.records.values()].map((record) => new TextDecoder().decode(record.bytes))

  it('stand behind what is there, in order, as they were', () => {
    fill(disks.from, 'one', 'late', 'aside')
    expect(move()).to.equal(3)
    expect(texts(disks.to)).to.deep.equal(['there', 'one', 'late', 'aside'])
    expect(
      [...disks.to.records.values()].map(({ expiresAtEpochMs, aside }) => [expiresAtEpochMs, aside]),
    ).to.deep.equal([
      [undefined, undefined],
      [undefined, undefined],
      [99, undefined],
      [undefined, note],
    ])
    expect(texts(disks.from)).to.deep.equal([])
    expect(move()).to.equal(0)
  })

  it('are in one of the two at any time, also when the other takes no more', () => {
    const many = Array.from({ length: 1300 }, (_, at) => `message ${at}`)
    fill(disks.from, ...many)
    disks.to.isBroken = true
    expect(() => move()).to.throw('broke')
    expect([texts(disks.to), texts(disks.from)]).to.deep.equal([['there'], many])
    disks.to.isBroken = false
    const append = FakeJournal.prototype.append
    FakeJournal.prototype.append = function (this: FakeJournal, ...all) {
      if (disks.to.records.size > 700) disks.to.isFull = true
      return append.apply(this, all)
    }
    try {
      expect(() => move()).to.throw('no space')
    } finally {
      FakeJournal.prototype.append = append
    }
    expect([...texts(disks.to), ...texts(disks.from)]).to.deep.equal(['there', ...many])
    expect(texts(disks.to)).to.have.length(501)
    disks.to.isFull = false
    move()
    expect(texts(disks.to)).to.deep.equal(['there', ...many])
    expect(texts(disks.from)).to.deep.equal([])
  })
})
