import type { FakePeer } from './fake-byte-stream.js'
import { FrameLog, type Received } from './fake-frames.js'
import {
  bodyFrame,
  headerFrame,
  idsOf,
  method,
  PROTOCOL_HEADER,
  type Args,
  type MethodName,
  type Table,
} from './wire-format.js'

/** A Connection.Close or Channel.Close of the broker. */
export interface Refusal {
  readonly code: number
  readonly text: string
}

export interface FakeDelivery {
  consumerTag?: string
  deliveryTag?: number
  exchange?: string
  routingKey?: string
  body: Buffer | string
  /** Sizes of the body's frames; by default one holds it all. */
  frameSizes?: readonly number[]
}

/** The steps of the handshake, by what the broker sends. */
type Step = 'start' | 'tune' | 'open-ok'

/**
 * A broker that accepts everybody and opens every channel unless told otherwise. It is as strict as RabbitMQ: a frame
 * on a channel that isn't open, or out of order, ends the connection with an error and is a {@link violations} entry.
 */
export class FakeBroker {
  /** What Connection.Tune says. */
  tune = { channelMax: 2047, frameMax: 131_072, heartbeat: 0 }
  serverProperties: Table = { product: 'RabbitMQ', version: '3.12.14', capabilities: { 'basic.nack': true } }
  /** Says no to a login, with Connection.Close (403) or by closing the socket. */
  refusesLogin: (user: string, password: string) => 'close' | 'hang up' | false = () => false
  /** Says no to a new secret. RabbitMQ's own user database never does. */
  refusesSecret: (secret: string) => boolean = () => false
  /** Answers Connection.Open with Connection.Close. */
  refusesVirtualHost: (vhost: string) => Refusal | false = () => false
  /** Never takes this step. */
  silentBefore: Step | undefined
  /** The kinds of queues that aren't classic ones. */
  readonly kinds: Record<string, 'quorum' | 'stream'> = {}
  /** Whether messages on channels in confirm mode are confirmed as soon as they have come. */
  confirms = true
  /** Whether it answers Queue.Declare, Basic.Consume and Confirm.Select; tests that need an answer at their own time send it themselves. */
  answersRequests = false
  /** Bodies of messages in the order in which they came, on whatever connection. */
  readonly arrivals: string[] = []
  /** Bodies of messages that a crash doesn't lose: those that were confirmed, and those that nobody wants confirmed. */
  readonly stored = new Set<string>()
  /** Bodies of messages that were refused by Basic.Nack. */
  readonly refused = new Set<string>()
  /** Keeps back Channel.Close-Ok and Channel.Flow-Ok until {@link BrokerConnection.answerCloses}. */
  holdsCloseOk = false
  /** Keeps back the answer to Connection.Close for good. */
  holdsConnectionCloseOk = false
  /** Never ends its side of a connection. */
  keepsSockets = false
  /** Bytes that leave in one piece with Connection.Open-Ok. */
  afterOpenOk: Buffer = Buffer.alloc(0)
  /** Every connection so far, also those that never came to Connection.Open. */
  readonly connections: BrokerConnection[] = []

  /** Takes a new connection; the broker holds `peer`. */
  accept(peer: FakePeer): void {
    this.connections.push(new BrokerConnection(this, peer))
  }

  /** Connections that were opened, in the order of dialling, whatever became of them. */
  get opened(): BrokerConnection[] {
    return this.connections.filter((connection) => connection.virtualHost !== undefined)
  }

  /** Connections that are open now. */
  get open(): BrokerConnection[] {
    return this.opened.filter((connection) => connection.isOpen)
  }

  /** What clients of the broker did wrong on all connections. */
  get violations(): string[] {
    return this.connections.flatMap((connection) => connection.violations)
  }
}

/** `refused`: the broker sent Channel.Close and waits for Close-Ok. */
type ChannelState = 'open' | 'refused'

const KIND_PROBE = 'warren-asks-for-the-kind'

