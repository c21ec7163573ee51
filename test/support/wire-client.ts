/** A raw AMQP 0-9-1 client for tests that need to see and send single frames, right or wrong ones. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket, type ConnectionOptions } from 'node:tls'
import {
  decodeFrame,
  decodeHeader,
  decodeMethod,
  describeMethod,
  FrameType,
  idsOf,
  method,
  PROTOCOL_HEADER,
  publishFrames,
  table,
  type Args,
  type Frame,
  type Message,
  type Method,
  type MethodName,
  type Properties,
  type Table,
} from './wire-format.js'

export * from './wire-format.js'

export interface WireOptions {
  host?: string
  /** With TLS, if given. */
  tls?: ConnectionOptions | undefined
  user?: string
  password?: string
  vhost?: string
  /** PLAIN, AMQPLAIN, or any other name, which then goes with the given response. */
  mechanism?: string
  /** Replaces the response made of user and password. */
  response?: Buffer | string
  /** What Tune-Ok says; what is left out is as the server's Tune has it, but the heartbeat is 0. */
  heartbeat?: number
  frameMax?: number
  channelMax?: number
  /** The client's capabilities table; by default authentication_failure_close and consumer_cancel_notify. */
  capabilities?: Table
  /** Further client properties. */
  clientProperties?: Table
}

export interface Tune {
  readonly channelMax: number
  readonly frameMax: number
  readonly heartbeat: number
}

export interface Delivery<N extends MethodName> {
  readonly channel: number
  readonly args: Args<N>
  readonly properties: Properties
  readonly body: Buffer
}

/** A busy machine takes seconds over what takes milliseconds otherwise. */
const TIMEOUT = 30_000
const CAPABILITIES: Table = { authentication_failure_close: true, consumer_cancel_notify: true }

/**
 * Sends what it is told and hands out what came, frame by frame. It answers nothing by itself: no heartbeats, no
 * Close-Ok. `connect` does the whole handshake; `dial` opens only the socket, for tests that go step by step. One may
 * wait at a time.
 */
export class WireClient {
  /** Resolves when the socket is closed: with the socket's error (ECONNRESET), or undefined after an orderly end. */
  readonly closed: Promise<NodeJS.ErrnoException | undefined>
  /** Set by `receiveStart`. */
  serverProperties: Table = {}
  mechanisms: string[] = []
  /** What the server offered; set by `receiveTune`. */
  offered: Tune = { channelMax: 0, frameMax: 0, heartbeat: 0 }
  /** What Tune-Ok said; set by `tuneOk`. */
  tuned: Tune = { channelMax: 0, frameMax: 0, heartbeat: 0 }
  /** Heartbeats that `expectMethod` and its kin have passed over. */
  heartbeats = 0

