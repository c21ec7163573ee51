/** The channels of one upstream connection: who owns which, and the way of the broker's frames to their owners. */
import { FRAME_BODY, FRAME_METHOD, FRAME_OVERHEAD, type Frame, type Piece } from '../../domain/amqp/frame.js'
import { contentBodySize } from '../../domain/amqp/content-header.js'
import * as id from '../../domain/amqp/method-ids.js'
import { consumerTagOf } from '../../domain/amqp/single-arguments.js'
import { WholeMessage } from '../../domain/amqp/whole-message.js'
import { ChannelTable } from '../../domain/channel/channel-table.js'
import { AWAITS_HEADER, type BindingOwner, ChannelBinding, type ClientReceiver } from './channel-binding.js'
import {
  channelCloseFrame,
  channelCloseOkFrame,
  channelFlowFrame,
  channelOpenFrame,
} from '../common-frames.js'
import type { Traffic } from '../traffic.js'
import type { UpstreamConnection } from './upstream-connection.js'
import { type ChannelSource, UpstreamQueues } from './upstream-queues.js'

/** The connection whose channels they are. */
export interface UpstreamChannelsHost {
  send(bytes: Uint8Array): void
  /** A channel was bound or became free; `hadRoom` tells whether another could have been bound before. */
  onChannelsChanged(hadRoom: boolean): void
  readonly traffic: Traffic
}

const NOTHING = new Uint8Array(0)

/** Hands each frame to the owner of the channel that it carries; neighbouring frames for one client go in one piece. */
export class UpstreamChannels implements ChannelSource {
  readonly #upstream: UpstreamConnection
  readonly #host: UpstreamChannelsHost
  readonly #table: ChannelTable<ChannelBinding>
  readonly queues: UpstreamQueues
  /**
   * Channels for which Open-Ok has come and no Close. RabbitMQ may raise a second error on a channel that it has closed; answering
   * that Close too, perhaps on behalf of the number's next owner, would be the 504 that ends the connection.
   */
  readonly #opened = new Set<number>()
  /**
   * Channels on which our Close has crossed with the broker's. RabbitMQ can lose its answer to ours if it gets our answer to its own
   * first: so that waits.
   */
  readonly #crossed = new Set<number>()
  /** Owners who are gone, until the broker has closed their channels: by its number. */
  readonly #departed: (BindingOwner | undefined)[] = []
  /** The fewest spare channels since the last trim: so many weren't needed. */
  #leastSpare = 0
  /** Frames for one client that lie side by side in the chunk being read: `runBytes[runStart, runEnd)`. */
  #runReceiver: ClientReceiver | undefined
  #runBytes: Uint8Array = NOTHING
  #runStart = 0
  #runEnd = 0
  #runFrames = 0

  /** `capacity` is the most channels, 1 to 65535; `now` is in milliseconds. */
  constructor(upstream: UpstreamConnection, host: UpstreamChannelsHost, capacity: number, now: () => number) {
    this.#upstream = upstream
    this.#host = host
    this.#table = new ChannelTable(capacity)
    this.queues = new UpstreamQueues(this, now)
  }

  /** Channels that carry a client's. */
  get bound(): number {
    return this.#table.bound
  }

  /** Channels that are kept open for the next owner. */
  get spare(): number {
    return this.#table.spare
  }

  /** Channels that wait for the broker. */
  get unsettled(): number {
    return this.#table.unsettled
  }

  /** Most channels. */
  get capacity(): number {
    return this.#table.capacity
  }

  /** Whether a channel is in use, or waits for the broker's answer to its end, or a queue would go with the connection. */
  get inUse(): boolean {
    return this.#table.bound + this.#table.unsettled > 0 || !this.queues.claims.isEmpty
  }

  get hasRoom(): boolean {
    return this.#table.hasRoom
  }

