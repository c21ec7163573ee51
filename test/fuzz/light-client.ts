/** A client that keeps nothing of what it has received, and finds out when that isn't AMQP. */
import type { FakePeer } from '../support/fake-byte-stream.js'
import { FrameType, method, PROTOCOL_HEADER, type Args, type MethodName } from '../support/wire-format.js'
import { FrameCutter, readContentHeader, readMethod } from './amqp-form.js'

/** A method with the body of its message, if it carries one. */
export interface Heard {
  readonly channel: number
  readonly name: MethodName
  readonly args: Readonly<Record<string, unknown>>
  readonly body: Buffer | undefined
}

interface OpenMessage extends Heard {
  missing: number | undefined
  readonly bodies: Buffer[]
}

const WITH_CONTENT = new Set<MethodName>(['basic.deliver', 'basic.return', 'basic.get-ok'])

export class LightClient {
  /** Hears of every method, once its message is whole. */
  onMethod: (heard: Heard) => void = () => undefined
  /** Hears that Warren has ended the connection. */
  onEnd: () => void = () => undefined
  private readonly open = new Map<number, OpenMessage>()
  private readonly cutter: FrameCutter

  /** `complain` is told when Warren sends what isn't AMQP, or frames larger than `frameMax`. */
  constructor(
    readonly peer: FakePeer,
    private readonly complain: (text: string) => void,
    private readonly frameMax = Infinity,
  ) {
    // RabbitMQ's limit is the payload's; what Warren sends is to fit with the 8 octets around it.
    this.cutter = new FrameCutter(
      () => this.frameMax - 8,
      (type, channel, payload) => this.onFrame(type, channel, payload),
    )
    peer.onData = (bytes) => {
      peer.chunks.length = 0
      this.onData(bytes)
    }
    peer.onEnd = () => this.onEnd()
  }

  /** Where Warren believes that the client is. */
  get address(): string {
    return this.peer.stream.remoteAddress
  }

  send(...frames: readonly Uint8Array[]): void {
    this.peer.send(Buffer.concat(frames))
  }

  method<N extends MethodName>(channel: number, name: N, args: Partial<Args<N>> = {}): void {
    this.send(method(channel, name, args))
  }

  /** The whole handshake in one piece, and channel 1. */
  connect(frameMax = 131_072): void {
    this.send(
      PROTOCOL_HEADER,
      method(0, 'connection.start-ok', {
        clientProperties: { capabilities: { consumer_cancel_notify: true } },
        mechanism: 'PLAIN',
        response: Buffer.from('\0guest\0guest'),
        locale: 'en_US',
      }),
      method(0, 'connection.tune-ok', { channelMax: 2047, frameMax, heartbeat: 0 }),
      method(0, 'connection.open', { vhost: '/' }),
      method(1, 'channel.open'),
    )
  }

  private onData(bytes: Buffer): void {
    // The answer to what isn't AMQP.
    if (bytes.subarray(0, PROTOCOL_HEADER.length).equals(PROTOCOL_HEADER)) return
    try {
      this.cutter.push(bytes)
    } catch (error) {
      this.complain(`what came isn't AMQP: ${(error as Error).message}`)
    }
  }

  private onFrame(type: number, channel: number, payload: Buffer): void {
    if (type === FrameType.heartbeat) return
    const open = this.open.get(channel)
    if (type === FrameType.method) {
      const { name, args } = readMethod(payload, false)
      if (open !== undefined) return this.complain(`${name} within ${open.name} on channel ${channel}`)
      if (!WITH_CONTENT.has(name)) return this.onMethod({ channel, name, args, body: undefined })
      this.open.set(channel, { channel, name, args, body: undefined, missing: undefined, bodies: [] })
      return
    }
    if (open === undefined || (type === FrameType.header) !== (open.missing === undefined))
      return this.complain(`a frame of type ${type} out of order on channel ${channel}`)
    if (type === FrameType.header) open.missing = readContentHeader(payload).bodySize
    else {
      open.missing! -= payload.length
      open.bodies.push(Buffer.from(payload))
    }
    if (open.missing! < 0) return this.complain(`too much body on channel ${channel}`)
    if (open.missing! > 0) return
    this.open.delete(channel)
    this.onMethod({ ...open, body: Buffer.concat(open.bodies) })
  }
}
