/** Two upstream channels that carry one client channel: no frame of one gets between the frames of a message from the other (AMQP 0-9-1, 2.3.5.2). */
import { FRAME_OVERHEAD, Frame } from '../../domain/amqp/frame.js'
import { joinSlices } from '../../domain/amqp/slice-list.js'
import type { ChannelBinding, ClientReceiver } from './channel-binding.js'

/** Keeps frames of one of the two channels back while the broker is in the middle of a message on the other. */
export class ChannelPair {
  readonly #first: ChannelBinding
  readonly #second: ChannelBinding
  readonly #receiver: ClientReceiver
  /** The channel whose frames wait, until the message on the other is whole. */
  #waiting: ChannelBinding | undefined
  #held: Frame[] = []
  #heldBytes = 0

  constructor(first: ChannelBinding, second: ChannelBinding) {
    this.#first = first
    this.#second = second
    this.#receiver = first.owner.receiver
    first.pair = second.pair = this
  }

  /** Keeps `frame`, which came on `binding`, if it has to wait; a copy of it is handled by the upstream connection later. Returns whether it did. */
  holdsBack(binding: ChannelBinding, frame: Frame): boolean {
    if (this.#otherThan(binding).contentLeft === 0) return false
    const { type, channel, bytes, start, end, parts, payloadSize } = frame
    const copy = new Frame()
    copy.bytes = parts === undefined ? bytes.slice(start, end) : joinSlices(parts)
    copy.end = copy.bytes.length
    copy.type = type
    copy.channel = channel
    copy.payloadSize = payloadSize
    this.#waiting = binding
    this.#held.push(copy)
    this.#heldBytes += payloadSize + FRAME_OVERHEAD
    this.#receiver.onHeldBack(payloadSize + FRAME_OVERHEAD)
    return true
  }

  /** Whether anything waits. */
  get isHolding(): boolean {
    return this.#waiting !== undefined
  }

  /** The message on one of the two is whole: what waited for that goes on. */
  onWhole(): void {
    if (this.#waiting === undefined) return
    const { upstream } = this.#waiting
    const held = this.#held
    this.#waiting = undefined
    this.#held = []
    this.#receiver.onHeldBack(-this.#heldBytes)
    this.#heldBytes = 0
    upstream.handOn(held)
  }

  /** One of the channels is over: nothing waits for it any more. Can be called twice. */
  dissolve(): void {
    this.#first.pair = this.#second.pair = undefined
    this.onWhole()
  }

  #otherThan(binding: ChannelBinding): ChannelBinding {
    return binding === this.#first ? this.#second : this.#first
  }
}
