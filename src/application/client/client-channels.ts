/** The channels of one client and the upstream connections they use. */
import { noCurrentQueue, notOpen, undecodableMethod, unknownFrame } from '../../domain/amqp/frame-errors.js'
import { FRAME_BODY, FRAME_HEADER, FRAME_METHOD, type Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { hasShapeOf } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import type { WholeMessage } from '../../domain/amqp/whole-message.js'
import { type AmqpError, NOT_ALLOWED, UNEXPECTED_FRAME, amqpError } from '../../domain/amqp/reply-codes.js'
import type { GuardLimits } from '../../domain/channel/channel-guard.js'
import type { ChannelRole } from '../../domain/policy/channel-role.js'
import { PublishAssembler } from '../../domain/publish/publish-assembler.js'
import { isAboutCurrent } from '../../domain/queue/current-queue.js'
import { ChannelQueues, type ChannelQueuesHost } from './channel-queues.js'
import type { BindingOwner, ChannelBinding } from '../upstream/channel-binding.js'
import { ClientChannel } from './client-channel.js'
import type { ClientChannelHost } from './client-channel-host.js'
import type { Agreement } from './client-handshake.js'
import type { ClientOutput } from './client-output.js'
import { channelOpenOkFrame } from '../common-frames.js'
import type { PublishBacklog } from '../publishing/publish-backlog.js'
import type { PublishRoom } from '../publishing/publish-room.js'
import type { Traffic } from '../traffic.js'
import type { TrialFailure } from '../upstream/trials.js'
import type { DrainWaiter, UpstreamConnection } from '../upstream/upstream-connection.js'
import type { PoolClient } from '../upstream/pool-client.js'
import type { UpstreamQueues } from '../upstream/upstream-queues.js'

/** The session whose channels they are. */
export interface ClientChannelsHost extends PoolClient, DrainWaiter {
  readonly traffic: Traffic
  /** The client has sent what ends its connection, once the broker has dealt with all that came before. */
  refuseInTurn(error: AmqpError): void
  /** What had to wait may go on; not from inside the call. */
  resumeReading(): void
}

/** All channels of one client, by number. */
export class ClientChannels implements ClientChannelHost, ChannelQueuesHost {
  readonly assembler = new PublishAssembler<UpstreamConnection>((upstream, bytes) => {
    upstream.send(bytes)
    if (upstream.isCongested) this.mustWaitFor(upstream)
  })
  readonly guardLimits: GuardLimits
  waitingAckBytes = 0
  readonly output: ClientOutput
  readonly #host: ClientChannelsHost
  #agreement: Agreement
  readonly #channels: (ClientChannel | undefined)[] = []
  /** Where the client's channels go first; undefined while there is no broker. */
  #home: UpstreamConnection | undefined
  /** Upstream connections besides the home one that have carried a channel of this client, or for which it has waited. */
  readonly #others = new Set<UpstreamConnection>()
  #count = 0
  #whenEnded: (() => void) | undefined
  /** An upstream connection takes no more of what the chunk that was read last holds. */
  #isCongested = false
  #isGone = false

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
    this.#setHome(agreement.home)
  }

  /** Channels that are open or closing. */
  get count(): number {
    return this.#count
  }

  get wantsConsumerCancel(): boolean {
    return this.#agreement.capabilities.consumerCancelNotify
  }

  /** What the client opens from now on goes to the pool of `agreement`; what is open stays where it is. */
  moveTo(agreement: Agreement): void {
    if (this.#home !== undefined) this.#others.add(this.#home)
    this.#agreement = agreement
    this.#setHome(agreement.home)
  }

  #setHome(home: UpstreamConnection | undefined): void {
    home?.attach()
    this.#home?.detach()
    this.#home = home
    if (home !== undefined) this.#others.delete(home)
  }

  /** A frame on any channel but 0; false when it has to wait. */
  onFrame(frame: Frame): boolean {
    const channel = this.#channels[frame.channel]
    if (channel !== undefined) return channel.onFrame(frame)
    const error = this.#judgeUnopened(frame)
    if (error === undefined) this.#open(frame.channel)
    else if (error.scope === 'channel') this.#add(frame.channel).refuse(error)
    else this.#host.refuseInTurn(error)
    return true
  }

  /** A publish that is whole in its chunk; false when it is to come frame by frame. */
  onMessage(message: WholeMessage): boolean {
    return this.#channels[message.channel]?.onMessage(message) === true
  }

  get client(): object {
    return this
  }

  get isGone(): boolean {
    return this.#isGone
  }

  get virtualHost(): string {
    return this.#agreement.virtualHost
  }

  /**
   * The chunk has been read: what is whole goes upstream. Returns whether an upstream connection that something of it was for
   * is congested; the host then hears of the end.
   */
  endOfChunk(): boolean {
    this.assembler.endOfChunk()
    const wasCongested = this.#isCongested
    this.#isCongested = false
    return wasCongested
  }

  /** Whether the client has a channel on `upstream`, or will have its next one there. */
  dependsOn(upstream: UpstreamConnection): boolean {
    return (
      this.#home === upstream || this.#channels.some((channel) => channel?.isCarriedBy(upstream) === true)
    )
  }

  /** Whether a request of this kind is under way on `upstream`. */
  isWaitingFor(methodId: number, upstream: UpstreamConnection): boolean {
    return this.#channels.some((channel) => channel?.isWaitingFor(methodId, upstream) === true)
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

  /**
   * The client is gone: gives all channels back; unfinished messages are forgotten. `whenQueuesGone` hears
   * once its exclusive queues are deleted, unless their connection is lost.
   */
  release(whenQueuesGone: () => void = () => undefined): void {
    this.#isGone = true
    this.assembler.endOfChunk()
    for (const channel of this.#channels) channel?.abandon()
    this.#channels.length = 0
    this.#count = 0
    if (this.#home !== undefined) this.#others.add(this.#home)
    let left = 1
    const onDeleted = (): void => {
      if (--left === 0) whenQueuesGone()
    }
    for (const upstream of this.#others) {
      upstream.forgetWaiter(this.#host)
      left += upstream.deleteQueuesOf(this, onDeleted)
    }
    onDeleted()
    this.#setHome(undefined)
    this.#others.clear()
  }

  /** See {@link PoolClient.onBrokerBack}. */
  onBrokerBack(upstream: UpstreamConnection): void {
    if (this.#home === undefined) this.#setHome(upstream)
  }

  /** See {@link PoolClient.onRetired}. */
  onRetired(upstream: UpstreamConnection): void {
    if (this.#home === upstream) this.#setHome(undefined)
    this.#others.delete(upstream)
  }

  /** See {@link PoolClient.survive}. */
  survive(upstream: UpstreamConnection): boolean {
    if (upstream.queues.claims.hasClaims(this)) return false
    const lost = this.#channels.filter((channel) => channel?.isCarriedBy(upstream) === true)
    if (!lost.every((channel) => channel!.canSurvive)) return false
    if (this.#home === upstream) this.#setHome(undefined)
    this.#others.delete(upstream)
    for (const channel of lost) channel!.onUpstreamGone()
    // After a new secret the pool that has lost the connection may be another one than the channels' pool is now.
    this.backlog.resumeIfIdle()
    return true
  }

  /** There is no room for the channel that the client waits for. Returns whether it can do without. */
  onNoRoom(): boolean {
    return this.#channels.some((channel) => channel?.onNoBypass() === true)
  }

  bind(
    channel: BindingOwner,
    role: ChannelRole | undefined,
    upstream: UpstreamConnection | undefined,
  ): ChannelBinding | undefined {
    const { pool } = this.#agreement
    const home = this.#home
    // An exclusive queue can be reached only where it was declared.
    const pinned =
      upstream ?? (role === 'publisher' ? undefined : this.#upstreamWith((at) => at.claims.hasClaims(this)))
    const place = pinned?.hasRoomForOwners === true ? pinned : pool.place(home, role)
    // Otherwise any number of clients could each leave a chunk with a connection that takes nothing.
    if (place?.isCongested === true && this.mustWaitFor(place)) return undefined
    const binding = pool.bind(this.#host, place, channel, role)
    if (binding === undefined || binding.upstream === home) return binding
    if (home === undefined) this.#setHome(binding.upstream)
    else this.#addOther(binding.upstream)
    return binding
  }

  settle(upstream: UpstreamConnection, role: ChannelRole): boolean {
    const isPinned = role === 'consumer' && upstream.queues.claims.hasClaims(this)
    return isPinned || this.#agreement.pool.settle(upstream, role)
  }

  get ownsQueues(): boolean {
    return this.#upstreamWith((at) => at.claims.hasClaims(this)) !== undefined
  }

  claimedElsewhere(queue: string, upstream: UpstreamConnection): UpstreamConnection | undefined {
    if (upstream.queues.claims.ownerOf(queue) === this) return undefined
    return this.#roomWith((at) => at.claims.ownerOf(queue) === this)
  }

  claimsElsewhere(upstream: UpstreamConnection): UpstreamConnection | undefined {
    if (upstream.queues.claims.hasClaims(this)) return undefined
    return this.#roomWith((at) => at.claims.hasClaims(this))
  }

  mustWaitFor(upstream: UpstreamConnection): boolean {
    this.#isCongested = true
    // A client that goes while it waits is forgotten there, too.
    if (upstream !== this.#agreement.home) this.#addOther(upstream)
    upstream.whenDrained(this.#host)
    return true
  }

  judgeRisk(
    kind: string,
    request: Uint8Array,
    onDecided: (failure?: TrialFailure) => void,
  ): AmqpError | 'wait' | undefined {
    return this.#agreement.pool.judgeRisk(kind, request, onDecided)
  }

  tryAlone(request: Uint8Array): Promise<AmqpError | undefined> {
    return this.#agreement.pool.tryAlone(request)
  }

  get backlog(): PublishBacklog {
    return this.#agreement.pool.backlog
  }

  get asksForConfirms(): boolean {
    return this.#agreement.pool.asksForConfirms
  }

  onPublish(): void {
    this.#host.traffic.publishes++
  }

  mustWaitForRoom(room: PublishRoom): boolean {
    if (!room.isFull) return false
    room.wait(this.#host)
    return true
  }

  waitForBroker(): void {
    this.#agreement.pool.wait(this.#host)
  }

  isCurrent(channel: ClientChannel): boolean {
    return this.#channels[channel.clientChannel] === channel
  }

  get separatesRoles(): boolean {
    return this.#agreement.pool.separatesRoles
  }

  mustHoldPublish(upstream: UpstreamConnection): boolean {
    return this.#agreement.pool.mustHoldPublish(upstream)
  }

  /** As {@link #upstreamWith}: a channel that moved to one without room would end up where it is, and begin again. */
  #roomWith(holds: (queues: UpstreamQueues) => boolean): UpstreamConnection | undefined {
    const found = this.#upstreamWith(holds)
    return found?.hasRoomForOwners === true ? found : undefined
  }

  /** The first upstream connection of the client on whose queues `holds` holds. */
  #upstreamWith(holds: (queues: UpstreamQueues) => boolean): UpstreamConnection | undefined {
    const home = this.#home
    if (home?.isOpen === true && holds(home.queues)) return home
    for (const other of this.#others) if (other.isOpen && holds(other.queues)) return other
    return undefined
  }

  #addOther(upstream: UpstreamConnection): void {
    for (const other of this.#others) if (!other.isOpen) this.#others.delete(other)
    this.#others.add(upstream)
  }

  queuesOn(upstream: UpstreamConnection, currentQueue: string | undefined): ChannelQueues {
    return new ChannelQueues(upstream.queues, this, currentQueue)
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
    this.#host.refuseInTurn(error)
  }

  /**
   * What is wrong with a frame for a channel that isn't open; nothing, if it opens one. RabbitMQ has a channel
   * begin with any frame, then takes it apart, and looks for the queue that it means before it says that the
   * channel isn't open.
   */
  #judgeUnopened(frame: Frame): AmqpError | undefined {
    const isMethod = frame.type === FRAME_METHOD
    const isContent = frame.type === FRAME_HEADER || frame.type === FRAME_BODY
    if (!isContent && !(isMethod && frame.payloadSize >= 4)) return unknownFrame(frame)
    // RabbitMQ limits how many channels are open, not their numbers.
    const { channelMax } = this.#agreement.tuning
    if (channelMax !== 0 && this.#count >= channelMax)
      return amqpError(
        NOT_ALLOWED,
        `number of channels opened (${this.#count}) has reached the negotiated channel_max (${channelMax})`,
      )
    if (isContent) return amqpError(UNEXPECTED_FRAME, 'expected method frame, got non method frame instead')
    const { methodId } = frame
    const layout = method.methodOf(methodId)
    if (layout === undefined) return notOpen(methodId)
    if (!hasShapeOf(layout, frame.bytes, frame.argumentsStart, frame.payloadEnd))
      return undecodableMethod(frame)
    if (methodId === id.CHANNEL_OPEN) return undefined
    return isAboutCurrent(frame) ? noCurrentQueue(methodId) : notOpen(methodId)
  }

  #open(number: number): void {
    this.#add(number)
    this.output.send(channelOpenOkFrame(number))
  }

  #add(number: number): ClientChannel {
    this.#count++
    return (this.#channels[number] = new ClientChannel(number, this))
  }
}
