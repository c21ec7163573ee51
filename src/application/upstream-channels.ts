/** The channels of one upstream connection: who owns which, and the way of the broker's frames to their owners. */
import { FRAME_METHOD, FRAME_OVERHEAD, type Frame } from '../domain/amqp/frame.js'
import * as id from '../domain/amqp/method-ids.js'
import { methodFrame, readArguments } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'
import { type AmqpError, REPLY_SUCCESS } from '../domain/amqp/reply-codes.js'
import { ChannelTable } from '../domain/channel/channel-table.js'
import { type BindingOwner, ChannelBinding, type ClientReceiver } from './channel-binding.js'
import { channelCloseOkFrame } from './common-frames.js'
import type { UpstreamConnection } from './upstream-connection.js'

/** The connection whose channels they are. */
export interface UpstreamChannelsHost {
  send(bytes: Uint8Array): void
  /** A channel was bound or became free; `hadRoom` tells whether another could have been bound before. */
  onChannelsChanged(hadRoom: boolean): void
}

/** Hears that the broker has closed a channel, or why that will never be known. */
export type WhenClosed = (error?: AmqpError) => void

const NOTHING = new Uint8Array(0)

/** Hands each frame to the owner of the channel that it carries; neighbouring frames for one client go in one piece. */
export class UpstreamChannels {
  readonly #upstream: UpstreamConnection
  readonly #host: UpstreamChannelsHost
  readonly #table: ChannelTable<ChannelBinding>
  /** Who waits for the Close-Ok of a channel that its owner has left, by channel number. */
  readonly #closeWaiters = new Map<number, WhenClosed>()
  /** Frames for one client that lie side by side in the chunk being read: `runBytes[runStart, runEnd)`. */
  #runReceiver: ClientReceiver | undefined
  #runBytes: Uint8Array = NOTHING
  #runStart = 0
  #runEnd = 0

  /** `capacity` is the most channels, 1 to 65535. */
  constructor(upstream: UpstreamConnection, host: UpstreamChannelsHost, capacity: number) {
    this.#upstream = upstream
    this.#host = host
    this.#table = new ChannelTable(capacity)
  }

  /** Channels that carry a client's. */
  get bound(): number {
    return this.#table.bound
  }

  /** Channels that wait for the broker's Close-Ok. */
  get closing(): number {
    return this.#table.closing
  }

  get hasRoom(): boolean {
    return this.#table.hasRoom
  }

  /** Opens a channel for `owner`; it can be used at once. Undefined when there is no room. */
  open(owner: BindingOwner): ChannelBinding | undefined {
    const binding = this.#table.bind((number) => new ChannelBinding(this.#upstream, number, owner))
    if (binding === undefined) return undefined
    this.#host.send(methodFrame(method.ChannelOpen, binding.upstreamChannel, {}))
    this.#host.onChannelsChanged(true)
    return binding
  }

  /**
   * Takes a channel back from an owner who leaves: it's closed at the broker, which requeues what wasn't acknowledged.
   * `whenClosed` is called once the broker has said so, and so has processed all that was sent on the channel before;
   * or with an error when the connection was lost first.
   */
  close(binding: ChannelBinding, whenClosed?: WhenClosed): void {
    if (!this.#table.startClosing(binding)) return whenClosed?.()
    if (whenClosed !== undefined) this.#closeWaiters.set(binding.upstreamChannel, whenClosed)
    if (binding.closeSent) return
    this.#host.send(
      methodFrame(method.ChannelClose, binding.upstreamChannel, {
        replyCode: REPLY_SUCCESS,
        replyText: 'Goodbye',
        classId: 0,
        methodId: 0,
      }),
    )
  }