/** One connection, from the broker's side. */
export class BrokerConnection {
  /** What Start-Ok said. */
  user = ''
  password = ''
  mechanism = ''
  clientProperties: Table = {}
  tuneOk: Args<'connection.tune-ok'> | undefined
  /** Set when Connection.Open-Ok was sent. */
  virtualHost: string | undefined
  readonly violations: string[] = []
  readonly log: FrameLog
  private wantedVirtualHost: string | undefined
  private hasHeader = false
  /** The broker has sent Connection.Close, or answered one. */
  private isOver = false
  private readonly channels = new Map<number, ChannelState>()
  /** By channel in confirm mode: what was published since, by its number less 1; undefined once it's settled. */
  private readonly confirming = new Map<number, (string | undefined)[]>()
  private heldCloses: number[] = []
  private heldBarriers: number[] = []

  constructor(
    readonly broker: FakeBroker,
    readonly peer: FakePeer,
  ) {
    this.log = new FrameLog((received) => this.onMethod(received))
    peer.onData = (bytes) => this.onData(bytes)
    peer.onEnd = () => this.end()
  }

  get isOpen(): boolean {
    return this.virtualHost !== undefined && !this.isOver && this.peer.sees === 'open'
  }

  /** Channels that are open now, lowest first. */
  get openChannels(): number[] {
    const open = [...this.channels].filter(([, state]) => state === 'open').map(([channel]) => channel)
    return open.sort((a, b) => a - b)
  }

  /** Names of the methods received on `channel`, those before it was reused included. */
  names(channel: number): MethodName[] {
    return this.received(channel).map(({ name }) => name)
  }

  received(channel: number): Received[] {
    return this.log.methods.filter((received) => received.channel === channel)
  }

  /** Bodies of the messages published, in order; of one channel, or of all. */
  published(channel?: number): string[] {
    return this.log.methods
      .filter(({ name }) => name === 'basic.publish')
      .filter((received) => channel === undefined || received.channel === channel)
      .map(({ body }) => body!.toString())
  }

  // ---- what a test makes the broker do ---------------------------------------------------------------------------

  send(...frames: Buffer[]): void {
    this.peer.send(Buffer.concat(frames))
  }

  method<N extends MethodName>(channel: number, name: N, args: Partial<Args<N>> = {}): void {
    this.send(method(channel, name, args))
  }

  deliver(channel: number, delivery: FakeDelivery): void {
    this.send(deliveryFrames(channel, delivery))
  }

  /** Sends the Connection.Open-Ok that was kept back, if one was. */
  finishOpen(): void {
    if (this.wantedVirtualHost === undefined || this.virtualHost !== undefined) return
    this.virtualHost = this.wantedVirtualHost
    this.send(method(0, 'connection.open-ok'), this.broker.afterOpenOk)
  }

  /** A channel error. */
  closeChannel(channel: number, { code, text }: Refusal, culprit: MethodName = 'basic.publish'): void {
    const [classId, methodId] = idsOf(culprit)
    this.channels.set(channel, 'refused')
    this.method(channel, 'channel.close', { code, text, classId, methodId })
  }

  /** A connection error. */
  close({ code, text }: Refusal, culprit?: MethodName): void {
    const [classId, methodId] = culprit === undefined ? [0, 0] : idsOf(culprit)
    this.isOver = true
    this.method(0, 'connection.close', { code, text, classId, methodId })
  }

  /** Answers the Channel.Close and Channel.Flow methods that were kept back, all or those of the given channels. */
  answerCloses(channels = [...this.heldCloses, ...this.heldBarriers]): void {
    const barriers = this.heldBarriers.filter((held) => channels.includes(held))
    const closes = this.heldCloses.filter((held) => channels.includes(held))
    this.heldBarriers = this.heldBarriers.filter((held) => !channels.includes(held))
    this.heldCloses = this.heldCloses.filter((held) => !channels.includes(held))
    for (const channel of barriers)
      if (this.channels.get(channel) === 'open') this.method(channel, 'channel.flow-ok', { active: true })
    for (const channel of closes) this.closeOk(channel)
  }

  // ---- what it does by itself ------------------------------------------------------------------------------------

  private onData(bytes: Buffer): void {
    let rest = bytes
    if (!this.hasHeader) {
      // Warren sends it in one piece.
      if (!rest.subarray(0, PROTOCOL_HEADER.length).equals(PROTOCOL_HEADER))
        return this.violate(501, `protocol header ${rest.toString('hex')}`)
      this.hasHeader = true
      rest = rest.subarray(PROTOCOL_HEADER.length)
      this.start()
    }
    try {
      this.log.push(rest)
    } catch (error) {
      this.violate(505, (error as Error).message)
    }
  }

