import { Writable } from 'node:stream'
import { expect } from 'chai'
import { WinstonLogger } from '../../../../src/adapters/logging/winston-logger.js'
import type { LogFormat } from '../../../../src/application/settings.js'

const escape = '\u001b'

class Sink extends Writable {
  text = ''

  constructor(readonly isTTY: boolean) {
    super()
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }

  get json(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}

function start(format: LogFormat, { terminal = false } = {}): { logger: WinstonLogger; sink: Sink } {
  const sink = new Sink(terminal)
  return { sink, logger: WinstonLogger.create({ level: 'info', format, stream: sink }) }
}

describe('WinstonLogger', () => {
  describe('as JSON', () => {
    it('writes one object per line: timestamp, level, message, fields, in this order', () => {
      const { logger, sink } = start('json')
      logger.child({ client: 'c1' }).info('connected', { bytes: 5 })
      expect(sink.lines[0]).to.match(
        /^\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","message":"connected","client":"c1","bytes":5\}$/,
      )
    })

    it('serialises errors with message and stack, at any depth, with their own fields and their cause', () => {
      const { logger, sink } = start('json')
      const error = Object.assign(new Error('outer', { cause: new TypeError('inner') }), { code: 'E1' })
      logger.error('failed', { error, nested: { list: [error] } })
      const line = sink.json[0] as { error: Record<string, unknown>; nested: { list: unknown[] } }
      expect(line.error).to.include({ name: 'Error', message: 'outer', code: 'E1', stack: error.stack })
      expect(line.error.cause).to.include({ name: 'TypeError', message: 'inner' })
      expect(line.nested.list[0]).to.deep.equal(line.error)
      expect(sink.lines).to.have.length(1)
    })

    it('keeps fields apart from its own names, and from those that mean something to winston', () => {
      const { logger, sink } = start('json')
      logger.info('mine', { message: 'm', level: 'l', timestamp: 't', stack: 's', splat: 'p', fields: 'f' })
      expect(sink.json[0]).to.include({
        message: 'mine',
        level: 'info',
        message_: 'm',
        level_: 'l',
        timestamp_: 't',
      })
      expect(sink.json[0]).to.include({ stack: 's', splat: 'p', fields: 'f' })
    })

    it('writes big integers, bytes and cycles without harm', () => {
      const { logger, sink } = start('json')
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      logger.info('odd', { big: 2n ** 64n, bytes: new Uint8Array(3), buffer: Buffer.from('abc'), cycle })
      expect(sink.json[0]).to.include({ big: '18446744073709551616', bytes: '(3 bytes)' })
    })
  })

  describe('as text', () => {
    it('writes time, level, message and fields on one line', () => {
      const { logger, sink } = start('text')
      logger.info('client connected', {
        id: 'c1',
        address: '127.0.0.1:1',
        vhost: '/',
        name: 'a "b"',
        n: 1,
        list: [1],
      })
      expect(sink.lines[0].replace(/^\S+ /, '')).to.equal(
        'info  client connected id=c1 address=127.0.0.1:1 vhost=/ name="a \\"b\\"" n=1 list=[1]',
      )
    })

    it('shows an error by its message, on the same line', () => {
      const { logger, sink } = start('text')
      logger.error('dial failed', { error: new Error('connection refused'), absent: undefined, empty: '' })
      expect(sink.lines).to.have.length(1)
      expect(sink.lines[0]).to.match(/error dial failed error="connection refused" empty=""$/)
    })

    it('lets no client start a line or steer the terminal', () => {
      const { logger, sink } = start('text')
      logger.info(`a\nb${escape}[31m`, { user: `x\r\n${escape}c\u009b31m\u2028` })
      expect(sink.lines).to.have.length(1)
      expect(sink.lines[0]).to.contain('a\\u000ab\\u001b[31m user="x\\r\\n\\u001bc\\u009b31m\\u2028"')
    })

    it('keeps the message when a field has no text', () => {
      const { logger, sink } = start('text')
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      logger.info('odd', { cycle })
      expect(sink.lines[0]).to.match(/info {2}odd fields="\(unreadable\)"$/)
    })

    it('has colours on a terminal only', () => {
      const [terminal, file] = [start('text', { terminal: true }), start('text')]
      for (const { logger } of [terminal, file]) logger.warn('careful')
      expect(terminal.sink.text).to.contain(`${escape}[33mwarn ${escape}[39m careful`)
      expect(file.sink.text).not.to.contain(escape)
    })
  })

  it('chooses text on a terminal and JSON elsewhere when the format is auto', () => {
    const [terminal, file] = [start('auto', { terminal: true }), start('auto')]
    for (const { logger } of [terminal, file]) logger.info('hello')
    expect(terminal.sink.text).to.match(/ hello\n$/)
    expect(file.sink.json[0].message).to.equal('hello')
  })

  it('writes JSON on a terminal when asked to', () => {
    const { logger, sink } = start('json', { terminal: true })
    logger.info('hello')
    expect(sink.json[0].message).to.equal('hello')
  })

  it('leaves out what is less severe than its level, and changes that at run time for its children too', () => {
    const { logger, sink } = start('json')
    const child = logger.child({})
    const all = (): void => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) child[level](level)
    }
    const written = (): unknown[] => {
      sink.text = ''
      all()
      return sink.json.map((line) => line.message)
    }
    expect(written()).to.deep.equal(['info', 'warn', 'error'])
    logger.setLevel('debug')
    expect(written()).to.deep.equal(['debug', 'info', 'warn', 'error'])
    child.setLevel('error')
    expect(written()).to.deep.equal(['error'])
  })

  it('has written a line when the call returns, so that it survives process.exit', () => {
    const { logger, sink } = start('json')
    for (let count = 1; count <= 1000; count++) logger.info('line')
    expect(sink.lines).to.have.length(1000)
  })

  it('lives on when its stream fails', async () => {
    const broken = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
      },
    })
    const logger = WinstonLogger.create({ level: 'info', format: 'json', stream: broken })
    for (let count = 1; count <= 100; count++) {
      logger.info('line')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(broken.errored).to.include({ code: 'EPIPE' })
  })
})
