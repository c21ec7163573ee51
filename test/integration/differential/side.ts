/** One of the two worlds that a session runs in: straight to the broker, or through Warren. */
import { createHash } from 'node:crypto'
import {
  type ContentHeader,
  decodeHeader,
  decodeMethod,
  type Frame,
  FRAME_OVERHEAD,
  FrameType,
  type Method,
  method,
  type Table,
  WireClient,
  type WireOptions,
} from '../../support/wire-client.js'
import type { Style } from './lanes.js'

/** Something that a client received, with all names that differ between the two worlds replaced. */
export interface Event {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly content?: { readonly properties: Table; readonly body: string }
}

/** `<client>.<channel>`; channel 0 is the connection's. */
export type Place = `${number}.${number}`

const CONTENT_METHODS = new Set(['basic.deliver', 'basic.get-ok', 'basic.return'])
const GENERATED_QUEUE = /amq\.gen-[\w-]{22}/g
const GENERATED_TAG = /amq\.ctag-[\w-]{22}/g
const REPLY_ADDRESS = /amq\.rabbitmq\.reply-to\.[\w=+/.-]+/g

/** A client of one world: collects what comes, and answers only what a peer has to answer at once. */
class Peer {
  readonly partial = new Map<
    number,
    { method: Method; header?: ContentHeader; parts: Buffer[]; size: number }
  >()
  /** Whether nothing more is expected: behind Close-Ok it's anybody's choice who closes the socket first. */
  isOver = false

  /** Channels that the server has closed. */
  readonly closed = new Set<number>()

  constructor(readonly wire: WireClient) {}

  /** Whether the rest of something is still to come. */
  get isBetween(): boolean {
    return this.partial.size > 0 || this.wire.unread > 0
  }
}

/** A session's clients in one world. Names that the server makes up are known outside under an alias that both worlds share. */
export class Side {
  /** What came and was not yet compared. */
  readonly fresh = new Map<Place, Event[]>()
  readonly #peers = new Map<number, Peer>()
  readonly #aliases = new Map<string, string>()
  readonly #actual = new Map<string, string>()
  readonly #aliasCounts = new Map<string, number>()

  constructor(
    readonly label: 'direct' | 'warren',
    readonly port: number,
    readonly vhost: string,
    readonly style: Style,
  ) {}

  async connect(client: number, options: WireOptions): Promise<void> {
    const wire = await WireClient.connect(this.port, { ...options, vhost: this.vhost })
    this.#peers.set(client, new Peer(wire))
  }

  /** The connection of a client that is connected. */
  wire(client: number): WireClient {
    return this.#peers.get(client)!.wire
  }

  /** Ends the client's socket without a word, and forgets what it hasn't taken. */
  drop(client: number, how: 'reset' | 'end'): void {
    const peer = this.#peers.get(client)!
    this.#peers.delete(client)
    if (how === 'reset') return peer.wire.reset()
    peer.wire.socket.end()
    peer.wire.socket.resume()
  }

  /** The client's connection has ended in order: closes the socket from here too. */
  forget(client: number): void {
    this.drop(client, 'end')
  }

