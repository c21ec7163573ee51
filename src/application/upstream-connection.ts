/** One connection to the broker and the client channels that it carries. */
import { FRAME_METHOD, FRAME_OVERHEAD, type Frame, PROTOCOL_HEADER } from '../domain/amqp/frame.js'
import { FrameReader, type FrameFault, type FrameHandler } from '../domain/amqp/frame-reader.js'
import type { FieldTable } from '../domain/amqp/field-table.js'
import * as id from '../domain/amqp/method-ids.js'
import { methodFrame, readArguments } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'
import { type AmqpError, CONNECTION_FORCED, REPLY_SUCCESS, amqpError } from '../domain/amqp/reply-codes.js'
import { ChannelTable } from '../domain/channel/channel-table.js'
import { HEARTBEAT_DEAD, HEARTBEAT_SEND, Heartbeat } from '../domain/policy/heartbeat.js'
import type { BrokerProfile, Tuning } from './broker-profile.js'
import { type BindingOwner, ChannelBinding, type ClientReceiver } from './channel-binding.js'
import { HEARTBEAT_FRAME, channelCloseOkFrame } from './common-frames.js'
import type { Beating, Heartbeats } from './heartbeats.js'
import type { ByteStream, ByteStreamHandler } from './ports/byte-stream.js'
import type { Clock, Timer } from './ports/clock.js'
import type { Logger } from './ports/logger.js'
import type { UpstreamRefused } from './upstream-errors.js'
import { UpstreamUnreachable, reasonOf } from './upstream-errors.js'
import { type Login, UpstreamHandshake, type UpstreamHandshakeHost, readClose } from './upstream-handshake.js'

/** What a pool wants to hear of its connections. */
export interface UpstreamObserver {
  /** An open connection is gone, with what its clients are to be told. Comes once. */
  onUpstreamLost(upstream: UpstreamConnection, error: AmqpError): void
  /** A channel number became free on a connection that had none left. */
  onUpstreamRoom(upstream: UpstreamConnection): void
  /** The broker blocks (reason) or unblocks (undefined) publishing on the connection. */
  onUpstreamBlocked(upstream: UpstreamConnection, reason: string | undefined): void
}

/** Waits for an upstream connection that doesn't take more bytes for now. */
export interface DrainWaiter {
  onUpstreamDrained(): void
}

export interface UpstreamParts {
  readonly name: string
  readonly stream: ByteStream
  readonly clock: Clock
  readonly logger: Logger
  readonly heartbeats: Heartbeats
  readonly profile: BrokerProfile
  /** Limit for each half of the handshake: up to Tune, and from Tune-Ok to Open-Ok. */
  readonly handshakeTimeoutMs: number
  /** Heartbeat to ask for in seconds; 0 takes what the broker offers. */
  readonly heartbeat: number
}

type Phase = 'greeting' | 'tuned' | 'opening' | 'open' | 'closing' | 'closed'

/** How long the broker may take to answer Connection.Close. */
const CLOSE_TIMEOUT_MS = 5000

const NOTHING = new Uint8Array(0)

/**
 * Logs in, opens a virtual host, then carries channels: bytes of many clients go out through {@link send}, frames of the
 * broker are handed to the owner of the channel they carry, neighbouring frames for one client in one piece.
 */
export class UpstreamConnection implements ByteStreamHandler, FrameHandler, UpstreamHandshakeHost, Beating {
  readonly name: string
  readonly #parts: UpstreamParts
  readonly #stream: ByteStream
  readonly #reader: FrameReader
  #phase: Phase = 'greeting'
  #handshake: UpstreamHandshake | undefined
  #handshakeTimer: Timer | undefined
  /** Settles the half of the handshake that is under way. */
  #resolveStep: () => void = () => {}
  #rejectStep: (error: Error) => void = () => {}
  #tuning: Tuning = { channelMax: 0, frameMax: 0, heartbeat: 0 }
  #heartbeat: Heartbeat | undefined
  #wasRead = false
  #wasWritten = false

  #table = new ChannelTable<ChannelBinding>(1)
  #observer: UpstreamObserver | undefined
  /** Who waits for the Close-Ok of a channel that its owner has left, by channel number. */
  readonly #closeWaiters = new Map<number, () => void>()
  /** Clients that count on this connection although they may have no channel on it yet. */
  #attached = 0
  #unusedSince: number | undefined
  #blockedReason: string | undefined