  /** The connection is gone: nobody needs to wait any longer. */
  abandon(error: AmqpError): void {
    const waiters = [...this.#closeWaiters.values()]
    this.#closeWaiters.clear()
    for (const waiter of waiters) waiter(error)
  }

  /** A frame of the broker on any channel but 0. */
  onFrame(frame: Frame): void {
    const binding = this.#table.ownerOf(frame.channel)
    if (binding === undefined) this.#onUnownedFrame(frame)
    else if (frame.type !== FRAME_METHOD || this.#isForClient(binding, frame))
      this.#passOn(binding.owner, frame)
  }

  /** Sends what was gathered; the bytes that the frames lie in may change owner afterwards. */
  endOfChunk(): void {
    const receiver = this.#runReceiver
    if (receiver === undefined) return
    const whole = this.#runStart === 0 && this.#runEnd === this.#runBytes.length
    const run = whole ? this.#runBytes : this.#runBytes.subarray(this.#runStart, this.#runEnd)
    this.#runReceiver = undefined
    this.#runBytes = NOTHING
    receiver.receive(run)
  }

  #passOn(owner: BindingOwner, frame: Frame): void {
    const receiver = owner.receiver
    frame.rewriteChannel(owner.clientChannel)
    if (frame.payloadSize + FRAME_OVERHEAD > receiver.frameMax) {
      this.endOfChunk()
      receiver.receiveOversized(frame)
    } else if (frame.parts !== undefined) {
      this.endOfChunk()
      receiver.receiveParts(frame.parts)
    } else {
      if (receiver !== this.#runReceiver || frame.bytes !== this.#runBytes || frame.start !== this.#runEnd) {
        this.endOfChunk()
        this.#runReceiver = receiver
        this.#runBytes = frame.bytes
        this.#runStart = frame.start
      }
      this.#runEnd = frame.end
    }
  }

  /** Looks at the few methods that change what Warren knows; returns whether the client is to see the frame. */
  #isForClient(binding: ChannelBinding, frame: Frame): boolean {
    switch (frame.methodId) {
      case id.CHANNEL_OPEN_OK:
        return false
      case id.CHANNEL_CLOSE:
        this.#onBrokerClose(binding)
        return true
      case id.CHANNEL_CLOSE_OK:
        return this.#onCloseOk(binding)
      case id.BASIC_CANCEL: {
        const args = readArguments(method.BasicCancel, frame.bytes, frame.payloadStart + 4, frame.payloadEnd)
        return binding.owner.onBrokerCancel(args.consumerTag)
      }
      default:
        return true
    }
  }

  /** The number is free once the broker has our Close-Ok, unless our own Close crossed with the broker's: then its answer is still due. */
  #onBrokerClose(binding: ChannelBinding): void {
    this.#host.send(channelCloseOkFrame(binding.upstreamChannel))
    if (!binding.closeSent) {
      this.#table.startClosing(binding)
      this.#free(binding.upstreamChannel)
    }
    binding.owner.onBrokerClose()
  }

  #onCloseOk(binding: ChannelBinding): boolean {
    if (!binding.closeSent) return false
    this.#table.startClosing(binding)
    this.#free(binding.upstreamChannel)
    binding.owner.onCloseOk()
    return true
  }

  /** Frames for a channel whose owner has left: only its closing matters. */
  #onUnownedFrame(frame: Frame): void {
    if (frame.type !== FRAME_METHOD || !this.#table.isClosing(frame.channel)) return
    if (frame.methodId === id.CHANNEL_CLOSE) this.#host.send(channelCloseOkFrame(frame.channel))
    else if (frame.methodId === id.CHANNEL_CLOSE_OK) this.#free(frame.channel)
  }

  #free(upstreamChannel: number): void {
    const hadRoom = this.#table.hasRoom
    this.#table.finishClosing(upstreamChannel)
    const waiter = this.#closeWaiters.get(upstreamChannel)
    if (waiter !== undefined) {
      this.#closeWaiters.delete(upstreamChannel)
      waiter()
    }
    this.#host.onChannelsChanged(hadRoom)
  }
}
