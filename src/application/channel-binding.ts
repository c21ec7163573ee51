/** The meeting point of a client channel and an upstream channel. */
import type { Frame } from '../domain/amqp/frame.js'
import type { TableEntry } from '../domain/channel/channel-table.js'
import type { UpstreamConnection } from './upstream-connection.js'

/** Takes bytes from upstream connections to one client. */
export interface ClientReceiver {
  /** The largest frame that the client accepts; Infinity when it has no limit. */
  readonly frameMax: number
  /** Whole frames that carry the client's channel numbers. */
  receive(bytes: Uint8Array): void
  /** One body frame that came in parts. */
  receiveParts(parts: readonly Uint8Array[]): void
  /** A frame larger than `frameMax`. */
  receiveOversized(frame: Frame): void
}

/** The client channel at the other end of an upstream channel. */
export interface BindingOwner {
  /** The channel's number on the client's side. */
  readonly clientChannel: number
  readonly receiver: ClientReceiver
  /** The broker closed the channel and has been answered; the binding is over. The frame goes on to the client. */
  onBrokerClose(): void
  /** The broker answered the client's Channel.Close; the binding is over. The frame goes on to the client. */
  onCloseOk(): void
  /** The broker cancelled a consumer. Returns whether the client is to be told. */
  onBrokerCancel(consumerTag: string): boolean
}

/** One upstream channel in the hands of one client channel. */
export class ChannelBinding implements TableEntry {
  readonly upstream: UpstreamConnection
  readonly upstreamChannel: number
  readonly owner: BindingOwner
  /** The client's own Channel.Close has been passed on: the broker's Close-Ok is still to come. */
  closeSent = false

  constructor(upstream: UpstreamConnection, upstreamChannel: number, owner: BindingOwner) {
    this.upstream = upstream
    this.upstreamChannel = upstreamChannel
    this.owner = owner
  }
}