  /** Frames for one client that lie side by side in the chunk being read: `runBytes[runStart, runEnd)`. */
  #runReceiver: ClientReceiver | undefined
  #runBytes: Uint8Array = NOTHING
  #runStart = 0
  #runEnd = 0

  #congested = false
  readonly #drainWaiters = new Set<DrainWaiter>()
  #closeDone: (() => void) | undefined

  constructor(parts: UpstreamParts) {
    this.name = parts.name
    this.#parts = parts
    this.#stream = parts.stream
    this.#reader = new FrameReader(this, 0)
  }

  // ---- handshake -------------------------------------------------------------------------------------------------

  /**
   * Greets the broker; resolves when it has accepted the login, or, without one, when it has introduced itself.
   * Rejects with UpstreamRefused or UpstreamUnreachable.
   */
  greet(login: Login | undefined): Promise<void> {
    this.#handshake = new UpstreamHandshake(this, login)
    const done = this.#step('the broker did not answer the login')
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
    this.#table = new ChannelTable(capacity(this.#tuning.channelMax))
    this.#reader.maxFrameSize = this.#tuning.frameMax
    const done = this.#step(`the broker did not open virtual host '${virtualHost}'`)
    this.#handshake?.open(this.#tuning, virtualHost)
    this.#heartbeat = new Heartbeat(this.#tuning.heartbeat, now)
    this.#parts.heartbeats.add(this)
    return done
  }

  onStart(serverProperties: FieldTable): void {
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
    this.#shut('closed')
    this.#stream.end()
    this.#rejectStep(error)
  }

  #step(timeoutText: string): Promise<void> {
    const limit = this.#parts.handshakeTimeoutMs
    this.#handshakeTimer = this.#parts.clock.after(limit, () => {
      this.#shut('closed')
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

  /** What the broker offered; the heartbeat is the one that Warren took. */
  get tuning(): Tuning {
    return this.#tuning
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
    return this.#phase === 'open' && this.#table.hasRoom
  }

  /** Channels that carry a client's. */
  get channels(): number {
    return this.#table.bound
  }

  /** When the last client and the last channel went, on the clock's scale; undefined while there are any. */
  get unusedSince(): number | undefined {
    return this.#unusedSince
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
    this.#updateUse()
  }

  detach(): void {
    this.#attached--
    this.#updateUse()
  }

  /** Opens a channel for `owner`; it can be used at once. Undefined when there is no room. */
  openChannel(owner: BindingOwner): ChannelBinding | undefined {
    if (!this.hasRoom) return undefined
    const binding = this.#table.bind((upstreamChannel) => new ChannelBinding(this, upstreamChannel, owner))
    if (binding === undefined) return undefined
    this.#unusedSince = undefined
    this.send(methodFrame(method.ChannelOpen, binding.upstreamChannel, {}))
    return binding
  }

  /**
   * Takes a channel back from an owner who leaves: it's closed at the broker, which requeues what wasn't acknowledged.
   * `whenClosed` is called once the broker has said so, and so has processed all that was sent on the channel before.
   */
  closeChannel(binding: ChannelBinding, whenClosed?: () => void): void {
    if (this.#phase !== 'open' || !this.#table.startClosing(binding)) {
      whenClosed?.()
      return
    }
    if (whenClosed !== undefined) this.#closeWaiters.set(binding.upstreamChannel, whenClosed)
    if (binding.closeSent) return
    this.send(
      methodFrame(method.ChannelClose, binding.upstreamChannel, {
        replyCode: REPLY_SUCCESS,
        replyText: 'Goodbye',
        classId: 0,
        methodId: 0,
      }),
    )
  }

