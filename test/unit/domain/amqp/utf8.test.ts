import { expect } from 'chai'
import fc from 'fast-check'
import { isUtf8 } from '../../../../src/domain/amqp/utf8.js'

describe('isUtf8', () => {
  const strict = new TextDecoder('utf-8', { fatal: true })

  function decodes(bytes: Uint8Array): boolean {
    try {
      strict.decode(bytes)
      return true
    } catch {
      return false
    }
  }

  it('agrees with a strict decoder on any bytes', () => {
    const octet = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x9f, 0x90),
    )
    fc.assert(
      fc.property(fc.array(octet, { maxLength: 8 }), (octets) => {
        const bytes = Uint8Array.from(octets)
        expect(isUtf8(bytes, 0, bytes.length)).to.equal(decodes(bytes))
      }),
      { numRuns: 5000 },
    )
  })

  it('agrees on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = new TextEncoder().encode(text)
        expect(isUtf8(bytes, 0, bytes.length)).to.equal(true)
      }),
    )
  })

  it('looks at its part of the bytes alone', () => {
    const bytes = Uint8Array.of(0xff, 0x61, 0xc3, 0xa4, 0xff)
    expect(isUtf8(bytes, 1, 4)).to.equal(true)
    expect(isUtf8(bytes, 1, 3), 'cut in the middle of a character').to.equal(false)
  })
})
