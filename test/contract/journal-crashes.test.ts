/** The journal of a process that is killed in the middle of its work. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { FileJournal } from '../../src/adapters/journal/file-journal.js'
import { JournalError } from '../../src/application/ports/journal.js'
import { eventually } from '../support/eventually.js'
import { FakeClock } from '../support/fake-clock.js'
import { RecordingLogger } from '../support/recording-logger.js'

const WRITER = fileURLToPath(new URL('../support/journal-writer.ts', import.meta.url))

describe('a journal whose process is killed', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'warren-journal-'))
  })

  afterEach(() => rmSync(directory, { recursive: true }))

  const open = (): FileJournal =>
    FileJournal.open({ directory, sync: 'never' }, { clock: new FakeClock(), logger: new RecordingLogger() })

  /** Lets a process write until it has said at least so many lines, calls `meanwhile`, and kills it; returns all that it has said. */
  async function writeUntilKilled(
    sync: string,
    lines: number,
    meanwhile = (): void => undefined,
  ): Promise<string[]> {
    // A file takes all at once, so that a line is either said or not.
    const output = openSync(join(directory, 'said'), 'w+')
    const said = (): string[] => readFileSync(join(directory, 'said'), 'utf8').trim().split('\n')
    const child = spawn(process.execPath, ['--import', 'tsx', WRITER, directory, sync], {
      stdio: ['ignore', output, 'inherit'],
    })
    const end = once(child, 'close')
    try {
      // As long as it says anything: a busy disk takes its time for thousands of syncs.
      await eventually(
        () => expect(said()).to.have.length.of.at.least(lines),
        undefined,
        () => said().length,
      )
      meanwhile()
    } finally {
      child.kill('SIGKILL')
      await end
      closeSync(output)
    }
    expect(child.signalCode).to.equal('SIGKILL')
    return said()
  }

  const idsSaid = (lines: readonly string[], what: string): Set<number> =>
    new Set(lines.filter((line) => line.startsWith(what)).map((line) => Number(line.slice(1))))

  for (const sync of ['always', 'never']) {
    it(`has all that was kept and nothing that was removed, run after run (sync ${sync})`, async function () {
      this.timeout(180_000)
      const kept = new Set<number>()
      const removing = new Set<number>()
      const removed = new Set<number>()
      for (const lines of [1, 777, 4000]) {
        const said = await writeUntilKilled(sync, lines)
        for (const id of idsSaid(said, '+')) {
          expect(kept.has(id), `${id} given twice`).to.equal(false)
          kept.add(id)
        }
        for (const id of idsSaid(said, '?')) removing.add(id)
        for (const id of idsSaid(said, '-')) removed.add(id)
        const journal = open()
        const found = journal.recover().map(({ id }) => id)
        journal.close()
        expect(found).to.deep.equal([...found].sort((a, b) => a - b))
        const missing = [...kept].filter((id) => !removing.has(id) && !found.includes(id))
        expect(missing, 'kept and not found').to.deep.equal([])
        expect(
          found.filter((id) => removed.has(id)),
          'removed and found',
        ).to.deep.equal([])
        // The last one may have been kept without having been said.
        const surplus = found.filter((id) => !kept.has(id))
        expect(surplus.length).to.be.at.most(1)
        for (const id of surplus) kept.add(id)
      }
    })
  }

  it("is nobody else's while the process lives", async function () {
    this.timeout(180_000)
    await writeUntilKilled('never', 10, () => expect(open).to.throw(JournalError, /in use by process \d+ on/))
    open().close()
  })
})