  /** A channel for `owner`, one that is kept open if there is one; it can be used at once. Undefined when there is no room. */
  bind(owner: BindingOwner): ChannelBinding | undefined {
    const binding = this.#table.bind((number, isOpen) => {
      if (isOpen) this.#host.traffic.recycledChannels++
      else this.#host.send(channelOpenFrame(number))
      return new ChannelBinding(this.#upstream, number, owner, isOpen)
    })
    if (binding === undefined) return undefined
    this.#leastSpare = Math.min(this.#leastSpare, this.#table.spare)
    this.#host.onChannelsChanged(true)
    return binding
  }

  /**
   * Asks for the end of a binding whose owner stays to hear of it. A safe channel gets a barrier and is kept, any other
   * is closed at the broker, which requeues what wasn't acknowledged. Either answer says that all that was sent before has been processed.
   */
  end(binding: ChannelBinding): void {
    if (binding.end !== undefined) return
    const { owner, upstreamChannel } = binding
    binding.end = owner.isSafe ? 'settling' : 'closing'
    this.#host.send(owner.isSafe ? channelFlowFrame(upstreamChannel) : channelCloseFrame(upstreamChannel))
  }

  /** Takes a channel back from an owner who is gone: as {@link end}, but nobody hears of it. */
  release(binding: ChannelBinding): void {
    this.end(binding)
    if (binding.end === 'settling') this.#table.startSettling(binding)
    else if (this.#table.startClosing(binding)) this.#departed[binding.upstreamChannel] = binding.owner
  }

  send(bytes: Uint8Array): void {
    this.#host.send(bytes)
  }

  /** Closes the spare channels that weren't needed since the last call. */
  trim(): void {
    for (let n = this.#leastSpare; n > 0; n--) {
      const number = this.#table.retireSpare()
      if (number !== 0) this.#host.send(channelCloseFrame(number))
    }
    this.#leastSpare = this.#table.spare
  }

  /** A frame of the broker on any channel but 0. */
  onFrame(frame: Frame): void {
    const binding = this.#table.ownerOf(frame.channel)
    if (binding === undefined) return this.#onUnownedFrame(frame)
    if (!binding.isOpen) return this.#onFrameBeforeOpen(binding, frame)
    const { owner, pair } = binding
    if (pair?.holdsBack(binding, frame) === true) return
    try {
      if (frame.type === FRAME_METHOD) {
        if (this.#isForClient(binding, frame)) this.#passOn(owner, frame)
      } else {
        this.#passOn(owner, frame)
        if (frame.type === FRAME_BODY) binding.contentLeft -= frame.payloadSize
        else binding.contentLeft = contentBodySize(frame.bytes, frame.payloadStart)
      }
    } catch (error) {
      owner.receiver.onUnexpectedError(error)
    }
    if (pair?.isHolding !== true || binding.contentLeft !== 0) return
    // What goes on now comes behind what was gathered.
    this.endOfChunk()
    pair.onWhole()
  }

  #onFrameBeforeOpen(binding: ChannelBinding, frame: Frame): void {
    if (frame.type !== FRAME_METHOD || frame.methodId !== id.CHANNEL_OPEN_OK) return
    this.#opened.add(binding.upstreamChannel)
    binding.isOpen = true
  }

  /** A message of the broker for a consumer, whole in its chunk; false when it is to come frame by frame. */
  onDelivery(message: WholeMessage): boolean {
    const binding = this.#table.ownerOf(message.channel)
    if (binding?.isOpen !== true || binding.contentLeft !== 0 || binding.pair !== undefined) return false
    const { receiver, clientChannel } = binding.owner
    if (message.end - message.start > receiver.frameMax) return false
    this.#host.traffic.deliveries++
    binding.delivered++
    message.rewriteChannel(clientChannel)
    this.#addToRun(receiver, message, WholeMessage.FRAMES)
    return true
  }

  /** Sends what was gathered; the bytes that the frames lie in may change owner afterwards. */
  endOfChunk(): void {
    const receiver = this.#runReceiver
    if (receiver === undefined) return
    const whole = this.#runStart === 0 && this.#runEnd === this.#runBytes.length
    const run = whole ? this.#runBytes : this.#runBytes.subarray(this.#runStart, this.#runEnd)
    const frames = this.#runFrames
    this.#runReceiver = undefined
    this.#runBytes = NOTHING
    this.#runFrames = 0
    try {
      receiver.receive(run, frames)
    } catch (error) {
      receiver.onUnexpectedError(error)
    }
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
      this.#addToRun(receiver, frame, 1)
    }
  }

  #addToRun(receiver: ClientReceiver, { bytes, start, end }: Piece, frames: number): void {
    if (receiver !== this.#runReceiver || bytes !== this.#runBytes || start !== this.#runEnd) {
      this.endOfChunk()
      this.#runReceiver = receiver
      this.#runBytes = bytes
      this.#runStart = start
    }
    this.#runEnd = end
    this.#runFrames += frames
  }

  /** Looks at the few methods that change what Warren knows; returns whether the client is to see the frame. */
  #isForClient(binding: ChannelBinding, frame: Frame): boolean {
    const { methodId } = frame
    switch (methodId) {
      case id.BASIC_DELIVER:
        this.#host.traffic.deliveries++
        binding.delivered++
        binding.contentLeft = AWAITS_HEADER
        return true
      case id.BASIC_RETURN:
        this.#host.traffic.returns++
        binding.contentLeft = AWAITS_HEADER
        return true
      case id.BASIC_ACK:
      case id.BASIC_NACK:
        return binding.owner.onConfirm(frame)
      case id.CHANNEL_CLOSE:
        if (this.#opened.delete(binding.upstreamChannel)) this.#onBrokerClose(binding, frame)
        return false
      case id.CHANNEL_CLOSE_OK:
        return this.#onCloseOk(binding)
      case id.BASIC_CANCEL:
        return binding.owner.onBrokerCancel(consumerTagOf(frame))
      default:
        return this.#onAnswer(binding, frame)
    }
  }

  #onAnswer(binding: ChannelBinding, answer: Frame): boolean {
    if (answer.methodId === id.BASIC_GET_OK) {
      this.#host.traffic.gets++
      binding.delivered++
      binding.contentLeft = AWAITS_HEADER
    }
    // Asked before: the owner may want the end of the binding over what it hears.
    const isBarrier = answer.methodId === id.CHANNEL_FLOW_OK && binding.end === 'settling'
    const isForClient = binding.owner.onAnswer(answer)
    if (!isBarrier) return isForClient
    this.#onSettled(binding)
    return false
  }

  /**
   * The number is free once the broker has our Close-Ok, unless our own Close crossed with the broker's: then its answer
   * is still due. A barrier that crossed is never answered: the broker's Close says as much as it would have.
   */
  #onBrokerClose(binding: ChannelBinding, frame: Frame): void {
    const { owner, upstreamChannel, end } = binding
    if (end === 'closing') {
      this.#crossed.add(upstreamChannel)
    } else {
      this.#host.send(channelCloseOkFrame(upstreamChannel))
      this.#table.startClosing(binding)
      this.#free(upstreamChannel)
    }
    if (owner.onBrokerClose(frame)) this.#passOn(owner, frame)
    if (end !== 'settling') return
    this.endOfChunk()
    owner.onSettled()
  }

  #answerCrossed(upstreamChannel: number): void {
    if (this.#crossed.delete(upstreamChannel)) this.#host.send(channelCloseOkFrame(upstreamChannel))
  }

  #onCloseOk(binding: ChannelBinding): boolean {
    if (binding.end !== 'closing') return false
    this.#answerCrossed(binding.upstreamChannel)
    // What came before has to be with the client before it hears of the end.
    this.endOfChunk()
    this.#table.startClosing(binding)
    this.#free(binding.upstreamChannel)
    return binding.owner.onCloseOk()
  }

  /** The barrier has come back. */
  #onSettled(binding: ChannelBinding): void {
    // What came before the barrier has to be with the client before it hears of the end.
    this.endOfChunk()
    this.#table.startSettling(binding)
    this.#keep(binding.upstreamChannel)
    binding.owner.onSettled()
  }

  /** Frames for a channel that nobody owns: only its end matters. */
  #onUnownedFrame(frame: Frame): void {
    if (frame.type !== FRAME_METHOD) return
    const { channel, methodId } = frame
    if (methodId === id.CHANNEL_OPEN_OK) {
      this.#opened.add(channel)
    } else if (methodId === id.CHANNEL_CLOSE_OK) {
      this.#answerCrossed(channel)
      this.#free(channel)
    } else if (methodId === id.CHANNEL_FLOW_OK) {
      this.#keep(channel)
    } else if (methodId === id.QUEUE_DECLARE_OK) {
      this.#onLateDeclareOk(frame)
    } else if (methodId === id.CHANNEL_CLOSE && this.#opened.delete(channel)) {
      if (this.#table.isClosing(channel)) {
        this.#crossed.add(channel)
      } else {
        this.#host.send(channelCloseOkFrame(channel))
        this.#free(channel)
      }
    }
  }

  /** A queue that the broker has made for a client that is gone meanwhile: if it's exclusive, nobody else would delete it. */
  #onLateDeclareOk(frame: Frame): void {
    const owner = this.#departed[frame.channel]
    if (owner === undefined) return
    owner.onAnswer(frame)
    if (owner.isClientGone) this.queues.deleteQueuesOf(owner.client)
  }

  #free(upstreamChannel: number): void {
    const departed = this.#departed[upstreamChannel]
    this.#departed[upstreamChannel] = undefined
    departed?.onReleased()
    this.#opened.delete(upstreamChannel)
    const hadRoom = this.#table.hasRoom
    if (this.#table.finishClosing(upstreamChannel)) this.#onRoom(hadRoom)
  }

  #keep(upstreamChannel: number): void {
    const hadRoom = this.#table.hasRoom
    if (this.#table.finishSettling(upstreamChannel)) this.#onRoom(hadRoom)
  }

  #onRoom(hadRoom: boolean): void {
    this.queues.deleteOwed()
    this.#host.onChannelsChanged(hadRoom)
  }
}
