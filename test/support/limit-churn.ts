/** Clients that come and go all the time, and know of each who is in. */
import { setTimeout as delay } from 'node:timers/promises'
import { WireClient } from './wire-client.js'

/** How long a client stays, at most. */
const STAY_MS = 20

/** The ways to leave. */
const WAYS: readonly ((client: WireClient) => Promise<unknown> | void)[] = [
  (client) => client.close(),
  (client) => client.end(),
  (client) => client.reset(),
  async (client) => {
    await client.openChannel(1)
    client.publish(1, { routingKey: 'nowhere', body: 'on the way out' })
    await client.close()
  },
]

/** A crowd in front of one Warren. */
export class LimitChurn {
  /** Who was let in, and hasn't begun to leave. */
  readonly inside = new Set<WireClient>()
  /** How many came and went, and how many were closed right after they came. */
  served = 0
  refused = 0
  /** What must not happen: a client that was let in, and lost its connection. */
  readonly lost: string[] = []
  readonly #port: number
  #isRunning = false
  #loops: Promise<unknown> = Promise.resolve()

  constructor(port: number) {
    this.#port = port
  }

  /** So many clients come and go at the same time. */
  start(size: number): void {
    this.#isRunning = true
    this.#loops = Promise.all(Array.from({ length: size }, (_, n) => this.#loop(n)))
  }

  /** Resolves when all of them have left. */
  async stop(): Promise<void> {
    this.#isRunning = false
    await this.#loops
  }

  /** Comes and stays; undefined when Warren closes the connection at once. */
  async enter(): Promise<WireClient | undefined> {
    const client = await WireClient.dial(this.#port)
    client.sendProtocolHeader()
    const isIn = await client.receiveStart().then(
      () => true,
      () => false,
    )
    if (!isIn) {
      this.refused++
      return undefined
    }
    this.inside.add(client)
    void client.closed.then(() => {
      if (this.inside.delete(client)) this.lost.push('a client that was in')
    })
    try {
      client.startOk()
      await client.receiveTune()
      client.tuneOk()
      client.open()
      await client.expectMethod('connection.open-ok')
      return client
    } catch (error) {
      this.lost.push(String(error))
      return undefined
    }
  }

  async #loop(first: number): Promise<void> {
    for (let n = first; this.#isRunning; n++) {
      const client = await this.enter()
      if (client === undefined) {
        await delay(1)
        continue
      }
      await delay(Math.random() * STAY_MS)
      this.inside.delete(client)
      await WAYS[n % WAYS.length](client)
      this.served++
    }
  }
}
