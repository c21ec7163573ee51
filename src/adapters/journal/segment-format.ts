/**
 * The bytes of a segment. Header: `magic(8) version(4) marker(8) crc(4)`. Record: `marker(8) size(4) crc(4) payload(size)`, where the checksum covers size and payload.
 * Payload: `kind(1) id(6)`, and for a message `expiry(8) user(2+n) virtual-host(2+n) bytes`; one that was set aside has
 * `refused-at(8) told(1) reason(2+n)` before its bytes. All numbers are big-endian.
 *
 * The marker finds the next record behind a damaged one. It's random for each segment: a client that writes records of its own making into
 * a message can't have them read as such.
 */
import { crc32 } from 'node:zlib'
import type { AsideNote, JournalPool, JournalRecord } from '../../application/ports/journal.js'

const MAGIC = Buffer.from('WARRENPJ')
/** The only version so far. */
const SEGMENT_VERSION = 1
export const MARKER_SIZE = 8
const VERSION_AT = 8
const MARKER_AT = 12
const HEADER_CRC_AT = 20
export const SEGMENT_HEADER_SIZE = 24

const SIZE_AT = MARKER_SIZE
const CRC_AT = SIZE_AT + 4
const PAYLOAD_AT = CRC_AT + 4
const KIND_AT = PAYLOAD_AT
const ID_AT = KIND_AT + 1
const ID_SIZE = 6
const EXPIRY_AT = ID_AT + ID_SIZE
const USER_AT = EXPIRY_AT + 8
const REMOVAL_SIZE = ID_AT + ID_SIZE

const MESSAGE = 1
const REMOVAL = 2
const ASIDE = 3
const KINDS = new Map([
  [MESSAGE, 'message' as const],
  [REMOVAL, 'removal' as const],
  [ASIDE, 'message' as const],
])
/** When it was refused, and whether its publisher was told. */
const NOTE_SIZE = 8 + 1
/** In characters, of which each takes three octets at most. */
const LONGEST_REASON = 10_000

/** Where a record lies and what it says. */
export interface Entry {
  readonly kind: 'message' | 'removal'
  readonly id: number
  readonly offset: number
  readonly size: number
}

/** What could be read of a segment. */
export interface Scan {
  readonly entries: readonly Entry[]
  /** Bytes in the middle that aren't a record any more. */
  readonly damagedBytes: number
  /** Where the last readable record ends. */
  readonly goodEnd: number
  /** Bytes behind it of a record that was never finished; its writer was stopped. */
  readonly tornBytes: number
}

/** The segment can't be read by this version. */
export class NewerSegment extends Error {}

/** What a segment begins with; its records carry the same marker, {@link MARKER_SIZE} bytes. */
export function encodeHeader(marker: Uint8Array): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_SIZE)
  MAGIC.copy(header)
  header.writeUInt32BE(SEGMENT_VERSION, VERSION_AT)
  header.set(marker, MARKER_AT)
  header.writeUInt32BE(crc32(header.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT)
  return header
}

/** The message as a record; throws RangeError when a name is too long. */
export function encodeMessage(
  marker: Uint8Array,
  { id, pool, expiresAtEpochMs, bytes, aside }: JournalRecord,
): Buffer {
  const names = [Buffer.from(pool.user), Buffer.from(pool.virtualHost)]
  // No limit of the broker's, but of the field.
  const reason = aside && Buffer.from(aside.reason.slice(0, LONGEST_REASON))
  const size = names.reduce((sum, { length }) => sum + 2 + length, USER_AT + bytes.length)
  const record = Buffer.allocUnsafe(size + (reason === undefined ? 0 : NOTE_SIZE + 2 + reason.length))
  record[KIND_AT] = aside === undefined ? MESSAGE : ASIDE
  record.writeUIntBE(id, ID_AT, ID_SIZE)
  record.writeDoubleBE(expiresAtEpochMs ?? Infinity, EXPIRY_AT)
  let at = USER_AT
  const write = (text: Buffer): void => {
    at = record.writeUInt16BE(text.length, at)
    record.set(text, at)
    at += text.length
  }
  names.forEach(write)
  if (aside !== undefined && reason !== undefined) {
    at = record.writeDoubleBE(aside.refusedAt, at)
    at = record.writeUInt8(aside.wasTold ? 1 : 0, at)
    write(reason)
  }
  record.set(bytes, at)
  return seal(record, marker)
}

/** That the message with this id isn't needed any more, as a record. */
export function encodeRemoval(marker: Uint8Array, id: number): Buffer {
  const record = Buffer.allocUnsafe(REMOVAL_SIZE)
  record[KIND_AT] = REMOVAL
  record.writeUIntBE(id, ID_AT, ID_SIZE)
  return seal(record, marker)
}

