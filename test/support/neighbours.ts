/** Well-behaved clients that share upstream connections with a rude one, and notice whatever it does to them. */
import { WireClient } from './wire-client.js'

/** Every name that the neighbours use begins with this; rude clients keep away from it. */
export const NEIGHBOURS = 'neighbours'

const TICK_MS = 10
const PER_TICK = 4
/** Messages that each pair sends when a behaviour is over, so that also a short one meets traffic. */
const FAREWELL = 20
/** Publishers wait for the broker when so many of their messages aren't confirmed. */
const WINDOW = 50
/** Every so many messages one takes several frames. */
const LARGE_EVERY = 25
const LARGE = 10_000
/** As long as a timer can run. */
const FOREVER = 2 ** 31 - 1

interface PairOptions {
  readonly frameMax?: number
  readonly exclusive: boolean
}

/**
 * A publisher with confirms and a consumer with acknowledgements, on connections of their own, with sequence numbers in
 * the bodies. Anything but the next delivery and the confirm of what is unconfirmed is remembered as a fault.
 */
class Pair {
  readonly #name: string
  readonly #publisher: WireClient
  readonly #consumer: WireClient
  readonly #unconfirmed = new Set<number>()
  #published = 0
  #received = 0
  #stopped = false
  #fault: string | undefined

  private constructor(name: string, publisher: WireClient, consumer: WireClient) {
    this.#name = name
    this.#publisher = publisher
    this.#consumer = consumer
    void this.#watch('publisher', () => this.#takeConfirm())
    void this.#watch('consumer', () => this.#takeDelivery())
  }

  static async start(port: number, name: string, { frameMax, exclusive }: PairOptions): Promise<Pair> {
    const options = frameMax === undefined ? {} : { frameMax }
    const consumer = await WireClient.connect(port, options)
    await consumer.openChannel(1)
    consumer.method(1, 'basic.qos', { prefetchCount: 50 })
    await consumer.expectMethod('basic.qos-ok')
    consumer.method(1, 'exchange.declare', { exchange: NEIGHBOURS, type: 'direct', autoDelete: true })
    await consumer.expectMethod('exchange.declare-ok')
    await consumer.declareQueue(1, name, { exclusive })
    consumer.method(1, 'queue.bind', { queue: name, exchange: NEIGHBOURS, routingKey: name })
    await consumer.expectMethod('queue.bind-ok')
    await consumer.consume(1, name, { consumerTag: name })
    const publisher = await WireClient.connect(port, options)
    await publisher.openChannel(1)
    publisher.method(1, 'confirm.select')
    await publisher.expectMethod('confirm.select-ok')
    return new Pair(name, publisher, consumer)
  }

  /** Publishes up to `count` messages, as far as the window of unconfirmed ones allows. */
  publish(count: number): void {
    for (; count > 0 && this.#unconfirmed.size < WINDOW && !this.#stopped; count--) {
      const number = ++this.#published
      this.#unconfirmed.add(number)
      const body = this.#bodyOf(number)
      this.#publisher.publish(1, { exchange: NEIGHBOURS, routingKey: this.#name, mandatory: true, body })
    }
  }

  /** What has gone wrong; undefined while nothing has. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** What isn't confirmed or received yet; undefined when all is. */
  get missing(): string | undefined {
    const unread = this.#published - this.#received
    if (unread === 0 && this.#unconfirmed.size === 0) return undefined
    return `${this.#name}: of ${this.#published} messages ${this.#unconfirmed.size} are unconfirmed, ${unread} not received`
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const client of [this.#publisher, this.#consumer]) {
      client.reset()
      await client.closed
    }
  }

  #bodyOf(number: number): string {
    const body = `${this.#name}:${number}`
    return number % LARGE_EVERY === 0 ? body.padEnd(LARGE, '.') : body
  }

  async #watch(who: string, take: () => Promise<void>): Promise<void> {
    try {
      for (;;) await take()
    } catch (error) {
      if (this.#stopped) return
      this.#fault ??= `the ${who} of ${this.#name}: ${(error as Error).message}`
      this.#stopped = true
    }
  }

  async #takeConfirm(): Promise<void> {
    const { deliveryTag, multiple } = await this.#publisher.expectMethod('basic.ack', FOREVER)
    const confirmed = multiple ? [...this.#unconfirmed].filter((tag) => tag <= deliveryTag) : [deliveryTag]
    for (const tag of confirmed)
      if (!this.#unconfirmed.delete(tag))
        throw new Error(`message ${tag} was confirmed twice, or never published`)
  }

  async #takeDelivery(): Promise<void> {
    const { channel, args, body } = await this.#consumer.expectContent('basic.deliver', FOREVER)
    const number = ++this.#received
    const { consumerTag, exchange, routingKey } = args
    const seen = [channel, consumerTag, exchange, routingKey, args.redelivered, Number(args.deliveryTag)]
    const due = [1, this.#name, NEIGHBOURS, this.#name, false, number]
    if (seen.join() !== due.join()) throw new Error(`a delivery has ${seen.join()} instead of ${due.join()}`)
    if (body.toString() !== this.#bodyOf(number))
      throw new Error(`message ${number} is due, ${body.toString().slice(0, 40)} came`)
    this.#consumer.ack(1, number)
  }
}

/** Two pairs, who publish and consume all the time. One has an exclusive queue and small frames. */
export class Neighbours {
  readonly #pairs: readonly Pair[]
  #timer: NodeJS.Timeout | undefined

  private constructor(pairs: readonly Pair[]) {
    this.#pairs = pairs
    this.#start()
  }

  static async start(port: number): Promise<Neighbours> {
    return new Neighbours([
      await Pair.start(port, `${NEIGHBOURS}-left`, { exclusive: false }),
      await Pair.start(port, `${NEIGHBOURS}-right`, { exclusive: true, frameMax: 4096 }),
    ])
  }

  /** What has gone wrong; undefined while nothing has. */
  get fault(): string | undefined {
    return this.#pairs.find(({ fault }) => fault !== undefined)?.fault
  }

  /** Resolves when all that was published until now, and a little more, was confirmed and received once and in order. */
  async settle(limitMs = 60_000): Promise<void> {
    clearInterval(this.#timer)
    for (const pair of this.#pairs) pair.publish(FAREWELL)
    const end = Date.now() + limitMs
    for (;;) {
      const missing = this.#pairs.map((pair) => pair.missing).filter((text) => text !== undefined)
      if (this.fault !== undefined) throw new Error(`Disturbed: ${this.fault}`)
      if (missing.length === 0) break
      if (Date.now() > end) throw new Error(`Not in ${limitMs} ms: ${missing.join('; ')}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    this.#start()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#pairs.map((pair) => pair.stop()))
  }

  #start(): void {
    this.#timer = setInterval(() => this.#pairs.forEach((pair) => pair.publish(PER_TICK)), TICK_MS)
  }
}
