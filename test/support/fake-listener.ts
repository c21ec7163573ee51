import type { ByteStream } from '../../src/application/ports/byte-stream.js'
import type { Listener } from '../../src/application/ports/listener.js'
import { FakeByteStream, type FakePeer } from './fake-byte-stream.js'

const LOCAL_ADDRESSES = new Set(['127.0.0.1', '0.0.0.0', '::1', '::'])
const FIRST_CHOSEN_PORT = 49152

/** A listener that nobody but the test can connect to. */
export class FakeListener implements Listener {
  private port: number | undefined
  private onConnection: ((stream: ByteStream) => void) | undefined
  private admits: () => boolean = () => true
  private connected = 0

  /** Listeners of one machine share `takenPorts`. */
  constructor(private readonly takenPorts = new Set<number>()) {}

  async listen(
    address: string,
    port: number,
    onConnection: (stream: ByteStream) => void,
    admits: () => boolean = () => true,
  ): Promise<{ address: string; port: number }> {
    await Promise.resolve()
    const chosen = port === 0 ? this.freePort() : port
    if (!LOCAL_ADDRESSES.has(address)) throw new Error(`listen EADDRNOTAVAIL ${address}:${port}`)
    if (this.takenPorts.has(chosen)) throw new Error(`listen EADDRINUSE ${address}:${port}`)
    this.takenPorts.add(chosen)
    this.port = chosen
    this.onConnection = onConnection
    this.admits = admits
    return { address, port: chosen }
  }

  async close(): Promise<void> {
    if (this.port !== undefined) this.takenPorts.delete(this.port)
    this.port = this.onConnection = undefined
    await Promise.resolve()
  }

  /** Whether somebody could connect. */
  get isListening(): boolean {
    return this.onConnection !== undefined
  }

  /** A client connects; returns its end. Throws when nobody listens. */
  connect(): FakePeer {
    if (this.onConnection === undefined) throw new Error('connect ECONNREFUSED')
    const stream = new FakeByteStream(`192.0.2.1:${40_000 + ++this.connected}`)
    queueMicrotask(() => {
      if (this.onConnection === undefined || !this.admits()) stream.peer.reset()
      else this.onConnection(stream)
    })
    return stream.peer
  }

  private freePort(): number {
    let port = FIRST_CHOSEN_PORT
    while (this.takenPorts.has(port)) port++
    return port
  }
}
