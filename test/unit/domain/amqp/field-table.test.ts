import { expect } from 'chai'
import fc from 'fast-check'
import { ByteReader, MalformedBytes } from '../../../../src/domain/amqp/byte-reader.js'
import { ByteWriter } from '../../../../src/domain/amqp/byte-writer.js'
import {
  FIELD_DEPTH_LIMIT,
  type FieldTable,
  type FieldValue,
  fieldOf,
  readFields,
  readTable,
  skipTable,
  tableField,
  textField,
  textOf,
  writeFields,
  writeTable,
} from '../../../../src/domain/amqp/field-table.js'
import { concat, hex, utf8 } from '../../../support/frames.js'
import { long, longstr, octet, short, shortstr, table as tableBytes } from '../../../support/wire-format.js'
import { fieldTable, mutated } from '../arbitraries.js'

function encode(table: FieldTable): Uint8Array {
  const writer = new ByteWriter(8)
  writeTable(writer, table)
  return writer.finish()
}

/** Where the table at the start of `bytes` ends, or -1 when it can't be read: what skipTable has to say. */
function endOfTable(bytes: Uint8Array, at: number, end: number): number {
  const reader = new ByteReader(bytes, at, end)
  try {
    readTable(reader)
    return reader.position
  } catch (error) {
    if (error instanceof MalformedBytes) return -1
    throw error
  }
}

/** `levels` tables or arrays, one inside the other. */
function nest(levels: number, type: 'table' | 'array'): FieldTable {
  let value: FieldValue = { type: 'void' }
  for (let i = 1; i < levels; i++)
    value = type === 'table' ? tableField({ k: value }) : { type: 'array', value: [value] }
  return [['k', value]]
}

const field = (tag: string, ...value: Uint8Array[]): Buffer =>
  Buffer.concat([shortstr('k'), Buffer.from(tag), ...value])

