/** What is in a queue of the broker, read past Warren. */
import { connect } from 'amqplib'

/** Takes all messages out of `queue`; resolves with their bodies in order. */
export async function takeAll(brokerPort: number, queue: string): Promise<string[]> {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${brokerPort}`)
  try {
    const channel = await connection.createChannel()
    // Whoever waits for an answer hears of it too.
    channel.on('error', () => undefined)
    const { messageCount } = await channel.checkQueue(queue)
    const bodies: string[] = []
    if (messageCount === 0) return bodies
    await new Promise<void>((resolve, reject) => {
      channel.on('error', reject)
      const take = (message: { content: Buffer } | null): void => {
        if (message === null) return reject(new Error(`queue '${queue}' is gone`))
        bodies.push(message.content.toString())
        if (bodies.length === messageCount) resolve()
      }
      channel.consume(queue, take, { noAck: true }).catch(reject)
    })
    return bodies
  } finally {
    await connection.close()
  }
}
