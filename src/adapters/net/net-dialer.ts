/** Connects to the broker with Node's sockets. */
import { injectable } from 'inversify'
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { type Socket, connect, isIP } from 'node:net'
import type { ByteStream } from '../../application/ports/byte-stream.js'
import { addressOf, type Dialer, type Endpoint, nameOf } from '../../application/ports/dialer.js'
import { NetByteStream } from './net-byte-stream.js'

/** Node's `dns.lookup` with `all`, as far as it's used here. */
export type Lookup = (
  host: string,
  options: { readonly all: true },
  callback: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void

/** Opens TCP connections. */
@injectable()
export class NetDialer implements Dialer {
  readonly #lookup: Lookup

  /** Names are resolved as the system does it, /etc/hosts included, unless there is another `lookup`. */
  constructor(lookup: Lookup = systemLookup) {
    this.#lookup = lookup
  }

  resolve(endpoint: Endpoint): Promise<readonly Endpoint[]> {
    const { host } = endpoint
    if (isIP(host) !== 0) return Promise.resolve([endpoint])
    return new Promise((resolve, reject) => {
      this.#lookup(host, { all: true }, (error, found) => {
        if (error !== null) return reject(error)
        const addresses = new Set(found.map(({ address }) => address))
        if (addresses.size === 0) return reject(new Error(`${host} has no address`))
        resolve([...addresses].map((address) => ({ ...endpoint, address })))
      })
    })
  }

  async dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream> {
    return new NetByteStream(await this.connect(endpoint, timeoutMs))
  }

  /** As {@link dial}, with the socket itself for what is to go on top of it. */
  connect(endpoint: Endpoint, timeoutMs: number): Promise<Socket> {
    const { host, port, address = host } = endpoint
    return new Promise((resolve, reject) => {
      const socket = connect({ host: address, port })
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new Error(`connect timeout after ${timeoutMs / 1000} s to ${nameOf(endpoint)}`))
      }, timeoutMs)
      const fail = (error: Error): void => {
        clearTimeout(timer)
        reject(new Error(describeFailure(error, endpoint), { cause: error }))
      }
      socket.once('error', fail)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', fail)
        resolve(socket)
      })
    })
  }
}

/** When several addresses were tried, Node's error has no message of its own, but the list of the others. */
function describeFailure(error: Error, endpoint: Endpoint): string {
  const { host, port } = endpoint
  const reasons = error instanceof AggregateError ? error.errors.map(messageOf) : [messageOf(error)]
  const text = [...new Set(reasons)].join(', ')
  return text.includes(host) ? text : `${text} (${addressOf({ host, port })})`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