  dropAll(): void {
    for (const { wire } of this.#peers.values()) wire.socket.destroy()
    this.#peers.clear()
  }

  /** What the server calls something that is known by an alias. */
  actual(name: string): string {
    return this.#actual.get(name) ?? name
  }

  /** Replaces what must differ between the worlds. */
  normalise(text: string): string {
    const alias =
      (otherwise: string) =>
      (match: string): string =>
        this.#aliases.get(match) ?? otherwise
    return text
      .replaceAll(this.vhost, 'VHOST')
      .replace(GENERATED_QUEUE, alias('gen ?'))
      .replace(GENERATED_TAG, alias('tag ?'))
      .replace(REPLY_ADDRESS, alias('reply-address(?)'))
  }

  /** Takes what has arrived. Returns whether every frame and message that has begun is whole. */
  collect(): boolean {
    let isWhole = true
    for (const [client, peer] of this.#peers) {
      for (let frame = peer.wire.takeArrived(); frame !== undefined; frame = peer.wire.takeArrived())
        this.#onFrame(client, peer, frame)
      if (peer.isBetween) isWhole = false
      else if (peer.wire.isEnded && !peer.isOver) {
        peer.isOver = true
        this.#add(client, 0, { name: 'end of socket', args: {} })
      }
    }
    return isWhole
  }

  #onFrame(client: number, peer: Peer, frame: Frame): void {
    const { type, channel, payload } = frame
    if (type === FrameType.heartbeat) return
    const { frameMax } = peer.wire.tuned
    if (frameMax !== 0 && payload.length + FRAME_OVERHEAD > frameMax)
      this.#add(client, channel, { name: 'frame over frame_max', args: { frameMax, size: payload.length } })
    const content = peer.partial.get(channel)
    if (content === undefined) {
      if (type !== FrameType.method)
        return this.#add(client, channel, { name: 'stray frame', args: { type, size: payload.length } })
      const received = decodeMethod(frame)
      if (CONTENT_METHODS.has(received.name ?? ''))
        peer.partial.set(channel, { method: received, parts: [], size: 0 })
      else this.#onMethod(client, peer, received)
      return
    }
    if (type === FrameType.header) content.header = decodeHeader(frame)
    else if (type === FrameType.body) {
      content.parts.push(payload)
      content.size += payload.length
    } else this.#add(client, channel, { name: 'interrupted content', args: { type } })
    if (content.header === undefined || content.size < content.header.bodySize) return
    peer.partial.delete(channel)
    this.#addMethod(client, content.method, content.header, Buffer.concat(content.parts))
  }

  #onMethod(client: number, peer: Peer, received: Method): void {
    const { channel, name } = received
    if (name === 'channel.close') {
      // RabbitMQ may close a channel once more for what was behind the first error.
      if (peer.closed.has(channel)) return
      peer.closed.add(channel)
    } else if (name === 'channel.open-ok') peer.closed.delete(channel)
    this.#addMethod(client, received)
    // At once, as client libraries do it; but behind a pipeline, since RabbitMQ can't take the answer before the next error.
    if (
      name === (this.style === 'stepwise' ? 'channel.close' : 'channel.close-ok') &&
      peer.closed.has(channel)
    )
      peer.wire.send(method(channel, 'channel.close-ok'))
    else if (received.name === 'connection.close-ok') peer.isOver = true
    else if (received.name === 'connection.close') peer.wire.send(method(0, 'connection.close-ok'))
  }

  #addMethod(client: number, received: Method, header?: ContentHeader, body?: Buffer): void {
    const { channel, classId, methodId } = received
    const name = received.name ?? `${classId}.${methodId}`
    const args = received.args as Record<string, unknown>
    if (name === 'queue.declare-ok') this.#learn('gen', client, channel, args['queue'], 'amq.gen-')
    if (name === 'basic.consume-ok') this.#learn('tag', client, channel, args['consumerTag'], 'amq.ctag-')
    const properties = header?.properties as Table | undefined
    const replyTo = properties?.['replyTo']
    // Every message of one requester has the same address; the message says whose it is.
    if (typeof replyTo === 'string' && replyTo.startsWith('amq.rabbitmq.reply-to.'))
      this.#rename(replyTo, `reply-address(${properties!['correlationId'] as string})`)
    this.#add(client, channel, {
      name,
      args: this.#clean(args),
      ...(properties && { content: { properties: this.#clean(properties) as Table, body: digest(body!) } }),
    })
  }

  #add(client: number, channel: number, event: Event): void {
    const place: Place = `${client}.${channel}`
    const events = this.fresh.get(place)
    if (events === undefined) this.fresh.set(place, [event])
    else events.push(event)
  }

  #clean(fields: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        typeof value === 'string' ? this.normalise(value) : value,
      ]),
    )
  }

  #learn(kind: string, client: number, channel: number, actual: unknown, prefix: string): void {
    if (typeof actual !== 'string' || !actual.startsWith(prefix) || this.#aliases.has(actual)) return
    const owner = `${kind} ${client}.${channel}`
    const nth = (this.#aliasCounts.get(owner) ?? 0) + 1
    this.#aliasCounts.set(owner, nth)
    this.#rename(actual, `${owner}#${nth}`)
  }

  #rename(actual: string, alias: string): void {
    if (this.#aliases.has(actual)) return
    this.#aliases.set(actual, alias)
    this.#actual.set(alias, actual)
  }
}

function digest(body: Buffer): string {
  if (body.length <= 24) return body.toString('latin1')
  return `${body.length} bytes ${createHash('sha1').update(body).digest('hex').slice(0, 12)}`
}
