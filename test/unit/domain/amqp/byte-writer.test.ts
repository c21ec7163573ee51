import { expect } from 'chai'
import fc from 'fast-check'
import { ByteWriter, SHORT_STRING_LIMIT, fitShortString } from '../../../../src/domain/amqp/byte-writer.js'
import { hex, payload } from '../../../support/frames.js'
import { long, longlong, longstr, octet, short, shortstr } from '../../../support/wire-format.js'
import { shortText } from '../arbitraries.js'

interface Write {
  readonly bytes: Buffer
  readonly write: (writer: ByteWriter) => ByteWriter
}

const writes: fc.Arbitrary<Write> = fc.oneof(
  fc.nat(0xff).map((value) => ({ bytes: octet(value), write: (to: ByteWriter) => to.octet(value) })),
  fc.nat(0xffff).map((value) => ({ bytes: short(value), write: (to: ByteWriter) => to.short(value) })),
  fc.nat(0xffffffff).map((value) => ({ bytes: long(value), write: (to: ByteWriter) => to.long(value) })),
  fc
    .bigInt({ min: 0n, max: 2n ** 64n - 1n })
    .map((value) => ({ bytes: longlong(value), write: (to: ByteWriter) => to.longLong(value) })),
  shortText.map((value) => ({ bytes: shortstr(value), write: (to: ByteWriter) => to.shortString(value) })),
  fc
    .string({ unit: 'binary' })
    .map((value) => ({ bytes: longstr(value), write: (to: ByteWriter) => to.longString(value) })),
  fc.uint8Array({ maxLength: 300 }).map((value) => ({
    bytes: longstr(Buffer.from(value)),
    write: (to: ByteWriter) => to.longString(value),
  })),
  fc
    .uint8Array({ maxLength: 300 })
    .map((value) => ({ bytes: Buffer.from(value), write: (to: ByteWriter) => to.raw(value) })),
)

describe('ByteWriter', () => {
  it('writes one value after the other, whatever room it began with', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.array(writes, { maxLength: 20 }), (capacity, values) => {
        const writer = new ByteWriter(capacity)
        for (const { write } of values) expect(write(writer)).to.equal(writer)
        const expected = Buffer.concat(values.map(({ bytes }) => bytes))
        expect(writer.length).to.equal(expected.length)
        expect(hex(writer.finish())).to.equal(hex(expected))
      }),
    )
  })

  const growing: Record<string, [bytes: Buffer, write: (to: ByteWriter) => unknown]> = {
    octet: [octet(1), (to) => to.octet(1)],
    short: [short(0x102), (to) => to.short(0x102)],
    long: [long(0x1020304), (to) => to.long(0x1020304)],
    longLong: [longlong(0x102030405060708n), (to) => to.longLong(0x102030405060708n)],
    shortString: [shortstr('short'), (to) => to.shortString('short')],
    longString: [longstr('long'), (to) => to.longString('long')],
    raw: [Buffer.of(9, 8, 7), (to) => to.raw(Uint8Array.of(9, 8, 7))],
  }
  for (const [name, [bytes, write]] of Object.entries(growing)) {
    it(`grows at any fill before ${name}`, () => {
      for (let capacity = 0; capacity <= 20; capacity++)
        for (let filled = 0; filled <= 20; filled++) {
          const writer = new ByteWriter(capacity)
          for (let i = 0; i < filled; i++) writer.octet(i)
          write(writer)
          const expected = Buffer.concat([payload(filled).map((_, at) => at), bytes])
          expect(hex(writer.finish()), `${filled} of ${capacity}`).to.equal(hex(expected))
        }
    })
  }

  it('grows past its default room at every size', () => {
    for (let filled = 100; filled <= 300; filled++) {
      const writer = new ByteWriter()
      for (let i = 0; i < filled; i++) writer.octet(i)
      writer.long(0xdeadbeef).longLong(1n)
      expect(writer.length).to.equal(filled + 12)
      expect(hex(writer.finish().slice(-12))).to.equal('deadbeef0000000000000001')
    }
  })

  it('takes one value that is larger than all its room', () => {
    const bytes = payload(100_000)
    expect(hex(new ByteWriter(1).octet(5).raw(bytes).finish())).to.equal(`05${hex(bytes)}`)
  })

  it('overwrites four bytes that were written before', () => {
    const writer = new ByteWriter().octet(1).long(0).octet(2)
    writer.setLong(1, 0xfedcba98)
    expect(hex(writer.finish())).to.equal('01fedcba9802')
  })

  it('gives what was written in an array of its own, which later writes leave alone', () => {
    const writer = new ByteWriter().octet(1)
    const finished = writer.finish()
    writer.setLong(0, 0)
    writer.octet(2)
    expect(hex(finished)).to.equal('01')
    expect(finished.buffer.byteLength).to.equal(1)
  })

  it('refuses a short string of more than 255 bytes', () => {
    expect(() => new ByteWriter().shortString('é'.repeat(128))).to.throw(RangeError, '255 bytes, not 256')
    expect(new ByteWriter().shortString(`${'é'.repeat(127)}x`).length).to.equal(256)
  })
})

describe('fitShortString', () => {
  it('leaves alone what fits', () => {
    fc.assert(
      fc.property(shortText, (text) => {
        expect(fitShortString(text)).to.equal(text)
      }),
    )
    expect(fitShortString('x'.repeat(255))).to.equal('x'.repeat(255))
  })

  it('shortens what is too long to a beginning and dots', () => {
    expect(fitShortString('x'.repeat(256))).to.equal(`${'x'.repeat(252)}...`)
  })

  it('never cuts a character in two', () => {
    const long = fc.string({ unit: 'binary', minLength: 64, maxLength: 400 })
    fc.assert(
      fc.property(long, (text) => {
        const fitting = fitShortString(text)
        const size = Buffer.byteLength(fitting)
        expect(size).to.be.at.most(SHORT_STRING_LIMIT)
        if (fitting === text) return
        const kept = fitting.slice(0, -3)
        expect(fitting.endsWith('...') && text.startsWith(kept)).to.equal(true)
        expect(kept, 'no half of a surrogate pair').not.to.match(/\p{Surrogate}/u)
        const next = String.fromCodePoint(text.codePointAt(kept.length)!)
        expect(size + Buffer.byteLength(next), 'one more character would fit').to.be.greaterThan(255)
      }),
    )
  })
})
