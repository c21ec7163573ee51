/** Warren's side of the handshake with a client: it plays the broker, step by step and refusal by refusal. */
import { type FieldTable, fieldOf, textOf } from '../../domain/amqp/field-table.js'
import { undecodableMethod, unexpectedFrame } from '../../domain/amqp/frame-errors.js'
import { FRAME_MAX_BEFORE_TUNING, FRAME_METHOD, FRAME_MIN_SIZE, type Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { type Arguments, argumentsOf, hasShapeOf, methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import {
  ACCESS_REFUSED,
  type AmqpError,
  CHANNEL_ERROR,
  COMMAND_INVALID,
  NOT_ALLOWED,
  amqpError,
  connectionError,
} from '../../domain/amqp/reply-codes.js'
import { Credentials, type Mechanism } from '../../domain/credentials.js'
import type { ClientIdentity } from './client-identity.js'
import type { BrokerProfile, Tuning } from '../upstream/broker-profile.js'
import { CONNECTION_OPEN_OK_FRAME } from '../common-frames.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import type { PoolClient } from '../upstream/pool-client.js'
import type { UpstreamPool } from '../upstream/upstream-pool.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'
import { UpstreamLimitReached, UpstreamRefused, upstreamFailure } from '../upstream/upstream-errors.js'

/** Caps on what the broker offers; 0 leaves the broker's own value. */
export interface TuningCaps {
  readonly channelMax: number
  readonly frameMax: number
  readonly heartbeat: number
}

/** What client and Warren have agreed on. */
export interface Agreement {
  readonly credentials: Credentials
  readonly mechanism: Mechanism
  readonly virtualHost: string
  readonly capabilities: ClientCapabilities
  /** The client's choice in Tune-Ok. */
  readonly tuning: Tuning
  readonly pool: UpstreamPool
  /** Where the client's channels go first; undefined when it was let in although the broker is away. */
  readonly home: UpstreamConnection | undefined
}

/** What the client announced in Start-Ok, as far as it changes what it's sent. */
export interface ClientCapabilities {
  readonly authenticationFailureClose: boolean
  readonly connectionBlocked: boolean
  readonly consumerCancelNotify: boolean
}

/** The session that the handshake is for. */
export interface ClientHandshakeHost extends PoolClient {
  /** Where the client connects from, without the port. */
  readonly address: string
  readonly identity: ClientIdentity
  send(bytes: Uint8Array): void
  /** Goes on reading after a step that had to wait for the broker. */
  resumeReading(): void
  /** Tune-Ok has come: frames may be as large as agreed, and heartbeats begin. */
  onTuned(tuning: Tuning): void
  /** The client wants to open a virtual host: why it may not, if Warren's own limits say so. */
  onOpening(virtualHost: string): AmqpError | undefined
  /** The client is in. Connection.Open-Ok has been sent. */
  onAgreed(agreement: Agreement): void
  /** Tells the client why not, and ends the connection. `reason` is for the log; what the client is told, if it's left out. */
  refuse(error: AmqpError, reason?: string): void
  /** Ends the connection without a word, and not at once, as RabbitMQ does before it trusts a client. `reason` is for the log. */
  refuseSilently(reason: string): void
  /** Something that isn't the client's fault went wrong. */
  onUnexpectedError(error: unknown): void
}

const MECHANISMS: readonly Mechanism[] = ['PLAIN', 'AMQPLAIN']
/**
 * Offered to everybody who is asked for a certificate, as RabbitMQ's plugin does it: a refusal says more than a mechanism that is
 * missing.
 */
const EXTERNAL = 'EXTERNAL'
/** RabbitMQ's words, and Warren's log has the reason too. */
const EXTERNAL_REFUSED = amqpError(
  ACCESS_REFUSED,
  `Login was refused using authentication mechanism ${EXTERNAL}. For details see the broker logfile.`,
)

/** The handshake of one client, from Connection.Start to Connection.Open-Ok. */
export class ClientHandshake {
  readonly #host: ClientHandshakeHost
  readonly #directory: PoolDirectory
  readonly #caps: TuningCaps
  #expects: number = id.CONNECTION_START_OK
  /** A question to the broker is open; what the client sends meanwhile waits. */
  #waiting = false
  #credentials = new Credentials('', '')
  #isExternal = false
  #mechanism: Mechanism = 'PLAIN'
  #capabilities: ClientCapabilities = readCapabilities([])
  #offer: Tuning = { channelMax: 0, frameMax: 0, heartbeat: 0 }
  #tuning: Tuning = { channelMax: 0, frameMax: 0, heartbeat: 0 }
  #over = false

  constructor(host: ClientHandshakeHost, directory: PoolDirectory, caps: TuningCaps) {
    this.#host = host
    this.#directory = directory
    this.#caps = caps
  }

  /** What the client must wait for at the moment; undefined when it's the client's turn. */
  get waitsForBroker(): boolean {
    return this.#waiting
  }

  /** Sends Connection.Start. */
  start(profile: BrokerProfile): void {
    this.#host.send(
      profile.startFrame(this.#host.identity.offersExternal ? [...MECHANISMS, EXTERNAL] : MECHANISMS),
    )
  }

  /** The session is over: answers that are still to come are of no interest. */
  end(): void {
    this.#over = true
  }

  /** A frame of the client; false when it has to wait for the broker. */
  onFrame(frame: Frame): boolean {
    if (this.#waiting) return false
    if (!this.#isDue(frame)) return true
    switch (this.#expects) {
      case id.CONNECTION_START_OK:
        this.#onStartOk(argumentsOf(method.ConnectionStartOk, frame))
        break
      case id.CONNECTION_TUNE_OK:
        this.#onTuneOk(argumentsOf(method.ConnectionTuneOk, frame))
        break
      case id.CONNECTION_OPEN:
        this.#onOpen(argumentsOf(method.ConnectionOpen, frame).virtualHost)
        break
    }
    return true
  }

  /**
   * RabbitMQ's rule: before Tune-Ok it doesn't trust anybody enough to say what's wrong, afterwards it does.
   * Returns whether the frame is the one that is due.
   */
  #isDue(frame: Frame): boolean {
    const isMethod = frame.channel === 0 && frame.type === FRAME_METHOD && frame.payloadSize >= 4
    const layout = isMethod ? method.methodOf(frame.methodId) : undefined
    const isWellFormed =
      layout !== undefined && hasShapeOf(layout, frame.bytes, frame.argumentsStart, frame.payloadEnd)
    if (isWellFormed && layout.id === this.#expects) return true
    if (this.#expects !== id.CONNECTION_OPEN) {
      this.#host.refuseSilently(`unexpected or malformed ${layout?.name ?? 'frame'} during the handshake`)
    } else if (!isMethod) {
      this.#host.refuse(unexpectedFrame(frame))
    } else if (isWellFormed || layout === undefined) {
      this.#host.refuse(
        amqpError(CHANNEL_ERROR, 'unexpected method in connection state opening', frame.methodId),
      )
    } else {
      this.#host.refuse(undecodableMethod(frame))
    }
    return false
  }

  #onStartOk(startOk: Arguments<typeof method.ConnectionStartOk.args>): void {
    this.#capabilities = readCapabilities(startOk.clientProperties)
    const name = textOf(startOk.clientProperties, 'connection_name')
    if (name !== undefined && name !== '') this.#host.identity.onNamed(name)
    if (startOk.mechanism === EXTERNAL) return this.#onExternal()
    const mechanism = MECHANISMS.find((known) => known === startOk.mechanism)
    const credentials = mechanism && Credentials.fromResponse(mechanism, startOk.response)
    if (mechanism === undefined || credentials === undefined) {
      const text =
        mechanism === undefined ? 'unknown authentication mechanism' : `malformed ${mechanism} response`
      return this.#host.refuseSilently(text)
    }
    this.#login(credentials, mechanism)
  }

  /** The certificate has said who the client is; what the client says doesn't count. The broker hears the login that it stands for. */
  #onExternal(): void {
    const identity = this.#host.identity.external
    if (identity === undefined) return this.#refuseExternal(whyNotExternal(this.#host.identity.externalNames))
    this.#isExternal = true
    this.#login(identity.credentials, 'PLAIN')
  }

  #refuseExternal(reason: string): void {
    if (!this.#host.identity.offersExternal || !this.#capabilities.authenticationFailureClose)
      return this.#host.refuseSilently(reason)
    this.#host.refuse(EXTERNAL_REFUSED, reason)
  }

  #login(credentials: Credentials, mechanism: Mechanism): void {
    this.#mechanism = mechanism
    this.#credentials = credentials
    this.#host.identity.onLogin(credentials.user, this.#isExternal)
    this.#ask(this.#directory.authenticate(credentials, mechanism), (offer) => this.#tune(offer))
  }

  #tune(offer: Tuning): void {
    this.#offer = {
      channelMax: cap(offer.channelMax, this.#caps.channelMax),
      frameMax: cap(offer.frameMax, this.#caps.frameMax),
      heartbeat: cap(offer.heartbeat, this.#caps.heartbeat),
    }
    this.#expects = id.CONNECTION_TUNE_OK
    this.#host.send(methodFrame(method.ConnectionTune, 0, this.#offer))
  }

  #onTuneOk(choice: Tuning): void {
    const error =
      judgeChoice('frame_max', choice.frameMax, this.#offer.frameMax, FRAME_MIN_SIZE) ??
      judgeChoice('channel_max', choice.channelMax, this.#offer.channelMax, 1)
    if (error !== undefined) return this.#host.refuse(error)
    this.#tuning = choice
    this.#expects = id.CONNECTION_OPEN
    this.#host.onTuned(choice)
  }

  #onOpen(virtualHost: string): void {
    const refusal = this.#host.onOpening(virtualHost)
    if (refusal !== undefined) return this.#host.refuse(refusal)
    const pool = this.#directory.poolFor(this.#credentials, this.#mechanism, virtualHost, this.#host.address)
    this.#ask(
      pool.enter(this.#host),
      (home) => {
        this.#host.send(CONNECTION_OPEN_OK_FRAME)
        this.#host.onAgreed({
          credentials: this.#credentials,
          mechanism: this.#mechanism,
          virtualHost,
          capabilities: this.#capabilities,
          tuning: this.#tuning,
          pool,
          home,
        })
      },
      () => pool.leave(this.#host),
    )
  }

  /** Waits for the broker; `whenOver` undoes what an answer that comes too late has brought. */
  #ask<T>(question: Promise<T>, onAnswer: (answer: T) => void, whenOver?: () => void): void {
    this.#waiting = true
    question
      .then(
        (answer) => {
          this.#waiting = false
          if (this.#over) whenOver?.()
          else onAnswer(answer)
        },
        (error: unknown) => {
          this.#waiting = false
          if (!this.#over) this.#refuseFor(upstreamFailure(error))
        },
      )
      .then(
        () => this.#host.resumeReading(),
        (error: unknown) => this.#host.onUnexpectedError(error),
      )
  }

  #refuseFor(failure: ReturnType<typeof upstreamFailure>): void {
    if (failure instanceof UpstreamLimitReached)
      return this.#host.refuse(connectionError(COMMAND_INVALID, failure.message))
    if (!(failure instanceof UpstreamRefused))
      return this.#host.refuse(connectionError(COMMAND_INVALID, `upstream unreachable: ${failure.message}`))
    // Until Tune a refusal is about the login: RabbitMQ tells it only to those who announced that they understand.
    if (this.#expects === id.CONNECTION_START_OK && !this.#capabilities.authenticationFailureClose)
      return this.#host.refuseSilently(failure.amqp.text)
    this.#host.refuse(this.#isExternal ? inTermsOfExternal(failure.amqp) : failure.amqp)
  }
}

function whyNotExternal(names: readonly string[] | undefined): string {
  if (names === undefined) return 'EXTERNAL: the client has shown no certificate'
  if (names.length === 0)
    return "EXTERNAL: the client's certificate has no name of the kind tls.external_name"
  const shown = names.slice(0, 3).map((name) => JSON.stringify(name.slice(0, 100)))
  return `EXTERNAL: there is no login for the certificate name ${shown.join(', ')} in tls.external_logins`
}

/** The broker names the mechanism that it was spoken to in. */
function inTermsOfExternal(error: AmqpError): AmqpError {
  return { ...error, text: error.text.replace('mechanism PLAIN', `mechanism ${EXTERNAL}`) }
}

/** The largest frame that a client may send before it has sent Tune-Ok. */
export const HANDSHAKE_FRAME_MAX = FRAME_MAX_BEFORE_TUNING

function readCapabilities(clientProperties: FieldTable): ClientCapabilities {
  const field = fieldOf(clientProperties, 'capabilities')
  const table = field?.type === 'table' ? field.value : []
  const announces = (name: string): boolean => {
    const value = fieldOf(table, name)
    return value?.type === 'bool' && value.value
  }
  return {
    authenticationFailureClose: announces('authentication_failure_close'),
    connectionBlocked: announces('connection.blocked'),
    consumerCancelNotify: announces('consumer_cancel_notify'),
  }
}

/** The smaller of the broker's value and ours, where 0 means no limit. */
function cap(offered: number, limit: number): number {
  if (limit === 0) return offered
  return offered === 0 ? limit : Math.min(offered, limit)
}

/** RabbitMQ's rule for Tune-Ok: 0 is "no limit" and refused where the server has one. */
function judgeChoice(name: string, choice: number, offered: number, least: number): AmqpError | undefined {
  const refuse = (comparison: string, bound: string, value: number): AmqpError =>
    amqpError(
      NOT_ALLOWED,
      `negotiated ${name} = ${choice}${choice === 0 ? ' (no limit)' : ''} is ${comparison} than the ${bound} allowed value (${value})`,
      id.CONNECTION_TUNE,
    )
  if (choice !== 0 && choice < least) return refuse('lower', 'minimum', least)
  if (offered !== 0 && (choice === 0 || choice > offered)) return refuse('higher', 'maximum', offered)
  return undefined
}
