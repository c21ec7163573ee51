import type { ByteStream } from '../../src/application/ports/byte-stream.js'
import type { Clock } from '../../src/application/ports/clock.js'
import type { Dialer, Endpoint } from '../../src/application/ports/dialer.js'
import { FakeByteStream, type FakePeer } from './fake-byte-stream.js'

/** What one host does with those who connect to its one port. */
type Behaviour = ((peer: FakePeer) => void) | 'refuses' | 'silent'

/** Connects to brokers that exist only in a test. A host that was never mentioned is unknown. */
export class FakeDialer implements Dialer {
  /** Every attempt so far, whatever became of it. */
  readonly dials: { readonly endpoint: Endpoint; readonly timeoutMs: number; readonly at: number }[] = []
  private readonly endpoints = new Map<string, Behaviour>()

  constructor(private readonly clock: Clock) {}

  /** Somebody listens at `endpoint` from now on, and gets the other end of each connection. */
  listen(endpoint: Endpoint, onConnection: (peer: FakePeer) => void): void {
    this.endpoints.set(nameOf(endpoint), onConnection)
  }

  /** The host is there, but nobody listens. */
  refuse(endpoint: Endpoint): void {
    this.endpoints.set(nameOf(endpoint), 'refuses')
  }

  /** Nothing ever comes back from `endpoint`. */
  silence(endpoint: Endpoint): void {
    this.endpoints.set(nameOf(endpoint), 'silent')
  }

  dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream> {
    this.dials.push({ endpoint, timeoutMs, at: this.clock.now() })
    const name = nameOf(endpoint)
    return new Promise((resolve, reject) => {
      const text = `connect timeout after ${timeoutMs / 1000} s to ${name}`
      const timer = this.clock.after(timeoutMs, () => reject(new Error(text)))
      queueMicrotask(() => {
        const behaviour = this.endpoints.get(name)
        if (behaviour === 'silent') return
        timer.cancel()
        if (behaviour === undefined) return reject(new Error(`getaddrinfo ENOTFOUND ${endpoint.host}`))
        if (behaviour === 'refuses') return reject(new Error(`connect ECONNREFUSED ${name}`))
        const stream = new FakeByteStream(name)
        behaviour(stream.peer)
        resolve(stream)
      })
    })
  }
}

function nameOf({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
