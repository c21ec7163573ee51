/** A client that publishes numbered messages, one after the other, and remembers what it was told of each. */
import { setTimeout as delay } from 'node:timers/promises'
import { WireClient, type Args, type WireOptions } from './wire-client.js'

/** Most messages that may wait for their confirm. */
const WINDOW = 50
/** How long nothing may come: who publishes through a crash waits for the broker, and a slow machine takes long over it. */
export const SILENCE_MS = 600_000

export class SteadyPublisher {
  /** How many messages were sent: `name:0` to `name:<sent - 1>`. */
  sent = 0
  readonly confirmed = new Set<number>()
  readonly refused = new Set<number>()
  /** What it was told that makes no sense. */
  readonly wrongs: string[] = []
  /** Why the connection has ended, if it has. */
  error: unknown
  #isStopping = false
  #done: Promise<void> | undefined
  #listening: Promise<void> | undefined

  private constructor(
    readonly name: string,
    private readonly client: WireClient,
    private readonly queue: string,
    private readonly withConfirms: boolean,
  ) {}

  static async connect(
    port: number,
    name: string,
    queue: string,
    confirms: boolean,
    options: WireOptions = {},
  ): Promise<SteadyPublisher> {
    const client = await WireClient.connect(port, options)
    await client.openChannel(1)
    if (confirms) {
      client.method(1, 'confirm.select')
      await client.expectMethod('confirm.select-ok')
    }
    return new SteadyPublisher(name, client, queue, confirms)
  }

  /** Publishes every `pauseMs` until {@link stop}, but no more than `most` messages; then it just stays connected. */
  start(pauseMs: number, most = Infinity): void {
    this.#listening = this.withConfirms ? this.#listen() : undefined
    this.#done = this.#publish(pauseMs, most)
  }

  /** Numbers of messages whose confirm hasn't come. */
  get open(): number[] {
    return Array.from({ length: this.sent }, (_, n) => n).filter(
      (n) => !this.confirmed.has(n) && !this.refused.has(n),
    )
  }

  /** Stops publishing; with confirms it waits for all of them. Then it says goodbye. */
  async stop(limitMs: number): Promise<void> {
    this.#isStopping = true
    await this.#done
    const end = Date.now() + limitMs
    while (this.withConfirms && this.open.length > 0 && this.error === undefined && Date.now() < end)
      await delay(50)
    this.client.method(0, 'connection.close', { code: 200, text: 'bye' })
    if (this.withConfirms) await this.#listening
    else
      await this.client
        .expectMethod('connection.close-ok', limitMs)
        .catch((error: unknown) => (this.error = error))
    this.client.reset()
  }

  async #publish(pauseMs: number, most: number): Promise<void> {
    while (!this.#isStopping && this.error === undefined) {
      if (this.sent < most && (!this.withConfirms || this.open.length < WINDOW)) {
        const body = `${this.name}:${this.sent++}`
        this.client.publish(1, { routingKey: this.queue, body, properties: { deliveryMode: 2 } })
      }
      await delay(pauseMs)
    }
  }

  async #listen(): Promise<void> {
    for (;;) {
      try {
        const { name, args } = await this.client.nextMethod(SILENCE_MS)
        if (name === 'connection.close-ok') return
        if (name === 'basic.ack' || name === 'basic.nack') this.#tell(name, args as Args<'basic.ack'>)
        else throw new Error(`${name} ${JSON.stringify(args)}`)
      } catch (error) {
        this.error = error
        return
      }
    }
  }

  #tell(name: 'basic.ack' | 'basic.nack', { deliveryTag, multiple }: Args<'basic.ack'>): void {
    const last = Number(deliveryTag) - 1
    if (last >= this.sent) this.wrongs.push(`${this.name} was told of ${last}, never published`)
    if (this.confirmed.has(last) || this.refused.has(last))
      this.wrongs.push(`${this.name} was told of ${last} twice`)
    for (let n = multiple ? 0 : last; n <= last; n++)
      if (!this.refused.has(n)) (name === 'basic.ack' ? this.confirmed : this.refused).add(n)
  }
}