  private start(): void {
    if (this.broker.silentBefore === 'start') return
    this.method(0, 'connection.start', {
      versionMinor: 9,
      serverProperties: this.broker.serverProperties,
      mechanisms: Buffer.from('PLAIN AMQPLAIN'),
      locales: Buffer.from('en_US'),
    })
  }

  private onMethod(received: Received): void {
    if (received.channel === 0) this.onConnectionMethod(received)
    else this.onChannelMethod(received)
  }

  private onConnectionMethod({ name, args }: Received): void {
    switch (name) {
      case 'connection.start-ok':
        return this.login(args as Args<'connection.start-ok'>)
      case 'connection.tune-ok':
        this.tuneOk = args as Args<'connection.tune-ok'>
        return
      case 'connection.open':
        return this.openVirtualHost((args as Args<'connection.open'>).vhost)
      case 'connection.update-secret':
        return this.updateSecret(args as Args<'connection.update-secret'>)
      case 'connection.close':
        this.isOver = true
        if (this.broker.holdsConnectionCloseOk) return
        this.method(0, 'connection.close-ok')
        return this.end()
      case 'connection.close-ok':
        return this.end()
      default:
        return this.violate(503, `${name} on channel 0`)
    }
  }

  private login({ clientProperties, mechanism, response }: Args<'connection.start-ok'>): void {
    this.clientProperties = clientProperties
    this.mechanism = mechanism
    const [user, password] = mechanism === 'PLAIN' ? readPlain(response) : readAmqplain(response)
    this.user = user
    this.password = password
    const refusal = this.broker.refusesLogin(user, password)
    if (refusal === 'hang up') return this.peer.end()
    if (refusal === 'close') {
      const text = `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`
      return this.close({ code: 403, text })
    }
    if (this.broker.silentBefore !== 'tune') this.method(0, 'connection.tune', this.broker.tune)
  }

  private updateSecret({ secret }: Args<'connection.update-secret'>): void {
    const text = 'NOT_ALLOWED - New secret was refused by one of the backends'
    if (this.broker.refusesSecret(secret.toString()))
      this.close({ code: 530, text }, 'connection.update-secret')
    else this.method(0, 'connection.update-secret-ok')
  }

  private openVirtualHost(vhost: string): void {
    const refusal = this.broker.refusesVirtualHost(vhost)
    if (refusal !== false) return this.close(refusal, 'connection.open')
    this.wantedVirtualHost = vhost
    if (this.broker.silentBefore !== 'open-ok') this.finishOpen()
  }

  /** Basic.Ack, or Basic.Nack, for what was published on a channel in confirm mode. */
  confirm(
    channel: number,
    deliveryTag: number,
    multiple = false,
    name: 'basic.ack' | 'basic.nack' = 'basic.ack',
  ): void {
    const messages = this.confirming.get(channel) ?? []
    for (let tag = multiple ? 1 : deliveryTag; tag <= deliveryTag; tag++) {
      const body = messages[tag - 1]
      messages[tag - 1] = undefined
      if (body !== undefined) (name === 'basic.ack' ? this.broker.stored : this.broker.refused).add(body)
    }
    this.method(channel, name, { deliveryTag, multiple })
  }

  /** Warren's question for the kind of a queue: a consumer with an argument that only streams understand. */
  private onKindProbe(channel: number, { queue }: Args<'basic.consume'>): void {
    const kind = this.broker.kinds[queue] ?? 'classic'
    const text = `PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '${queue}' in vhost '/' of queue type rabbit_${kind}_queue`
    if (kind === 'stream') this.method(channel, 'basic.consume-ok', { consumerTag: KIND_PROBE })
    else this.closeChannel(channel, { code: 406, text }, 'basic.consume')
  }

  /** Numbers of the messages on `channel` that are neither confirmed nor refused. */
  unconfirmed(channel: number): number[] {
    return (this.confirming.get(channel) ?? []).flatMap((body, at) => (body === undefined ? [] : [at + 1]))
  }

