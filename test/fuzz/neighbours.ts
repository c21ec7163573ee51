/** Well-behaved clients that share upstream connections with the rude ones, and notice when anything of theirs is lost, doubled, misrouted or late. */
import type { FakePeer } from '../support/fake-byte-stream.js'
import { bodyFrame, headerFrame, method, publishFrames } from '../support/wire-format.js'
import { LightClient, type Heard } from './light-client.js'
import type { StrictBroker, StrictConnection } from './strict-broker.js'
import type { Message } from './virtual-host.js'

/** What all neighbours' bodies and names begin with. */
export const MARK = 'neighbour'

/** One of them. */
export interface Neighbour {
  readonly client: LightClient
  /** Does a little of what it does; answers come later. */
  act(): void
  /** Everything has been answered: throws if anything is missing. */
  check(): void
  /** A message of this neighbour's has reached the broker. */
  onPublished?(message: Message, connection: StrictConnection, channel: number): void
}

/** Where they live. */
export interface Street {
  readonly broker: StrictBroker
  dial(): FakePeer
  /** Something is wrong. */
  complain(text: string): void
}

const FRAME_MAX = 4096

/** The body of a neighbour's n-th message: of many sizes, some of several frames. */
function bodyOf(name: string, n: number): Buffer {
  const size = n % 17 === 0 ? 9000 : n % 5 === 0 ? 0 : 40
  return Buffer.concat([Buffer.from(`${MARK} ${name} ${n} `), Buffer.alloc(size, n & 0xff)])
}

abstract class Resident implements Neighbour {
  readonly client: LightClient
  /** Messages sent, and those that have reached the broker. */
  protected sent = 0
  protected arrived = 0

  constructor(
    readonly name: string,
    protected readonly street: Street,
  ) {
    this.client = this.dial()
  }

  abstract act(): void
  abstract check(): void

  protected dial(): LightClient {
    const complain = (text: string): void => this.street.complain(`${this.name}: ${text}`)
    const client = new LightClient(this.street.dial(), complain, FRAME_MAX)
    client.onEnd = () => this.onEnd(client)
    client.onMethod = (heard) => {
      if (heard.name === 'connection.close' || heard.name === 'channel.close')
        complain(`${heard.name} ${JSON.stringify(heard.args)}`)
      this.onMethod(heard)
    }
    client.connect(FRAME_MAX)
    return client
  }

  /** Warren has ended the connection of `client`. */
  protected onEnd(client: LightClient): void {
    if (client === this.client) this.street.complain(`${this.name}: the connection was ended`)
  }

  protected abstract onMethod(heard: Heard): void

  protected expect(isTrue: boolean, text: string): void {
    if (!isTrue) this.street.complain(`${this.name}: ${text}`)
  }

  /** The next message, in frames as small as were agreed on. */
  protected nextMessage(channel: number, mandatory = false): Buffer {
    const routingKey = `${MARK}.${this.name}`
    return publishFrames(channel, {
      routingKey,
      mandatory,
      body: bodyOf(this.name, this.sent++),
      frameMax: FRAME_MAX,
    })
  }

  onPublished({ body }: Message, _connection: StrictConnection, channel: number): void {
    const expected = bodyOf(this.name, this.arrived++)
    const text = `message ${body.subarray(0, 40).toString('latin1')} on ${channel} where ${this.arrived - 1} of ${this.sent} is due`
    this.expect(body.equals(expected), text)
  }

  protected checkArrived(): void {
    this.expect(this.arrived === this.sent, `${this.sent - this.arrived} messages haven't reached the broker`)
  }
}

/** Publishes with confirms, sometimes to nowhere with a wish to have it back. */
class Confirming extends Resident {
  private confirmed = 0
  private readonly returns: Buffer[] = []

  constructor(street: Street) {
    super('confirming', street)
    this.client.method(1, 'confirm.select')
  }

  act(): void {
    for (let n = 0; n < 3; n++) {
      const mandatory = this.sent % 4 === 0
      if (mandatory) this.returns.push(bodyOf(this.name, this.sent))
      this.client.send(this.nextMessage(1, mandatory))
    }
  }

  protected onMethod({ name, args, body }: Heard): void {
    if (name === 'basic.return') {
      const expected = this.returns.shift()
      this.expect(expected?.equals(body!) === true, `a return of ${body!.subarray(0, 40).toString()}`)
    } else if (name === 'basic.ack') {
      this.confirmed++
      this.expect(
        Number(args.deliveryTag) === this.confirmed,
        `confirm ${String(args.deliveryTag)} instead of ${this.confirmed}`,
      )
    }
  }

  check(): void {
    this.checkArrived()
    this.expect(this.confirmed === this.sent, `${this.sent - this.confirmed} confirms are missing`)
    this.expect(this.returns.length === 0, `${this.returns.length} returns are missing`)
  }
}

/** Opens and closes a channel for every message, as short-lived programs do. */
class Recycling extends Resident {
  private closed = 0
  private due = 0
  private next = 2

  constructor(street: Street) {
    super('recycling', street)
  }

  act(): void {
    // A number is free only after Close-Ok.
    if (this.closed !== this.due) return
    const channel = this.next
    this.next = (this.next % 5) + 2
    this.due++
    this.client.send(
      method(channel, 'channel.open'),
      this.nextMessage(channel),
      method(channel, 'channel.close', { code: 200 }),
    )
  }

