/** One connection to the broker and the client channels that it carries. */
import { readClose } from '../../domain/amqp/close-error.js'
import { FRAME_METHOD, type Frame, PROTOCOL_HEADER } from '../../domain/amqp/frame.js'
import { WholeMessage } from '../../domain/amqp/whole-message.js'
import { FrameReader, type FrameFault, type FrameHandler } from '../../domain/amqp/frame-reader.js'
import type { FieldTable } from '../../domain/amqp/field-table.js'
import * as id from '../../domain/amqp/method-ids.js'
import { argumentsOf } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { type AmqpError, CONNECTION_FORCED, amqpError } from '../../domain/amqp/reply-codes.js'
import type { ChannelRole } from '../../domain/policy/channel-role.js'
import { HEARTBEAT_DEAD, HEARTBEAT_SEND, Heartbeat } from '../../domain/policy/heartbeat.js'
import type { BrokerProfile, Tuning } from './broker-profile.js'
import type { BindingOwner, ChannelBinding } from './channel-binding.js'
import { CONNECTION_CLOSE_OK_FRAME, HEARTBEAT_FRAME, connectionCloseFrame } from '../common-frames.js'
import type { Beating, Heartbeats } from '../heartbeats.js'
import type { UpstreamPlace } from '../operations/limits.js'
import type { ByteStream, ByteStreamHandler } from '../ports/byte-stream.js'
import type { Seat } from '../roster.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import type { Traffic } from '../traffic.js'
import { UpstreamChannels, type UpstreamChannelsHost } from './upstream-channels.js'
import { type UpstreamRefused, UpstreamUnreachable, reasonOf } from './upstream-errors.js'
import type { UpstreamQueues } from './upstream-queues.js'
import type { UpstreamState, UpstreamView } from '../operations/views.js'
import { type Login, UpstreamHandshake, type UpstreamHandshakeHost } from './upstream-handshake.js'

/** What a pool wants to hear of its connections. */
export interface UpstreamObserver {
  /** An open connection is gone, with what its clients are to be told. Comes once. */
  onUpstreamLost(upstream: UpstreamConnection, error: AmqpError): void
  /** A channel number became free on a connection that had none left. */
  onUpstreamRoom(upstream: UpstreamConnection): void
  /** The broker blocks (reason) or unblocks (undefined) publishing on the connection. */
  onUpstreamBlocked(upstream: UpstreamConnection, reason: string | undefined): void
  /** A connection that takes no further channels has none left. May come more than once. */
  onUpstreamRetired(upstream: UpstreamConnection): void
}

/** Waits for an upstream connection that doesn't take more bytes for now. */
export interface DrainWaiter {
  onUpstreamDrained(): void
}

/** What {@link UpstreamConnection} is made with. */
export interface UpstreamParts {
  readonly name: string
  /** Which of the broker's addresses `stream` goes to, for people. */
  readonly node: string
  readonly stream: ByteStream
  /** Whether there is TLS on `stream`. */
  readonly isSecure: boolean
  readonly clock: Clock
  readonly logger: Logger
  readonly heartbeats: Heartbeats
  readonly profile: BrokerProfile
  readonly traffic: Traffic
  readonly metrics: Metrics
  /** Limit for the second half of the handshake, from Tune-Ok to Open-Ok. */
  readonly handshakeTimeoutMs: number
  /** Heartbeat to ask for in seconds; 0 takes what the broker offers. */
  readonly heartbeat: number
}

type Phase = 'greeting' | 'tuned' | 'opening' | 'open' | 'closing' | 'closed'

/** RabbitMQ sends headers that are larger than frame_max, but nothing beyond this: then the stream is out of step. */
const SANE_FRAME = 16 * 1024 * 1024
/** How long the broker may take to answer Connection.Close. */
const CLOSE_TIMEOUT_MS = 5000

/**
 * Logs in, opens a virtual host, then carries channels: bytes of many clients go out through {@link send}, frames of the
 * broker are handed to the owner of the channel they carry, neighbouring frames for one client in one piece.
 */
