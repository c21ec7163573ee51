/** What is counted, and timed. */

/**
 * Why a client was sent away before it was in. `client_limit`: as many as may be are there. `admission`: as many of its address, or in their handshake.
 * `not_accepted`: its PROXY header or its TLS handshake has failed. `other_protocol`: what it speaks isn't AMQP 0-9-1. `timeout`: its handshake took too long.
 * `access_refused` and `not_allowed`: it was answered 403 or 530. `unavailable`: it was answered 503 or 320, as the broker is away or Warren full or ending.
 * `protocol_error`: it broke AMQP's rules.
 */
export type RefusalReason =
  | 'client_limit'
  | 'admission'
  | 'not_accepted'
  | 'other_protocol'
  | 'timeout'
  | 'access_refused'
  | 'not_allowed'
  | 'unavailable'
  | 'protocol_error'

/**
 * What becomes of messages that Warren keeps. `replayed`: published and confirmed after an outage. `repeated`: sent again, since the connection or
 * the channel was lost before the broker's confirm; the broker may have it twice. `expired`: had waited too long. `set_aside`: refused by the broker.
 * `dropped`: refused, and there was no room to set it aside.
 */
export type KeptMessageEvent = 'replayed' | 'repeated' | 'expired' | 'set_aside' | 'dropped'

/** How many clients were sent away for each reason. */
export type Refusals = Readonly<Partial<Record<RefusalReason, number>>>

/** Where Warren counts what happens now and then; what happens all the time is in Traffic. Calls never throw. */
export interface Metrics {
  /** A client was sent away before it was in. */
  clientRefused(reason: RefusalReason): void
  /** How often that has happened so far, by reason; reasons that never came up may be missing. */
  readonly refusals: Refusals
  /** A client that was in was closed with this reply code. */
  clientClosed(code: number): void
  /** From accept to Connection.Open-Ok. */
  handshakeDone(seconds: number): void
  /** A connection to the broker was made, or wasn't. */
  dialled(seconds: number, isConnected: boolean): void
  /** An open upstream connection is gone, and nobody here had closed it. */
  upstreamLost(): void
  /** A pool that had lost its last connection tried again. */
  reconnectTried(isConnected: boolean): void
  /** So many messages that Warren keeps have come so far. */
  keptMessages(event: KeptMessageEvent, count: number): void
  /** A bug has shown, wherever; the log says what it is. */
  unexpectedError(): void
}

/** A program's own ear for what Warren counts: everything that Metrics is told. */
export type MetricsSink = Omit<Metrics, 'refusals'>
