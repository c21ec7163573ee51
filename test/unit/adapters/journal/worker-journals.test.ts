import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { strayJournals, workerJournal } from '../../../../src/adapters/journal/worker-journals.js'

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

  it('need no directory', () => {
    expect(strayJournals(join(directory, 'none'), 2)).to.deep.equal([])
  })
})