export class UpstreamConnection
  implements ByteStreamHandler, FrameHandler, UpstreamHandshakeHost, UpstreamChannelsHost, Beating
{
  readonly name: string
  readonly #parts: UpstreamParts
  readonly #stream: ByteStream
  readonly #reader: FrameReader
  #phase: Phase = 'greeting'
  #handshake: UpstreamHandshake | undefined
  #handshakeTimer: Timer | undefined
  #hasIntroducedItself = false
  /** Settles the half of the handshake that is under way. */
  #resolveStep: () => void = () => {}
  #rejectStep: (error: Error) => void = () => {}
  #tuning: Tuning = { channelMax: 0, frameMax: 0, heartbeat: 0 }
  #heartbeat: Heartbeat | undefined
  #wasRead = false
  #wasWritten = false

  #channels: UpstreamChannels | undefined
  #observer: UpstreamObserver | undefined
  /** Clients that count on this connection although they may have no channel on it yet. */
  #attached = 0
  #unusedSince: number | undefined
  #lostWith: AmqpError | undefined
  #blockedReason: string | undefined
  /** What its channels are used for; its pool says so when the first has told. */
  role: ChannelRole | undefined = undefined

  /** Its place under the upstream limit, given back when it's over. */
  place: UpstreamPlace | undefined = undefined

  #bytesIn = 0
  #bytesOut = 0
  #framesIn = 0
  readonly #openedAt: number
  #isRetiring = false

  #congested = false
  readonly seats: Seat[] = []
  readonly #drainWaiters = new Set<DrainWaiter>()
  #closeDone: (() => void) | undefined
  #hangUpTimer: Timer | undefined

  constructor(parts: UpstreamParts) {
    this.name = parts.name
    this.#parts = parts
    this.#stream = parts.stream
    this.#openedAt = parts.clock.now()
    this.#reader = new FrameReader(this, SANE_FRAME, id.BASIC_DELIVER)
  }

  // ---- handshake -------------------------------------------------------------------------------------------------

  /**
   * Greets the broker, which has `limitMs`; resolves when it has accepted the login, or, without one, when it has introduced itself.
   * Rejects with UpstreamRefused or UpstreamUnreachable.
   */
  greet(login: Login | undefined, limitMs: number): Promise<void> {
    this.#handshake = new UpstreamHandshake(this, login, this.#parts.isSecure)
    const done = this.#step(limitMs, `the broker did not answer the login on ${this.node}`)
    this.#stream.setHandler(this)
    this.send(PROTOCOL_HEADER)
    return done
  }

  /** Opens `virtualHost` after a greeting with a login; resolves when channels can be opened. Rejects like {@link greet}. */
  open(virtualHost: string, capacity: (channelMax: number) => number): Promise<void> {
    if (this.#phase !== 'tuned')
      return Promise.reject(new UpstreamUnreachable('the broker closed the connection'))
    this.#phase = 'opening'
    const now = this.#parts.clock.now()
    this.#channels = new UpstreamChannels(this, this, capacity(this.#tuning.channelMax), () =>
      this.#parts.clock.now(),
    )
    const done = this.#step(
      this.#parts.handshakeTimeoutMs,
      `the broker did not open virtual host '${virtualHost}'`,
    )
    this.#handshake?.open(this.#tuning, virtualHost)
    this.#heartbeat = new Heartbeat(this.#tuning.heartbeat, now)
    this.#parts.heartbeats.add(this)
    return done
  }

  onStart(serverProperties: FieldTable): void {
    this.#hasIntroducedItself = true
    this.#parts.profile.seen(serverProperties)
    // With a login the greeting goes on to Tune.
    if (this.#isIntroductionOnly) this.#finishStep()
  }

  onTuned(offer: Tuning): void {
    const wanted = this.#parts.heartbeat
    this.#tuning = { ...offer, heartbeat: wanted === 0 ? offer.heartbeat : wanted }
    this.#phase = 'tuned'
    this.#finishStep()
  }

  onOpened(): void {
    this.#phase = 'open'
    this.#unusedSince = this.#parts.clock.now()
    this.#finishStep()
  }

  onHandshakeFailed(error: UpstreamRefused | UpstreamUnreachable): void {
    this.#handshakeTimer?.cancel()
    this.#shut()
    this.#hangUp()
    this.#rejectStep(error)
  }

  #step(limit: number, timeoutText: string): Promise<void> {
    this.#handshakeTimer = this.#parts.clock.after(limit, () => {
      this.#shut()
      this.#stream.destroy()
      this.#rejectStep(new UpstreamUnreachable(`${timeoutText} within ${limit / 1000} s`))
    })
    return new Promise((resolve, reject) => {
      this.#resolveStep = resolve
      this.#rejectStep = reject
    })
  }

  #finishStep(): void {
    this.#handshakeTimer?.cancel()
    this.#resolveStep()
  }

  get #isIntroductionOnly(): boolean {
    return this.#handshake?.hasLogin === false
  }

  // ---- what others may know --------------------------------------------------------------------------------------

  /** Which of the broker's addresses the connection goes to, for people. */
  get node(): string {
    return this.#parts.node
  }

  /** What the broker offered; the heartbeat is the one that Warren took. */
  get tuning(): Tuning {
    return this.#tuning
  }

  /** Whether Connection.Start has come: a broker is there. */
  get hasIntroducedItself(): boolean {
    return this.#hasIntroducedItself
  }

  /** Whether the broker has accepted the login and waits for a virtual host. */
  get isTuned(): boolean {
    return this.#phase === 'tuned'
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  /** Whether another channel can be opened. */
  get hasRoom(): boolean {
    return this.#phase === 'open' && !this.#isRetiring && this.#channels?.hasRoom === true
  }

  /** Whether it takes no further channels, and goes once it has none. */
  get isRetiring(): boolean {
    return this.#isRetiring
  }

  /** Whether a client that can't go elsewhere, since its exclusive queues are here, may have another channel. */
  get hasRoomForOwners(): boolean {
    return this.#phase === 'open' && this.#channels?.hasRoom === true
  }

  get traffic(): Traffic {
    return this.#parts.traffic
  }

  /** When the last client and the last channel went, on the clock's scale; undefined while there are any. */
  get unusedSince(): number | undefined {
    return this.#unusedSince
  }

  /** What the clients are told of the loss of the connection, once it is lost. */
  get lostWith(): AmqpError | undefined {
    return this.#lostWith
  }

  /** Why the broker blocks publishers; undefined when it doesn't. */
  get blockedReason(): string | undefined {
    return this.#blockedReason
  }

  /** Whether the broker takes bytes more slowly than they come. */
  get isCongested(): boolean {
    return this.#congested
  }

  // ---- for the pool and its clients ------------------------------------------------------------------------------

  /** Names the one who hears of loss, room and blocking. */
  set observer(observer: UpstreamObserver) {
    this.#observer = observer
  }

  /** A client counts on this connection, with or without channels: it isn't unused. */
  attach(): void {
    this.#attached++
    this.updateUse()
  }

  detach(): void {
    this.#attached--
    this.updateUse()
  }

  /** A channel for `owner`, see {@link UpstreamChannels.bind}. Undefined when there is no room. */
  bind(owner: BindingOwner): ChannelBinding | undefined {
    return this.#phase === 'open' ? this.#channels?.bind(owner) : undefined
  }

  /** Asks for the end of a binding whose owner stays to hear of it, see {@link UpstreamChannels.end}. */
  endBinding(binding: ChannelBinding): void {
    if (this.#phase === 'open') this.#channels?.end(binding)
  }

  /** Takes a channel back from an owner who is gone, see {@link UpstreamChannels.release}. */
  release(binding: ChannelBinding): void {
    if (this.#phase === 'open') this.#channels?.release(binding)
  }

  /** Handles frames of its own that were held back, see {@link ChannelPair}. */
  handOn(frames: readonly Frame[]): void {
    if (this.#phase !== 'open') return
    for (const frame of frames) this.#channels?.onFrame(frame)
    this.#channels?.endOfChunk()
  }

  /** Its exclusive queues, told apart by client. Only of a connection that was opened. */
  get queues(): UpstreamQueues {
    return this.#channels!.queues
  }

  /** Deletes the exclusive queues of a client that is gone, see {@link UpstreamQueues.deleteQueuesOf}. */
  deleteQueuesOf(client: object, onDeleted: () => void): number {
    return this.#phase === 'open' ? this.queues.deleteQueuesOf(client, onDeleted) : 0
  }

  /** Closes channels that are kept for nobody. */
  trimChannels(): void {
    if (this.#phase === 'open') this.#channels?.trim()
  }

  /** From now on it takes no further channels; its observer hears when it has none left. */
  retire(): void {
    this.#isRetiring = true
    this.#checkRetired()
  }

  /** Tells the observer if it's a retiring connection that can go. */
  #checkRetired(): void {
    // Not from inside the handling of a frame.
    if (this.isRetired) queueMicrotask(() => this.#observer?.onUpstreamRetired(this))
  }

  /** Whether it's retiring, and nothing keeps it any more: no channel, no exclusive queue. */
  get isRetired(): boolean {
    return this.#isRetiring && this.isOpen && !this.#channels!.inUse
  }

  /** What there is to see of the connection in its pool. */
  view(): Omit<UpstreamView, 'pool' | 'user' | 'vhost'> {
    const channels = this.#channels
    return {
      id: this.name,
      state: this.#state,
      role: this.role ?? null,
      channels: channels?.bound ?? 0,
      spareChannels: channels?.spare ?? 0,
      closingChannels: channels?.unsettled ?? 0,
      maxChannels: channels?.capacity ?? 0,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      framesIn: this.#framesIn,
      bufferedBytes: this.#stream.bufferedBytes,
      blockedReason: this.#blockedReason ?? null,
      ageSeconds: Math.round(this.#parts.clock.now() - this.#openedAt) / 1000,
    }
  }

  get #state(): UpstreamState {
    if (this.#phase !== 'open') return 'closing'
    if (this.#isRetiring) return 'retiring'
    return this.#blockedReason === undefined ? 'open' : 'blocked'
  }

  /** An operator ends the connection: the broker is told goodbye behind all that was sent, the clients hear of a loss. */
  end(error: AmqpError): void {
    if (this.#phase !== 'open') return
    this.send(connectionCloseFrame())
    this.#loseWith(error)
    this.#hangUp()
  }

  onChannelsChanged(hadRoom: boolean): void {
    this.updateUse()
    this.#checkRetired()
    if (!hadRoom) this.#observer?.onUpstreamRoom(this)
  }

  /** Sends whole frames that carry this connection's channel numbers. */
  send(bytes: Uint8Array): void {
    if (this.#phase === 'closed') return
    this.#wasWritten = true
    this.#bytesOut += bytes.length
    this.#parts.traffic.upstreamBytesOut += bytes.length
    if (!this.#stream.write(bytes)) this.#congested = true
  }

  /** Tells `waiter` once the broker takes bytes again. */
  whenDrained(waiter: DrainWaiter): void {
    this.#drainWaiters.add(waiter)
  }

  forgetWaiter(waiter: DrainWaiter): void {
    this.#drainWaiters.delete(waiter)
  }

  /** Says goodbye to the broker; resolves when it has answered, or hasn't in time. Can be called twice and at any time. */
  close(): Promise<void> {
    if (this.#phase === 'closed') return Promise.resolve()
    if (this.#phase !== 'open') {
      this.#shut()
      this.#stream.destroy()
      this.#rejectStep(new UpstreamUnreachable('the connection was given up'))
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(CLOSE_TIMEOUT_MS, () => this.#stream.destroy())
      this.#closeDone = () => {
        timer.cancel()
        resolve()
      }
      this.send(connectionCloseFrame())
      this.#phase = 'closing'
    })
  }

  // ---- bytes from the broker -------------------------------------------------------------------------------------

  onData(chunk: Uint8Array): void {
    this.#wasRead = true
    this.#bytesIn += chunk.length
    const framesBefore = this.#framesIn
    try {
      this.#reader.push(chunk)
      this.#channels?.endOfChunk()
    } catch (error) {
      this.#parts.logger.error('unexpected error on an upstream connection', { upstream: this.name, error })
      this.#parts.metrics.unexpectedError()
      this.#lose(`internal error: ${reasonOf(error)}`)
      this.#stream.destroy()
    }
    this.#parts.traffic.upstreamBytesIn += chunk.length
    this.#parts.traffic.upstreamFramesIn += this.#framesIn - framesBefore
  }

  onDrain(): void {
    this.#congested = false
    const waiters = [...this.#drainWaiters]
    this.#drainWaiters.clear()
    for (const waiter of waiters) waiter.onUpstreamDrained()
  }

  onClose(reason: Error | undefined): void {
    const text = reason === undefined ? 'closed by the broker' : reasonOf(reason)
    if (this.#phase === 'open') this.#lose(text)
    else if (this.#phase !== 'closed' && this.#phase !== 'closing') this.#failHandshake(text)
    this.#shut()
    this.#hangUpTimer?.cancel()
    this.#closeDone?.()
  }

  onHeartbeatTick(now: number): void {
    const due = this.#heartbeat?.tick(now, this.#wasRead, this.#wasWritten)
    this.#wasRead = this.#wasWritten = false
    if (due === HEARTBEAT_SEND) {
      this.#stream.write(HEARTBEAT_FRAME)
    } else if (due === HEARTBEAT_DEAD) {
      this.#lose(`the broker was silent for ${this.#tuning.heartbeat * 2} s`)
      this.#stream.destroy()
    }
  }

  onFrameFault(fault: FrameFault): void {
    this.#lose(`the broker sent a broken frame (${fault.kind})`)
    this.#stream.destroy()
  }

  onFrame(frame: Frame): boolean {
    this.#framesIn++
    if (frame.channel === 0) {
      if (frame.type === FRAME_METHOD) this.#onConnectionMethod(frame)
      return true
    }
    this.#channels?.onFrame(frame)
    return true
  }

  onMessage(message: WholeMessage): boolean {
    if (this.#channels?.onDelivery(message) !== true) return false
    this.#framesIn += WholeMessage.FRAMES
    return true
  }

  /** Looks whether anything uses it. Those who come and go say so; that an exclusive queue is gone is noticed by looking. */
  updateUse(): void {
    const unused = this.#attached === 0 && this.#channels?.inUse !== true
    this.#unusedSince = unused ? (this.#unusedSince ?? this.#parts.clock.now()) : undefined
  }

  #onConnectionMethod(frame: Frame): void {
    this.#channels?.endOfChunk()
    if (this.#phase === 'closing') {
      if (frame.methodId === id.CONNECTION_CLOSE_OK) this.#hangUp()
      return
    }
    if (this.#phase !== 'open') {
      this.#handshake?.onMethod(frame)
      return
    }
    switch (frame.methodId) {
      case id.CONNECTION_CLOSE:
        this.send(CONNECTION_CLOSE_OK_FRAME)
        this.#loseWith(readClose(frame))
        this.#hangUp()
        break
      case id.CONNECTION_BLOCKED:
        this.#setBlocked(argumentsOf(method.ConnectionBlocked, frame).reason)
        break
      case id.CONNECTION_UNBLOCKED:
        this.#setBlocked(undefined)
        break
    }
  }

  #setBlocked(reason: string | undefined): void {
    this.#blockedReason = reason
    this.#observer?.onUpstreamBlocked(this, reason)
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  #failHandshake(text: string): void {
    if (this.#phase === 'tuned') return
    this.#handshake?.onStreamClosed(text)
  }

  /** Ends the stream in order; a broker that doesn't do its part mustn't keep the socket. */
  #hangUp(): void {
    this.#stream.end()
    this.#hangUpTimer ??= this.#parts.clock.after(CLOSE_TIMEOUT_MS, () => this.#stream.destroy())
  }

  #lose(reason: string): void {
    if (this.#phase === 'closing') return
    if (this.#phase === 'open')
      this.#loseWith(amqpError(CONNECTION_FORCED, `upstream connection lost: ${reason}`))
    else this.#failHandshake(reason)
  }

  #loseWith(error: AmqpError): void {
    this.#lostWith = error
    this.#channels?.endOfChunk()
    this.#shut()
    this.#observer?.onUpstreamLost(this, error)
  }

  /** Lets go of everything; the stream is its caller's business. */
  #shut(): void {
    this.#phase = 'closed'
    this.place?.release()
    this.#handshakeTimer?.cancel()
    this.#reader.end()
    this.#parts.heartbeats.remove(this)
    this.onDrain()
  }
}
