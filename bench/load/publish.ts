/** Fire-and-forget publishing: as much as the sockets take, then a barrier on every channel. */
import { publish, repeated } from '../wire/encoding.js'
import { generate, type Load } from './generator.js'
import { CHANNEL, LoadConnection } from './load-connection.js'
import { type LoadSettings, shares } from './settings.js'

const WRITE_SIZE = 65536

/** One connection's part of the load. */
class Publisher {
  constructor(
    readonly connection: LoadConnection,
    public left: number,
    private readonly batch: Buffer,
    private readonly messageSize: number,
  ) {}

  get writable(): boolean {
    return this.left > 0 && this.connection.socket.writableLength === 0
  }

  writeBatch(): void {
    const size = Math.min(this.batch.length, this.left * this.messageSize)
    this.connection.socket.write(size === this.batch.length ? this.batch : this.batch.subarray(0, size))
    this.left -= size / this.messageSize
  }
}

async function prepare(settings: LoadSettings): Promise<Load> {
  const body = Buffer.alloc(settings.body, 'x')
  const channels = Array.from({ length: settings.channels }, (_, i) => CHANNEL + i)
  // One message for each channel in turn.
  const messages = Buffer.concat(channels.map((channel) => publish(channel, '', 'bench.nowhere', body)))
  const batch = repeated(messages, Math.max(1, Math.floor(WRITE_SIZE / messages.length)))
  const connections = await LoadConnection.openAll(settings)
  const counts = shares(settings)
  const size = messages.length / channels.length
  const publishers = connections.map((one, i) => new Publisher(one, counts[i], batch, size))
  return {
    run: async () => {
      await publishAll(publishers)
      await Promise.all(connections.map((connection) => barriers(connection, channels)))
    },
  }
}

/** Resolves when all that was published on these channels has been processed. */
async function barriers(connection: LoadConnection, channels: number[]): Promise<void> {
  for (const channel of channels) await connection.barrier(channel)
}

/** Takes turns: each connection gets a batch whenever the one before has been taken by the kernel. */
function publishAll(publishers: Publisher[]): Promise<void> {
  return new Promise((resolve) => {
    let waiting = false
    const turn = (): void => {
      let wrote = false
      for (const publisher of publishers) {
        if (!publisher.writable) continue
        publisher.writeBatch()
        wrote = true
      }
      if (publishers.every((publisher) => publisher.left === 0)) resolve()
      else if (wrote) setImmediate(turn)
      else waiting = true
    }
    for (const publisher of publishers) {
      publisher.connection.socket.on('drain', () => {
        if (!waiting) return
        waiting = false
        turn()
      })
    }
    turn()
  })
}

await generate(prepare)
