/** RabbitMQ's rules for the form of what its clients send, written apart from those in src/, so that a mistake there can't hide behind the same mistake here. */
import { isUtf8 } from 'node:buffer'
import {
  FRAME_END,
  FRAME_OVERHEAD,
  layoutOf,
  nameOf,
  propertyFields,
  type Layout,
  type MethodName,
} from '../support/wire-format.js'

/** Something for which RabbitMQ ends the whole connection. */
export class HardError extends Error {
  constructor(
    readonly code: number,
    text: string,
  ) {
    super(text)
  }
}

/** A method with its arguments; tables as the octets between their length and their end. */
export interface FormedMethod {
  readonly name: MethodName
  readonly args: Readonly<Record<string, unknown>>
}

/** A field of a table, as far as the fake broker looks into it. */
export interface Field {
  readonly tag: string
  readonly bytes: Buffer
}

export interface ContentForm {
  readonly bodySize: number
  readonly replyTo: string | undefined
}

const HEARTBEAT = 8
const FRAME_HEADER_SIZE = 7
const BASIC = 60
const CONTENT_HEADER_SIZE = 14
/** Octets of the table values whose size doesn't depend on what they hold. */
const FIXED: Readonly<Record<string, number>> = {
  t: 1,
  b: 1,
  B: 1,
  s: 2,
  u: 2,
  I: 4,
  i: 4,
  l: 8,
  L: 8,
  f: 4,
  d: 8,
  D: 5,
  T: 8,
  V: 0,
}

/** Cuts a stream of octets into frames. `onFrame` gets a view that is good only during the call. */
export class FrameCutter {
  private rest: Buffer = Buffer.alloc(0)

  constructor(
    private readonly frameMax: () => number,
    private readonly onFrame: (type: number, channel: number, payload: Buffer) => void,
  ) {}

  push(chunk: Buffer): void {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let at = 0
    while (bytes.length - at >= FRAME_HEADER_SIZE) {
      const size = bytes.readUInt32BE(at + 3)
      // RabbitMQ lets a payload of that size pass.
      if (size > this.frameMax()) throw new HardError(501, `a frame of ${size} octets`)
      const end = at + size + FRAME_OVERHEAD
      if (end > bytes.length) break
      if (bytes[end - 1] !== FRAME_END) throw new HardError(501, `a frame that ends with ${bytes[end - 1]}`)
      this.onFrame(bytes[at], bytes.readUInt16BE(at + 1), bytes.subarray(at + FRAME_HEADER_SIZE, end - 1))
      at = end
    }
    // A copy, lest the rest keeps the whole chunk.
    this.rest = at === bytes.length ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at))
  }

  /** Whether the stream has stopped in the middle of a frame. */
  get isInFrame(): boolean {
    return this.rest.length > 0
  }
}

/** The method in a frame's payload. What a broker sends may repeat strings of a publish. */
export function readMethod(payload: Buffer, isFromClient = true): FormedMethod {
  if (payload.length < 4) throw new HardError(501, `a method frame of ${payload.length} octets`)
  const [classId, methodId] = [payload.readUInt16BE(0), payload.readUInt16BE(2)]
  const name = nameOf(classId, methodId)
  if (name === undefined) throw new HardError(540, `unknown method ${classId}.${methodId}`)
  const reader = new Reader(payload, 4)
  // RabbitMQ doesn't look at the strings of a publish.
  const args = reader.fields(layoutOf(name).fields, isFromClient && name !== 'basic.publish')
  if (reader.left > 0) throw new HardError(501, `${reader.left} octets behind the arguments of ${name}`)
  return { name, args }
}

