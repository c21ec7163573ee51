/** Consumers of queues named `bench.echo…`: what is published with that routing key is delivered to them. */
import type { Socket } from 'node:net'
import { content } from '../wire/encoding.js'
import { deliver, writeU32 } from './delivery-stream.js'

export class Echo {
  private tag = 0

  constructor(
    readonly queue: string,
    private readonly socket: Socket,
    private readonly channel: number,
    private readonly consumerTag: string,
  ) {}

  belongsTo(socket: Socket, channel: number): boolean {
    return this.socket === socket && this.channel === channel
  }

  send(body: Buffer): void {
    const message = Buffer.concat([deliver(this.channel, this.consumerTag), content(this.channel, body)])
    writeU32(message, 11 + 1 + Buffer.byteLength(this.consumerTag) + 4, ++this.tag)
    this.socket.write(message)
  }
}

export const ECHO_PREFIX = 'bench.echo'

/** The consumers of all connections by queue; empty in all workloads but one, and then it costs nothing. */
export const echoes = new Map<string, Echo>()
