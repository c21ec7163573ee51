import { expect } from 'chai'
import fc from 'fast-check'
import { type FieldTable, type FieldValue, textField } from '../../../../src/domain/amqp/field-table.js'
import * as methodIds from '../../../../src/domain/amqp/method-ids.js'
import { type MethodLayout, methodFrame } from '../../../../src/domain/amqp/method-layout.js'
import * as methods from '../../../../src/domain/amqp/methods.js'
import { allMethods, isKnownClass, methodOf } from '../../../../src/domain/amqp/methods.js'
import { hex } from '../../../support/frames.js'
import { type MethodName, decodeFrame, decodeMethod, idsOf } from '../../../support/wire-format.js'
import { argumentsWith } from '../arbitraries.js'

/** What the tests' own description of AMQP doesn't know. */
const ONLY_HERE = ['access.request', 'access.request_ok']

/** Arguments that have another name there, or here no meaning. */
const NAMES_HERE: Record<string, string> = {
  ...{ nowait: 'noWait', vhost: 'virtualHost', code: 'replyCode', text: 'replyText', secret: 'newSecret' },
}
const RESERVED = ['ticket', 'outOfBand', 'channelId', 'knownHosts', 'capabilities', 'insist', 'clusterId']

const nameElsewhere = (layout: MethodLayout): MethodName => layout.name.replaceAll('_', '-') as MethodName

/** An argument in the form that the tests' own decoder gives it. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value))
    return Object.fromEntries(
      (value as FieldTable).map(([name, field]) => [
        name,
        hex((field as FieldValue & { type: 'string' }).value),
      ]),
    )
  return value
}

/** The same for what that decoder gave. */
function plainDecoded(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return hex(value)
  if (typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value as Record<string, string>).map(([name, text]) => [name, hex(Buffer.from(text))]),
  )
}

describe('methods', () => {
  it('are in the order of their ids, each once', () => {
    const ids = allMethods().map(({ id }) => id)
    expect(ids).to.deep.equal([...new Set(ids)].sort((a, b) => a - b))
  })

  it('are all that are described, and all that have an id', () => {
    const described = Object.values(methods).filter((value) => typeof value === 'object')
    expect(allMethods()).to.have.members(described)
    expect(allMethods().map(({ id }) => id)).to.have.members(Object.values(methodIds))
  })

  it('have the class and method ids of AMQP', () => {
    for (const layout of allMethods().filter(({ name }) => !ONLY_HERE.includes(name)))
      expect([layout.classId, layout.methodId], layout.name).to.deep.equal(idsOf(nameElsewhere(layout)))
  })

  it('have ids named as the methods are', () => {
    const expected = Object.fromEntries(
      allMethods().map(({ name, id }) => [name.replace('.', '_').toUpperCase(), id]),
    )
    expect({ ...methodIds }).to.deep.equal(expected)
  })

  it('have the arguments of AMQP, in its order', () => {
    const types = {
      longlong: fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
      shortstr: fc.string({ maxLength: 20 }),
      table: fc
        .uniqueArray(fc.string({ maxLength: 5 }), { maxLength: 3 })
        .map((names) => names.map((name) => [`x-${name}`, textField(name)])),
    }
    for (const layout of allMethods().filter(({ name }) => !ONLY_HERE.includes(name)))
      fc.assert(
        fc.property(argumentsWith(layout, types), (args) => {
          const { frame } = decodeFrame(Buffer.from(methodFrame(layout, 1, args)))!
          const decoded = decodeMethod(frame)
          expect(decoded.name).to.equal(nameElsewhere(layout))
          const meaningful = Object.entries(decoded.args as Record<string, unknown>).filter(
            ([name]) => !RESERVED.includes(name),
          )
          expect(
            Object.fromEntries(
              meaningful.map(([name, value]) => [NAMES_HERE[name] ?? name, plainDecoded(value)]),
            ),
          ).to.deep.equal(
            Object.fromEntries(Object.entries(args).map(([name, value]) => [name, plain(value)])),
          )
        }),
        { numRuns: 10 },
      )
  })

  it('know who sends them', () => {
    const sentBy = (who: string): string[] =>
      allMethods()
        .filter(({ sender }) => sender === who)
        .map(({ name }) => name)
    expect(sentBy('both')).to.have.members([
      ...['connection.close', 'connection.close_ok', 'channel.close', 'channel.close_ok'],
      ...['channel.flow', 'channel.flow_ok', 'basic.cancel', 'basic.cancel_ok', 'basic.ack', 'basic.nack'],
    ])
    expect(sentBy('server').filter((name) => !name.endsWith('_ok'))).to.have.members([
      ...['connection.start', 'connection.secure', 'connection.tune', 'connection.blocked'],
      ...['connection.unblocked', 'basic.return', 'basic.deliver', 'basic.get_empty'],
    ])
    expect(sentBy('client').filter((name) => name.endsWith('_ok'))).to.have.members([
      ...['connection.start_ok', 'connection.secure_ok', 'connection.tune_ok'],
    ])
  })
})

describe('methodOf', () => {
  it('finds every method by its id', () => {
    for (const layout of allMethods()) expect(methodOf(layout.id)).to.equal(layout)
  })

  it('finds nothing for any other number', () => {
    const known = new Set(allMethods().map(({ id }) => id))
    const near = fc.tuple(fc.nat(100), fc.nat(130)).map(([classId, methodId]) => classId * 0x10000 + methodId)
    fc.assert(
      fc.property(fc.oneof(near, fc.nat(0xffffffff)), (id) => {
        expect(methodOf(id) !== undefined).to.equal(known.has(id))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('isKnownClass', () => {
  it("knows AMQP's classes and RabbitMQ's, and no others", () => {
    const classes = Array.from({ length: 0x10000 }, (_, classId) => classId)
    const known = classes.filter((classId) => isKnownClass(classId * 0x10000 + 9999))
    expect(known).to.deep.equal([10, 20, 30, 40, 50, 60, 85, 90])
  })
})
