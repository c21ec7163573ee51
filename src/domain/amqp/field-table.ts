/** Field tables, with the types that RabbitMQ speaks (its errata to AMQP 0-9-1, 4.2.5.5). */
import type { ByteReader } from './byte-reader.js'
import { MalformedBytes } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'
import { readLong } from './frame.js'

/** One value with its type, so that writing what was read gives the same bytes. */
export type FieldValue =
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32'; readonly value: number }
  | { readonly type: 'int64' | 'uint64' | 'timestamp'; readonly value: bigint }
  | { readonly type: 'float' | 'double'; readonly value: number }
  | { readonly type: 'decimal'; readonly scale: number; readonly value: number }
  | { readonly type: 'string' | 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'array'; readonly value: readonly FieldValue[] }
  | { readonly type: 'table'; readonly value: FieldTable }
  | { readonly type: 'void' }

/** Names and values in the order of the wire. RabbitMQ allows a name twice; the first one counts. */
export type FieldTable = readonly (readonly [name: string, value: FieldValue])[]

/** How deep tables and arrays may nest unless somebody says otherwise; RabbitMQ has no limit of its own. */
export const FIELD_DEPTH_LIMIT = 32
/** The deepest nesting that is read at all, whoever allowed it: reading it takes stack. */
const DEEPEST = 1000

const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder('utf-8', { ignoreBOM: true }) }
const TAGS: Record<FieldValue['type'], number> = {
  bool: 0x74, // t
  int8: 0x62, // b
  uint8: 0x42, // B
  int16: 0x73, // s
  uint16: 0x75, // u
  int32: 0x49, // I
  uint32: 0x69, // i
  int64: 0x6c, // l
  uint64: 0x4c, // L
  float: 0x66, // f
  double: 0x64, // d
  decimal: 0x44, // D
  string: 0x53, // S
  array: 0x41, // A
  timestamp: 0x54, // T
  table: 0x46, // F
  void: 0x56, // V
  bytes: 0x78, // x
}
const TYPES = new Map(Object.entries(TAGS).map(([type, tag]) => [tag, type as FieldValue['type']]))

/** A text value. */
export function textField(value: string): FieldValue {
  return { type: 'string', value: utf8.encoder.encode(value) }
}

/** A table of names and values from an object. */
export function tableField(fields: Readonly<Record<string, FieldValue>>): FieldValue {
  return { type: 'table', value: Object.entries(fields) }
}

/** The value named `name`, if the table has it. */
export function fieldOf(table: FieldTable, name: string): FieldValue | undefined {
  return table.find(([known]) => known === name)?.[1]
}

/** The text named `name`, or undefined when it's missing or no text. */
export function textOf(table: FieldTable, name: string): string | undefined {
  const field = fieldOf(table, name)
  return field?.type === 'string' ? utf8.decoder.decode(field.value) : undefined
}

/** Reads a table with its four-byte length. Throws {@link MalformedBytes}. */
export function readTable(reader: ByteReader, depth = 0): FieldTable {
  const size = reader.long()
  return readFields(reader, size, depth)
}

/** Reads a table of `size` bytes whose length stands elsewhere, as in an AMQPLAIN response. Throws {@link MalformedBytes}. */
export function readFields(reader: ByteReader, size: number, depth = 0): FieldTable {
  if (depth > DEEPEST) throw new MalformedBytes('tables nested too deeply')
  if (size > reader.remaining) throw new MalformedBytes('a table is longer than what holds it')
  const end = reader.position + size
  const table: [string, FieldValue][] = []
  while (reader.position < end) table.push([reader.shortString(), readValue(reader, depth)])
  if (reader.position > end) throw new MalformedBytes('a field runs over the end of its table')
  return table
}

function readValue(reader: ByteReader, depth: number): FieldValue {
  const tag = reader.octet()
  const type = TYPES.get(tag)
  switch (type) {
    case 'bool':
      return { type, value: reader.octet() !== 0 }
    case 'int8':
      return { type, value: (reader.octet() << 24) >> 24 }
    case 'uint8':
      return { type, value: reader.octet() }
    case 'int16':
      return { type, value: (reader.short() << 16) >> 16 }
    case 'uint16':
      return { type, value: reader.short() }
    case 'int32':
      return { type, value: reader.long() | 0 }
    case 'uint32':
      return { type, value: reader.long() }
    case 'int64':
      return { type, value: BigInt.asIntN(64, reader.longLong()) }
    case 'uint64':
    case 'timestamp':
      return { type, value: reader.longLong() }
    case 'float':
    case 'double':
      return { type, value: readFloat(reader, type) }
    case 'decimal':
      return { type, scale: reader.octet(), value: reader.long() }
    case 'string':
    case 'bytes':
      return { type, value: reader.longString() }
    case 'array':
      return { type, value: readArray(reader, depth + 1) }
    case 'table':
      return { type, value: readTable(reader, depth + 1) }
    case 'void':
      return { type }
    case undefined:
      throw new MalformedBytes(`unknown field type ${tag}`)
  }
}

