/** One client connection, from accept to the last byte. */
import { brokenFrame } from '../../domain/amqp/frame-errors.js'
import { FRAME_HEARTBEAT, FRAME_METHOD, type Frame, PROTOCOL_HEADER } from '../../domain/amqp/frame.js'
import type { FrameFault } from '../../domain/amqp/frame-reader.js'
import { Greeting } from '../../domain/amqp/greeting.js'
import * as id from '../../domain/amqp/method-ids.js'
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { describeProtocol } from '../../domain/amqp/other-protocols.js'
import {
  type AmqpError,
  ACCESS_REFUSED,
  COMMAND_INVALID,
  CONNECTION_FORCED,
  INTERNAL_ERROR,
  NOT_ALLOWED,
  amqpError,
  connectionError,
} from '../../domain/amqp/reply-codes.js'
import { judgeConnectionFrame, unexpectedConnectionMethod } from '../../domain/channel/connection-guard.js'
import { WholeMessage } from '../../domain/amqp/whole-message.js'
import { HEARTBEAT_DEAD, HEARTBEAT_SEND, Heartbeat } from '../../domain/policy/heartbeat.js'
import type { AdmissionPass } from './admission.js'
import type { BrokerProfile, Tuning } from '../upstream/broker-profile.js'
import { ClientChannels, type ClientChannelsHost } from './client-channels.js'
import { type Agreement, ClientHandshake, type ClientHandshakeHost } from './client-handshake.js'
import { ClientIdentity } from './client-identity.js'
import { ClientInput, type ClientInputHost } from './client-input.js'
import { NewSecret } from './new-secret.js'
import { ClientOutput } from './client-output.js'
import { CONNECTION_CLOSE_OK_FRAME, HEARTBEAT_FRAME, connectionCloseFrame } from '../common-frames.js'
import type { Beating, Heartbeats } from '../heartbeats.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import { type ByteStream, type ByteStreamHandler, hostOf } from '../ports/byte-stream.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { LogFields, Logger } from '../ports/logger.js'
import type { Metrics, RefusalReason } from '../ports/metrics.js'
import type { Quarantine } from './quarantine.js'
import type { Seat } from '../roster.js'
import type { Settings } from '../settings.js'
import type { Traffic } from '../traffic.js'
import type { UnfinishedBytes } from './unfinished-bytes.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import type { UpstreamPool } from '../upstream/upstream-pool.js'
import type { ClientState, ClientView } from '../operations/views.js'
import type { UpstreamRefused } from '../upstream/upstream-errors.js'
import { type UpstreamUnreachable, reasonOf, upstreamFailure } from '../upstream/upstream-errors.js'

export interface SessionParts {
  /** For logs and lists, different for each client. */
  readonly id: string
  readonly stream: ByteStream
  /** When the connection was accepted, on the clock's scale. */
  readonly acceptedAt: number
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: Settings
  readonly heartbeats: Heartbeats
  readonly profile: BrokerProfile
  readonly directory: PoolDirectory
  readonly quarantine: Quarantine
  /** What the client is counted under. */
  readonly pass: AdmissionPass
  readonly unfinished: UnfinishedBytes
  readonly traffic: Traffic
  readonly metrics: Metrics
  /** The client is gone and holds nothing any more. Comes once. */
  readonly onEnd: (session: ClientSession) => void
}

/**
 * `header`: the protocol header is to come. `handshake`: up to Open-Ok. `open`: in use. `verifying`: in use, but nothing is read
 * before the broker has judged a new secret. `leaving`: the client sent
 * Connection.Close, its channels are being closed. `condemned`: the same, as the client is to be sent Connection.Close. `refused`: it
 * was sent. `ended`: nothing is held any more.
 */
type Phase = 'header' | 'handshake' | 'open' | 'verifying' | 'leaving' | 'condemned' | 'refused' | 'ended'

/**
 * How long a client may take to answer Connection.Close before its socket is closed, and the broker to answer
 * what came before the error.
 */
const CLOSE_OK_TIMEOUT_MS = 5000
/** RabbitMQ lets clients wait that it doesn't trust, so that passwords can't be tried quickly. */
const SILENT_CLOSE_DELAY_MS = 3000
/** A client that waits for the broker hears of the failure this long before its handshake limit. */
const ANSWER_BEFORE_LIMIT_MS = 1000
/** How long the goodbye of a client waits for the end of its exclusive queues. */
const QUEUES_GONE_LIMIT_MS = 1000

