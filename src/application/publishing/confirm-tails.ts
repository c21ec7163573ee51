/** Channels whose clients have left before the broker had confirmed all that they had published there. */
import { confirmTag, isRefusal } from '../../domain/amqp/confirm.js'
import { isMultiple } from '../../domain/amqp/single-arguments.js'
import type { Frame } from '../../domain/amqp/frame.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import { InternalChannel } from '../upstream/internal-channel.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import type { ConfirmTracking } from './confirm-tracking.js'

/** Takes back what such a channel can't get confirmed any more. */
export type Rescue = (tracking: ConfirmTracking) => void

/** Keeps them until then; their clients' messages aren't lost with them. */
export class ConfirmTails {
  readonly #tails = new Set<ConfirmTail>()
  readonly #rescue: Rescue

  constructor(rescue: Rescue) {
    this.#rescue = rescue
  }

  /** Keeps the channel until the broker has confirmed everything; if it closes the channel instead, the messages are rescued. */
  adopt(binding: ChannelBinding, tracking: ConfirmTracking): void {
    const tail = new ConfirmTail(
      binding,
      tracking,
      () => {
        this.#tails.delete(tail)
        binding.upstream.release(binding)
      },
      () => {
        this.#tails.delete(tail)
        this.#rescue(tracking)
      },
    )
    binding.owner = tail
    this.#tails.add(tail)
  }

  /** The channels on `upstream` are gone; returns what was published on them. */
  onUpstreamLost(upstream: UpstreamConnection): readonly ConfirmTracking[] {
    const lost = [...this.#tails].filter((tail) => tail.upstream === upstream)
    for (const tail of lost) this.#tails.delete(tail)
    return lost.map(({ tracking }) => tracking)
  }
}

class ConfirmTail extends InternalChannel {
  readonly upstream: UpstreamConnection
  readonly tracking: ConfirmTracking
  readonly #onConfirmed: () => void
  readonly #onClosed: () => void

  /** `onConfirmed` hears that nothing is open any more, `onClosed` that the broker has closed the channel. */
  constructor(
    { upstream }: ChannelBinding,
    tracking: ConfirmTracking,
    onConfirmed: () => void,
    onClosed: () => void,
  ) {
    super()
    this.upstream = upstream
    this.tracking = tracking
    this.#onConfirmed = onConfirmed
    this.#onClosed = onClosed
  }

  override onConfirm(frame?: Frame): boolean {
    if (frame === undefined) return false
    this.tracking.settle(confirmTag(frame), isMultiple(frame), isRefusal(frame))
    if (this.tracking.count === 0) this.#onConfirmed()
    return false
  }

  override onBrokerClose(): boolean {
    this.#onClosed()
    return false
  }
}
