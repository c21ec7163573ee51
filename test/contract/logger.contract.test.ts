/** What every Logger promises, held against the real one and the tests' own. */
import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { WinstonLogger } from '../../src/adapters/logging/winston-logger.js'
import type { Logger } from '../../src/application/ports/logger.js'
import { RecordingLogger, type RecordedLine } from '../support/recording-logger.js'

interface Subject {
  readonly logger: Logger
  /** What was logged so far. */
  lines(): RecordedLine[]
}

function winstonSubject(): Subject {
  const stream = new PassThrough()
  const logger = WinstonLogger.create({ level: 'debug', format: 'json', stream })
  const lines: RecordedLine[] = []
  return {
    logger,
    lines: () => {
      const text = (stream.read() as Buffer | null)?.toString() ?? ''
      for (const line of text.split('\n').slice(0, -1)) {
        const { timestamp, level, message, ...fields } = JSON.parse(line) as RecordedLine & {
          timestamp: string
        }
        void timestamp
        lines.push({ level, message, fields })
      }
      return lines
    },
  }
}

function recordingSubject(): Subject {
  const logger = new RecordingLogger()
  return { logger, lines: () => logger.lines }
}

for (const [name, create] of Object.entries({
  WinstonLogger: winstonSubject,
  RecordingLogger: recordingSubject,
})) {
  describe(`Logger: ${name}`, () => {
    let subject: Subject
    let logger: Logger

    beforeEach(() => {
      subject = create()
      logger = subject.logger
    })

    it('logs at each level, in order', () => {
      for (const level of ['error', 'debug', 'warn', 'info'] as const) logger[level](`at ${level}`)
      expect(subject.lines()).to.deep.equal(
        ['error', 'debug', 'warn', 'info'].map((level) => ({ level, message: `at ${level}`, fields: {} })),
      )
    })

    it('logs fields with the message', () => {
      logger.info('connected', { client: 'c1', bytes: 5 })
      expect(subject.lines()).to.deep.equal([
        { level: 'info', message: 'connected', fields: { client: 'c1', bytes: 5 } },
      ])
    })

    it('leaves out fields that are undefined', () => {
      logger.child({ worker: undefined }).info('connected', { client: 'c1', user: undefined })
      expect(subject.lines()[0].fields).to.deep.equal({ client: 'c1' })
    })

    it("adds a child's fields to its lines, and those of its parents", () => {
      logger.child({ client: 'c1' }).child({ channel: 2 }).warn('late', { ms: 3 })
      expect(subject.lines()[0].fields).to.deep.equal({ client: 'c1', channel: 2, ms: 3 })
    })

    it('prefers the nearest of fields with the same name', () => {
      const child = logger.child({ a: 'parent', b: 'parent', c: 'parent' }).child({ b: 'child', c: 'child' })
      child.info('which', { c: 'line' })
      expect(subject.lines()[0].fields).to.deep.equal({ a: 'parent', b: 'child', c: 'line' })
    })

    it('leaves the parent and other children as they were', () => {
      const child = logger.child({ client: 'c1' })
      logger.child({ client: 'c2' })
      child.info('line', { once: true })
      child.info('line')
      logger.info('line')
      expect(subject.lines().map((line) => line.fields)).to.deep.equal([
        { client: 'c1', once: true },
        { client: 'c1' },
        {},
      ])
    })

    it('never throws, whatever the fields hold', () => {
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      const hostile = {
        toJSON() {
          throw new Error('no')
        },
      }
      for (const value of [
        cycle,
        hostile,
        1n,
        Symbol('s'),
        () => 1,
        new Error('e'),
        null,
        undefined,
        Object.create(null),
      ]) {
        expect(() => logger.error('odd', { value })).not.to.throw()
      }
      expect(subject.lines()).to.have.length(9)
    })
  })
}
