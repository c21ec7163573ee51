/** mocha's `spec` reporter, which also writes the totals to the file in WARREN_TEST_TOTALS for scripts/test.mjs. */
import { writeFileSync } from 'node:fs'
import Mocha from 'mocha'

export default class TestReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    runner.once('end', () => {
      const { passes: passed, failures: failed, pending: skipped } = this.stats
      writeFileSync(process.env.WARREN_TEST_TOTALS, JSON.stringify({ passed, failed, skipped }))
    })
  }
}

// A process that just runs out of work waits, spinning, for requests of sockets that will never end (seen with Node 20).
process.once('beforeExit', () => process.exit())
