/** How a method's arguments lie in its frame, and the checking, reading and writing that follows from it. */
import { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { FIELD_DEPTH_LIMIT, type FieldTable, readTable, skipTable, writeTable } from './field-table.js'
import { isUtf8 } from './utf8.js'
import { FRAME_END, FRAME_HEADER_SIZE, FRAME_METHOD, type Frame, SIZE_AT, readLong } from './frame.js'

/** AMQP's elementary types (AMQP 0-9-1, 4.2.1), and `table`. */
export type ArgumentType = 'bit' | 'octet' | 'short' | 'long' | 'longlong' | 'shortstr' | 'longstr' | 'table'

interface ArgumentValues {
  bit: boolean
  octet: number
  short: number
  long: number
  longlong: bigint
  shortstr: string
  longstr: Uint8Array
  table: FieldTable
}

/** Argument names and types in the order of the wire; names that begin with `reserved` mean nothing and are written as zero. */
export type ArgumentLayout = Readonly<Record<string, ArgumentType>>

/** The values of a method's arguments. */
export type Arguments<A extends ArgumentLayout> = {
  [Name in keyof A as Name extends `reserved${string}` ? never : Name]: ArgumentValues[A[Name]]
}

/** Who may send a method. */
export type Sender = 'client' | 'server' | 'both'

/** Everything that Warren knows of a method. */
export interface MethodLayout<A extends ArgumentLayout = ArgumentLayout> {
  /** As RabbitMQ names it in its errors, for example `basic.publish`. */
  readonly name: string
  /** Class id in the high, method id in the low 16 bits. */
  readonly id: number
  readonly classId: number
  readonly methodId: number
  readonly sender: Sender
  readonly args: A
  /** The types in order, neighbouring bits as one octet. */
  readonly shape: readonly ArgumentType[]
}

/** Describes a method. `id` holds class and method id as in {@link MethodLayout.id}. */
export function defineMethod<const A extends ArgumentLayout>(
  name: string,
  id: number,
  sender: Sender,
  args: A,
): MethodLayout<A> {
  const types = Object.values(args)
  const shape = types.filter((type, at) => type !== 'bit' || types[at - 1] !== 'bit')
  return { name, id, classId: id >>> 16, methodId: id & 0xffff, sender, args, shape }
}

/**
 * Checks that `bytes[at, end)` holds exactly the arguments of `method`, tables included (nested no deeper than `tableDepth`), without
 * building anything.
 * RabbitMQ answers a mismatch with FRAME_ERROR or SYNTAX_ERROR for the whole connection.
 */
export function hasShapeOf(
  method: MethodLayout,
  bytes: Uint8Array,
  at: number,
  end: number,
  tableDepth = FIELD_DEPTH_LIMIT,
): boolean {
  const shape = method.shape
  for (let i = 0; i < shape.length; i++) {
    at = skipArgument(shape[i], bytes, at, end, tableDepth)
    if (at < 0 || at > end) return false
  }
  return at === end
}

/**
 * Whether every short string among well-formed arguments is UTF-8. RabbitMQ ends the connection over one that isn't,
 * except in Basic.Publish, where it doesn't look.
 */
export function hasUtf8Strings(method: MethodLayout, bytes: Uint8Array, at: number, end: number): boolean {
  for (const type of method.shape) {
    const next = skipArgument(type, bytes, at, end)
    if (type === 'shortstr' && !isUtf8(bytes, at + 1, next)) return false
    at = next
  }
  return true
}

function skipArgument(
  type: ArgumentType,
  bytes: Uint8Array,
  at: number,
  end: number,
  tableDepth = Infinity,
): number {
  switch (type) {
    case 'bit':
    case 'octet':
      return at + 1
    case 'short':
      return at + 2
    case 'long':
      return at + 4
    case 'longlong':
      return at + 8
    case 'shortstr':
      return at < end ? at + 1 + bytes[at] : -1
    case 'longstr':
      return end - at >= 4 ? at + 4 + readLong(bytes, at) : -1
    case 'table':
      return skipTable(bytes, at, end, tableDepth)
  }
}

/** Reads the arguments that begin at `start`, behind the class and method ids. Throws MalformedBytes. */
export function readArguments<A extends ArgumentLayout>(
  method: MethodLayout<A>,
  bytes: Uint8Array,
  start: number,
  end: number,
): Arguments<A> {
  const reader = new ByteReader(bytes, start, end)
  const values: Record<string, unknown> = {}
  let bits = 0
  let bit = 8
  for (const [name, type] of Object.entries(method.args)) {
    if (type !== 'bit') bit = 8
    else if (bit === 8) {
      bits = reader.octet()
      bit = 0
    }
    const value = type === 'bit' ? (bits & (1 << bit++)) !== 0 : readArgument(type, reader)
    if (!name.startsWith('reserved')) values[name] = value
  }
  return values as Arguments<A>
}

/** The arguments of a method frame that was found to be of this method. Throws MalformedBytes. */
export function argumentsOf<A extends ArgumentLayout>(method: MethodLayout<A>, frame: Frame): Arguments<A> {
  return readArguments(method, frame.bytes, frame.argumentsStart, frame.payloadEnd)
}

function readArgument(type: Exclude<ArgumentType, 'bit'>, reader: ByteReader): unknown {
  switch (type) {
    case 'octet':
      return reader.octet()
    case 'short':
      return reader.short()
    case 'long':
      return reader.long()
    case 'longlong':
      return reader.longLong()
    case 'shortstr':
      return reader.shortString()
    case 'longstr':
      return reader.longString()
    case 'table':
      return readTable(reader)
  }
}

/** A whole method frame for `channel`. Throws RangeError when a short string is too long. */
export function methodFrame<A extends ArgumentLayout>(
  method: MethodLayout<A>,
  channel: number,
  values: Arguments<A>,
): Uint8Array {
  const writer = new ByteWriter()
  writer.octet(FRAME_METHOD).short(channel).long(0).long(method.id)
  let bits = 0
  let bit = 0
  for (const [name, type] of Object.entries(method.args)) {
    const value = (values as Record<string, unknown>)[name]
    if (type === 'bit') {
      if (value === true) bits |= 1 << bit
      bit++
      continue
    }
    if (bit > 0) writer.octet(bits)
    bits = bit = 0
    writeArgument(writer, type, value)
  }
  if (bit > 0) writer.octet(bits)
  writer.setLong(SIZE_AT, writer.length - FRAME_HEADER_SIZE)
  return writer.octet(FRAME_END).finish()
}

function writeArgument(writer: ByteWriter, type: Exclude<ArgumentType, 'bit'>, value: unknown): void {
  switch (type) {
    case 'octet':
      writer.octet((value as number | undefined) ?? 0)
      break
    case 'short':
      writer.short((value as number | undefined) ?? 0)
      break
    case 'long':
      writer.long((value as number | undefined) ?? 0)
      break
    case 'longlong':
      writer.longLong((value as bigint | undefined) ?? 0n)
      break
    case 'shortstr':
      writer.shortString((value as string | undefined) ?? '')
      break
    case 'longstr':
      writer.longString((value as Uint8Array | undefined) ?? '')
      break
    case 'table':
      writeTable(writer, (value as FieldTable | undefined) ?? [])
      break
  }
}
