/**
 * A broker for the fuzzer: it answers as RabbitMQ does, and everything for which RabbitMQ would end a connection is a violation,
 * except on a connection on which somebody tries just that.
 */
import type { FakePeer } from '../support/fake-byte-stream.js'
import { heartbeatFrame, method, PROTOCOL_HEADER, type Table } from '../support/wire-format.js'
import { FrameCutter, HardError, isHeartbeat, readMethod, type FormedMethod } from './amqp-form.js'
import type { Prng } from './prng.js'
import { StrictChannel } from './strict-channel.js'
import { VirtualHost, type Message } from './virtual-host.js'

/** Users with their passwords. */
const USERS: Readonly<Record<string, string>> = { guest: 'guest', other: 'other' }
const VIRTUAL_HOSTS = ['/', 'other']
const SERVER_PROPERTIES: Table = {
  product: 'RabbitMQ',
  version: '3.12.14',
  capabilities: { 'basic.nack': true, consumer_cancel_notify: true, 'connection.blocked': true },
}
const CHANNEL_MAX = 2047
const FRAME_MAX = 131_072

export class StrictBroker {
  /** What clients of the broker did wrong. */
  readonly violations: string[] = []
  /** Those that are open or being opened. */
  readonly connections = new Set<StrictConnection>()
  readonly virtualHosts = new Map(VIRTUAL_HOSTS.map((name) => [name, new VirtualHost()]))
  /** Whether methods wait for {@link work} instead of being done at once. */
  isLazy = false
  /** Hears of every message that was published, before it's routed. */
  onPublish: (message: Message, connection: StrictConnection, channel: number) => void = () => undefined
  /** Frames that came, heartbeats included. */
  frames = 0
  private named = 0

  /** Takes a new connection; the broker holds `peer`. */
  accept(peer: FakePeer): void {
    this.connections.add(new StrictConnection(this, peer))
  }

  /** Does up to `most` methods that wait, of channels chosen by chance. */
  work(prng: Prng, most: number): void {
    for (let done = 0; done < most; done++) {
      const busy = [...this.connections].flatMap((connection) => connection.busyChannels)
      if (busy.length === 0) return
      prng.oneOf(busy).workOnce()
    }
  }

  /** Does everything that waits. */
  workAll(): void {
    for (const connection of [...this.connections])
      for (const channel of connection.busyChannels) channel.workAll()
  }

  /** A name for a queue whose client leaves it to the broker. */
  newName(): string {
    return `amq.gen-${++this.named}`
  }

  violate(text: string): void {
    this.violations.push(text)
  }

  get openChannels(): StrictChannel[] {
    return [...this.connections].flatMap((connection) => [...connection.channels.values()])
  }
}

type Step = 'header' | 'start-ok' | 'tune-ok' | 'open' | 'running' | 'over'

/** One connection, from the broker's side. */
export class StrictConnection {
  readonly channels = new Map<number, StrictChannel>()
  virtualHost: VirtualHost = new VirtualHost()
  private step: Step = 'header'
  private greeting = Buffer.alloc(0)
  private frameMax = 8192
  private readonly cutter = new FrameCutter(
    () => this.frameMax,
    (type, channel, payload) => this.onFrame(type, channel, payload),
  )
  /** Methods on channels so far, and what they were, while they're few. */
  private readonly history: string[] = []

  constructor(
    readonly broker: StrictBroker,
    private readonly peer: FakePeer,
  ) {
    peer.onData = (bytes) => {
      peer.chunks.length = 0
      this.onData(bytes)
    }
    peer.onEnd = () => this.onEnd()
  }

  get isRunning(): boolean {
    return this.step === 'running'
  }

  get busyChannels(): StrictChannel[] {
    return [...this.channels.values()].filter((channel) => channel.isBusy)
  }

  /** Reads no more, as if `backlog` octets waited already. */
  stall(backlog: number): void {
    this.peer.stall(backlog)
  }

  drain(): void {
    this.peer.drain()
  }

  send(...frames: Buffer[]): void {
    if (this.step !== 'over') this.peer.send(frames.length === 1 ? frames[0] : Buffer.concat(frames))
  }

  /** Tells of an alarm, or of its end. */
  setBlocked(isBlocked: boolean): void {
    if (this.step !== 'running') return
    this.send(
      isBlocked ? method(0, 'connection.blocked', { reason: 'memory' }) : method(0, 'connection.unblocked'),
    )
  }

  /** Ends the connection over something that a client did; that is a violation, unless it's what the connection was made for. */
  fail(error: HardError, ids: readonly [number, number] = [0, 0], isPoison = false): void {
    if (this.step === 'over') return
    if (!this.isTrial || isPoison || this.step !== 'running')
      this.broker.violate(`${error.message} (${error.code}) after ${this.history.slice(-6).join(', ')}`)
    const [classId, methodId] = ids
    this.send(
      method(0, 'connection.close', {
        code: error.code,
        text: error.message.slice(0, 200),
        classId,
        methodId,
      }),
    )
    this.release()
  }

  /** Whether the connection has been used for nothing but one request. */
  private get isTrial(): boolean {
    const [open, , ...others] = this.history
    return open === 'channel.open' && others.every((name) => /^(queue.delete|channel.close) on 1$/.test(name))
  }

