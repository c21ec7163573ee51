/** AMQP 0-9-1 on the wire, written anew for the tests so that a mistake in src/ can't hide behind the same mistake here. */

export const FrameType = { method: 1, header: 2, body: 3, heartbeat: 8 } as const
export const PROTOCOL_HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')
export const FRAME_END = 0xce

/** Bytes around the payload of a frame. */
export const FRAME_OVERHEAD = 8

export interface Frame {
  readonly type: number
  readonly channel: number
  readonly payload: Buffer
}

export type Table = { [key: string]: TableValue }
export type TableValue = string | number | boolean | null | Buffer | Table | TableValue[]

interface FieldTypes {
  octet: number
  short: number
  long: number
  longlong: number
  shortstr: string
  longstr: Buffer
  table: Table
  bit: boolean
}

/** Class id, method id, then the arguments as `name:type` in their order on the wire, reserved ones included. */
const METHODS = {
  'connection.start':
    '10 10 versionMajor:octet versionMinor:octet serverProperties:table mechanisms:longstr locales:longstr',
  'connection.start-ok': '10 11 clientProperties:table mechanism:shortstr response:longstr locale:shortstr',
  'connection.secure': '10 20 challenge:longstr',
  'connection.secure-ok': '10 21 response:longstr',
  'connection.tune': '10 30 channelMax:short frameMax:long heartbeat:short',
  'connection.tune-ok': '10 31 channelMax:short frameMax:long heartbeat:short',
  'connection.open': '10 40 vhost:shortstr capabilities:shortstr insist:bit',
  'connection.open-ok': '10 41 knownHosts:shortstr',
  'connection.close': '10 50 code:short text:shortstr classId:short methodId:short',
  'connection.close-ok': '10 51',
  'connection.blocked': '10 60 reason:shortstr',
  'connection.unblocked': '10 61',
  'connection.update-secret': '10 70 secret:longstr reason:shortstr',
  'connection.update-secret-ok': '10 71',
  'channel.open': '20 10 outOfBand:shortstr',
  'channel.open-ok': '20 11 channelId:longstr',
  'channel.flow': '20 20 active:bit',
  'channel.flow-ok': '20 21 active:bit',
  'channel.close': '20 40 code:short text:shortstr classId:short methodId:short',
  'channel.close-ok': '20 41',
  'access.request': '30 10 realm:shortstr exclusive:bit passive:bit active:bit write:bit read:bit',
  'access.request-ok': '30 11 ticket:short',
  'exchange.declare':
    '40 10 ticket:short exchange:shortstr type:shortstr passive:bit durable:bit autoDelete:bit internal:bit nowait:bit arguments:table',
  'exchange.declare-ok': '40 11',
  'exchange.delete': '40 20 ticket:short exchange:shortstr ifUnused:bit nowait:bit',
  'exchange.delete-ok': '40 21',
  'exchange.bind':
    '40 30 ticket:short destination:shortstr source:shortstr routingKey:shortstr nowait:bit arguments:table',
  'exchange.bind-ok': '40 31',
  'exchange.unbind':
    '40 40 ticket:short destination:shortstr source:shortstr routingKey:shortstr nowait:bit arguments:table',
  'exchange.unbind-ok': '40 51',
  'queue.declare':
    '50 10 ticket:short queue:shortstr passive:bit durable:bit exclusive:bit autoDelete:bit nowait:bit arguments:table',
  'queue.declare-ok': '50 11 queue:shortstr messageCount:long consumerCount:long',
  'queue.bind':
    '50 20 ticket:short queue:shortstr exchange:shortstr routingKey:shortstr nowait:bit arguments:table',
  'queue.bind-ok': '50 21',
  'queue.unbind': '50 50 ticket:short queue:shortstr exchange:shortstr routingKey:shortstr arguments:table',
  'queue.unbind-ok': '50 51',
  'queue.purge': '50 30 ticket:short queue:shortstr nowait:bit',
  'queue.purge-ok': '50 31 messageCount:long',
  'queue.delete': '50 40 ticket:short queue:shortstr ifUnused:bit ifEmpty:bit nowait:bit',
  'queue.delete-ok': '50 41 messageCount:long',
  'basic.qos': '60 10 prefetchSize:long prefetchCount:short global:bit',
  'basic.qos-ok': '60 11',
  'basic.consume':
    '60 20 ticket:short queue:shortstr consumerTag:shortstr noLocal:bit noAck:bit exclusive:bit nowait:bit arguments:table',
  'basic.consume-ok': '60 21 consumerTag:shortstr',
  'basic.cancel': '60 30 consumerTag:shortstr nowait:bit',
  'basic.cancel-ok': '60 31 consumerTag:shortstr',
  'basic.publish': '60 40 ticket:short exchange:shortstr routingKey:shortstr mandatory:bit immediate:bit',
  'basic.return': '60 50 code:short text:shortstr exchange:shortstr routingKey:shortstr',
  'basic.deliver':
    '60 60 consumerTag:shortstr deliveryTag:longlong redelivered:bit exchange:shortstr routingKey:shortstr',
  'basic.get': '60 70 ticket:short queue:shortstr noAck:bit',
  'basic.get-ok':
    '60 71 deliveryTag:longlong redelivered:bit exchange:shortstr routingKey:shortstr messageCount:long',
  'basic.get-empty': '60 72 clusterId:shortstr',
  'basic.ack': '60 80 deliveryTag:longlong multiple:bit',
  'basic.reject': '60 90 deliveryTag:longlong requeue:bit',
  'basic.recover-async': '60 100 requeue:bit',
  'basic.recover': '60 110 requeue:bit',
  'basic.recover-ok': '60 111',
  'basic.nack': '60 120 deliveryTag:longlong multiple:bit requeue:bit',
  'confirm.select': '85 10 nowait:bit',
  'confirm.select-ok': '85 11',
  'tx.select': '90 10',
  'tx.select-ok': '90 11',
  'tx.commit': '90 20',
  'tx.commit-ok': '90 21',
  'tx.rollback': '90 30',
  'tx.rollback-ok': '90 31',
} as const