  private onConfirming({ channel, name, body }: Received): void {
    if (name === 'channel.open' || name === 'channel.close') this.confirming.delete(channel)
    if (name === 'confirm.select' && !this.confirming.has(channel)) this.confirming.set(channel, [])
    if (name !== 'basic.publish' || this.channels.get(channel) !== 'open') return
    const text = body!.toString()
    this.broker.arrivals.push(text)
    const messages = this.confirming.get(channel)
    if (messages === undefined) this.broker.stored.add(text)
    else if (messages.push(text) && this.broker.confirms) this.confirm(channel, messages.length)
  }

  private answer({ channel, name, args }: Received): void {
    if (name === 'queue.declare') this.method(channel, 'queue.declare-ok', { queue: 'q' })
    if (name === 'basic.consume') {
      const { consumerTag } = args as Args<'basic.consume'>
      this.method(channel, 'basic.consume-ok', { consumerTag: consumerTag || `amq.ctag-${channel}` })
    }
    if (name === 'confirm.select' && !(args as Args<'confirm.select'>).nowait)
      this.method(channel, 'confirm.select-ok')
  }

  private onChannelMethod(received: Received): void {
    if (this.isOver) return
    const { channel, name, args } = received
    this.onConfirming(received)
    const state = this.channels.get(channel)
    if (name === 'channel.open') {
      if (state !== undefined) return this.violate(504, `second 'channel.open' seen on channel ${channel}`)
      const { channelMax } = this.broker.tune
      if (channelMax > 0 && channel > channelMax) return this.violate(530, `channel ${channel} is too high`)
      this.channels.set(channel, 'open')
      return this.method(channel, 'channel.open-ok')
    }
    if (state === 'refused' && name === 'channel.close-ok') {
      this.channels.delete(channel)
      return
    }
    if (state === undefined || this.heldCloses.includes(channel))
      return this.violate(504, `expected 'channel.open' on channel ${channel}, got ${name}`)
    if (name === 'basic.consume' && (args as Args<'basic.consume'>).consumerTag === KIND_PROBE)
      return this.onKindProbe(channel, args as Args<'basic.consume'>)
    if (name === 'channel.close') this.onChannelClose(channel)
    if (state === 'open' && this.broker.answersRequests) this.answer(received)
    // RabbitMQ ignores a channel that it has closed until Close-Ok.
    if (name === 'channel.flow' && state === 'open') this.onBarrier(channel)
  }

  private onBarrier(channel: number): void {
    if (this.broker.holdsCloseOk) this.heldBarriers.push(channel)
    else this.method(channel, 'channel.flow-ok', { active: true })
  }

  private onChannelClose(channel: number): void {
    if (this.broker.holdsCloseOk) this.heldCloses.push(channel)
    else this.closeOk(channel)
  }

  /** A channel that the broker has closed itself stays until its own Close is answered. */
  private closeOk(channel: number): void {
    if (this.channels.get(channel) === 'open') this.channels.delete(channel)
    this.method(channel, 'channel.close-ok')
  }

  private end(): void {
    if (!this.broker.keepsSockets) this.peer.end()
  }

  private violate(code: number, text: string): void {
    this.violations.push(text)
    this.close({ code, text })
  }
}

/** The frames of a Basic.Deliver. */
export function deliveryFrames(channel: number, delivery: FakeDelivery): Buffer {
  const { consumerTag = 'ctag', deliveryTag = 1, exchange = '', routingKey = '' } = delivery
  const body = Buffer.from(delivery.body as string)
  const frames = [
    method(channel, 'basic.deliver', { consumerTag, deliveryTag, exchange, routingKey }),
    headerFrame(channel, body.length),
  ]
  let at = 0
  for (const size of delivery.frameSizes ?? (body.length > 0 ? [body.length] : []))
    frames.push(bodyFrame(channel, body.subarray(at, (at += size))))
  return Buffer.concat(frames)
}

function readPlain(response: Buffer): [user: string, password: string] {
  const [, user, password] = response.toString().split('\0')
  return [user, password]
}

/** LOGIN and PASSWORD, in this order and as long strings: `name, 'S', size(4), value` twice. */
function readAmqplain(response: Buffer): [user: string, password: string] {
  const values: string[] = []
  for (let at = 0; at < response.length;) {
    at += 1 + response[at] + 1
    const size = response.readUInt32BE(at)
    values.push(response.subarray(at + 4, at + 4 + size).toString())
    at += 4 + size
  }
  return [values[0], values[1]]
}