  protected onMethod({ name }: Heard): void {
    if (name !== 'channel.close-ok') return
    this.closed++
    this.expect(this.arrived === this.sent, 'Close-Ok came before the message was processed')
  }

  check(): void {
    this.checkArrived()
    this.expect(this.closed === this.due, 'Channel.Close-Ok is missing')
  }
}

/** Consumes with a prefetch, and acknowledges. */
class Consuming extends Resident {
  private received = 0
  private put = 0

  constructor(street: Street) {
    super('consuming', street)
    this.client.method(1, 'queue.declare', { queue: `${MARK}.in`, durable: true })
    this.client.method(1, 'basic.qos', { prefetchCount: 10 })
    this.client.method(1, 'basic.consume', { queue: `${MARK}.in`, consumerTag: MARK })
  }

  act(): void {
    const queue = this.street.broker.virtualHosts.get('/')!.queues.get(`${MARK}.in`)
    for (let n = 0; queue !== undefined && n < 3; n++) {
      const body = bodyOf(this.name, this.put++)
      const header = headerFrame(1, body.length, { messageId: String(this.put), headers: { n: this.put } })
      queue.put({
        exchange: '',
        routingKey: queue.name,
        header: header.subarray(7, -1),
        body,
        isRedelivered: false,
      })
    }
  }

  protected onMethod({ name, channel, args, body }: Heard): void {
    if (name === 'basic.cancel') this.expect(false, 'the consumer was cancelled')
    if (name !== 'basic.deliver') return
    const isDue = body!.equals(bodyOf(this.name, this.received))
    this.expect(
      isDue,
      `${body!.subarray(0, 40).toString('latin1')} was delivered where ${this.received} is due`,
    )
    this.expect(
      args.redelivered === false && args.consumerTag === MARK && channel === 1,
      JSON.stringify(args, bigints),
    )
    this.received++
    this.expect(Number(args.deliveryTag) === this.received, `delivery tag ${String(args.deliveryTag)}`)
    if (this.received % 3 > 0)
      this.client.method(1, 'basic.ack', { deliveryTag: this.received, multiple: this.received % 3 === 2 })
  }

  check(): void {
    this.expect(this.received === this.put, `${this.put - this.received} messages weren't delivered`)
  }
}

/** Owns an exclusive queue, puts something in, and gets it out again. */
class Owning extends Resident {
  private got = 0
  private asked = 0
  private readonly queue = `${MARK}.own`

  constructor(street: Street) {
    super('owning', street)
    this.client.method(1, 'queue.declare', { queue: this.queue, exclusive: true })
  }

  act(): void {
    this.asked++
    const body = bodyOf(this.name, this.sent++)
    this.client.send(
      method(1, 'basic.publish', { routingKey: this.queue }),
      headerFrame(1, body.length),
      ...cut(body).map((part) => bodyFrame(1, part)),
      method(1, 'queue.declare', { queue: this.queue, passive: true }),
      method(1, 'basic.get', { queue: this.queue, noAck: this.asked % 2 === 0 }),
      ...(this.asked % 2 === 0 ? [] : [method(1, 'basic.ack', { deliveryTag: this.asked })]),
    )
  }

  protected onMethod({ name, body }: Heard): void {
    this.expect(name !== 'basic.get-empty', 'the queue is empty')
    if (name !== 'basic.get-ok') return
    const isDue = body!.equals(bodyOf(this.name, this.got++))
    this.expect(isDue, `got ${body!.subarray(0, 40).toString('latin1')} where ${this.got - 1} is due`)
  }

  check(): void {
    this.expect(this.got === this.asked, `${this.asked - this.got} messages weren't got`)
    this.checkArrived()
  }
}

/** Comes, publishes, and goes. */
class Visiting extends Resident {
  private goodbyes = 0
  private visits = 0

  constructor(street: Street) {
    super('visiting', street)
  }

  act(): void {
    const client = this.dial()
    this.visits++
    client.send(this.nextMessage(1), method(0, 'connection.close', { code: 200 }))
  }

  protected override onEnd(client: LightClient): void {
    super.onEnd(client)
    client.peer.end()
  }

  protected onMethod({ name }: Heard): void {
    if (name === 'connection.close-ok') this.goodbyes++
  }

  /** Visits overlap, but each of their messages arrives once. */
  override onPublished({ body }: Message): void {
    this.arrived++
    const n = Number(body.toString('latin1').split(' ')[2])
    this.expect(n < this.sent && body.equals(bodyOf(this.name, n)), `message ${n} has changed on its way`)
  }

  check(): void {
    this.checkArrived()
    this.expect(this.goodbyes === this.visits, `${this.visits - this.goodbyes} times there was no Close-Ok`)
  }
}

/** One of each kind, and the broker's words about their messages on the way to them. */
export function moveIn(street: Street): Neighbour[] {
  const neighbours = [
    new Confirming(street),
    new Recycling(street),
    new Consuming(street),
    new Owning(street),
    new Visiting(street),
  ]
  street.broker.onPublish = (message, connection, channel) => {
    if (!message.body.subarray(0, MARK.length).equals(Buffer.from(MARK))) return
    const name = message.body.toString('latin1', MARK.length + 1).split(' ')[0]
    neighbours.find((neighbour) => neighbour.name === name)?.onPublished(message, connection, channel)
  }
  return neighbours
}

function cut(body: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; at += FRAME_MAX - 8) parts.push(body.subarray(at, at + FRAME_MAX - 8))
  return parts
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
