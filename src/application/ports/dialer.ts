/** How the broker is reached. */
import type { ByteStream } from './byte-stream.js'

/** Where a broker listens. */
export interface Endpoint {
  /** An IP address or a name. */
  readonly host: string
  readonly port: number
  /** One of the IP addresses of `host`, when it's a name that has been resolved: the one that is dialled. */
  readonly address?: string
  /** The broker speaks TLS there. */
  readonly tls?: true
}

/** Opens connections to the broker. */
export interface Dialer {
  /**
   * The endpoints that `endpoint` stands for: one for each IP address of its host, itself if that is an address. Rejects with a message
   * fit for people when the name can't be resolved. How long that takes is the system's business.
   */
  resolve(endpoint: Endpoint): Promise<readonly Endpoint[]>
  /** Connects to `endpoint`; rejects with a message fit for people when that fails or takes longer than `timeoutMs`. */
  dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream>
}

/** What is dialled, as `address:port`. */
export function addressOf({ host, port, address = host }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The endpoint for people: `host:port`, followed by the address if it's another. */
export function nameOf(endpoint: Endpoint): string {
  const { host, port, address } = endpoint
  const name = addressOf({ host, port })
  return address === undefined || address === host ? name : `${name} (${address})`
}
