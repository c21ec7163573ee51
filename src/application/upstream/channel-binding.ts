/** The meeting point of a client channel and an upstream channel. */
import type { Frame } from '../../domain/amqp/frame.js'
import type { TableEntry } from '../../domain/channel/channel-table.js'
import type { ChannelPair } from './channel-pair.js'
import type { UpstreamConnection } from './upstream-connection.js'

/** Takes bytes from upstream connections to one client. */
export interface ClientReceiver {
  /** The largest frame that the client accepts; Infinity when it has no limit. */
  readonly frameMax: number
  /** So many whole frames that carry the client's channel numbers. */
  receive(bytes: Uint8Array, frames: number): void
  /** One body frame that came in parts. */
  receiveParts(parts: readonly Uint8Array[]): void
  /** A frame larger than `frameMax`. */
  receiveOversized(frame: Frame): void
  /** So many more bytes of frames wait for others to pass, or fewer, see {@link ChannelPair}. */
  onHeldBack(change: number): void
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
  /** Whether the client has left, so that what the broker makes for it has no owner any more. */
  readonly isClientGone: boolean
  /** Whether nothing but publishes was sent, so that the upstream channel may be handed on. */
  readonly isSafe: boolean
  /** The broker closed the channel and has been answered. Returns whether the client is to see `close`. The binding is over, unless its end was asked for before: then that answer follows. */
  onBrokerClose(close: Frame): boolean
  /** The broker answered the Channel.Close that was sent: the binding is over. Returns whether the client is to see the answer. */
  onCloseOk(): boolean
  /** The broker has processed all that was sent, and the upstream channel is kept for others: the binding is over. */
  onSettled(): void
  /** A channel that was taken back without waiting has ended at the broker: what wasn't answered won't be. */
  onReleased(): void
  /** The broker has dealt with a request: this is the method that answers it. Returns whether the client is to see it. */
  onAnswer(answer: Frame): boolean
  /** The broker confirmed or refused what was published: Basic.Ack or Basic.Nack. Returns whether the client is to see it. */
  onConfirm(confirm: Frame): boolean
  /** The broker cancelled a consumer by itself. Returns whether the client is to be told. */
  onBrokerCancel(consumerTag: string): boolean
}

/** See {@link ChannelBinding.contentLeft}. */
export const AWAITS_HEADER = -1

/** How the end of a binding was asked for: by Channel.Close, or by a barrier behind which the channel is kept. */
export type BindingEnd = 'closing' | 'settling'

/** One upstream channel in the hands of one client channel. */
export class ChannelBinding implements TableEntry {
  readonly upstream: UpstreamConnection
  readonly upstreamChannel: number
  /** Changes only when a client goes before its channel may end. */
  owner: BindingOwner
  /** Whether Open-Ok has come. What comes before is for the former owner of the number: RabbitMQ goes on delivering on a channel that it has closed until it sees Close-Ok. */
  isOpen: boolean
  /** What was sent to end the binding; the broker's answer is still to come. */
  end: BindingEnd | undefined = undefined
  /** Bytes of body that the broker has still to send of a message on its way to the owner; before its header has come, {@link AWAITS_HEADER}. */
  contentLeft = 0
  /** Set while the owner's client channel has another upstream channel beside this one. */
  pair: ChannelPair | undefined = undefined
  /** Messages that the broker has delivered so far, by Basic.Deliver and Basic.Get-Ok: the highest delivery tag. */
  delivered = 0

  constructor(upstream: UpstreamConnection, upstreamChannel: number, owner: BindingOwner, isOpen: boolean) {
    this.upstream = upstream
    this.upstreamChannel = upstreamChannel
    this.owner = owner
    this.isOpen = isOpen
  }
}
