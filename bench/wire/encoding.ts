/** Encodes AMQP frames ahead of time; nothing here runs while a load is measured. */
import { Method } from './method.js'

export const FRAME_END = 0xce

/** A frame's type, channel and size in front, and its end octet behind. */
export const FRAME_OVERHEAD = 8

export const HEARTBEAT = frame(8, 0, Buffer.alloc(0))

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(payload.length + FRAME_OVERHEAD)
  bytes[0] = type
  bytes.writeUInt16BE(channel, 1)
  bytes.writeUInt32BE(payload.length, 3)
  payload.copy(bytes, 7)
  bytes[bytes.length - 1] = FRAME_END
  return bytes
}

export function methodFrame(channel: number, id: number, ...fields: Buffer[]): Buffer {
  return frame(1, channel, Buffer.concat([u32(id), ...fields]))
}

export function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function u64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

export function shortString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u8(bytes.length), bytes])
}

export function longString(content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  return Buffer.concat([u32(bytes.length), bytes])
}

export interface Table {
  [name: string]: string | boolean | Table
}

/** A field table of strings, booleans and tables. */
export function table(fields: Table): Buffer {
  const parts = Object.entries(fields).map(([name, value]) =>
    Buffer.concat([shortString(name), field(value)]),
  )
  return longString(Buffer.concat(parts))
}

function field(value: string | boolean | Table): Buffer {
  if (typeof value === 'boolean') return Buffer.from(['t'.charCodeAt(0), value ? 1 : 0])
  if (typeof value === 'string') return Buffer.concat([Buffer.from('S'), longString(value)])
  return Buffer.concat([Buffer.from('F'), table(value)])
}

/** Content header and one body frame, with the two properties that nearly every client sends. */
export function content(channel: number, body: Buffer): Buffer {
  const contentTypeAndDeliveryMode = 0x9000
  const header = [
    u16(60),
    u16(0),
    u64(body.length),
    u16(contentTypeAndDeliveryMode),
    shortString('text/plain'),
    u8(1),
  ]
  return Buffer.concat([frame(2, channel, Buffer.concat(header)), frame(3, channel, body)])
}

/** A whole message as a client publishes it. */
export function publish(channel: number, exchange: string, routingKey: string, body: Buffer): Buffer {
  const fields = [u16(0), shortString(exchange), shortString(routingKey), u8(0)]
  return Buffer.concat([methodFrame(channel, Method.BasicPublish, ...fields), content(channel, body)])
}

/** The same bytes `count` times in a row. */
export function repeated(bytes: Buffer, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes))
}
