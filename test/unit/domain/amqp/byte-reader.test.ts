import { expect } from 'chai'
import fc from 'fast-check'
import { ByteReader, MalformedBytes } from '../../../../src/domain/amqp/byte-reader.js'
import { own, utf8 } from '../../../support/frames.js'
import { long, longlong, longstr, octet, short, shortstr } from '../../../support/wire-format.js'
import { shortText } from '../arbitraries.js'

describe('ByteReader', () => {
  it('reads one value after the other', () => {
    const text = Buffer.from('straße')
    const bytes = Buffer.concat([
      octet(0xfe),
      short(0xfedc),
      long(0xfedcba98),
      longlong(0xfedcba9876543210n),
      shortstr(text),
      longstr(Buffer.of(1, 2, 3)),
      Buffer.of(7, 8),
    ])
    const reader = new ByteReader(bytes)
    expect(reader.octet()).to.equal(0xfe)
    expect(reader.short()).to.equal(0xfedc)
    expect(reader.long()).to.equal(0xfedcba98)
    expect(reader.longLong()).to.equal(0xfedcba9876543210n)
    expect(reader.shortString()).to.equal('straße')
    expect([...reader.longString()]).to.deep.equal([1, 2, 3])
    expect([...reader.take(2)]).to.deep.equal([7, 8])
    expect(reader.remaining).to.equal(0)
    expect(reader.position).to.equal(bytes.length)
  })

  it('reads only between its bounds', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4), 1, 3)
    expect(reader.remaining).to.equal(2)
    expect(reader.short()).to.equal(0x0203)
    expect(() => reader.octet()).to.throw(MalformedBytes, '1 bytes wanted, 0 left')
  })

  it('reads a short string back as it was, byte order mark included', () => {
    fc.assert(
      fc.property(shortText, (text) => {
        expect(new ByteReader(shortstr(text)).shortString()).to.equal(text)
      }),
    )
  })

  it('reads a short string of broken UTF-8 without complaint', () => {
    expect(new ByteReader(Uint8Array.of(2, 0xff, 0x61)).shortString()).to.equal('\ufffda')
  })

  it('gives a long string as a copy, and taken bytes as a view', () => {
    for (const bytes of [own(longstr('abc')), longstr('abc')]) {
      const copy = new ByteReader(bytes).longString()
      expect(copy.buffer).not.to.equal(bytes.buffer)
      expect(copy.buffer.byteLength).to.equal(3)
      expect(new ByteReader(bytes).take(4).buffer).to.equal(bytes.buffer)
    }
  })

  const reads: Record<string, [bytes: Uint8Array, read: (reader: ByteReader) => unknown]> = {
    octet: [octet(1), (reader) => reader.octet()],
    short: [short(1), (reader) => reader.short()],
    long: [long(1), (reader) => reader.long()],
    longLong: [longlong(1), (reader) => reader.longLong()],
    shortString: [shortstr('abc'), (reader) => reader.shortString()],
    longString: [longstr('abc'), (reader) => reader.longString()],
    take: [utf8('abc'), (reader) => reader.take(3)],
  }
  for (const [name, [bytes, read]] of Object.entries(reads)) {
    it(`throws MalformedBytes when ${name} runs over the end`, () => {
      for (let end = 0; end < bytes.length; end++)
        expect(() => read(new ByteReader(bytes, 0, end)), `${end} bytes`).to.throw(MalformedBytes)
      expect(() => read(new ByteReader(bytes))).not.to.throw()
    })
  }
})
