/** Publishes what a pool has kept, over one channel in confirm mode, and finds out which message the broker refuses. */
import { withChannel } from '../../domain/publish/published-message.js'
import { confirmSelectFrame } from '../common-frames.js'
import type { ChannelBinding } from '../upstream/channel-binding.js'
import type { DrainWaiter, UpstreamConnection } from '../upstream/upstream-connection.js'
import { DrainChannel, type DrainChannelHost } from './drain-channel.js'
import type { KeptMessages } from './kept-messages.js'

/** The backlog that is drained. */
export interface BacklogDrainHost {
  /** Whether an operator holds messages back: then nothing more is sent until {@link BacklogDrain.pump}. */
  readonly isHeld: () => boolean
  /** The broker has closed the channel: the rest wants another one. */
  readonly onChannelClosed: () => void
  /** Nothing is left. May come more than once. */
  readonly onDrained: () => void
}

/** Messages on their way at the same time. */
const WINDOW = 256

/**
 * RabbitMQ may refuse a message by closing the channel, or the connection, and doesn't say which message it
 * was. So those that were under way are sent once more, one by one, until the one is found that is to blame;
 * that one is set aside.
 */
export class BacklogDrain implements DrainWaiter, DrainChannelHost {
  readonly #kept: KeptMessages
  readonly #host: BacklogDrainHost
  #binding: ChannelBinding | undefined
  /** Messages to be sent one by one, since one of them is to blame. */
  #suspects = 0
  /** The number of the last message that was sent, as the broker counts on the channel. */
  #lastTag = 0
  #confirmed = 0

  constructor(kept: KeptMessages, host: BacklogDrainHost) {
    this.#kept = kept
    this.#host = host
  }

  /** Whether it has a channel. */
  get isUnderWay(): boolean {
    return this.#binding !== undefined
  }

  /** Begins, or goes on, over `upstream`; false when there's no room for its channel. */
  begin(upstream: UpstreamConnection): boolean {
    this.#binding = upstream.bind(new DrainChannel(this))
    if (this.#binding === undefined) return false
    // The broker counts from 1 again.
    this.#rewind()
    upstream.role ??= 'publisher'
    upstream.send(confirmSelectFrame(this.#binding.upstreamChannel))
    this.pump()
    return true
  }

  /** Gives the channel back; returns how many messages were confirmed since it began. */
  end(): number {
    const binding = this.#binding
    const confirmed = this.#confirmed
    this.#binding = undefined
    this.#confirmed = 0
    this.#suspects = 0
    binding?.upstream.release(binding)
    return confirmed
  }

  /** Sends as much as may be under way. */
  pump(): void {
    const binding = this.#binding
    if (binding === undefined) return
    const { upstream, upstreamChannel } = binding
    const window = this.#suspects > 0 ? 1 : WINDOW
    while (this.#kept.underWay < window && !this.#host.isHeld()) {
      if (upstream.isCongested) {
        upstream.whenDrained(this)
        break
      }
      const message = this.#kept.takeNext()
      if (message === undefined) break
      this.#lastTag++
      upstream.send(withChannel(message, upstreamChannel))
    }
    this.#kept.tellExpired()
    if (this.#kept.length === 0) this.#host.onDrained()
  }

  /**
   * An upstream connection is gone; `isOverMessage` tells whether the broker closed it over a message, whosever that was. Returns
   * whether the drain was on it; it can begin again elsewhere.
   */
  onUpstreamLost(upstream: UpstreamConnection, isOverMessage: boolean): boolean {
    if (upstream !== this.#binding?.upstream) return false
    this.#binding = undefined
    this.#confirmed = 0
    const { underWay } = this.#kept
    // Others publish on the connection too: only who was alone with it, and was suspected before, is to blame.
    const isProven = this.#suspects > 0 && underWay === 1
    if (isOverMessage && isProven) this.#blame('the broker closed the connection over it')
    else if (isOverMessage) this.#suspects = Math.max(this.#suspects, underWay)
    this.#rewind()
    return true
  }

  onUpstreamDrained(): void {
    this.pump()
  }

  onDrainConfirm(lastTag: number, multiple: boolean, isRefused: boolean): void {
    if (isRefused) {
      for (let tag = multiple ? 1 : lastTag; tag <= lastTag; tag++)
        if (this.#kept.refuse(tag)) this.#acquit(1)
    } else {
      const confirmed = this.#kept.confirm(lastTag, multiple)
      this.#confirmed += confirmed
      this.#acquit(confirmed)
    }
    this.pump()
  }

  onDrainClosed(reason: string): void {
    this.#binding = undefined
    this.#blame(reason)
    this.#host.onChannelClosed()
  }

  /** One of the messages under way is to blame: the only one, or one of those that are tried one by one from now on. */
  #blame(reason: string): void {
    const { underWay } = this.#kept
    if (underWay !== 1) this.#suspects = underWay
    else if (this.#kept.refuse(this.#lastTag, reason)) this.#acquit(1)
    this.#rewind()
  }

  /** So many of the suspects are dealt with. */
  #acquit(count: number): void {
    this.#suspects = Math.max(0, this.#suspects - count)
  }

  #rewind(): void {
    this.#kept.rewind()
    this.#lastTag = 0
  }
}
