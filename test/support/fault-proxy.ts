/** A TCP proxy that stands between two programs and does to their traffic what networks do: delay, lose, throttle, split, cut. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What becomes of traffic, of one connection or of all. Whatever is left out stays as it is. */
export interface Faults {
  /** How much later bytes arrive, in milliseconds, in order. */
  readonly delayMs?: number
  /** Nothing arrives any more, in neither direction, and nobody is told: as when a cable is cut. What was sent is lost. */
  readonly isBlackhole?: boolean
  /** Most bytes that go on in one piece. */
  readonly chunkBytes?: number
  /** Most bytes in a second, in each direction. */
  readonly bytesPerSecond?: number
}

/** How the proxy takes new connections: carries them on, resets them at once, or takes them and never says a word. */
export type Door = 'open' | 'resets' | 'silent'

const HEALTHY: Faults = {}
/** Throttled bytes go on in slices of this time. */
const SLICE_MS = 20

export class FaultProxy {
  door: Door = 'open'
  readonly connections = new Set<FaultyConnection>()
  #faults = HEALTHY
  readonly #server: Server
  readonly #target: number
  readonly #mute = new Set<Socket>()

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    server.on('connection', (socket) => this.#accept(socket))
  }

  /** Listens on a free port of 127.0.0.1 and carries what comes to `target` there. */
  static async start(target: number): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultProxy(server, target)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** For all connections, those that are still to come included. */
  set faults(faults: Faults) {
    this.#faults = faults
    for (const connection of this.connections) connection.faults = faults
  }

  /** Resets every connection, with RST on both sides. */
  resetAll(): void {
    for (const connection of this.connections) connection.reset()
  }

  async stop(): Promise<void> {
    this.resetAll()
    for (const socket of this.#mute) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined)
    if (this.door === 'resets') return void client.resetAndDestroy()
    if (this.door === 'silent') {
      this.#mute.add(client)
      client.on('close', () => this.#mute.delete(client))
      return void client.resume()
    }
    const server = connect({ host: '127.0.0.1', port: this.#target, allowHalfOpen: true, noDelay: true })
    const connection = new FaultyConnection(client, server, () => this.connections.delete(connection))
    connection.faults = this.#faults
    this.connections.add(connection)
  }
}

/** One connection through the proxy. */
export class FaultyConnection {
  faults = HEALTHY
  /** Bytes that have gone on to the server, and to the client. */
  bytesUp = 0
  bytesDown = 0
  /** Hears before bytes go on to the server: the place to reset in the middle of something. */
  onBytesUp: ((bytes: Buffer) => void) | undefined
  readonly #client: Socket
  readonly #server: Socket

  constructor(client: Socket, server: Socket, onClose: () => void) {
    this.#client = client
    this.#server = server
    const up = new Lane(server, () => this.faults)
    const down = new Lane(client, () => this.faults)
    client.on('data', (bytes: Buffer) => {
      this.bytesUp += bytes.length
      this.onBytesUp?.(bytes)
      up.push(bytes)
    })
    server.on('data', (bytes: Buffer) => {
      this.bytesDown += bytes.length
      down.push(bytes)
    })
    client.on('end', () => up.push(undefined))
    server.on('end', () => down.push(undefined))
    server.on('error', () => client.resetAndDestroy())
    client.on('error', () => server.resetAndDestroy())
    let open = 2
    const closed = (lane: Lane) => (): void => {
      lane.stop()
      if (--open === 0) onClose()
    }
    client.on('close', closed(down))
    server.on('close', closed(up))
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }
}

/** One direction of a connection: hands chunks on in order, when and how the faults say. */
class Lane {
  readonly #to: Socket
  readonly #faults: () => Faults
  /** With the time at which each is due; undefined is the end. */
  readonly #queue: { bytes: Buffer | undefined; readonly at: number }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(to: Socket, faults: () => Faults) {
    this.#to = to
    this.#faults = faults
  }

  push(bytes: Buffer | undefined): void {
    const { isBlackhole = false, delayMs = 0 } = this.#faults()
    if (isBlackhole) return
    this.#queue.push({ bytes, at: Date.now() + delayMs })
    if (this.#timer === undefined) this.#run()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#queue.length = 0
  }

  #run(): void {
    this.#timer = undefined
    const { isBlackhole = false, chunkBytes = Infinity, bytesPerSecond = Infinity } = this.#faults()
    if (isBlackhole) this.#queue.length = 0
    let allowance = Math.max(1, (bytesPerSecond * SLICE_MS) / 1000)
    while (this.#queue.length > 0 && allowance > 0) {
      const first = this.#queue[0]
      const wait = first.at - Date.now()
      if (wait > 0) return this.#later(wait)
      if (first.bytes === undefined) {
        this.#queue.shift()
        this.#to.end()
        continue
      }
      const size = Math.min(first.bytes.length, chunkBytes, allowance)
      this.#to.write(first.bytes.subarray(0, size))
      allowance -= size
      if (size === first.bytes.length) this.#queue.shift()
      else first.bytes = first.bytes.subarray(size)
      // Written in one turn, small pieces would leave as one.
      if (chunkBytes !== Infinity && this.#queue.length > 0) return this.#later(0)
    }
    if (this.#queue.length > 0) this.#later(SLICE_MS)
  }

  #later(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#run(), milliseconds)
  }
}