describe('field tables', () => {
  it('are read back as they were written, whatever they hold', () => {
    fc.assert(
      fc.property(fieldTable, (table) => {
        const bytes = encode(table)
        const reader = new ByteReader(bytes)
        expect(readTable(reader)).to.deep.equal(table)
        expect(reader.remaining).to.equal(0)
      }),
      { numRuns: 300 },
    )
  })

  it('are written back as they were read', () => {
    fc.assert(
      fc.property(fieldTable, (table) => {
        const bytes = encode(table)
        expect(hex(encode(readTable(new ByteReader(bytes))))).to.equal(hex(bytes))
      }),
    )
  })

  it("have RabbitMQ's tags and forms of values", () => {
    const fields: [bytes: Buffer, value: FieldValue][] = [
      [field('t', octet(1)), { type: 'bool', value: true }],
      [field('t', octet(0)), { type: 'bool', value: false }],
      [field('b', octet(0xfe)), { type: 'int8', value: -2 }],
      [field('B', octet(0xfe)), { type: 'uint8', value: 0xfe }],
      [field('s', short(0xfffe)), { type: 'int16', value: -2 }],
      [field('u', short(0xfffe)), { type: 'uint16', value: 0xfffe }],
      [field('I', long(0xfffffffe)), { type: 'int32', value: -2 }],
      [field('i', long(0xfffffffe)), { type: 'uint32', value: 0xfffffffe }],
      [field('l', Buffer.alloc(8, 0xff)), { type: 'int64', value: -1n }],
      [field('T', Buffer.alloc(8, 0xff)), { type: 'timestamp', value: 2n ** 64n - 1n }],
      [field('f', Buffer.of(0x3f, 0xc0, 0, 0)), { type: 'float', value: 1.5 }],
      [field('d', Buffer.of(0xbf, 0xf8, 0, 0, 0, 0, 0, 0)), { type: 'double', value: -1.5 }],
      [field('D', octet(2), long(314)), { type: 'decimal', scale: 2, value: 314 }],
      [field('S', longstr('abc')), textField('abc')],
      [field('x', longstr('abc')), { type: 'bytes', value: utf8('abc') }],
      [field('V'), { type: 'void' }],
      [field('A', longstr('VV')), { type: 'array', value: [{ type: 'void' }, { type: 'void' }] }],
      [field('F', longstr(field('V'))), tableField({ k: { type: 'void' } })],
    ]
    for (const [bytes, value] of fields) {
      const whole = longstr(bytes)
      expect(readTable(new ByteReader(whole)), hex(bytes)).to.deep.equal([['k', value]])
      expect(hex(encode([['k', value]]))).to.equal(hex(whole))
      expect(skipTable(whole, 0, whole.length)).to.equal(whole.length)
    }
  })

  it('are what another encoder writes', () => {
    const bytes = tableBytes({ product: 'x', nested: { yes: true, list: [null, 1.5, 7] } })
    expect(readTable(new ByteReader(bytes))).to.deep.equal([
      ['product', textField('x')],
      [
        'nested',
        tableField({
          yes: { type: 'bool', value: true },
          list: {
            type: 'array',
            value: [{ type: 'void' }, { type: 'double', value: 1.5 }, { type: 'int64', value: 7n }],
          },
        }),
      ],
    ])
  })

  it('can be read and written without their length', () => {
    const writer = new ByteWriter()
    writeFields(writer, [['k', { type: 'void' }]])
    expect(hex(writer.finish())).to.equal(hex(field('V')))
    expect(readFields(new ByteReader(field('V')), 3)).to.deep.equal([['k', { type: 'void' }]])
  })

  it('leave what stands behind them alone', () => {
    const bytes = concat([tableBytes({ a: 1 }), Uint8Array.of(7)])
    const reader = new ByteReader(bytes)
    readTable(reader)
    expect(reader.octet()).to.equal(7)
    expect(skipTable(bytes, 0, bytes.length)).to.equal(bytes.length - 1)
  })

  it('own their strings: a table keeps no chunk alive', () => {
    for (const bytes of [tableBytes({ a: 'abc' }), concat([tableBytes({ a: 'abc' })])]) {
      const [[, value]] = readTable(new ByteReader(bytes))
      expect(value.type === 'string' && value.value.buffer.byteLength).to.equal(3)
    }
  })

  describe('that are malformed', () => {
    const inTable = (...fields: Uint8Array[]): Buffer => longstr(Buffer.concat(fields))
    const malformed: Record<string, Buffer> = {
      'a length that is cut off': Buffer.of(0, 0, 0),
      'a length over the end': Buffer.concat([long(4), field('V')]),
      'a name without a value': inTable(shortstr('k')),
      'a name that runs over the end': inTable(Buffer.of(9, 0x6b)),
      'an unknown type': inTable(field('?')),
      'a value that runs over the end of its table': Buffer.concat([long(4), field('s', short(1))]),
      'a string that runs over the end of its table': Buffer.concat([long(8), field('S', longstr('abc'))]),
      'a string whose length is cut off': inTable(field('S', short(0))),
      'a table whose length is cut off': inTable(field('F', short(0))),
      'a table that runs over the end of its table': Buffer.concat([
        long(8),
        field('F', longstr(field('V'))),
      ]),
      'an array that runs over the end of its table': Buffer.concat([long(8), field('A', longstr('VV'))]),
      'an array with an unknown type': inTable(field('A', longstr('?'))),
      'an array whose value runs over its end': inTable(field('A', long(1), Buffer.from('s'), short(1))),
      'an array over the end of everything': inTable(field('A', long(100))),
    }
    for (const [what, bytes] of Object.entries(malformed)) {
      it(`are refused for ${what}`, () => {
        expect(() => readTable(new ByteReader(bytes))).to.throw(MalformedBytes)
        expect(skipTable(bytes, 0, bytes.length)).to.equal(-1)
      })
    }
  })

  for (const type of ['table', 'array'] as const) {
    it(`nest at most ${FIELD_DEPTH_LIMIT} deep with an inner ${type}`, () => {
      const deepest = encode(nest(FIELD_DEPTH_LIMIT + 1, type))
      const tooDeep = encode(nest(FIELD_DEPTH_LIMIT + 2, type))
      expect(endOfTable(deepest, 0, deepest.length)).to.equal(deepest.length)
      expect(skipTable(deepest, 0, deepest.length)).to.equal(deepest.length)
      expect(skipTable(tooDeep, 0, tooDeep.length)).to.equal(-1)
      expect(skipTable(tooDeep, 0, tooDeep.length, FIELD_DEPTH_LIMIT + 1), 'where more is allowed').to.equal(
        tooDeep.length,
      )
      expect(endOfTable(tooDeep, 0, tooDeep.length), 'whoever reads it').to.equal(tooDeep.length)
      const deepestRead = encode(nest(1001, type))
      expect(endOfTable(deepestRead, 0, deepestRead.length)).to.equal(deepestRead.length)
      expect(() => readTable(new ByteReader(encode(nest(1002, type))))).to.throw('nested too deeply')
    })
  }

  it("don't overflow the stack, however deep they nest", () => {
    const header = Buffer.concat([shortstr('k'), Buffer.from('F')])
    const levels = 100_000
    const parts: Buffer[] = []
    for (let i = 0; i < levels; i++) parts.push(long((levels - i) * 7), header)
    const bytes = concat(parts)
    expect(skipTable(bytes, 0, bytes.length)).to.equal(-1)
    expect(endOfTable(bytes, 0, bytes.length)).to.equal(-1)
  })
})