  private received: Buffer = Buffer.alloc(0)
  private ended = false
  private error: NodeJS.ErrnoException | undefined
  private wake: () => void = () => undefined

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
      this.wake()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error))
    const finish = (): void => {
      this.ended = true
      this.wake()
    }
    socket.on('end', finish)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        finish()
        resolve(this.error)
      })
    })
  }

  /** Opens the socket and sends nothing. */
  static async dial(port: number, host = '127.0.0.1', tls?: ConnectionOptions): Promise<WireClient> {
    if (tls !== undefined) {
      const secure = connectTls({ port, host, servername: 'localhost', ...tls })
      await once(secure, 'secureConnect')
      return new WireClient(secure)
    }
    const socket = connect({ port, host })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new WireClient(socket)
  }

  /** Opens a connection up to Connection.Open-Ok. */
  static async connect(port: number, options: WireOptions = {}): Promise<WireClient> {
    const client = await WireClient.dial(port, options.host, options.tls)
    try {
      await client.authenticate(options)
      client.tuneOk(options)
      client.open(options.vhost)
      await client.expectMethod('connection.open-ok')
      return client
    } catch (error) {
      client.socket.destroy()
      throw error
    }
  }

  // Steps of the handshake

  /** Protocol header, Start, Start-Ok, Tune; the client's turn is then Tune-Ok. */
  async authenticate(options: WireOptions = {}): Promise<Tune> {
    this.sendProtocolHeader()
    await this.receiveStart()
    this.startOk(options)
    return this.receiveTune()
  }

  sendProtocolHeader(bytes: Buffer = PROTOCOL_HEADER): void {
    this.send(bytes)
  }

  async receiveStart(timeout?: number): Promise<Args<'connection.start'>> {
    const start = await this.expectMethod('connection.start', timeout)
    this.serverProperties = start.serverProperties
    this.mechanisms = start.mechanisms.toString().split(' ')
    return start
  }

  startOk(options: WireOptions = {}): void {
    const { mechanism = 'PLAIN', user = 'guest', password = 'guest', capabilities = CAPABILITIES } = options
    const clientProperties = { product: 'wire-client', ...options.clientProperties, capabilities }
    const response = Buffer.from((options.response ?? credentials(mechanism, user, password)) as string)
    this.method(0, 'connection.start-ok', { clientProperties, mechanism, response, locale: 'en_US' })
  }

  async receiveTune(timeout?: number): Promise<Tune> {
    return (this.offered = await this.expectMethod('connection.tune', timeout))
  }

  tuneOk({ channelMax, frameMax, heartbeat = 0 }: WireOptions = {}): void {
    this.tuned = {
      channelMax: channelMax ?? this.offered.channelMax,
      frameMax: frameMax ?? this.offered.frameMax,
      heartbeat,
    }
    this.method(0, 'connection.tune-ok', this.tuned)
  }

  open(vhost = '/'): void {
    this.method(0, 'connection.open', { vhost })
  }

  // Sending

  send(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  /** Sends a well-formed method; arguments that are left out are zero, empty or false. */
  method<N extends MethodName>(channel: number, name: N, args: Partial<Args<N>> = {}): void {
    this.send(method(channel, name, args))
  }

  publish(channel: number, message: Message): void {
    this.send(publishFrames(channel, { frameMax: this.tuned.frameMax || 131_072, ...message }))
  }

  // Receiving

  /** The next frame of any type if all of it has come already; also after the socket was closed. */
  takeArrived(): Frame | undefined {
    const complete = decodeFrame(this.received)
    if (complete !== undefined) this.received = this.received.subarray(complete.length)
    return complete?.frame
  }

  /** Bytes that have come and were not taken. */
  get unread(): number {
    return this.received.length
  }

  /** Whether the server has ended the connection, or it was lost. */
  get isEnded(): boolean {
    return this.ended
  }

  /** The next frame of any type, also a heartbeat. */
  async nextFrame(timeout = TIMEOUT, awaited = 'a frame'): Promise<Frame> {
    let complete: ReturnType<typeof decodeFrame>
    await this.until(() => (complete = decodeFrame(this.received)) !== undefined, timeout, awaited)
    this.received = this.received.subarray(complete!.length)
    return complete!.frame
  }

  /** The next bytes as they are, for what is not a frame. */
  async nextBytes(length: number, timeout = TIMEOUT): Promise<Buffer> {
    await this.until(() => this.received.length >= length, timeout, `${length} bytes`)
    const bytes = this.received.subarray(0, length)
    this.received = this.received.subarray(length)
    return bytes
  }

  /** The next frame that is not a heartbeat. */
  async nextBusyFrame(timeout = TIMEOUT, awaited?: string): Promise<Frame> {
    const end = Date.now() + timeout
    for (;;) {
      const next = await this.nextFrame(Math.max(0, end - Date.now()), awaited)
      if (next.type !== FrameType.heartbeat) return next
      this.heartbeats++
    }
  }

  /** The next method, of whatever kind; heartbeats are passed over. */
  async nextMethod(timeout?: number): Promise<Method> {
    return decodeMethod(await this.nextBusyFrame(timeout, 'a method'))
  }

  /** The arguments of the next method, which must be the given one; heartbeats are passed over. */
  expectMethod<N extends MethodName>(name: N, timeout?: number): Promise<Args<N>>
  expectMethod(classId: number, methodId: number, timeout?: number): Promise<Record<string, unknown>>
  async expectMethod(which: MethodName | number, ...rest: (number | undefined)[]): Promise<unknown> {
    const [classId, methodId] = typeof which === 'number' ? [which, rest.shift()!] : idsOf(which)
    const wanted = describeMethod(classId, methodId)
    const next = await this.nextBusyFrame(rest[0], wanted)
    if (next.type !== FrameType.method)
      throw new Error(`Expected ${wanted}, got a frame of type ${next.type}.`)
    const got = decodeMethod(next)
    if (got.classId !== classId || got.methodId !== methodId) {
      const { code, text } = got.args as { code?: number; text?: string }
      const why = code === undefined ? '' : `: ${code} "${text}"`
      const name = describeMethod(got.classId, got.methodId)
      throw new Error(`Expected ${wanted}, got ${name} on channel ${got.channel}${why}.`)
    }
    return got.args
  }

  /** A method that carries content (Deliver, Get-Ok, Return), with the whole message. */
  async expectContent<N extends 'basic.deliver' | 'basic.get-ok' | 'basic.return'>(
    name: N,
    timeout?: number,
  ): Promise<Delivery<N>> {
    const args = await this.expectMethod(name, timeout)
    const header = await this.nextBusyFrame(timeout, 'a content header')
    const { bodySize, properties } = decodeHeader(header)
    const parts: Buffer[] = []
    for (let size = 0; size < bodySize; size += parts.at(-1)!.length) {
      const { type, payload } = await this.nextBusyFrame(timeout, `${bodySize - size} bytes of body`)
      if (type !== FrameType.body) throw new Error(`Expected a body frame, got one of type ${type}.`)
      parts.push(payload)
    }
    return { channel: header.channel, args, properties, body: Buffer.concat(parts) }
  }

  /** Rejects if anything but heartbeats comes within the time, or if the server ends the connection. */
  async expectSilence(time: number): Promise<void> {
    const end = Date.now() + time
    for (;;) {
      const next = await this.nextFrame(Math.max(0, end - Date.now())).catch((error: unknown) => {
        if (error instanceof WireTimeout) return undefined
        throw error
      })
      if (next === undefined) return
      if (next.type === FrameType.heartbeat) this.heartbeats++
      else if (next.type === FrameType.method)
        throw new Error(`Expected silence, got ${JSON.stringify(decodeMethod(next))}.`)
      else throw new Error(`Expected silence, got a frame of type ${next.type}.`)
    }
  }

  // Usual exchanges, each up to the server's answer

  async openChannel(channel: number): Promise<void> {
    this.method(channel, 'channel.open')
    await this.expectMethod('channel.open-ok')
  }

  async closeChannel(channel: number): Promise<void> {
    this.method(channel, 'channel.close', { code: 200, text: 'bye' })
    await this.expectMethod('channel.close-ok')
  }

  /** Declares a queue, by default an exclusive one; an empty name lets the server choose. */
  async declareQueue(
    channel: number,
    queue = '',
    flags: Partial<Args<'queue.declare'>> = { exclusive: true },
  ): Promise<Args<'queue.declare-ok'>> {
    this.method(channel, 'queue.declare', { queue, ...flags })
    return this.expectMethod('queue.declare-ok')
  }

  /** Resolves with the consumer tag. */
  async consume(channel: number, queue: string, args: Partial<Args<'basic.consume'>> = {}): Promise<string> {
    this.method(channel, 'basic.consume', { queue, ...args })
    return (await this.expectMethod('basic.consume-ok')).consumerTag
  }

  /** Takes a message that is there; rejects when the queue is empty. */
  async get(channel: number, queue: string, noAck = true): Promise<Delivery<'basic.get-ok'>> {
    this.method(channel, 'basic.get', { queue, noAck })
    return this.expectContent('basic.get-ok')
  }

  ack(channel: number, deliveryTag: number, multiple = false): void {
    this.method(channel, 'basic.ack', { deliveryTag, multiple })
  }

  // Ending

  /** Connection.Close and Close-Ok, then the end of the socket. */
  async close(): Promise<void> {
    this.method(0, 'connection.close', { code: 200, text: 'bye' })
    await this.expectMethod('connection.close-ok')
    await this.end()
  }

  /** Ends the socket in order, without a word of AMQP. */
  async end(): Promise<void> {
    this.socket.end()
    this.socket.resume()
    await this.closed
  }

  /** Sends a TCP RST. */
  reset(): void {
    if (this.socket instanceof TLSSocket) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  private async until(fulfilled: () => boolean, timeout: number, awaited: string): Promise<void> {
    const end = Date.now() + timeout
    while (!fulfilled()) {
      if (this.ended) {
        const how = this.error?.code ?? 'in order'
        throw new Error(`The server ended the connection (${how}) while ${awaited} was awaited.`)
      }
      const left = end - Date.now()
      if (left <= 0) {
        const bytes = this.received.length
        throw new WireTimeout(
          `No ${awaited.replace(/^an? /, '')} in ${timeout} ms (${bytes} other bytes came).`,
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** What was awaited didn't come in time. */
export class WireTimeout extends Error {}

function credentials(mechanism: string, user: string, password: string): Buffer {
  if (mechanism !== 'AMQPLAIN') return Buffer.from(`\0${user}\0${password}`)
  return table({ LOGIN: user, PASSWORD: password }).subarray(4)
}