  /** Sends whole frames that carry this connection's channel numbers. */
  send(bytes: Uint8Array): void {
    if (this.#phase === 'closed') return
    this.#wasWritten = true
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
      this.#shut('closed')
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
      this.send(
        methodFrame(method.ConnectionClose, 0, {
          replyCode: REPLY_SUCCESS,
          replyText: 'Goodbye',
          classId: 0,
          methodId: 0,
        }),
      )
      this.#phase = 'closing'
    })
  }

  // ---- bytes from the broker -------------------------------------------------------------------------------------

  onData(chunk: Uint8Array): void {
    this.#wasRead = true
    try {
      this.#reader.push(chunk)
      this.#sendRun()
    } catch (error) {
      this.#parts.logger.error('unexpected error on an upstream connection', { upstream: this.name, error })
      this.#lose(`internal error: ${reasonOf(error)}`)
      this.#stream.destroy()
    }
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
    this.#shut('closed')
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
    if (frame.channel === 0) {
      if (frame.type === FRAME_METHOD) this.#onConnectionMethod(frame)
      return true
    }
    const binding = this.#table.ownerOf(frame.channel)
    if (binding === undefined) this.#onUnownedFrame(frame)
    else if (frame.type !== FRAME_METHOD || this.#isForClient(binding, frame))
      this.#passOn(binding.owner, frame)
    return true
  }

  #passOn(owner: BindingOwner, frame: Frame): void {
    const receiver = owner.receiver
    frame.rewriteChannel(owner.clientChannel)
    if (frame.payloadSize + FRAME_OVERHEAD > receiver.frameMax) {
      this.#sendRun()
      receiver.receiveOversized(frame)
    } else if (frame.parts !== undefined) {
      this.#sendRun()
      receiver.receiveParts(frame.parts)
    } else {
      if (receiver !== this.#runReceiver || frame.bytes !== this.#runBytes || frame.start !== this.#runEnd) {
        this.#sendRun()
        this.#runReceiver = receiver
        this.#runBytes = frame.bytes
        this.#runStart = frame.start
      }
      this.#runEnd = frame.end
    }
  }

  #sendRun(): void {
    const receiver = this.#runReceiver
    if (receiver === undefined) return
    const whole = this.#runStart === 0 && this.#runEnd === this.#runBytes.length
    receiver.receive(whole ? this.#runBytes : this.#runBytes.subarray(this.#runStart, this.#runEnd))
    this.#runReceiver = undefined
    this.#runBytes = NOTHING
  }

  /** Looks at the few methods that change what Warren knows; returns whether the client is to see the frame. */
  #isForClient(binding: ChannelBinding, frame: Frame): boolean {
    switch (frame.methodId) {
      case id.BASIC_DELIVER:
      case id.BASIC_ACK:
        return true
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

  /** The number is free again once the broker has our Close-Ok, unless our own Close crossed with the broker's: then its answer is still due. */
  #onBrokerClose(binding: ChannelBinding): void {
    this.send(channelCloseOkFrame(binding.upstreamChannel))
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
    if (frame.methodId === id.CHANNEL_CLOSE) this.send(channelCloseOkFrame(frame.channel))
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
    this.#updateUse()
    if (!hadRoom) this.#observer?.onUpstreamRoom(this)
  }

  #updateUse(): void {
    const unused = this.#attached === 0 && this.#table.bound === 0 && this.#table.closing === 0
    this.#unusedSince = unused ? (this.#unusedSince ?? this.#parts.clock.now()) : undefined
  }

  #onConnectionMethod(frame: Frame): void {
    this.#sendRun()
    if (this.#phase === 'closing') {
      if (frame.methodId === id.CONNECTION_CLOSE_OK) this.#stream.end()
      return
    }
    if (this.#phase !== 'open') {
      this.#handshake?.onMethod(frame)
      return
    }
    switch (frame.methodId) {
      case id.CONNECTION_CLOSE:
        this.send(methodFrame(method.ConnectionCloseOk, 0, {}))
        this.#loseWith(readClose(frame))
        this.#stream.end()
        break
      case id.CONNECTION_BLOCKED:
        this.#setBlocked(
          readArguments(method.ConnectionBlocked, frame.bytes, frame.payloadStart + 4, frame.payloadEnd)
            .reason,
        )
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

  #lose(reason: string): void {
    if (this.#phase === 'closing') return
    if (this.#phase === 'open')
      this.#loseWith(amqpError(CONNECTION_FORCED, `upstream connection lost: ${reason}`))
    else this.#failHandshake(reason)
  }

  #loseWith(error: AmqpError): void {
    this.#sendRun()
    this.#shut('closed')
    this.#observer?.onUpstreamLost(this, error)
  }

  /** Lets go of everything; the stream is its caller's business. */
  #shut(phase: 'closed'): void {
    this.#phase = phase
    this.#handshakeTimer?.cancel()
    this.#reader.end()
    this.#parts.heartbeats.remove(this)
    const closeWaiters = [...this.#closeWaiters.values()]
    this.#closeWaiters.clear()
    for (const waiter of closeWaiters) waiter()
    this.onDrain()
  }
}