const PROPERTIES =
  'contentType:shortstr contentEncoding:shortstr headers:table deliveryMode:octet priority:octet correlationId:shortstr ' +
  'replyTo:shortstr expiration:shortstr messageId:shortstr timestamp:longlong type:shortstr userId:shortstr ' +
  'appId:shortstr clusterId:shortstr'

export interface Properties {
  contentType?: string
  contentEncoding?: string
  headers?: Table
  deliveryMode?: number
  priority?: number
  correlationId?: string
  replyTo?: string
  expiration?: string
  messageId?: string
  timestamp?: number
  type?: string
  userId?: string
  appId?: string
  clusterId?: string
}

type Fields<S extends string> = S extends `${infer Field} ${infer Rest}`
  ? Fields<Field> & Fields<Rest>
  : S extends `${infer Name}:${infer Type extends keyof FieldTypes}`
    ? Record<Name, FieldTypes[Type]>
    : unknown

export type MethodName = keyof typeof METHODS

/** What a client may send on a channel. */
export const CLIENT_METHODS: ReadonlySet<MethodName> = new Set<MethodName>([
  ...(['channel.open', 'channel.flow', 'channel.close', 'channel.close-ok', 'access.request'] as const),
  ...(['exchange.declare', 'exchange.delete', 'exchange.bind', 'exchange.unbind'] as const),
  ...(['queue.declare', 'queue.bind', 'queue.unbind', 'queue.purge', 'queue.delete'] as const),
  ...(['basic.qos', 'basic.consume', 'basic.cancel', 'basic.publish', 'basic.get'] as const),
  ...(['basic.ack', 'basic.reject', 'basic.nack', 'basic.recover', 'basic.recover-async'] as const),
  ...(['confirm.select', 'tx.select', 'tx.commit', 'tx.rollback'] as const),
])

