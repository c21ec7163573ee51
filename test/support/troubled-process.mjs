/**
 * Loaded into a Warren that a test runs, with `node --import`. On SIGWINCH it brings about what a bug would, an exception and a rejection that
 * nobody catches, and what an operator may ask for then: a diagnostic report, into the file that WARREN_TEST_REPORT names.
 */
import process from 'node:process'
import { setImmediate } from 'node:timers'

process.on('SIGWINCH', () => {
  void Promise.reject(new Error('planned rejection'))
  setImmediate(() => {
    throw new Error('planned exception')
  })
  process.report.writeReport(process.env['WARREN_TEST_REPORT'])
})
