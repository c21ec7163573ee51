/** Everything that there is to see of Warren, at one moment: for the status page, the metrics and the command line. */
import { inject, injectable } from 'inversify'
import type { CertificateView, Certificates } from './certificates.js'
import { identifiers } from '../identifiers.js'
import type { Limits } from './limits.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import type { Clock } from '../ports/clock.js'
import type { Metrics, Refusals } from '../ports/metrics.js'
import type { Product } from '../product.js'
import type { Proxy } from '../proxy.js'
import type { Traffic } from '../traffic.js'
import type { Leftovers } from '../publishing/leftovers.js'
import type { RefusedMessages } from '../publishing/refused-messages.js'
import type {
  AsideView,
  ClientState,
  ClientView,
  PoolState,
  PoolView,
  UpstreamState,
  UpstreamView,
} from './views.js'

/** How many certificates a summary has at the most: a bundle of CAs may hold hundreds; what Warren itself shows comes first. */
export const MOST_CERTIFICATES = 32

/** How full Warren is, in the words of the limit. */
export interface ConnectionStats {
  readonly activeConnections: number
  /** 0 is no limit. */
  readonly maxConnections: number
  /** 0 without a limit. */
  readonly usagePercentage: number
  /** Null without a limit. */
  readonly availableSlots: number | null
}

/** Sums over everything. */
export interface Summary {
  readonly version: string
  readonly host: string
  readonly isAccepting: boolean
  readonly uptimeSeconds: number
  readonly clients: Readonly<Record<ClientState, number>>
  readonly clientChannels: number
  readonly clientLimit: number
  readonly upstreams: Readonly<Record<UpstreamState, number>>
  /** Upstream connections that count under the limit: also those that are being opened or reconnected. */
  readonly upstreamsCounted: number
  readonly upstreamLimit: number
  readonly upstreamChannels: { readonly bound: number; readonly spare: number; readonly closing: number }
  readonly upstreamChannelCapacity: number
  readonly pools: Readonly<Record<PoolState, number>>
  /** Messages that wait for the broker, or for the next login of their users. */
  readonly buffered: { readonly messages: number; readonly bytes: number }
  /** Messages that were sent and are kept until the broker has confirmed them. */
  readonly unconfirmed: { readonly messages: number; readonly bytes: number }
  /** Messages that the broker has refused, and that wait for an operator. */
  readonly aside: { readonly messages: number; readonly bytes: number }
  readonly traffic: Readonly<Record<keyof Traffic, number>>
  /** Clients that were sent away before they were in, by reason. */
  readonly refusals: Refusals
  /** The first of them, if there are many. */
  readonly certificates: readonly CertificateView[]
}

/** How full it is where `active` of `limit` are in. */
export function statsOf({
  limit,
  active,
}: {
  readonly limit: number
  readonly active: number
}): ConnectionStats {
  return {
    activeConnections: active,
    maxConnections: limit,
    usagePercentage: limit === 0 ? 0 : Math.round((active / limit) * 10_000) / 100,
    availableSlots: limit === 0 ? null : Math.max(0, limit - active),
  }
}

/** Looks, and changes nothing. */
@injectable()
export class Overview {
  readonly #proxy: Proxy
  readonly #directory: PoolDirectory
  readonly #leftovers: Leftovers
  readonly #limits: Limits
  readonly #traffic: Traffic
  readonly #metrics: Metrics
  readonly #certificates: Certificates
  readonly #clock: Clock
  readonly #product: Product
  readonly #refused: RefusedMessages
  readonly #startedAt: number

  constructor(
    @inject(identifiers.Proxy) proxy: Proxy,
    @inject(identifiers.PoolDirectory) directory: PoolDirectory,
    @inject(identifiers.Leftovers) leftovers: Leftovers,
    @inject(identifiers.Limits) limits: Limits,
    @inject(identifiers.Traffic) traffic: Traffic,
    @inject(identifiers.Metrics) metrics: Metrics,
    @inject(identifiers.Certificates) certificates: Certificates,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Product) product: Product,
    @inject(identifiers.RefusedMessages) refused: RefusedMessages,
  ) {
    this.#proxy = proxy
    this.#directory = directory
    this.#leftovers = leftovers
    this.#limits = limits
    this.#traffic = traffic
    this.#metrics = metrics
    this.#certificates = certificates
    this.#clock = clock
    this.#product = product
    this.#refused = refused
    this.#startedAt = clock.now()
  }

  /** How full Warren is. */
  stats(): ConnectionStats {
    return statsOf(this.#limits.clients)
  }

  /** Every client, the oldest first. */
  clients(): ClientView[] {
    const clients = [...this.#proxy.sessions].sort((one, other) => one.acceptedAt - other.acceptedAt)
    return clients.map((client) => client.view())
  }

  /** Every upstream connection of every pool. */
  upstreams(): UpstreamView[] {
    return [...this.#directory.pools].flatMap((pool) =>
      pool.upstreams.map((upstream) => ({
        ...upstream.view(),
        pool: pool.id,
        user: pool.credentials.user,
        vhost: pool.virtualHost,
      })),
    )
  }

  /** Every pool. */
  pools(): PoolView[] {
    return [...this.#directory.pools].map((pool) => pool.view())
  }

  /** Every message that the broker has refused and that wasn't tried again or dropped, the oldest first. */
  aside(): AsideView[] {
    return this.#refused.views()
  }

  /** Sums over everything. */
  summary(): Summary {
    const clients = { handshake: 0, open: 0, waiting: 0, closing: 0 }
    let clientChannels = 0
    for (const client of this.#proxy.sessions) {
      clients[client.state]++
      clientChannels += client.channels
    }
    const upstreams = { open: 0, blocked: 0, retiring: 0, closing: 0 }
    const upstreamChannels = { bound: 0, spare: 0, closing: 0 }
    let upstreamChannelCapacity = 0
    for (const upstream of this.upstreams()) {
      upstreams[upstream.state]++
      upstreamChannels.bound += upstream.channels
      upstreamChannels.spare += upstream.spareChannels
      upstreamChannels.closing += upstream.closingChannels
      upstreamChannelCapacity += upstream.maxChannels
    }
    const pools = { open: 0, paused: 0, reconnecting: 0, idle: 0 }
    const { messages, bytes } = this.#leftovers
    const buffered = { messages, bytes }
    const unconfirmed = { messages: 0, bytes: 0 }
    for (const pool of this.pools()) {
      pools[pool.state]++
      buffered.messages += pool.bufferedMessages
      buffered.bytes += pool.bufferedBytes
      unconfirmed.messages += pool.unconfirmedMessages
      unconfirmed.bytes += pool.unconfirmedBytes
    }
    return {
      version: this.#product.version,
      host: this.#product.host,
      isAccepting: this.#proxy.isAccepting,
      uptimeSeconds: Math.round(this.#clock.now() - this.#startedAt) / 1000,
      clients,
      clientChannels,
      clientLimit: this.#limits.clients.limit,
      upstreams,
      upstreamsCounted: this.#limits.upstreams,
      upstreamLimit: this.#limits.upstreamLimit,
      upstreamChannels,
      upstreamChannelCapacity,
      pools,
      buffered,
      unconfirmed,
      aside: { messages: this.#refused.messages, bytes: this.#refused.bytes },
      traffic: { ...this.#traffic },
      refusals: { ...this.#metrics.refusals },
      certificates: this.#certificates.views().slice(0, MOST_CERTIFICATES),
    }
  }
}