const NO_POOLS: readonly UpstreamPool[] = []

/** Owns one client: its stream, its handshake, its channels, its place in a pool. */
export class ClientSession
  implements ByteStreamHandler, ClientInputHost, ClientHandshakeHost, ClientChannelsHost, Beating
{
  readonly id: string
  readonly #parts: SessionParts
  readonly #stream: ByteStream
  readonly identity: ClientIdentity
  readonly #input: ClientInput
  readonly #output: ClientOutput
  readonly #handshake: ClientHandshake
  /** On the clock's scale. */
  readonly acceptedAt: number
  readonly seats: Seat[] = []
  #phase: Phase = 'header'
  readonly #greeting = new Greeting()
  #timer: Timer | undefined
  #heartbeat: Heartbeat | undefined
  #isTuned = false
  /** The client's Connection.Close has crossed with ours. */
  #hasCrossed = false
  #agreement: Agreement | undefined
  /** The broker blocks publishing, as far as the client knows. */
  #isBlocked = false
  /** Pools that the client was in before it changed its secret: channels of it may still be there. */
  #formerPools: readonly UpstreamPool[] = NO_POOLS
  #channels: ClientChannels | undefined
  #endReason: string | undefined
  #wasCutOff = false

  constructor(parts: SessionParts) {
    this.id = parts.id
    this.#parts = parts
    this.#stream = parts.stream
    this.acceptedAt = parts.acceptedAt
    this.identity = new ClientIdentity(parts.stream, parts.settings.tls)
    this.#input = new ClientInput(parts.stream, this, parts.traffic, parts.unfinished)
    this.#output = new ClientOutput(parts.stream, parts.settings.client.maxBufferBytes, this, parts.traffic)
    this.#handshake = new ClientHandshake(this, parts.directory, parts.settings.client)
  }

  get traffic(): Traffic {
    return this.#parts.traffic
  }

  get address(): string {
    return hostOf(this.#stream.remoteAddress)
  }

  /** Begins to listen to the client; its handshake limit runs from now. */
  start(): void {
    const { clock, settings } = this.#parts
    const limit = settings.client.handshakeTimeout * 1000
    const warning = Math.max(limit - ANSWER_BEFORE_LIMIT_MS, limit / 2)
    // A TLS handshake has taken its part.
    const passed = Math.min(clock.now() - this.acceptedAt, warning)
    this.#timer = clock.after(warning - passed, () => {
      this.#timer = clock.after(limit - warning, () => this.#onTooSlow(limit))
      if (this.#handshake.waitsForBroker)
        this.refuse(
          connectionError(
            COMMAND_INVALID,
            `upstream unreachable: the broker did not answer within ${warning / 1000} s`,
          ),
        )
    })
    this.#stream.setHandler(this)
  }

  #onTooSlow(limit: number): void {
    this.#parts.metrics.clientRefused('timeout')
    this.#giveUp(`no handshake within ${limit / 1000} s`)
  }

  /** Whether the socket had to be closed because the client didn't answer. */
  get wasCutOff(): boolean {
    return this.#wasCutOff
  }

  // ---- bytes from the client -------------------------------------------------------------------------------------

  onData(chunk: Uint8Array): void {
    this.#input.count(chunk)
    try {
      if (this.#phase === 'header') this.#onGreeting(chunk)
      else this.#input.read(chunk)
    } catch (error) {
      this.onUnexpectedError(error)
    }
  }

  /** Nobody waits for the client to read: what waits for it is bounded instead, see ClientOutput. */
  onDrain(): void {}

  onClose(reason: Error | undefined): void {
    this.#endReason ??= reason === undefined ? 'closed without Connection.Close' : reasonOf(reason)
    this.#end()
  }

  onFrame(frame: Frame): boolean {
    const isForChannel = frame.channel !== 0 && this.#phase === 'open' && frame.type !== FRAME_HEARTBEAT
    const isTaken = isForChannel ? this.#channels!.onFrame(frame) : this.#onRareFrame(frame)
    if (isTaken) this.#input.frames++
    return isTaken
  }

  onMessage(message: WholeMessage): boolean {
    if (this.#phase !== 'open' || !this.#channels!.onMessage(message)) return false
    this.#input.frames += WholeMessage.FRAMES
    return true
  }

  onFrameFault(fault: FrameFault): void {
    if (this.#phase === 'handshake' && !this.#isTuned) this.refuseSilently(brokenFrame(fault).text)
    else this.refuseInTurn(brokenFrame(fault))
  }

  get heldBytes(): number {
    return this.#channels?.assembler.heldBytes ?? 0
  }

  endOfChunk(): boolean {
    return this.#channels?.endOfChunk() === true
  }

  onUpstreamDrained(): void {
    this.#safely(() => this.#input.resume())
  }

  resumeReading(): void {
    this.#input.resumeReading()
  }

  #onGreeting(chunk: Uint8Array): void {
    const verdict = this.#greeting.push(chunk)
    if (verdict === 'other') return this.#onOtherProtocol()
    if (verdict === 'incomplete') return
    const { rest } = this.#greeting
    this.#phase = 'handshake'
    this.#handshake.start(this.#parts.profile)
    if (rest.length > 0) this.#input.read(rest)
  }

  /** The answer to any other protocol is the version that is spoken here (AMQP 0-9-1, 2.2.4). */
  #onOtherProtocol(): void {
    this.#parts.logger.warn('not an AMQP 0-9-1 client', {
      ...this.#fields,
      looksLike: describeProtocol(this.#greeting.bytes),
    })
    this.send(PROTOCOL_HEADER)
    this.#endReason = 'another protocol'
    this.#parts.metrics.clientRefused('other_protocol')
    this.#phase = 'refused'
    this.#parts.pass.finishHandshake()
    this.#input.end()
    // Whoever doesn't close its side too is cut off at the handshake limit.
    this.#stream.end()
  }

  /** Everything but what belongs to open channels. */
  #onRareFrame(frame: Frame): boolean {
    if (frame.type === FRAME_HEARTBEAT && frame.channel === 0 && frame.payloadSize === 0) return true
    if (this.#phase === 'handshake') return this.#handshake.onFrame(frame)
    if (this.#phase === 'verifying' || this.#phase === 'condemned') return false
    if (this.#phase === 'open') this.#onConnectionFrame(frame)
    else if (this.#phase === 'refused') this.#onFrameAfterRefusal(frame)
    return true
  }

  #onConnectionFrame(frame: Frame): void {
    const error = judgeConnectionFrame(frame)
    if (error !== undefined) this.refuseInTurn(error)
    else if (frame.methodId === id.CONNECTION_CLOSE) this.#onGoodbye()
    else if (frame.methodId === id.CONNECTION_UPDATE_SECRET) this.#onUpdateSecret(frame, this.#agreement!)
    else this.refuseInTurn(unexpectedConnectionMethod(frame.methodId))
  }

  /** Only the answer to our Close counts, or a Close that crossed with it. */
  #onFrameAfterRefusal(frame: Frame): void {
    if (frame.channel !== 0 || frame.type !== FRAME_METHOD || frame.payloadSize < 4) return
    if (frame.methodId === id.CONNECTION_CLOSE && !this.#hasCrossed) {
      // Once: who doesn't read could make any number of answers wait.
      this.#hasCrossed = true
      this.send(CONNECTION_CLOSE_OK_FRAME)
    } else if (frame.methodId === id.CONNECTION_CLOSE_OK) this.#hangUp()
  }

  /** Close-Ok promises that everything sent before was processed: the broker's answers for each channel say so. */
  #onGoodbye(): void {
    this.#phase = 'leaving'
    this.#endReason = 'Connection.Close'
    const { backlog } = this.#agreement!.pool
    const sayGoodbye = (): void => {
      this.send(CONNECTION_CLOSE_OK_FRAME)
      this.#hangUp()
    }
    // What was accepted is where it survives before the client hears so.
    this.#leave(() => backlog.whenCommitted(() => this.#releaseBefore(sayGoodbye)))
  }

  /** What the broker has just sent has to reach the client before the last word. */
  #leave(whenEnded: () => void): void {
    this.#channels!.leave(() => queueMicrotask(() => this.#safely(whenEnded)))
  }

  /**
   * RabbitMQ deletes a connection's exclusive queues before its last word. With a lost upstream connection
   * they're gone too, and nobody tells.
   */
  #releaseBefore(lastWord: () => void): void {
    const phase = this.#phase
    if (phase !== 'leaving' && phase !== 'condemned') return
    let isSaid = false
    const say = (): void => {
      if (isSaid || this.#phase !== phase) return
      isSaid = true
      lastWord()
    }
    this.#release(say)
    if (!isSaid) this.#timer = this.#parts.clock.after(QUEUES_GONE_LIMIT_MS, say)
  }

  // ---- a new secret ----------------------------------------------------------------------------------------------

  #onUpdateSecret(frame: Frame, agreement: Agreement): void {
    this.#phase = 'verifying'
    new NewSecret(frame)
      .judge(this, this.address, agreement, this.#parts.directory)
      .then(
        (next) => {
          if (next === agreement)
            this.#parts.logger.info(
              'new secret not used: the broker takes it, but no login with it',
              this.#fields,
            )
          this.#onSecretAccepted(next)
        },
        (error: unknown) => this.#onSecretRefused(upstreamFailure(error)),
      )
      .catch((error: unknown) => this.onUnexpectedError(error))
  }

  #onSecretAccepted(agreement: Agreement): void {
    const former = this.#agreement!.pool
    if (this.#phase !== 'verifying') {
      if (agreement.pool !== former) agreement.pool.leave(this)
      return
    }
    if (agreement.pool !== former) {
      this.#formerPools = [...this.#formerPools, former].filter((pool) => pool !== agreement.pool)
      this.#agreement = agreement
      this.#channels!.moveTo(agreement)
    }
    this.#phase = 'open'
    this.send(methodFrame(method.ConnectionUpdateSecretOk, 0, {}))
    this.onBlocked()
    this.resumeReading()
  }

  #onSecretRefused(failure: UpstreamRefused | UpstreamUnreachable): void {
    this.#parts.logger.warn('new secret not accepted', { ...this.#fields, reason: failure.message })
    const text =
      failure.name === 'UpstreamRefused'
        ? 'New secret was refused by one of the backends'
        : 'Secret update failed'
    this.refuseInTurn(amqpError(NOT_ALLOWED, text, id.CONNECTION_UPDATE_SECRET))
  }

  // ---- handshake -------------------------------------------------------------------------------------------------

  onOpening(virtualHost: string): AmqpError | undefined {
    return this.#parts.pass.enter(this.identity.user!, virtualHost)
  }

  onTuned(tuning: Tuning): void {
    this.#isTuned = true
    this.#input.frameMax = tuning.frameMax
    this.#output.frameMax = tuning.frameMax === 0 ? Infinity : tuning.frameMax
    if (tuning.heartbeat === 0) return
    this.#heartbeat = new Heartbeat(tuning.heartbeat, this.#parts.clock.now())
    this.#parts.heartbeats.add(this)
  }

  onAgreed(agreement: Agreement): void {
    this.#timer?.cancel()
    this.#parts.pass.finishHandshake()
    this.#parts.metrics.handshakeDone((this.#parts.clock.now() - this.acceptedAt) / 1000)
    this.#phase = 'open'
    this.#agreement = agreement
    this.#channels = new ClientChannels(this, agreement, this.#output, {
      maxMessageBytes: this.#parts.settings.client.maxMessageBytes,
      maxTableDepth: this.#parts.settings.client.maxTableDepth,
    })
    this.#parts.logger.debug('client connected', this.#fields)
    this.onBlocked()
  }

  // ---- the pool --------------------------------------------------------------------------------------------------

  dependsOn(upstream: UpstreamConnection): boolean {
    return this.#channels?.dependsOn(upstream) === true
  }

  isSuspect(upstream: UpstreamConnection, methodId: number): boolean {
    return this.#channels?.isWaitingFor(methodId, upstream) === true
  }

  survive(upstream: UpstreamConnection): boolean {
    if (this.#channels === undefined) return false
    let survives = false
    this.#safely(() => (survives = this.#channels!.survive(upstream)))
    return survives
  }

  onBrokerBack(upstream: UpstreamConnection): void {
    this.#channels?.onBrokerBack(upstream)
  }

  onBlamed(error: AmqpError): void {
    const { logger, quarantine } = this.#parts
    logger.warn('client made the broker close a shared upstream connection', {
      ...this.#fields,
      code: error.code,
      reason: error.text,
    })
    quarantine.impose({
      address: this.address,
      user: this.#agreement!.credentials.user,
      virtualHost: this.#agreement!.virtualHost,
    })
  }

  onUpstreamLost(error: AmqpError): void {
    this.#safely(() => this.refuse(error))
  }

  onRoom(): void {
    this.resumeReading()
  }

  onNoRoom(failure: UpstreamRefused | UpstreamUnreachable): void {
    if (this.#channels?.onNoRoom() === true) return this.resumeReading()
    const text = `no further upstream connection: ${failure.message}`
    this.#safely(() => this.refuse(connectionError(COMMAND_INVALID, text)))
  }

  onRetired(upstream: UpstreamConnection): void {
    this.#channels?.onRetired(upstream)
  }

  onBlocked(): void {
    const isIn = this.#phase === 'open' || this.#phase === 'verifying'
    if (!isIn || this.#agreement === undefined) return
    const pools = [this.#agreement.pool, ...this.#formerPools]
    const reason = pools.find(({ blockedReason }) => blockedReason !== undefined)?.blockedReason
    if ((reason !== undefined) === this.#isBlocked) return
    this.#isBlocked = reason !== undefined
    if (!this.#isBlocked) this.resumeReading()
    if (!this.#agreement.capabilities.connectionBlocked) return
    const frame =
      reason === undefined
        ? methodFrame(method.ConnectionUnblocked, 0, {})
        : methodFrame(method.ConnectionBlocked, 0, { reason })
    this.#safely(() => this.send(frame))
  }

  // ---- to the client ---------------------------------------------------------------------------------------------

  send(bytes: Uint8Array): void {
    this.#output.send(bytes)
  }

  onHeartbeatTick(now: number): void {
    const due = this.#heartbeat?.tick(now, this.#input.takeWasRead(), this.#output.takeWasWritten())
    if (due === HEARTBEAT_SEND) this.#safely(() => this.#stream.write(HEARTBEAT_FRAME))
    else if (due === HEARTBEAT_DEAD) this.#giveUp('no heartbeat for two intervals')
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /**
   * Ends the connection with Connection.Close; the socket closes after the client's answer, or soon without
   * one. `reason` is for the log. Ignored when the end has begun.
   */
  refuse(error: AmqpError, reason = `${error.code} ${error.text}`): void {
    if (this.#phase === 'refused' || this.#phase === 'ended') return
    if (this.#agreement === undefined) this.#parts.metrics.clientRefused(refusalReasonOf(error))
    else this.#parts.metrics.clientClosed(error.code)
    this.#endReason = reason
    this.#phase = 'refused'
    this.#release()
    this.send(connectionCloseFrame(error))
    this.#timer = this.#parts.clock.after(CLOSE_OK_TIMEOUT_MS, () => this.cutOff())
    this.#input.resume()
  }

  /**
   * As {@link refuse}, over something that the client has sent: RabbitMQ ends a connection's channels before it says why, so the answers to
   * what came before are due, and so are errors over it. What comes behind isn't looked at.
   */
  refuseInTurn(error: AmqpError): void {
    if (this.#phase !== 'open' && this.#phase !== 'verifying') return this.refuse(error)
    this.#phase = 'condemned'
    const refuse = (): void => this.#safely(() => this.refuse(error))
    this.#timer = this.#parts.clock.after(CLOSE_OK_TIMEOUT_MS, refuse)
    this.#leave(() => this.#releaseBefore(refuse))
  }

  refuseSilently(reason: string): void {
    if (this.#phase === 'refused' || this.#phase === 'ended') return
    this.#parts.metrics.clientRefused('access_refused')
    this.#endReason = reason
    this.#phase = 'refused'
    this.#release()
    this.#input.end()
    this.#timer = this.#parts.clock.after(SILENT_CLOSE_DELAY_MS, () => this.#stream.destroy())
  }

  /** A bug, not a client's fault: it ends this client's connection, and nobody else's. */
  onUnexpectedError(error: unknown): void {
    if (this.#phase === 'ended') return
    this.#parts.logger.error('unexpected error in a client session', { ...this.#fields, error })
    this.#parts.metrics.unexpectedError()
    try {
      if (this.#phase === 'refused') this.#giveUp('unexpected error in the proxy')
      else this.refuse(amqpError(INTERNAL_ERROR, 'unexpected error in the proxy'))
    } catch {
      this.#giveUp('unexpected error in the proxy')
    }
  }

  /** Calls from others' turns come through here: what goes wrong for this client must not reach them. */
  #safely(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.onUnexpectedError(error)
    }
  }

  /** Warren is shutting down: who has never spoken isn't waited for, and hears no word, as from a RabbitMQ node that stops. */
  dismissIfSilent(): void {
    if (this.#phase === 'header') this.#giveUp('shutting down')
  }

  /** The grace is over: the same for who is still in the handshake. */
  dismissUnlessIn(): void {
    if (this.#phase === 'header' || this.#phase === 'handshake') this.#giveUp('shutting down')
  }

  /** Ends the stream in order; a client that doesn't do its part mustn't keep the socket. */
  #hangUp(): void {
    this.#stream.end()
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.after(CLOSE_OK_TIMEOUT_MS, () => this.#stream.destroy())
  }

  // ---- for operators ---------------------------------------------------------------------------------------------

  /** What there is to see of the client. */
  view(): ClientView {
    const agreement = this.#agreement
    return {
      id: this.id,
      remoteAddress: this.#stream.remoteAddress,
      connectionName: this.identity.connectionName ?? null,
      user: this.identity.user ?? null,
      vhost: agreement?.virtualHost ?? null,
      pool: agreement?.pool.id ?? null,
      state: this.state,
      channels: this.channels,
      bytesIn: this.#input.bytes,
      bytesOut: this.#output.bytes,
      framesIn: this.#input.frames,
      framesOut: this.#output.frames,
      bufferedBytes: this.#stream.bufferedBytes,
      ageSeconds: Math.round(this.#parts.clock.now() - this.acceptedAt) / 1000,
    }
  }

  /** Channels that are open or closing. */
  get channels(): number {
    return this.#channels?.count ?? 0
  }

  get state(): ClientState {
    if (this.#phase === 'header' || this.#phase === 'handshake') return 'handshake'
    if (this.#phase === 'open' || this.#phase === 'verifying')
      return this.#input.isPaused ? 'waiting' : 'open'
    return 'closing'
  }

  /** An operator ends the connection. */
  kill(): void {
    if (this.#phase === 'header' || this.#phase === 'handshake') return this.#giveUp('closed by an operator')
    this.refuse(
      amqpError(CONNECTION_FORCED, "broker forced connection closure with reason 'closed by an operator'"),
    )
  }

  /** Closes the socket of a client that doesn't answer. */
  cutOff(): void {
    this.#wasCutOff = true
    this.#giveUp('cut off')
  }

  #giveUp(reason: string): void {
    this.#endReason ??= reason
    this.#stream.destroy()
    this.#end()
  }

  /** Gives back what the client has upstream. Can be called twice. */
  #release(whenQueuesGone?: () => void): void {
    this.#timer?.cancel()
    this.#handshake.end()
    this.#output.stopUpstream()
    this.#channels?.release(whenQueuesGone)
    this.#channels = undefined
    this.#agreement?.pool.leave(this)
    for (const pool of this.#formerPools) pool.leave(this)
  }

  #end(): void {
    if (this.#phase === 'ended') return
    this.#release()
    this.#phase = 'ended'
    this.#input.end()
    this.#parts.pass.leave()
    this.#parts.heartbeats.remove(this)
    const last = {
      reason: this.#endReason,
      seconds: Math.round(this.#parts.clock.now() - this.acceptedAt) / 1000,
      bytesIn: this.#input.bytes,
      bytesOut: this.#output.bytes,
      framesIn: this.#input.frames,
    }
    // Not spread into a literal, which takes V8 thirty times as long.
    this.#parts.logger.info('client disconnected', Object.assign(this.#fields, last))
    this.#parts.onEnd(this)
  }

  get #fields(): LogFields {
    const agreement = this.#agreement
    return {
      client: this.id,
      remote: this.#stream.remoteAddress,
      connectionName: this.identity.connectionName,
      user: this.identity.user,
      certificate: this.identity.certificate,
      certificateWithoutLogin: this.identity.strangersNames,
      vhost: agreement?.virtualHost,
      pool: agreement?.pool.id,
    }
  }
}

function refusalReasonOf({ code }: AmqpError): RefusalReason {
  if (code === ACCESS_REFUSED) return 'access_refused'
  if (code === NOT_ALLOWED) return 'not_allowed'
  return code === COMMAND_INVALID || code === CONNECTION_FORCED ? 'unavailable' : 'protocol_error'
}