function readFloat(reader: ByteReader, type: 'float' | 'double'): number {
  const bytes = reader.take(type === 'float' ? 4 : 8)
  if (!isFiniteNumber(bytes, 0, TAGS[type])) throw new MalformedBytes('not a number, or an infinite one')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return type === 'float' ? view.getFloat32(0) : view.getFloat64(0)
}

function readArray(reader: ByteReader, depth: number): FieldValue[] {
  if (depth > DEEPEST) throw new MalformedBytes('arrays nested too deeply')
  const size = reader.long()
  if (size > reader.remaining) throw new MalformedBytes('an array is longer than what holds it')
  const end = reader.position + size
  const values: FieldValue[] = []
  while (reader.position < end) values.push(readValue(reader, depth))
  if (reader.position > end) throw new MalformedBytes('a value runs over the end of its array')
  return values
}

/** Writes a table with its four-byte length. */
export function writeTable(writer: ByteWriter, table: FieldTable): void {
  writeSized(writer, () => writeFields(writer, table))
}

/** Writes the table's fields alone. */
export function writeFields(writer: ByteWriter, table: FieldTable): void {
  for (const [name, value] of table) {
    writer.shortString(name)
    writeValue(writer, value)
  }
}

function writeSized(writer: ByteWriter, write: () => void): void {
  const at = writer.length
  writer.long(0)
  write()
  writer.setLong(at, writer.length - at - 4)
}

function writeValue(writer: ByteWriter, field: FieldValue): void {
  writer.octet(TAGS[field.type])
  switch (field.type) {
    case 'bool':
      writer.octet(field.value ? 1 : 0)
      break
    case 'int8':
    case 'uint8':
      writer.octet(field.value)
      break
    case 'int16':
    case 'uint16':
      writer.short(field.value)
      break
    case 'int32':
    case 'uint32':
      writer.long(field.value)
      break
    case 'int64':
    case 'uint64':
    case 'timestamp':
      writer.longLong(field.value)
      break
    case 'float':
    case 'double':
      writer.raw(floatBytes(field.type, field.value))
      break
    case 'decimal':
      writer.octet(field.scale).long(field.value)
      break
    case 'string':
    case 'bytes':
      writer.longString(field.value)
      break
    case 'array':
      writeSized(writer, () => {
        for (const value of field.value) writeValue(writer, value)
      })
      break
    case 'table':
      writeTable(writer, field.value)
      break
    case 'void':
      break
  }
}

function floatBytes(type: 'float' | 'double', value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(type === 'float' ? 4 : 8))
  if (type === 'float') view.setFloat32(0, value)
  else view.setFloat64(0, value)
  return new Uint8Array(view.buffer)
}

/** Size of a value whose size its type alone tells; -1 for the others, -2 for unknown types. Indexed by tag. */
const FIXED_SIZE = new Int8Array(256).fill(-2)
for (const [type, size] of Object.entries({
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float: 4,
  double: 8,
  decimal: 5,
  timestamp: 8,
  void: 0,
  string: -1,
  bytes: -1,
  array: -1,
  table: -1,
})) {
  FIXED_SIZE[TAGS[type as FieldValue['type']]] = size
}

/**
 * Checks the shape of a table, with its four-byte length, in `bytes[at, end)` without building anything.
 * Returns where the table ends, or -1 when it isn't well-formed or nests deeper than `depth`.
 */
export function skipTable(bytes: Uint8Array, at: number, end: number, depth = FIELD_DEPTH_LIMIT): number {
  return skipNested(bytes, at, end, true, depth)
}

/** `depth` is how many more levels there may be. */
function skipNested(bytes: Uint8Array, start: number, end: number, named: boolean, depth: number): number {
  if (depth < 0 || end - start < 4) return -1
  let at = start + 4
  const stop = at + readLong(bytes, start)
  if (stop > end) return -1
  while (at < stop) {
    if (named) at += 1 + bytes[at]
    if (at >= stop) return -1
    const tag = bytes[at++]
    const size = FIXED_SIZE[tag]
    if (size >= 0) {
      if ((tag === TAGS.float || tag === TAGS.double) && !isFiniteNumber(bytes, at, tag)) return -1
      at += size
    } else if (tag === TAGS.string || tag === TAGS.bytes) {
      if (stop - at < 4) return -1
      at += 4 + readLong(bytes, at)
    } else if (tag === TAGS.table || tag === TAGS.array) {
      at = skipNested(bytes, at, stop, tag === TAGS.table, depth - 1)
      if (at < 0) return -1
    } else {
      return -1
    }
    if (at > stop) return -1
  }
  return at
}

/**
 * Whether a float or double is finite. Erlang has no NaN and no infinity: RabbitMQ fails over one. They have
 * all bits of the exponent set (IEEE 754).
 */
function isFiniteNumber(bytes: Uint8Array, at: number, tag: number): boolean {
  const exponent = tag === TAGS.float ? 0x7f80 : 0x7ff0
  return (((bytes[at] << 8) | bytes[at + 1]) & exponent) !== exponent
}
