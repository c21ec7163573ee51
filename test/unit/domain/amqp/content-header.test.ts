import { expect } from 'chai'
import fc from 'fast-check'
import {
  CONTENT_HEADER_MIN_SIZE,
  contentBodySize,
  contentClass,
  contentWeight,
  expirationAt,
  hasHeaders,
  hasWellFormedProperties,
  readExpiration,
  readHeaders,
} from '../../../../src/domain/amqp/content-header.js'
import { concat } from '../../../support/frames.js'
import {
  type Properties,
  headerFrame,
  long,
  longlong,
  longstr,
  octet,
  short,
  shortstr,
  table,
} from '../../../support/wire-format.js'
import { mutated, properties } from '../arbitraries.js'

/** The payload of a content header frame. */
function header(given: Properties, bodySize: number | bigint = 0): Uint8Array {
  return headerFrame(1, bodySize, given).subarray(7, -1)
}

function isWellFormed(bytes: Uint8Array): boolean {
  return hasWellFormedProperties(bytes, 0, bytes.length)
}

/** An independent judgement: the bytes of each property by the flags, one after the other, for headers without a table. */
function judgeWithoutTable(bytes: Uint8Array): boolean {
  const flags = bytes[12] * 256 + bytes[13]
  let at = CONTENT_HEADER_MIN_SIZE
  for (let i = 0; i < 14; i++) {
    if ((flags & (0x8000 >> i)) === 0) continue
    if (i === 9) at += 8
    else if (i === 3 || i === 4) at += 1
    else at += 1 + (bytes[at] ?? 0)
    if (at > bytes.length) return false
  }
  return at === bytes.length && (flags & 1) === 0
}

describe('content headers', () => {
  it('tell their class, weight and body size', () => {
    const bytes = headerFrame(1, 0x123456789abcd, {}, 0xabcd)
    bytes.set([0x12, 0x34], 9)
    expect(contentClass(bytes, 7)).to.equal(0xabcd)
    expect(contentWeight(bytes, 7)).to.equal(0x1234)
    expect(contentBodySize(bytes, 7)).to.equal(0x123456789abcd)
  })

  it('tell a body size over 2^53 as large as it is, if not exactly', () => {
    expect(contentBodySize(headerFrame(1, 2n ** 64n - 1n), 7)).to.equal(2 ** 64)
    expect(contentBodySize(headerFrame(1, 2n ** 31n), 7)).to.equal(2 ** 31)
  })

  it('tell their headers and their expiration, whatever else there is, and wherever they stand', () => {
    fc.assert(
      fc.property(properties, fc.nat(20), (given, before) => {
        const payload = header(given)
        const bytes = concat([new Uint8Array(before).fill(0xff), payload, Uint8Array.of(0xce)])
        const end = before + payload.length
        expect(hasHeaders(bytes, before)).to.equal(given.headers !== undefined)
        if (given.headers !== undefined)
          expect(readHeaders(bytes, before, end).map(([name]) => name)).to.deep.equal(
            Object.keys(given.headers),
          )
        expect(readExpiration(bytes, before, end)).to.equal(given.expiration)
        const at = expirationAt(bytes, before, end)
        if (given.expiration === undefined) expect(at).to.equal(-1)
        else expect(bytes[at]).to.equal(Buffer.byteLength(given.expiration))
      }),
    )
  })

  it('are well-formed with any properties, and with none', () => {
    expect(isWellFormed(header({}))).to.equal(true)
    fc.assert(
      fc.property(properties, (given) => {
        expect(isWellFormed(header(given))).to.equal(true)
      }),
    )
  })

  it('are malformed when a byte is missing or left over', () => {
    fc.assert(
      fc.property(properties, fc.nat(), (given, cut) => {
        const bytes = header(given)
        expect(isWellFormed(concat([bytes, Uint8Array.of(0)]))).to.equal(false)
        const end = CONTENT_HEADER_MIN_SIZE + (cut % Math.max(1, bytes.length - CONTENT_HEADER_MIN_SIZE))
        if (end < bytes.length) expect(hasWellFormedProperties(bytes, 0, end)).to.equal(false)
      }),
    )
  })

  const alone: [property: keyof Properties, flag: number, bytes: Buffer][] = [
    ['contentType', 0x8000, shortstr('a')],
    ['contentEncoding', 0x4000, shortstr('a')],
    ['headers', 0x2000, table({ a: 1 })],
    ['deliveryMode', 0x1000, octet(2)],
    ['priority', 0x0800, octet(2)],
    ['correlationId', 0x0400, shortstr('a')],
    ['replyTo', 0x0200, shortstr('a')],
    ['expiration', 0x0100, shortstr('a')],
    ['messageId', 0x0080, shortstr('a')],
    ['timestamp', 0x0040, longlong(1)],
    ['type', 0x0020, shortstr('a')],
    ['userId', 0x0010, shortstr('a')],
    ['appId', 0x0008, shortstr('a')],
    ['clusterId', 0x0004, shortstr('a')],
  ]
  for (const [property, flag, bytes] of alone) {
    it(`need for ${property} the bytes of ${property}`, () => {
      const start = Buffer.concat([short(60), short(0), longlong(0), short(flag)])
      const whole = Buffer.concat([start, bytes])
      expect(isWellFormed(whole)).to.equal(true)
      for (let end = start.length; end < whole.length; end++)
        expect(isWellFormed(whole.subarray(0, end)), `${end} bytes`).to.equal(false)
      expect(isWellFormed(Buffer.concat([whole, octet(0)]))).to.equal(false)
    })
  }

  it('are malformed with a flag for more flags, which the basic class has no use for', () => {
    expect(isWellFormed(Buffer.concat([short(60), short(0), longlong(0), short(1)]))).to.equal(false)
  })

  it('are well-formed with the flag that means nothing: RabbitMQ ignores it', () => {
    expect(isWellFormed(Buffer.concat([short(60), short(0), longlong(0), short(2)]))).to.equal(true)
  })

  it('are malformed with a malformed table', () => {
    const start = Buffer.concat([short(60), short(0), longlong(0), short(0x2000)])
    expect(isWellFormed(Buffer.concat([start, longstr('garbage')]))).to.equal(false)
  })

  it('are malformed with a malformed table, whatever properties may seem to follow it', () => {
    // The flags of headers, delivery mode, timestamp and type, which would end with the header if they began in front of it.
    const start = Buffer.concat([
      short(60),
      short(0),
      Buffer.alloc(4),
      octet(9),
      Buffer.alloc(3),
      short(0x3060),
    ])
    expect(isWellFormed(Buffer.concat([start, long(0xff)]))).to.equal(false)
  })

  it('are judged without throwing, whatever the bytes, and as another reading judges', () => {
    const anything = fc.uint8Array({ minLength: CONTENT_HEADER_MIN_SIZE, maxLength: 60 })
    const near = mutated(properties.map((given) => header(given))).filter(
      ({ length }) => length >= CONTENT_HEADER_MIN_SIZE,
    )
    fc.assert(
      fc.property(fc.oneof(anything, near), (bytes) => {
        const judgement = isWellFormed(bytes)
        if ((bytes[12] & 0x20) === 0) expect(judgement).to.equal(judgeWithoutTable(bytes))
      }),
      { numRuns: 1000 },
    )
  })
})
