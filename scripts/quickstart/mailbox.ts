/** Where the clients' messages go: a queue of our own, read directly at the broker to see what really arrived. */
import type { Channel, ChannelModel } from 'amqplib'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure, reasonOf } from './failure.js'
import { connect } from './login.js'

/** How long a message may take that has not arrived when its client has left. */
const LATE_MS = 3_000
const POLL_MS = 50

/** What arrived. */
export interface Arrivals {
  /** Different messages. */
  readonly arrived: number
  readonly repeated: number
  /** Messages that came before an earlier one of the same client. */
  readonly disordered: number
}

export class Mailbox {
  readonly queue = `warren-quickstart-${randomUUID()}`

  private constructor(
    private readonly client: ChannelModel,
    private readonly channel: Channel,
  ) {}

  /** The queue belongs to this connection: the broker removes it when the connection is gone, whatever happens here. */
  static async open(broker: URL): Promise<Mailbox> {
    try {
      const client = await connect(broker, 'Warren quickstart')
      const channel = await client.createChannel()
      channel.on('error', () => undefined)
      const mailbox = new Mailbox(client, channel)
      await channel.assertQueue(mailbox.queue, { exclusive: true, durable: false })
      return mailbox
    } catch (error) {
      throw new Failure(`A queue for the demonstration could not be made: ${reasonOf(error)}`)
    }
  }

  /** Takes all messages out of the queue, and waits a little if they are fewer than expected. */
  async collect(expected: number): Promise<Arrivals> {
    const highest = new Map<number, number>()
    const seen = new Set<string>()
    let repeated = 0
    let disordered = 0
    for (const deadline = Date.now() + LATE_MS; ;) {
      const message = await this.channel.get(this.queue, { noAck: true })
      if (message === false) {
        if (seen.size >= expected || Date.now() > deadline) break
        await delay(POLL_MS)
        continue
      }
      const text = message.content.toString()
      const [client, number] = text.split(' ').map(Number)
      if (seen.has(text)) repeated++
      else if (number < (highest.get(client) ?? 0)) disordered++
      seen.add(text)
      highest.set(client, Math.max(number, highest.get(client) ?? 0))
    }
    return { arrived: seen.size, repeated, disordered }
  }

  async close(): Promise<void> {
    await this.channel.deleteQueue(this.queue)
    await this.client.close()
  }
}
