import { expect } from 'chai'
import fc from 'fast-check'
import {
  type Entry,
  NewerSegment,
  SEGMENT_HEADER_SIZE,
  decodeMessage,
  encodeHeader,
  encodeMessage,
  encodeRemoval,
  remark,
  scanSegment,
} from '../../../../src/adapters/journal/segment-format.js'
import type { JournalRecord } from '../../../../src/application/ports/journal.js'

const MARKER = Buffer.from('a marker')
const POOL = { user: 'guest', virtualHost: '/' }

function record(id: number, size = 10): JournalRecord {
  return {
    id,
    pool: POOL,
    expiresAtEpochMs: undefined,
    bytes: new Uint8Array(size).fill(id),
    aside: undefined,
  }
}

/** A segment of these records; a number is the removal of the message with this id. */
function segment(records: readonly (JournalRecord | number)[]): Buffer {
  const parts = records.map((each) =>
    typeof each === 'number' ? encodeRemoval(MARKER, each) : encodeMessage(MARKER, each),
  )
  return Buffer.concat([encodeHeader(MARKER), ...parts])
}

function messagesIn(bytes: Buffer): JournalRecord[] {
  return scanSegment(bytes)
    .entries.filter(({ kind }) => kind === 'message')
    .map(({ offset, size }) => decodeMessage(bytes.subarray(offset, offset + size)))
}

const said = (entries: readonly Entry[]): string[] => entries.map(({ kind, id }) => `${kind} ${id}`)

describe('a journal segment', () => {
  it('gives back its messages as they were', () => {
    const name = fc.string({ unit: 'binary', maxLength: 30 })
    const given = fc.record({
      id: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
      pool: fc.record({ user: name, virtualHost: name }),
      expiresAtEpochMs: fc.option(fc.nat(2 ** 48), { nil: undefined }),
      bytes: fc.uint8Array({ maxLength: 100 }),
      aside: fc.option(
        fc.record({
          reason: fc.string({ unit: 'binary' }),
          refusedAt: fc.nat(2 ** 48),
          wasTold: fc.boolean(),
        }),
        { nil: undefined },
      ),
    })
    fc.assert(
      fc.property(fc.array(given, { maxLength: 8 }), (records) => {
        expect(messagesIn(segment(records))).to.deep.equal(records)
      }),
    )
  })

  it('tells messages from removals, in order', () => {
    const scan = scanSegment(segment([record(1), 1, record(2), record(3), 2]))
    expect(said(scan.entries)).to.deep.equal([
      'message 1',
      'removal 1',
      'message 2',
      'message 3',
      'removal 2',
    ])
    expect([scan.damagedBytes, scan.tornBytes]).to.deep.equal([0, 0])
  })

  it('shares no memory with the message that was read from it', () => {
    const bytes = segment([record(1)])
    const [message] = messagesIn(bytes)
    bytes.fill(0)
    expect(message).to.deep.equal(record(1))
  })

  it('takes a record of another segment once it has its own marker', () => {
    const other = encodeMessage(Buffer.from('another!'), record(1))
    expect(messagesIn(Buffer.concat([segment([]), other]))).to.deep.equal([])
    expect(messagesIn(Buffer.concat([segment([]), remark(other, MARKER)]))).to.deep.equal([record(1)])
  })

  it('does not take a record in a message for one of its own', () => {
    const forged = encodeMessage(Buffer.from('guessed!'), record(99))
    const carrier = { ...record(1), bytes: new Uint8Array(forged) }
    const bytes = segment([carrier, record(2)])
    bytes[SEGMENT_HEADER_SIZE + 8] ^= 1
    expect(messagesIn(bytes)).to.deep.equal([record(2)])
  })

  it('is not read when a newer version has written it', () => {
    const newer = segment([record(1)])
    newer.writeUInt32BE(2, 8)
    newer.writeUInt32BE(checksum(newer.subarray(0, 20)), 20)
    expect(() => scanSegment(newer)).to.throw(NewerSegment, 'version 2')
  })

  it('has all records that were finished, wherever its writer was stopped', () => {
    const records = [record(1), record(2, 0), record(3, 40)]
    const whole = segment(records)
    const ends = scanSegment(whole).entries.map(({ offset, size }) => offset + size)
    for (let size = 0; size < whole.length; size++) {
      const scan = scanSegment(whole.subarray(0, size))
      const finished = ends.filter((end) => end <= size)
      const goodEnd = finished.at(-1) ?? Math.min(size, SEGMENT_HEADER_SIZE)
      expect(said(scan.entries), `${size} bytes`).to.deep.equal(finished.map((_, i) => `message ${i + 1}`))
      expect([scan.goodEnd, scan.tornBytes, scan.damagedBytes], `${size} bytes`).to.deep.equal([
        goodEnd,
        size - goodEnd,
        0,
      ])
    }
  })

  it('takes space that was given to the file and never written for an unfinished record', () => {
    const scan = scanSegment(Buffer.concat([segment([record(1)]), Buffer.alloc(500)]))
    expect([said(scan.entries), scan.tornBytes, scan.damagedBytes]).to.deep.equal([['message 1'], 500, 0])
  })

  it('loses one record at most to a wrong byte, and says how much that was', () => {
    const records = [record(1), record(2, 30), record(3)]
    const whole = segment(records)
    const { entries } = scanSegment(whole)
    for (let at = 0; at < whole.length; at++) {
      for (const change of [1, 0x80, 0xff]) {
        const bytes = Buffer.from(whole)
        bytes[at] ^= change
        const scan = scanSegment(bytes)
        const hit = entries.find(({ offset, size }) => at >= offset && at < offset + size)
        const left = records.filter(({ id }) => id !== hit?.id)
        expect(messagesIn(bytes), `byte ${at}`).to.deep.equal(left)
        expect(scan.damagedBytes + scan.tornBytes, `byte ${at}`).to.equal(hit?.size ?? 0)
        if (hit !== undefined && hit.id < 3) expect(scan.damagedBytes, `byte ${at}`).to.equal(hit.size)
      }
    }
  })

  it('gives nothing that was never written, whatever happens to its bytes', () => {
    const change = fc.record({ at: fc.nat(), remove: fc.nat(40), insert: fc.uint8Array({ maxLength: 40 }) })
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 8 }),
        fc.array(change, { maxLength: 4 }),
        (sizes, changes) => {
          const records = sizes.map((size, i) => record(i + 1, size))
          let bytes = segment(records)
          for (const { at, remove, insert } of changes) {
            const start = at % (bytes.length + 1)
            bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)])
          }
          const scan = scanSegment(bytes)
          for (const message of messagesIn(bytes))
            expect(message).to.deep.equal(records.find(({ id }) => id === message.id))
          expect(scan.goodEnd + scan.tornBytes).to.be.at.most(bytes.length)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('is unreadable without header and first record, and says so', () => {
    const bytes = segment([record(1), record(2)])
    bytes.fill(0xaa, 0, SEGMENT_HEADER_SIZE + 20)
    const scan = scanSegment(bytes)
    expect([scan.entries.length, scan.damagedBytes, scan.tornBytes]).to.deep.equal([
      0,
      bytes.length - SEGMENT_HEADER_SIZE,
      0,
    ])
  })
})

/** CRC-32 bit by bit, so that the format doesn't vouch for itself. */
function checksum(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
