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
  /** A bug showed while the client was served: it's this client's connection that ends, and nobody else's. Never throws. */
  onUnexpectedError(error: unknown): void
}

/** The client channel at the other end of an upstream channel. */
export interface BindingOwner {
  /** The channel's number on the client's side. */
  readonly clientChannel: number
  readonly receiver: ClientReceiver
  /** The client, as the owner of exclusive queues. */
  readonly client: object
  /** Whether nothing but publishes was sent, so that the upstream channel may be handed on. */
  readonly isSafe: boolean
  /** The broker closed the channel and has been answered. The frame goes on to the client. The binding is over, unless its end was asked for before: then that answer follows. */
  onBrokerClose(): void
  /** The broker answered the Channel.Close that was sent: the binding is over. Returns whether the client is to see the answer. */
  onCloseOk(): boolean
  /** The broker has processed all that was sent, and the upstream channel is kept for others: the binding is over. */
  onSettled(): void
  /** The broker answered Queue.Declare or Queue.Delete. Returns whether the client is to see it. */
  onQueueAnswer(frame: Frame): boolean
  /** The broker has committed. */
  onCommitOk(): void
  /** The broker confirmed a consumer. */
  onConsumeOk(consumerTag: string): void
  /** The broker confirmed that a consumer is cancelled. */
  onCancelOk(consumerTag: string): void
  /** The broker cancelled a consumer by itself. Returns whether the client is to be told. */
  onBrokerCancel(consumerTag: string): boolean
}

/** How the end of a binding was asked for: by Channel.Close, or by a barrier behind which the channel is kept. */
export type BindingEnd = 'closing' | 'settling'

/** One upstream channel in the hands of one client channel. */
export class ChannelBinding implements TableEntry {
  readonly upstream: UpstreamConnection
  readonly upstreamChannel: number
  readonly owner: BindingOwner
  /** What was sent to end the binding; the broker's answer is still to come. */
  end: BindingEnd | undefined = undefined

  constructor(upstream: UpstreamConnection, upstreamChannel: number, owner: BindingOwner) {
    this.upstream = upstream
    this.upstreamChannel = upstreamChannel
    this.owner = owner
  }
}
