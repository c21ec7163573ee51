/**
 * The bytes of a segment. Header: `magic(8) version(4) marker(8) crc(4)`. Record: `marker(8) size(4) crc(4) payload(size)`, where the checksum covers size and payload.
 * Payload: `kind(1) id(6)`, and for a message `expiry(8) user(2+n) virtual-host(2+n) bytes`. All numbers are big-endian.
 *
 * The marker finds the next record behind a damaged one. It's random for each segment: a client that writes records of its own making into
 * a message can't have them read as such.
 */
import { crc32 } from 'node:zlib'
import type { JournalPool, JournalRecord } from '../../application/ports/journal.js'

const MAGIC = Buffer.from('WARRENPJ')
/** The only version so far. */
export const SEGMENT_VERSION = 1
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
const KINDS = new Map([
  [MESSAGE, 'message' as const],
  [REMOVAL, 'removal' as const],
])

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
  { id, pool, expiresAtEpochMs, bytes }: JournalRecord,
): Buffer {
  const user = Buffer.from(pool.user)
  const virtualHost = Buffer.from(pool.virtualHost)
  const record = Buffer.allocUnsafe(USER_AT + 2 + user.length + 2 + virtualHost.length + bytes.length)
  record[KIND_AT] = MESSAGE
  record.writeUIntBE(id, ID_AT, ID_SIZE)
  record.writeDoubleBE(expiresAtEpochMs ?? Infinity, EXPIRY_AT)
  let at = USER_AT
  for (const name of [user, virtualHost]) {
    at = record.writeUInt16BE(name.length, at)
    record.set(name, at)
    at += name.length
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
  const names: string[] = []
  let at = USER_AT
  for (let i = 0; i < 2; i++) {
    const start = at + 2
    at = start + record.readUInt16BE(at)
    names.push(record.toString('utf8', start, at))
  }
  const pool: JournalPool = { user: names[0], virtualHost: names[1] }
  return {
    id: record.readUIntBE(ID_AT, ID_SIZE),
    pool,
    expiresAtEpochMs: expiry === Infinity ? undefined : expiry,
    bytes: new Uint8Array(record.subarray(at)),
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
