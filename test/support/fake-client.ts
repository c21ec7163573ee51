import { settle, type FakePeer } from './fake-byte-stream.js'
import { FrameLog, type Received } from './fake-frames.js'
import {
  decodeFrame,
  method,
  PROTOCOL_HEADER,
  publishFrames,
  table,
  type Args,
  type Message,
  type MethodName,
  type Table,
} from './wire-format.js'

export interface FakeLogin {
  user?: string
  password?: string
  vhost?: string
  mechanism?: 'PLAIN' | 'AMQPLAIN' | (string & {})
  /** Replaces the response made of user and password. */
  response?: Buffer
  capabilities?: Table
  /** Its `connection_name`. */
  name?: string
  /** What Tune-Ok says; what is left out is as the server's Tune has it. */
  channelMax?: number
  frameMax?: number
  heartbeat?: number
}

/** A client of Warren. It answers Close methods by itself and ends when Warren does, unless it is {@link stubborn}. */
export class FakeClient {
  /** Answers nothing, and never ends its side by itself. */
  stubborn = false
  /** What the server's Tune offered. */
  offered: Args<'connection.tune'> | undefined
  readonly log: FrameLog
  private taken = 0

  constructor(readonly peer: FakePeer) {
    this.log = new FrameLog((received) => this.onMethod(received))
    peer.onData = (bytes) => this.log.push(bytes)
    peer.onEnd = () => {
      if (!this.stubborn) peer.end()
    }
  }

  /** How Warren ended the connection, if it did. */
  get ended(): FakePeer['sees'] {
    return this.peer.sees
  }

  /** Code and text of the Connection.Close that came. */
  get refusal(): { code: number; text: string } | undefined {
    const close = this.log.methods.find(({ name }) => name === 'connection.close')
    if (close === undefined) return undefined
    const { code, text } = close.args as Args<'connection.close'>
    return { code, text }
  }

  /** Names of the methods received, of one channel or of all. */
  names(channel?: number): MethodName[] {
    return this.received(channel).map(({ name }) => name)
  }

  received(channel?: number): Received[] {
    return this.log.methods.filter((received) => channel === undefined || received.channel === channel)
  }

  /** Bodies of the messages delivered, in order; of one channel, or of all. */
  delivered(channel?: number): string[] {
    return this.received(channel)
      .filter(({ name }) => name === 'basic.deliver')
      .map(({ body }) => body!.toString())
  }

  /** The next method that no call has taken yet. Throws when there's none. */
  nextMethod(): Received {
    const received = this.log.methods[this.taken++]
    if (received === undefined) throw new Error(`no further method came; the connection is ${this.ended}`)
    return received
  }

  /** The arguments of the next method, which must be `name`. */
  next<N extends MethodName>(name: N): Args<N> {
    const received = this.nextMethod()
    if (received.name !== name)
      throw new Error(`expected ${name}, got ${received.name} ${JSON.stringify(received.args)}`)
    return received.args as Args<N>
  }

  // ---- steps of the handshake ------------------------------------------------------------------------------------

  /** The whole handshake, up to Connection.Open-Ok. */
  async connect(login: FakeLogin = {}): Promise<this> {
    await this.login(login)
    this.tuneOk(login)
    this.open(login.vhost)
    await settle()
    this.next('connection.open-ok')
    return this
  }

  /** Up to Connection.Tune. */
  async login(login: FakeLogin = {}): Promise<void> {
    this.send(PROTOCOL_HEADER)
    await settle()
    this.next('connection.start')
    this.startOk(login)
    await settle()
    this.offered = this.next('connection.tune')
  }

  startOk(login: FakeLogin = {}): void {
    const { user = 'guest', password = 'guest', mechanism = 'PLAIN' } = login
    const capabilities = login.capabilities ?? { authentication_failure_close: true }
    const response =
      login.response ??
      (mechanism === 'PLAIN'
        ? Buffer.from(`\0${user}\0${password}`)
        : table({ LOGIN: user, PASSWORD: password }).subarray(4))
    this.method(0, 'connection.start-ok', {
      clientProperties: {
        product: 'fake client',
        capabilities,
        ...(login.name !== undefined && { connection_name: login.name }),
      },
      mechanism,
      response,
      locale: 'en_US',
    })
  }

  tuneOk(choice: FakeLogin = {}): void {
    this.method(0, 'connection.tune-ok', {
      channelMax: choice.channelMax ?? this.offered!.channelMax,
      frameMax: choice.frameMax ?? this.offered!.frameMax,
      heartbeat: choice.heartbeat ?? this.offered!.heartbeat,
    })
  }

  open(vhost = '/'): void {
    this.method(0, 'connection.open', { vhost })
  }

  // ---- sending ---------------------------------------------------------------------------------------------------

  /** Sends all in one chunk. */
  send(...frames: Uint8Array[]): void {
    this.peer.send(Buffer.concat(frames))
  }

  method<N extends MethodName>(channel: number, name: N, args: Partial<Args<N>> = {}): void {
    this.send(method(channel, name, args))
  }

  publish(channel: number, message: Message | string): void {
    this.send(publishFrames(channel, typeof message === 'string' ? { body: message } : message))
  }

  /** Opens channels; they are there when it resolves. */
  async openChannels(...channels: number[]): Promise<void> {
    for (const channel of channels) this.method(channel, 'channel.open')
    await settle()
    for (const channel of channels) {
      const { name } = this.received(channel).at(-1)!
      if (name !== 'channel.open-ok') throw new Error(`expected channel.open-ok, got ${name}`)
    }
    this.taken = this.log.methods.length
  }

  closeChannel(channel: number): void {
    this.method(channel, 'channel.close', { code: 200, text: 'bye' })
  }

  /** Sends Connection.Close. */
  close(): void {
    this.method(0, 'connection.close', { code: 200, text: 'bye' })
  }

  // ---- what it does by itself ------------------------------------------------------------------------------------

  private onMethod({ channel, name }: Received): void {
    if (this.stubborn) return
    if (name === 'connection.close') this.method(0, 'connection.close-ok')
    else if (name === 'channel.close') this.method(channel, 'channel.close-ok')
  }
}

/** Where each frame in `bytes` ends. */
export function frameEnds(bytes: Buffer): number[] {
  const ends: number[] = []
  for (let at = 0; at < bytes.length;) {
    at += decodeFrame(bytes.subarray(at))!.length
    ends.push(at)
  }
  return ends
}