/** The same record for another segment. */
export function remark(record: Buffer, marker: Uint8Array): Buffer {
  record.set(marker)
  return record
}

/** The message in a record that {@link scanSegment} has found; nothing of it is shared with `record`. */
export function decodeMessage(record: Buffer): JournalRecord {
  const expiry = record.readDoubleBE(EXPIRY_AT)
  let at = USER_AT
  const readText = (): string => {
    const start = at + 2
    at = start + record.readUInt16BE(at)
    return record.toString('utf8', start, at)
  }
  const pool: JournalPool = { user: readText(), virtualHost: readText() }
  let aside: AsideNote | undefined
  if (record[KIND_AT] === ASIDE) {
    const refusedAt = record.readDoubleBE(at)
    const wasTold = record[at + 8] === 1
    at += NOTE_SIZE
    aside = { reason: readText(), refusedAt, wasTold }
  }
  return {
    id: record.readUIntBE(ID_AT, ID_SIZE),
    pool,
    expiresAtEpochMs: expiry === Infinity ? undefined : expiry,
    bytes: new Uint8Array(record.subarray(at)),
    aside,
  }
}

/** Finds the records in a segment, also behind damage. Throws {@link NewerSegment}. */
export function scanSegment(bytes: Buffer): Scan {
  const marker = markerOf(bytes)
  const entries: Entry[] = []
  let damagedBytes = 0
  let end = Math.min(SEGMENT_HEADER_SIZE, bytes.length)
  for (let at = end; marker !== undefined;) {
    at = bytes.indexOf(marker, at)
    if (at < 0) break
    const entry = readEntry(bytes, at)
    if (entry === undefined) {
      at++
      continue
    }
    damagedBytes += at - end
    entries.push(entry)
    at = end = at + entry.size
  }
  const isTorn = marker === undefined ? bytes.length < SEGMENT_HEADER_SIZE : isUnfinished(bytes, end, marker)
  const rest = bytes.length - end
  return isTorn
    ? { entries, damagedBytes, goodEnd: end, tornBytes: rest }
    : { entries, damagedBytes: damagedBytes + rest, goodEnd: end, tornBytes: 0 }
}

/** The marker from the header, or from the first record when the header is damaged. */
function markerOf(bytes: Buffer): Buffer | undefined {
  if (bytes.length < SEGMENT_HEADER_SIZE) return undefined
  const isSound =
    bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
    bytes.readUInt32BE(HEADER_CRC_AT) === crc32(bytes.subarray(0, HEADER_CRC_AT))
  if (isSound) {
    const version = bytes.readUInt32BE(VERSION_AT)
    if (version !== SEGMENT_VERSION) throw new NewerSegment(`version ${version}`)
    return bytes.subarray(MARKER_AT, MARKER_AT + MARKER_SIZE)
  }
  if (readEntry(bytes, SEGMENT_HEADER_SIZE) === undefined) return undefined
  return bytes.subarray(SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE + MARKER_SIZE)
}

/** The record whose marker is at `at`, if it's whole and sound. */
function readEntry(bytes: Buffer, at: number): Entry | undefined {
  if (bytes.length - at < REMOVAL_SIZE) return undefined
  const size = PAYLOAD_AT + bytes.readUInt32BE(at + SIZE_AT)
  if (size < REMOVAL_SIZE || size > bytes.length - at) return undefined
  const record = bytes.subarray(at, at + size)
  if (record.readUInt32BE(CRC_AT) !== checksum(record)) return undefined
  const kind = KINDS.get(record[KIND_AT])
  return kind && { kind, id: record.readUIntBE(ID_AT, ID_SIZE), offset: at, size }
}

/** Whether the bytes from `at` on are the beginning of a record, or space that was given to the file and never written. */
function isUnfinished(bytes: Buffer, at: number, marker: Buffer): boolean {
  const rest = bytes.subarray(at)
  const known = Math.min(rest.length, MARKER_SIZE)
  if (rest.subarray(0, known).equals(marker.subarray(0, known)))
    return rest.length < PAYLOAD_AT || PAYLOAD_AT + rest.readUInt32BE(SIZE_AT) > rest.length
  return rest.every((byte) => byte === 0)
}

function seal(record: Buffer, marker: Uint8Array): Buffer {
  record.set(marker)
  record.writeUInt32BE(record.length - PAYLOAD_AT, SIZE_AT)
  record.writeUInt32BE(checksum(record), CRC_AT)
  return record
}

function checksum(record: Buffer): number {
  return crc32(record.subarray(PAYLOAD_AT), crc32(record.subarray(SIZE_AT, CRC_AT)))
}