describe('skipTable', () => {
  it('finds the end of every well-formed table', () => {
    fc.assert(
      fc.property(fieldTable, fc.nat(10), fc.nat(10), (table, before, after) => {
        const encoded = encode(table)
        const bytes = concat([new Uint8Array(before), encoded, new Uint8Array(after)])
        expect(skipTable(bytes, before, bytes.length)).to.equal(before + encoded.length)
      }),
    )
  })

  it('agrees with readTable on tables that were tampered with', () => {
    fc.assert(
      fc.property(mutated(fieldTable.map(encode)), fc.nat(3), (bytes, cut) => {
        const end = Math.max(0, bytes.length - cut)
        expect(skipTable(bytes, 0, end)).to.equal(endOfTable(bytes, 0, end))
      }),
      { numRuns: 3000 },
    )
  })

  it('agrees with readTable on any bytes', () => {
    const guess = fc.oneof(
      fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 8, ...Buffer.from('tbBsuIilfdDSATFVx')),
      fc.nat(255),
    )
    const anything = fc.array(guess, { maxLength: 40 }).map((octets) => Uint8Array.from(octets))
    fc.assert(
      fc.property(anything, (rest) => {
        const bytes = concat([long(rest.length), rest])
        for (const start of [0, 4])
          expect(skipTable(bytes, start, bytes.length)).to.equal(endOfTable(bytes, start, bytes.length))
      }),
      { numRuns: 3000 },
    )
  })

  it('never looks behind its end', () => {
    const bytes = tableBytes({ a: 'abc' })
    for (let end = 0; end < bytes.length; end++) expect(skipTable(bytes, 0, end)).to.equal(-1)
  })
})

describe('fieldOf and textOf', () => {
  const table: FieldTable = [
    ['a', textField('\ufefffirst')],
    ['b', { type: 'void' }],
    ['a', textField('last')],
  ]

  it('find a value by its name; the first one counts', () => {
    expect(fieldOf(table, 'b')).to.deep.equal({ type: 'void' })
    expect(textOf(table, 'a')).to.equal('\ufefffirst')
  })

  it('find nothing where there is nothing, or no text', () => {
    expect(fieldOf(table, 'c')).to.equal(undefined)
    expect(textOf(table, 'c')).to.equal(undefined)
    expect(textOf(table, 'b')).to.equal(undefined)
  })
})

describe('skipTable', () => {
  /** A table with one field named `x`. */
  const tableOf = (tag: string, value: number[]): Uint8Array =>
    Uint8Array.of(0, 0, 0, 3 + value.length, 1, 0x78, tag.charCodeAt(0), ...value)

  for (const [what, tag, value] of [
    ['a float that is no number', 'f', [0x7f, 0xc0, 0, 0]],
    ['an infinite float', 'f', [0xff, 0x80, 0, 0]],
    ['a double that is no number', 'd', [0x7f, 0xf8, 0, 0, 0, 0, 0, 0]],
    ['an infinite double', 'd', [0x7f, 0xf0, 0, 0, 0, 0, 0, 0]],
  ] as const)
    it(`refuses ${what}: RabbitMQ would end the connection`, () => {
      const table = tableOf(tag, [...value])
      expect(skipTable(table, 0, table.length)).to.equal(-1)
      expect(endOfTable(table, 0, table.length), 'and so does readTable').to.equal(-1)
    })

  it('lets ordinary floats and doubles pass, the largest included', () => {
    for (const table of [
      tableOf('f', [0x7f, 0x7f, 0xff, 0xff]),
      tableOf('d', [0xff, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      tableOf('f', [0, 0, 0, 0]),
    ])
      expect(skipTable(table, 0, table.length)).to.equal(table.length)
  })

  it('lets the type L pass, as RabbitMQ has since 3.6.7', () => {
    const table = tableOf('L', [1, 2, 3, 4, 5, 6, 7, 8])
    expect(skipTable(table, 0, table.length)).to.equal(table.length)
  })
})