/** Arguments of a method, by its name. */
export type Args<N extends MethodName> = Fields<(typeof METHODS)[N]>

export interface Method<N extends MethodName = MethodName> {
  readonly channel: number
  readonly classId: number
  readonly methodId: number
  /** Undefined for a method that AMQP doesn't have. */
  readonly name: N | undefined
  readonly args: Args<N>
}

export interface ContentHeader {
  readonly classId: number
  readonly bodySize: number
  readonly properties: Properties
}

/** How the arguments of a method lie on the wire. */
export interface Layout {
  readonly classId: number
  readonly methodId: number
  readonly fields: readonly (readonly [name: string, type: keyof FieldTypes])[]
}

const layouts = new Map<MethodName, Layout>()
const namesById = new Map<string, MethodName>()
for (const [name, line] of Object.entries(METHODS) as [MethodName, string][]) {
  const [classId, methodId, ...fields] = line.split(' ')
  layouts.set(name, { classId: Number(classId), methodId: Number(methodId), fields: fieldsOf(fields) })
  namesById.set(`${classId},${methodId}`, name)
}
/** The properties of the basic class, from the flags' highest bit down. */
export const propertyFields = fieldsOf(PROPERTIES.split(' '))

function fieldsOf(fields: readonly string[]): Layout['fields'] {
  return fields.map((field) => field.split(':') as [string, keyof FieldTypes])
}

/** `basic.deliver (60,60)`; the ids alone for an unknown method. */
export function describeMethod(classId: number, methodId: number): string {
  return `${namesById.get(`${classId},${methodId}`) ?? 'unknown method'} (${classId},${methodId})`
}

/** The name of the method with these ids; undefined for one that AMQP doesn't have. */
export function nameOf(classId: number, methodId: number): MethodName | undefined {
  return namesById.get(`${classId},${methodId}`)
}

export function layoutOf(name: MethodName): Layout {
  return layouts.get(name)!
}

export function idsOf(name: MethodName): readonly [classId: number, methodId: number] {
  const { classId, methodId } = layouts.get(name)!
  return [classId, methodId]
}

// Writing

export function octet(value: number): Buffer {
  return Buffer.of(value)
}

export function short(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function long(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function longlong(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

export function shortstr(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([octet(bytes.length), bytes])
}

export function longstr(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([long(bytes.length), bytes])
}

export function table(value: Table): Buffer {
  return longstr(
    Buffer.concat(Object.entries(value).flatMap(([key, field]) => [shortstr(key), tableField(field)])),
  )
}

function tableField(value: TableValue): Buffer {
  const tagged = (tag: string, bytes: Buffer): Buffer => Buffer.concat([Buffer.from(tag), bytes])
  if (value === null) return tagged('V', Buffer.alloc(0))
  if (typeof value === 'string') return tagged('S', longstr(value))
  if (typeof value === 'boolean') return tagged('t', octet(value ? 1 : 0))
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8)
    if (!Number.isInteger(value)) bytes.writeDoubleBE(value)
    else bytes.writeBigInt64BE(BigInt(value))
    return tagged(Number.isInteger(value) ? 'l' : 'd', bytes)
  }
  if (Buffer.isBuffer(value)) return tagged('x', longstr(value))
  if (Array.isArray(value)) return tagged('A', longstr(Buffer.concat(value.map(tableField))))
  return tagged('F', table(value))
}

/** Encodes fields; consecutive bits share an octet. What is not given is zero, empty or false. */
function encodeFields(fields: Layout['fields'], values: Record<string, unknown>): Buffer {
  const parts: Buffer[] = []
  let bits = 0
  for (const [name, type] of fields) {
    const value = values[name]
    if (type === 'bit') {
      if (bits % 8 === 0) parts.push(octet(0))
      if (value === true) parts.at(-1)![0] |= 1 << (bits % 8)
      bits++
      continue
    }
    bits = 0
    if (type === 'octet') parts.push(octet((value as number) ?? 0))
    else if (type === 'short') parts.push(short((value as number) ?? 0))
    else if (type === 'long') parts.push(long((value as number) ?? 0))
    else if (type === 'longlong') parts.push(longlong((value as number) ?? 0))
    else if (type === 'shortstr') parts.push(shortstr((value as string) ?? ''))
    else if (type === 'longstr') parts.push(longstr((value as string | Buffer) ?? ''))
    else parts.push(table((value as Table) ?? {}))
  }
  return Buffer.concat(parts)
}

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  return Buffer.concat([octet(type), short(channel), long(payload.length), payload, octet(FRAME_END)])
}

