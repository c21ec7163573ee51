import type { Arrival, Doorkeeper, Listener } from '../../src/application/ports/listener.js'
import type { CertificateNames } from '../../src/domain/external-identity.js'
import { FakeByteStream, type FakePeer } from './fake-byte-stream.js'

const LOCAL_ADDRESSES = new Set(['127.0.0.1', '0.0.0.0', '::1', '::'])
const FIRST_CHOSEN_PORT = 49152

/** A listener that nobody but the test can connect to. */
export class FakeListener implements Listener {
  private port: number | undefined
  private doorkeeper: Doorkeeper | undefined
  private connected = 0

  /** Listeners of one machine share `takenPorts`. */
  constructor(private readonly takenPorts = new Set<number>()) {}

  async listen(
    address: string,
    port: number,
    doorkeeper: Doorkeeper,
  ): Promise<{ address: string; port: number }> {
    await Promise.resolve()
    const chosen = port === 0 ? this.freePort() : port
    if (!LOCAL_ADDRESSES.has(address)) throw new Error(`listen EADDRNOTAVAIL ${address}:${port}`)
    if (this.takenPorts.has(chosen)) throw new Error(`listen EADDRINUSE ${address}:${port}`)
    this.takenPorts.add(chosen)
    this.port = chosen
    this.doorkeeper = doorkeeper
    return { address, port: chosen }
  }

  async close(): Promise<void> {
    if (this.port !== undefined) this.takenPorts.delete(this.port)
    this.port = this.doorkeeper = undefined
    await Promise.resolve()
  }

  /** Whether somebody could connect. */
  get isListening(): boolean {
    return this.doorkeeper !== undefined
  }

  /** A client connects, perhaps with a certificate of these names; returns its end. Throws when nobody listens. */
  connect(certificateNames?: CertificateNames): FakePeer {
    const stream = new FakeByteStream(`192.0.2.1:${40_000 + ++this.connected}`, certificateNames)
    this.approach((arrival) => arrival.onStream(stream), stream)
    return stream.peer
  }

  /** Somebody connects whose handshake isn't over before the test says so. */
  begin(remoteAddress = `192.0.2.1:${40_000 + ++this.connected}`): {
    succeed: () => FakePeer
    fail: (reason?: string) => void
    isClosed: () => boolean
  } {
    const stream = new FakeByteStream(remoteAddress)
    let arrived: Arrival | undefined
    this.approach((arrival) => (arrived = arrival), stream)
    return {
      succeed: () => {
        arrived!.onStream(stream)
        return stream.peer
      },
      fail: (reason) => arrived!.onFailure(reason),
      isClosed: () => stream.isGone,
    }
  }

  private approach(go: (arrival: Arrival) => void, stream: FakeByteStream): void {
    if (this.doorkeeper === undefined) throw new Error('connect ECONNREFUSED')
    queueMicrotask(() => {
      const isIn = this.doorkeeper?.admits() === true
      const arrival = isIn ? this.doorkeeper?.onArrival(stream.remoteAddress) : undefined
      if (arrival === undefined) stream.peer.reset()
      else go(arrival)
    })
  }

  private freePort(): number {
    let port = FIRST_CHOSEN_PORT
    while (this.takenPorts.has(port)) port++
    return port
  }
}
