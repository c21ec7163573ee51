import { expect } from 'chai'
import { textField } from '../../../../src/domain/amqp/field-table.js'
import {
  copiesToForgedReplyTo,
  isPoisonousConsumer,
  isPoisonousQueue,
} from '../../../../src/domain/channel/poison.js'
import { type Properties, type Table, headerFrame } from '../../../support/wire-format.js'

/** As RabbitMQ 3.10 gave it out. */
const PID = 'g1h2AA5yZXBseUAzNDI0MjUwMAAAArAAAAAAawGdyw=='
const KEY = 'nZIbEaEnL+Mg8/8p4/aTig=='
const PREFIX = 'amq.rabbitmq.reply-to'

describe('Poisonous requests', () => {
  it('are further routing keys of that form', () => {
    const copies = (name: string, key: string): boolean => {
      const frame = headerFrame(1, 0, { headers: { [name]: [key] } })
      return copiesToForgedReplyTo(frame, 7, frame.length - 1)
    }
    expect(copies('CC', `${PREFIX}.a.b`)).to.equal(true)
    expect(copies('BCC', `${PREFIX}.a.b`)).to.equal(true)
    expect(copies('XCC', `${PREFIX}.a.b`)).to.equal(false)
    expect(copies('CC', `${PREFIX}.${PID}.${KEY}`)).to.equal(false)
    expect(copies('CC', 'q')).to.equal(false)
  })

  it('are such keys among others, and among other properties', () => {
    const forged = `${PREFIX}.a.b`
    const copies = (headers: Table, more: Properties = {}): boolean => {
      const frame = headerFrame(1, 0, { ...more, headers })
      return copiesToForgedReplyTo(frame, 7, frame.length - 1)
    }
    expect(copies({ a: 1, BCC: ['q', 7, forged], z: 'x' })).to.equal(true)
    const [contentType, contentEncoding] = ['text/plain', 'gzip']
    for (const more of [{ contentType }, { contentEncoding }, { contentType, contentEncoding, priority: 1 }])
      expect(copies({ CC: [forged] }, more)).to.equal(true)
    // The broker looks for routing keys in arrays of text only.
    for (const CC of [forged, null, 7, [7, 'q'], [], [null]])
      expect(copies({ CC, other: [forged] }), JSON.stringify(CC)).to.equal(false)
  })

  it('are queues whose master is looked for by a number with a fraction', () => {
    const queue = (type: 'double' | 'float'): boolean =>
      isPoisonousQueue({ queue: 'q', arguments: [['x-queue-master-locator', { type, value: 1 }]] })
    expect([queue('double'), queue('float')]).to.deep.equal([true, true])
    const decimal = { type: 'decimal', scale: 1, value: 1 } as const
    expect(isPoisonousQueue({ queue: 'q', arguments: [['x-queue-master-locator', decimal]] })).to.equal(true)
    const named = textField('random')
    expect(isPoisonousQueue({ queue: 'q', arguments: [['x-queue-master-locator', named]] })).to.equal(false)
  })

  it('are queues named like a forged reply-to address', () => {
    expect(isPoisonousQueue({ queue: `${PREFIX}.a.b`, arguments: [] })).to.equal(true)
  })

  it('are consumers with the credit of AMQP 1.0', () => {
    expect(isPoisonousConsumer({ arguments: [['x-credit', textField('1')]] })).to.equal(true)
    expect(isPoisonousConsumer({ arguments: [['x-priority', textField('1')]] })).to.equal(false)
  })
})