/** A method frame of any ids and argument bytes, so also of wrong ones. */
export function methodFrame(
  channel: number,
  classId: number,
  methodId: number,
  args: Buffer = Buffer.alloc(0),
): Buffer {
  return frame(FrameType.method, channel, Buffer.concat([short(classId), short(methodId), args]))
}

/** A well-formed method frame; arguments that are left out are zero, empty or false. */
export function method<N extends MethodName>(channel: number, name: N, args: Partial<Args<N>> = {}): Buffer {
  const { classId, methodId, fields } = layouts.get(name)!
  return methodFrame(channel, classId, methodId, encodeFields(fields, args))
}

export function headerFrame(
  channel: number,
  bodySize: number | bigint,
  properties: Properties = {},
  classId = 60,
): Buffer {
  const given = propertyFields.filter(([name]) => properties[name as keyof Properties] !== undefined)
  const flags = given.reduce((sum, field) => sum | (1 << (15 - propertyFields.indexOf(field))), 0)
  const list = encodeFields(given, properties as Record<string, unknown>)
  return frame(
    FrameType.header,
    channel,
    Buffer.concat([short(classId), short(0), longlong(bodySize), short(flags), list]),
  )
}

export function bodyFrame(channel: number, payload: Buffer | string): Buffer {
  return frame(FrameType.body, channel, Buffer.from(payload as string))
}

export function heartbeatFrame(channel = 0): Buffer {
  return frame(FrameType.heartbeat, channel, Buffer.alloc(0))
}

export interface Message {
  exchange?: string
  routingKey?: string
  body?: Buffer | string
  properties?: Properties
  mandatory?: boolean
  immediate?: boolean
  /** Cuts the body into frames of at most this size; without it, 131072. */
  frameMax?: number
}

/** All frames of one Basic.Publish, in one buffer. */
export function publishFrames(channel: number, message: Message): Buffer {
  const { exchange = '', routingKey = '', mandatory = false, immediate = false, frameMax = 131_072 } = message
  const body = Buffer.from((message.body ?? '') as string)
  const frames = [
    method(channel, 'basic.publish', { exchange, routingKey, mandatory, immediate }),
    headerFrame(channel, body.length, message.properties),
  ]
  const most = frameMax - FRAME_OVERHEAD
  for (let at = 0; at < body.length; at += most) frames.push(bodyFrame(channel, body.subarray(at, at + most)))
  return Buffer.concat(frames)
}

// Reading

