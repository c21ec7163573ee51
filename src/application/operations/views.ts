/** What operators see of clients, upstream connections and pools at one moment. */

/** `handshake`: not in yet. `waiting`: in, and not read from for now. `closing`: told to go, or going. */
export type ClientState = 'handshake' | 'open' | 'waiting' | 'closing'

/** A client. */
export interface ClientView {
  readonly id: string
  readonly remoteAddress: string
  /** What the client calls its connection; null if it hasn't said. The client chose it: it may hold anything. */
  readonly connectionName: string | null
  /** Null until the client has said. */
  readonly user: string | null
  readonly vhost: string | null
  readonly pool: string | null
  readonly state: ClientState
  readonly channels: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly framesIn: number
  readonly framesOut: number
  /** Bytes that wait for the client to read. */
  readonly bufferedBytes: number
  readonly ageSeconds: number
}

/** `blocked`: the broker has stopped publishers by Connection.Blocked. `retiring`: gets no further channels, and is closed behind its last. */
export type UpstreamState = 'open' | 'blocked' | 'retiring' | 'closing'

/** A connection to the broker. */
export interface UpstreamView {
  readonly id: string
  readonly pool: string
  readonly user: string
  readonly vhost: string
  readonly state: UpstreamState
  readonly role: 'publisher' | 'consumer' | null
  /** Those that carry a client's channel. */
  readonly channels: number
  /** Those that are kept open for the next client. */
  readonly spareChannels: number
  /** Those that wait for the broker's answer to their end. */
  readonly closingChannels: number
  /** The most that there can be. */
  readonly maxChannels: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly framesIn: number
  /** Bytes that wait for the broker to read. */
  readonly bufferedBytes: number
  /** Why the broker blocks publishing. */
  readonly blockedReason: string | null
  readonly ageSeconds: number
}

/** `paused`: by an operator. `reconnecting`: its last upstream connection was lost. `idle`: it has none, and needs none for now. */
export type PoolState = 'open' | 'paused' | 'reconnecting' | 'idle'

/** The upstream connections of one credential set. */
export interface PoolView {
  readonly id: string
  readonly user: string
  readonly vhost: string
  readonly state: PoolState
  readonly clients: number
  readonly upstreams: number
  readonly channels: number
  readonly maxChannels: number
  readonly bufferedMessages: number
  readonly bufferedBytes: number
  /** Messages that were sent and are kept until the broker has confirmed them. */
  readonly unconfirmedMessages: number
  readonly unconfirmedBytes: number
  readonly isQuarantine: boolean
}

/** A message that the broker has refused after Warren had accepted it. */
export interface AsideView {
  readonly id: string
  readonly user: string
  readonly vhost: string
  readonly exchange: string
  readonly routingKey: string
  /** Of the body, in bytes. */
  readonly size: number
  /** In the broker's words. */
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly refusedAt: number
  /** Whether it has waited longer than its expiration lets it. */
  readonly isExpired: boolean
  /** Whether its publisher had asked for confirms and was told of the refusal. */
  readonly isPublisherTold: boolean
}
