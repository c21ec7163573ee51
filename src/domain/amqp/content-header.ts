/** Content headers: `class(2) weight(2) body-size(8) property-flags(2) properties` (AMQP 0-9-1, 2.3.5.2 and 4.2.6.1). */
import { ByteReader } from './byte-reader.js'
import { FIELD_DEPTH_LIMIT, type FieldTable, readTable, skipTable } from './field-table.js'
import { readLong, readShort } from './frame.js'

/** Where the announced size of the body stands. */
export const BODY_SIZE_AT = 4
const FLAGS_AT = 12
/** Of the first property. */
const HIGHEST_FLAG = 1 << 15
const HEADERS_FLAG = 1 << 13
const EXPIRATION_FLAG = 1 << 8
/** Class, weight, body size and flags. */
export const CONTENT_HEADER_MIN_SIZE = 14

type PropertyType = 'shortstr' | 'table' | 'octet' | 'timestamp'

/** The basic class's properties, from the flags' highest bit down. */
const BASIC_PROPERTIES: readonly PropertyType[] = [
  'shortstr', // content-type
  'shortstr', // content-encoding
  'table', // headers
  'octet', // delivery-mode
  'octet', // priority
  'shortstr', // correlation-id
  'shortstr', // reply-to
  'shortstr', // expiration
  'shortstr', // message-id
  'timestamp', // timestamp
  'shortstr', // type
  'shortstr', // user-id
  'shortstr', // app-id
  'shortstr', // cluster-id
]
/** The lowest flag says that another flag word follows, which the basic class never needs. RabbitMQ ignores the one above. */
const CONTINUATION_FLAG = 1
/** Of the fourteen properties. */
const KNOWN_FLAGS = 0xfffc
/** Zeros before the first property's flag in 32 bits. */
const HIGHEST_FLAG_ZEROS = 16
const WEIGHT_AT = 2

/** The class that the header at `bytes[at]` belongs to. */
export function contentClass(bytes: Uint8Array, at: number): number {
  return readShort(bytes, at)
}

/** The weight of the header at `bytes[at]`, which has to be 0. */
export function contentWeight(bytes: Uint8Array, at: number): number {
  return readShort(bytes, at + WEIGHT_AT)
}

/** The announced body size in decimal digits, exact however large it is. */
export function contentBodySizeText(bytes: Uint8Array, at: number): string {
  const high = BigInt(readLong(bytes, at + BODY_SIZE_AT))
  return String((high << 32n) | BigInt(readLong(bytes, at + BODY_SIZE_AT + 4)))
}

/** The announced body size in bytes; sizes beyond 2^53 come out inexact, but stay as large. */
export function contentBodySize(bytes: Uint8Array, at: number): number {
  const high = readLong(bytes, at + BODY_SIZE_AT)
  const low = readLong(bytes, at + BODY_SIZE_AT + 4)
  return high === 0 ? low : high * 2 ** 32 + low
}

/**
 * Whether the header in `bytes[at, end)` holds exactly the properties that its flags announce, tables
 * included (nested no deeper than `tableDepth`).
 */
export function hasWellFormedProperties(
  bytes: Uint8Array,
  at: number,
  end: number,
  tableDepth = FIELD_DEPTH_LIMIT,
): boolean {
  const flags = readShort(bytes, at + FLAGS_AT)
  at += CONTENT_HEADER_MIN_SIZE
  if ((flags & CONTINUATION_FLAG) !== 0) return false
  for (let left = flags & KNOWN_FLAGS; left !== 0;) {
    const i = Math.clz32(left) - HIGHEST_FLAG_ZEROS
    left &= ~(1 << (15 - i))
    at = skipProperty(BASIC_PROPERTIES[i], bytes, at, end, tableDepth)
    if (at < 0 || at > end) return false
  }
  return at === end
}

/** Whether the header at `bytes[at]` has a headers table. */
export function hasHeaders(bytes: Uint8Array, at: number): boolean {
  return (readShort(bytes, at + FLAGS_AT) & HEADERS_FLAG) !== 0
}

/** The headers table of a well-formed header in `bytes[at, end)` that has one. */
export function readHeaders(bytes: Uint8Array, at: number, end: number): FieldTable {
  return readTable(new ByteReader(bytes, propertyAt(HEADERS_FLAG, bytes, at, end), end))
}

/** Where the expiration property of a well-formed header in `bytes[at, end)` stands, a short string; -1 when it has none. */
export function expirationAt(bytes: Uint8Array, at: number, end: number): number {
  return propertyAt(EXPIRATION_FLAG, bytes, at, end)
}

/** The expiration property of a well-formed header in `bytes[at, end)`, as it was written; undefined when it has none. */
export function readExpiration(bytes: Uint8Array, at: number, end: number): string | undefined {
  const expiration = expirationAt(bytes, at, end)
  return expiration < 0 ? undefined : new ByteReader(bytes, expiration, end).shortString()
}

/** Where the property with this flag stands in a well-formed header in `bytes[at, end)`; -1 when it isn't there. */
function propertyAt(flag: number, bytes: Uint8Array, at: number, end: number): number {
  const flags = readShort(bytes, at + FLAGS_AT)
  if ((flags & flag) === 0) return -1
  at += CONTENT_HEADER_MIN_SIZE
  for (let i = 0, before = HIGHEST_FLAG; before > flag; i++, before >>>= 1)
    if ((flags & before) !== 0) at = skipProperty(BASIC_PROPERTIES[i], bytes, at, end, Infinity)
  return at
}

/** Returns where the property at `at` ends; -1, or a place behind `end`, when it isn't whole. */
function skipProperty(
  type: PropertyType,
  bytes: Uint8Array,
  at: number,
  end: number,
  tableDepth: number,
): number {
  switch (type) {
    case 'shortstr':
      return at < end ? at + 1 + bytes[at] : -1
    case 'octet':
      return at + 1
    case 'timestamp':
      return at + 8
    case 'table':
      return skipTable(bytes, at, end, tableDepth)
  }
}
