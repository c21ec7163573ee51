/** The channels of one client and the upstream connections they use. */
import { notOpen, undecodableMethod, unknownFrame } from '../domain/amqp/frame-errors.js'
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD, type Frame } from '../domain/amqp/frame.js'
import * as id from '../domain/amqp/method-ids.js'
import { hasShapeOf } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'
import { type AmqpError, NOT_ALLOWED, UNEXPECTED_FRAME, amqpError } from '../domain/amqp/reply-codes.js'
import type { GuardLimits } from '../domain/channel/channel-guard.js'
import type { ChannelRole } from '../domain/policy/channel-role.js'
import { PublishAssembler } from '../domain/publish/publish-assembler.js'
import { ChannelQueues } from './channel-queues.js'
import type { ChannelBinding } from './channel-binding.js'
import { ClientChannel, type ClientChannelHost } from './client-channel.js'
import type { Agreement } from './client-handshake.js'
import type { ClientOutput } from './client-output.js'
import { channelOpenOkFrame } from './common-frames.js'
import type { DrainWaiter, UpstreamConnection } from './upstream-connection.js'
import type { PoolClient } from './upstream-pool.js'

/** The session whose channels they are. */
export interface ClientChannelsHost extends PoolClient, DrainWaiter {
  refuse(error: AmqpError): void
  /** What had to wait may go on; not from inside the call. */
  resumeReading(): void
}

/** All channels of one client, by number. */
export class ClientChannels implements ClientChannelHost {
  readonly assembler = new PublishAssembler<UpstreamConnection>((upstream, bytes) => upstream.send(bytes))
  readonly guardLimits: GuardLimits
  readonly output: ClientOutput
  readonly #host: ClientChannelsHost
  readonly #agreement: Agreement
  readonly #channels: (ClientChannel | undefined)[] = []
  /** Upstream connections besides the home one that have carried a channel of this client. */
  readonly #others = new Set<UpstreamConnection>()
  #count = 0
  #whenEnded: (() => void) | undefined

  constructor(
    host: ClientChannelsHost,
    agreement: Agreement,
    output: ClientOutput,
    guardLimits: GuardLimits,
  ) {
    this.#host = host
    this.#agreement = agreement
    this.output = output
    this.guardLimits = guardLimits
    agreement.home.attach()
  }

  /** Channels that are open or closing. */
  get count(): number {
    return this.#count
  }

  get wantsConsumerCancel(): boolean {
    return this.#agreement.capabilities.consumerCancelNotify
  }

  /** A frame on any channel but 0; false when it has to wait. */
  onFrame(frame: Frame): boolean {
    const channel = this.#channels[frame.channel]
    if (channel !== undefined) return channel.onFrame(frame)
    const error = this.#judgeOpen(frame)
    if (error === undefined) this.#open(frame.channel)
    else this.#host.refuse(error)
    return true
  }

  /** The chunk has been read: what is whole goes upstream. Returns whether an upstream connection is congested; the host then hears of the end. */
  endOfChunk(): boolean {
    this.assembler.endOfChunk()
    let congested = this.#waitsFor(this.#agreement.home)
    for (const upstream of this.#others) {
      if (!upstream.isOpen) this.#others.delete(upstream)
      else if (this.#waitsFor(upstream)) congested = true
    }
    return congested
  }

  /** Whether the client has a channel on `upstream`, or will have its next one there. */
  dependsOn(upstream: UpstreamConnection): boolean {
    return (
      this.#agreement.home === upstream ||
      this.#channels.some((channel) => channel?.binding?.upstream === upstream)
    )
  }

  /**
   * The client says goodbye: every channel is ended in order, while what the broker still has for it goes on to the client.
   * `whenEnded` is called once the broker has processed everything that the client sent.
   */
  leave(whenEnded: () => void): void {
    this.assembler.endOfChunk()
    this.#whenEnded = whenEnded
    this.#count++
    for (const channel of this.#channels) channel?.leave()
    this.#countDown()
  }

  /** The client is gone: gives all channels back; unfinished messages are forgotten. */
  release(): void {
    this.assembler.endOfChunk()
    for (const channel of this.#channels) {
      const binding = channel?.abandon()
      binding?.upstream.release(binding)
    }
    this.#channels.length = 0
    this.#count = 0
    for (const upstream of [this.#agreement.home, ...this.#others]) {
      upstream.forgetWaiter(this.#host)
      upstream.deleteQueuesOf(this)
    }
    this.#others.clear()
    this.#agreement.home.detach()
  }

  bind(channel: ClientChannel, role: ChannelRole | undefined): ChannelBinding | undefined {
    const { pool, home } = this.#agreement
    // An exclusive queue can be reached only where it was declared.
    const pinned = role === 'publisher' ? undefined : this.#upstreamWithClaims()
    const binding = pinned?.bind(channel) ?? pool.bind(this.#host, home, channel, role)
    if (binding !== undefined && binding.upstream !== home) this.#others.add(binding.upstream)
    return binding
  }

  settle(upstream: UpstreamConnection, role: ChannelRole): boolean {
    const isPinned = role === 'consumer' && upstream.exclusiveQueues.hasClaims(this)
    return isPinned || this.#agreement.pool.settle(upstream, role)
  }

  #upstreamWithClaims(): UpstreamConnection | undefined {
    const hasClaims = (upstream: UpstreamConnection): boolean =>
      upstream.isOpen && upstream.exclusiveQueues.hasClaims(this)
    const { home } = this.#agreement
    return hasClaims(home) ? home : [...this.#others].find(hasClaims)
  }

  queuesOn(upstream: UpstreamConnection): ChannelQueues {
    return new ChannelQueues(upstream.exclusiveQueues, this, this.#agreement.virtualHost)
  }

  onChannelClosed(channel: ClientChannel): void {
    this.#channels[channel.clientChannel] = undefined
    this.#countDown()
    this.resumeReading()
  }

  resumeReading(): void {
    this.#host.resumeReading()
  }

  #countDown(): void {
    if (--this.#count === 0) this.#whenEnded?.()
  }

  refuse(error: AmqpError): void {
    this.#host.refuse(error)
  }

  /** What is wrong with a frame for a channel that isn't open; nothing, if it opens one. */
  #judgeOpen(frame: Frame): AmqpError | undefined {
    if (frame.type !== FRAME_METHOD) {
      return frame.type === FRAME_HEADER || frame.type === FRAME_BODY
        ? amqpError(UNEXPECTED_FRAME, 'expected method frame, got non method frame instead')
        : unknownFrame(frame)
    }
    if (frame.payloadSize < 4) return unknownFrame(frame)
    if (frame.methodId !== id.CHANNEL_OPEN) return notOpen(frame.methodId)
    if (!hasShapeOf(method.ChannelOpen, frame.bytes, frame.payloadStart + 4, frame.payloadEnd))
      return undecodableMethod(frame)
    // RabbitMQ limits how many channels are open, not their numbers.
    const { channelMax } = this.#agreement.tuning
    if (channelMax === 0 || this.#count < channelMax) return undefined
    return amqpError(
      NOT_ALLOWED,
      `number of channels opened (${this.#count}) has reached the negotiated channel_max (${channelMax})`,
    )
  }

  #open(number: number): void {
    this.#channels[number] = new ClientChannel(number, this)
    this.#count++
    this.output.send(channelOpenOkFrame(number))
  }

  #waitsFor(upstream: UpstreamConnection): boolean {
    if (!upstream.isCongested) return false
    upstream.whenDrained(this.#host)
    return true
  }
}
