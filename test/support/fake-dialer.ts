import type { ByteStream } from '../../src/application/ports/byte-stream.js'
import type { Clock } from '../../src/application/ports/clock.js'
import { addressOf, type Dialer, type Endpoint, nameOf } from '../../src/application/ports/dialer.js'
import { FakeByteStream, type FakePeer } from './fake-byte-stream.js'

/** What one host does with those who connect to its one port. */
type Behaviour = ((peer: FakePeer) => void) | 'refuses' | 'silent'

/** Connects to brokers that exist only in a test. A host that was never mentioned is unknown. */
export class FakeDialer implements Dialer {
  /** Every attempt so far, whatever became of it. */
  readonly dials: { readonly endpoint: Endpoint; readonly timeoutMs: number; readonly at: number }[] = []
  /** Every lookup so far. */
  readonly lookups: string[] = []
  private readonly endpoints = new Map<string, Behaviour>()
  private readonly names = new Map<string, readonly string[] | 'unanswered'>()

  constructor(private readonly clock: Clock) {}

  /** Somebody listens at `endpoint` from now on, and gets the other end of each connection. */
  listen(endpoint: Endpoint, onConnection: (peer: FakePeer) => void): void {
    this.endpoints.set(addressOf(endpoint), onConnection)
  }

  /** The host is there, but nobody listens. */
  refuse(endpoint: Endpoint): void {
    this.endpoints.set(addressOf(endpoint), 'refuses')
  }

  /** Nothing ever comes back from `endpoint`. */
  silence(endpoint: Endpoint): void {
    this.endpoints.set(addressOf(endpoint), 'silent')
  }

  /** What the lookup of `host` brings from now on: nothing at all, or its addresses; none is a name that doesn't exist. */
  name(host: string, addresses: readonly string[] | 'unanswered'): void {
    this.names.set(host, addresses)
  }

  /** A name that was never mentioned stands for itself, as an address does. */
  async resolve(endpoint: Endpoint): Promise<readonly Endpoint[]> {
    const { host } = endpoint
    this.lookups.push(host)
    await Promise.resolve()
    const addresses = this.names.get(host)
    if (addresses === undefined) return [endpoint]
    if (addresses === 'unanswered') return new Promise(() => undefined)
    if (addresses.length === 0) throw new Error(`getaddrinfo ENOTFOUND ${host}`)
    return [...new Set(addresses)].map((address) => ({ ...endpoint, address }))
  }

  dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream> {
    this.dials.push({ endpoint, timeoutMs, at: this.clock.now() })
    const name = addressOf(endpoint)
    const { host, port, address } = endpoint
    const dialled = address === undefined ? name : `${name} (${host}:${port})`
    return new Promise((resolve, reject) => {
      const text = `connect timeout after ${timeoutMs / 1000} s to ${nameOf(endpoint)}`
      const timer = this.clock.after(timeoutMs, () => reject(new Error(text)))
      queueMicrotask(() => {
        const behaviour = this.endpoints.get(name)
        if (behaviour === 'silent') return
        timer.cancel()
        if (behaviour === undefined) return reject(new Error(`getaddrinfo ENOTFOUND ${host}`))
        if (behaviour === 'refuses') return reject(new Error(`connect ECONNREFUSED ${dialled}`))
        const stream = new FakeByteStream(name)
        behaviour(stream.peer)
        resolve(stream)
      })
    })
  }
}
