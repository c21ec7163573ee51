import type { ByteStream } from './byte-stream.js'

/** Where a broker listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Opens connections to the broker. */
export interface Dialer {
  /** Connects to `endpoint`; rejects with a message fit for people when that fails or takes longer than `timeoutMs`. */
  dial(endpoint: Endpoint, timeoutMs: number): Promise<ByteStream>
}