  private onData(bytes: Buffer): void {
    if (this.step === 'over') return
    try {
      let rest = bytes
      if (this.step === 'header') {
        this.greeting = Buffer.concat([this.greeting, bytes])
        if (this.greeting.length < PROTOCOL_HEADER.length) return
        if (!this.greeting.subarray(0, PROTOCOL_HEADER.length).equals(PROTOCOL_HEADER))
          throw new HardError(501, 'a wrong protocol header')
        rest = this.greeting.subarray(PROTOCOL_HEADER.length)
        this.step = 'start-ok'
        this.start()
      }
      this.cutter.push(rest)
    } catch (error) {
      if (!(error instanceof HardError)) throw error
      this.fail(error)
    }
  }

  private start(): void {
    this.send(
      method(0, 'connection.start', {
        versionMinor: 9,
        serverProperties: SERVER_PROPERTIES,
        mechanisms: Buffer.from('PLAIN AMQPLAIN'),
        locales: Buffer.from('en_US'),
      }),
    )
  }

  private onFrame(type: number, number: number, payload: Buffer): void {
    this.broker.frames++
    if (this.step === 'over') return
    if (isHeartbeat(type)) {
      if (number !== 0 || payload.length > 0) throw new HardError(501, 'a heartbeat that is none')
      return this.send(heartbeatFrame())
    }
    if (type < 1 || type > 3) throw new HardError(501, `a frame of type ${type}`)
    if (number === 0) {
      if (type !== 1) throw new HardError(505, `a frame of type ${type} on channel 0`)
      return this.onConnectionMethod(readMethod(payload))
    }
    if (this.step !== 'running') throw new HardError(504, `channel ${number} before Connection.Open`)
    this.onChannelFrame(type, number, payload)
  }

  private onChannelFrame(type: number, number: number, payload: Buffer): void {
    const channel = this.channels.get(number)
    if (channel !== undefined) {
      channel.onFrame(type, payload)
      return
    }
    const name = type === 1 ? readMethod(payload).name : 'content'
    if (name !== 'channel.open') throw new HardError(504, `${name} on channel ${number}, which isn't open`)
    if (number > CHANNEL_MAX) throw new HardError(530, `channel ${number} is over channel_max`)
    this.remember(name)
    this.channels.set(number, new StrictChannel(this, number))
    this.send(method(number, 'channel.open-ok'))
  }

  /** Notes a method for what is said of a violation. */
  remember(name: string): void {
    if (this.history.push(name) > 40) this.history.splice(0, 20, '...')
  }

  private onConnectionMethod({ name, args }: FormedMethod): void {
    if (name === 'connection.close') {
      this.send(method(0, 'connection.close-ok'))
      this.checkWhole()
      return this.release()
    }
    if (name === 'connection.close-ok') return
    const due = `connection.${this.step}`
    if (name !== due) throw new HardError(504, `${name} instead of ${due}`)
    if (name === 'connection.start-ok') this.login(args.mechanism as string, args.response as Buffer)
    else if (name === 'connection.tune-ok') this.onTuneOk(args as { channelMax: number; frameMax: number })
    else this.open(args.vhost as string)
  }

  private login(mechanism: string, response: Buffer): void {
    const [user, password] = mechanism === 'PLAIN' ? readPlain(response) : readAmqplain(response)
    if (user === undefined || USERS[user] !== password) {
      const text = `ACCESS_REFUSED - Login was refused using authentication mechanism ${mechanism}.`
      this.send(method(0, 'connection.close', { code: 403, text }))
      return this.release()
    }
    this.step = 'tune-ok'
    this.send(method(0, 'connection.tune', { channelMax: CHANNEL_MAX, frameMax: FRAME_MAX, heartbeat: 60 }))
  }

  private onTuneOk({ channelMax, frameMax }: { channelMax: number; frameMax: number }): void {
    if (channelMax === 0 || channelMax > CHANNEL_MAX || frameMax < 4096 || frameMax > FRAME_MAX)
      throw new HardError(530, `Tune-Ok with channel_max ${channelMax} and frame_max ${frameMax}`)
    this.frameMax = frameMax
    this.step = 'open'
  }

  private open(name: string): void {
    const virtualHost = this.broker.virtualHosts.get(name)
    if (virtualHost === undefined) {
      this.send(method(0, 'connection.close', { code: 530, text: `NOT_ALLOWED - vhost ${name} not found` }))
      return this.release()
    }
    this.virtualHost = virtualHost
    this.step = 'running'
    this.send(method(0, 'connection.open-ok'))
  }

  private onEnd(): void {
    if (this.step === 'running' && this.peer.sees === 'ended') this.checkWhole()
    this.release()
    this.broker.connections.delete(this)
    this.peer.end()
  }

  /** A goodbye in the middle of a frame or of a message. */
  private checkWhole(): void {
    if (this.cutter.isInFrame) this.broker.violate('the connection ended within a frame')
    for (const channel of this.channels.values())
      if (channel.isInContent) this.broker.violate(`the connection ended within a message`)
  }

  /** Everything that was the connection's goes with it. */
  private release(): void {
    this.step = 'over'
    for (const channel of [...this.channels.values()]) channel.release()
    this.channels.clear()
    for (const queue of [...this.virtualHost.queues.values()])
      if (queue.owner === this) this.virtualHost.deleteQueue(queue)
  }
}

function readPlain(response: Buffer): (string | undefined)[] {
  return response.toString().split('\0').slice(1)
}

/** LOGIN and PASSWORD, in this order and as long strings: `name, 'S', size(4), value` twice. */
function readAmqplain(response: Buffer): (string | undefined)[] {
  const values: string[] = []
  for (let at = 0; at < response.length;) {
    at += 1 + response[at] + 1
    const size = response.readUInt32BE(at)
    values.push(response.subarray(at + 4, at + 4 + size).toString())
    at += 4 + size
  }
  return values
}
