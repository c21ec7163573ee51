/**
 * A process that keeps messages in a journal until it's killed: `journal-writer.ts <directory> always|never`. It says on stdout what it does,
 * a line for each: `+5` is kept, `?5` is going to be removed, `-5` is removed.
 */
import { writeSync } from 'node:fs'
import { SystemClock } from '../../src/adapters/clock/system-clock.js'
import { FileJournal } from '../../src/adapters/journal/file-journal.js'
import { RecordingLogger } from './recording-logger.js'

const STDOUT = 1
const [directory, sync] = process.argv.slice(2)
const journal = FileJournal.open(
  { directory, sync: sync as 'always' | 'never', segmentBytes: 20_000 },
  { clock: new SystemClock(), logger: new RecordingLogger() },
)
const say = (what: string, id: number): void => void writeSync(STDOUT, `${what}${id}\n`)

let text = `written by ${process.pid} `
for (let count = 0; ; count++) {
  text = count % 100 === 0 ? text.slice(0, 30) : `${text}${count}`
  const id = journal.append({ user: 'guest', virtualHost: text.slice(0, 20) }, Buffer.from(text), undefined)
  journal.commit()
  say('+', id)
  // All but every tenth goes some time later.
  const old = id - 40
  if (old < 1 || old % 10 === 0) continue
  say('?', old)
  journal.remove(old)
  say('-', old)
}
