/** Messages for one consumer, encoded when it subscribes: sending them fills in the delivery tags and nothing else. */
import type { Socket } from 'node:net'
import { content, methodFrame, repeated, shortString, u64, u8 } from '../wire/encoding.js'
import { Method } from '../wire/method.js'
import { SendBuffer } from '../wire/send-buffer.js'

/** As many messages as fit into about this many octets leave in one write. */
const MAX_WRITE = 262144

export class DeliveryStream {
  private readonly stride: number
  /** Where in a message the lower half of its delivery tag stands. */
  private readonly tagAt: number
  private readonly batch: number
  private readonly buffer: SendBuffer

  constructor(channel: number, consumerTag: string, body: Buffer, window: number) {
    const message = Buffer.concat([deliver(channel, consumerTag), content(channel, body)])
    this.stride = message.length
    this.tagAt = 11 + 1 + Buffer.byteLength(consumerTag) + 4
    this.batch = Math.max(1, Math.min(window, Math.floor(MAX_WRITE / message.length)))
    this.buffer = new SendBuffer(repeated(message, this.batch))
  }

  /** Sends `count` messages; the first gets `firstTag`. */
  send(socket: Socket, firstTag: number, count: number): void {
    let tag = firstTag
    const end = firstTag + count
    while (tag < end) {
      const run = Math.min(this.batch, end - tag)
      const bytes = this.buffer.bytes
      for (let i = 0, at = this.tagAt; i < run; i++, at += this.stride) writeU32(bytes, at, tag + i)
      this.buffer.send(socket, run * this.stride)
      tag += run
    }
  }
}

/** The method frame in front of a message, its delivery tag being 0. */
export function deliver(channel: number, consumerTag: string): Buffer {
  const fields = [shortString(consumerTag), u64(0), u8(0), shortString(''), shortString('bench')]
  return methodFrame(channel, Method.BasicDeliver, ...fields)
}

export function writeU32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = (value >>> 16) & 0xff
  bytes[at + 2] = (value >>> 8) & 0xff
  bytes[at + 3] = value & 0xff
}