/** What a content header's payload announces. */
export function readContentHeader(payload: Buffer): ContentForm {
  if (payload.length < CONTENT_HEADER_SIZE) throw new HardError(501, 'a content header that is too short')
  const classId = payload.readUInt16BE(0)
  if (classId !== BASIC) throw new HardError(505, `a content header for class ${classId}`)
  if (payload.readUInt16BE(2) !== 0) throw new HardError(505, 'a content header with a weight')
  const flags = payload.readUInt16BE(12)
  if ((flags & 1) !== 0) throw new HardError(502, 'a further word of property flags')
  const reader = new Reader(payload, CONTENT_HEADER_SIZE)
  const present = propertyFields.filter((_, index) => (flags & (1 << (15 - index))) !== 0)
  const { replyTo } = reader.fields(present, false)
  if (reader.left > 0) throw new HardError(502, `${reader.left} octets behind the properties`)
  return { bodySize: Number(payload.readBigUInt64BE(4)), replyTo: replyTo as string | undefined }
}

/** The fields of a table that has been found well-formed, the first of each name. */
export function fieldsOf(table: Buffer): Map<string, Field> {
  return new Reader(table, 0).tableFields(0)
}

export function isHeartbeat(type: number): boolean {
  return type === HEARTBEAT
}

class Reader {
  private bit = 8

  constructor(
    private readonly bytes: Buffer,
    private at: number,
  ) {}

  get left(): number {
    return this.bytes.length - this.at
  }

  fields(fields: Layout['fields'], isUtf8Asked: boolean): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    for (const [name, type] of fields) {
      if (type === 'bit') {
        values[name] = this.nextBit()
        continue
      }
      this.bit = 8
      if (type === 'octet') values[name] = this.take(1)[0]
      else if (type === 'short') values[name] = this.take(2).readUInt16BE()
      else if (type === 'long') values[name] = this.take(4).readUInt32BE()
      else if (type === 'longlong') values[name] = this.take(8).readBigUInt64BE()
      else if (type === 'shortstr') values[name] = this.shortString(isUtf8Asked)
      else if (type === 'longstr') values[name] = this.longString()
      else values[name] = this.table()
    }
    return values
  }

  private table(): Buffer {
    const table = this.longString()
    new Reader(table, 0).tableFields(0)
    return table
  }

  tableFields(depth: number): Map<string, Field> {
    const fields = new Map<string, Field>()
    while (this.left > 0) {
      const name = this.shortString(false)
      const field = this.value(depth)
      if (!fields.has(name)) fields.set(name, field)
    }
    return fields
  }

  private value(depth: number): Field {
    if (depth > 1000) throw new HardError(502, 'tables nested too deeply')
    const tag = this.take(1).toString('latin1')
    const size = FIXED[tag]
    if (size !== undefined) {
      const bytes = this.take(size)
      const number = tag === 'f' ? bytes.readFloatBE() : tag === 'd' ? bytes.readDoubleBE() : 0
      // Erlang has none of the others.
      if (!Number.isFinite(number)) throw new HardError(502, `a number that is ${number}`)
      return { tag, bytes }
    }
    if (!'SxAF'.includes(tag)) throw new HardError(502, `a table field of type ${JSON.stringify(tag)}`)
    const bytes = this.longString()
    const inside = new Reader(bytes, 0)
    if (tag === 'F') inside.tableFields(depth + 1)
    while (tag === 'A' && inside.left > 0) inside.value(depth + 1)
    return { tag, bytes }
  }

  private nextBit(): boolean {
    if (this.bit === 8) {
      this.take(1)
      this.bit = 0
    }
    return (this.bytes[this.at - 1] & (1 << this.bit++)) !== 0
  }

  private shortString(isUtf8Asked: boolean): string {
    const bytes = this.take(this.take(1)[0])
    if (isUtf8Asked && !isUtf8(bytes)) throw new HardError(501, 'a short string that is no UTF-8')
    return bytes.toString(isUtf8Asked ? 'utf8' : 'latin1')
  }

  private longString(): Buffer {
    return this.take(this.take(4).readUInt32BE())
  }

  private take(length: number): Buffer {
    if (length > this.left) throw new HardError(502, `${length} octets wanted, ${this.left} left`)
    return this.bytes.subarray(this.at, (this.at += length))
  }
}