class Reader {
  private at = 0
  private bits = 0

  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.at
  }

  take(length: number): Buffer {
    if (length > this.left) throw new Error(`Malformed AMQP: ${length} bytes wanted, ${this.left} left.`)
    return this.bytes.subarray(this.at, (this.at += length))
  }

  field(type: keyof FieldTypes): unknown {
    if (type === 'bit') {
      if (this.bits % 8 === 0) this.take(1)
      return (this.bytes[this.at - 1] & (1 << (this.bits++ % 8))) !== 0
    }
    this.bits = 0
    if (type === 'octet') return this.take(1).readUInt8()
    if (type === 'short') return this.take(2).readUInt16BE()
    if (type === 'long') return this.take(4).readUInt32BE()
    if (type === 'longlong') return Number(this.take(8).readBigUInt64BE())
    if (type === 'shortstr') return this.take(this.take(1).readUInt8()).toString()
    if (type === 'longstr') return this.longstr()
    return this.table()
  }

  fields(fields: Layout['fields']): Record<string, unknown> {
    return Object.fromEntries(fields.map(([name, type]) => [name, this.field(type)]))
  }

  private longstr(): Buffer {
    return this.take(this.take(4).readUInt32BE())
  }

  private table(): Table {
    const inside = new Reader(this.longstr())
    const result: Table = {}
    while (inside.left > 0) {
      const key = inside.field('shortstr') as string
      result[key] = inside.tableField()
    }
    return result
  }

  private tableField(): TableValue {
    const tag = this.take(1).toString('latin1')
    switch (tag) {
      case 't':
        return this.take(1)[0] !== 0
      case 'b':
        return this.take(1).readInt8()
      case 'B':
        return this.take(1).readUInt8()
      case 's':
        return this.take(2).readInt16BE()
      case 'u':
        return this.take(2).readUInt16BE()
      case 'I':
        return this.take(4).readInt32BE()
      case 'i':
        return this.take(4).readUInt32BE()
      case 'l':
        return Number(this.take(8).readBigInt64BE())
      case 'T':
        return Number(this.take(8).readBigUInt64BE())
      case 'f':
        return this.take(4).readFloatBE()
      case 'd':
        return this.take(8).readDoubleBE()
      case 'D': {
        const scale = this.take(1).readUInt8()
        return this.take(4).readInt32BE() / 10 ** scale
      }
      case 'S':
        return this.longstr().toString()
      case 'x':
        return this.longstr()
      case 'V':
        return null
      case 'F':
        return this.table()
      case 'A': {
        const inside = new Reader(this.longstr())
        const items: TableValue[] = []
        while (inside.left > 0) items.push(inside.tableField())
        return items
      }
      default:
        throw new Error(`Malformed AMQP: field type ${JSON.stringify(tag)}.`)
    }
  }
}

/** The frame at the start of the bytes, and how many it took; undefined while it is incomplete. */
export function decodeFrame(bytes: Buffer): { frame: Frame; length: number } | undefined {
  if (bytes.length < 7) return undefined
  const size = bytes.readUInt32BE(3)
  const length = size + FRAME_OVERHEAD
  if (bytes.length < length) return undefined
  if (bytes[length - 1] !== FRAME_END)
    throw new Error(`Malformed AMQP: frame ends with ${bytes[length - 1]}.`)
  return {
    frame: { type: bytes[0], channel: bytes.readUInt16BE(1), payload: bytes.subarray(7, length - 1) },
    length,
  }
}

export function decodeMethod({ type, channel, payload }: Frame): Method {
  if (type !== FrameType.method) throw new Error(`Expected a method frame, got one of type ${type}.`)
  const classId = payload.readUInt16BE(0)
  const methodId = payload.readUInt16BE(2)
  const name = namesById.get(`${classId},${methodId}`)
  const args = name === undefined ? {} : new Reader(payload.subarray(4)).fields(layouts.get(name)!.fields)
  return { channel, classId, methodId, name, args: args }
}

export function decodeHeader({ type, payload }: Frame): ContentHeader {
  if (type !== FrameType.header) throw new Error(`Expected a content header frame, got one of type ${type}.`)
  const flags = payload.readUInt16BE(12)
  const present = propertyFields.filter((_, index) => flags & (1 << (15 - index)))
  return {
    classId: payload.readUInt16BE(0),
    bodySize: Number(payload.readBigUInt64BE(4)),
    properties: new Reader(payload.subarray(14)).fields(present),
  }
}
