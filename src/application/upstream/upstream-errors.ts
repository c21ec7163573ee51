/** Why an upstream connection couldn't be had. */
import {
  type AmqpError,
  CONNECTION_FORCED,
  INTERNAL_ERROR,
  NOT_ALLOWED,
  RESOURCE_ERROR,
} from '../../domain/amqp/reply-codes.js'
import type { Outage } from '../../domain/policy/broker-circuit.js'

/** The broker couldn't be reached or didn't answer as a broker does. The message is fit for clients and operators. */
export class UpstreamUnreachable extends Error {
  override readonly name = 'UpstreamUnreachable'
  /** The message without the time of the next try. */
  readonly reason: string
  /** Nobody tried, since the broker is known to be down: asking again makes sense after so many milliseconds. Undefined after a try. */
  readonly askAgainMs: number | undefined

  /** `outage`: what is known of when the next try will be. */
  constructor(reason: string, outage?: Outage, askAgainMs?: number) {
    super(outage === undefined ? reason : `${shorten(reason)}; ${nextTry(outage)}`)
    this.reason = reason
    this.askAgainMs = askAgainMs
  }
}

/** Warren opens no further upstream connection: there are as many as pool.max_upstream_connections allows. */
export class UpstreamLimitReached extends UpstreamUnreachable {
  constructor() {
    super('upstream connection limit reached')
  }
}

/** The broker was reached and said no. */
export class UpstreamRefused extends Error {
  override readonly name = 'UpstreamRefused'
  /** The broker's own words, to be handed to the client as they are. */
  readonly amqp: AmqpError

  constructor(amqp: AmqpError) {
    super(`${amqp.code} ${amqp.text}`)
    this.amqp = amqp
  }

  get reason(): string {
    return this.message
  }
}

/** Whether a login failed because there's no broker to log in to. */
export function isBrokerAway(error: unknown): error is UpstreamUnreachable {
  return error instanceof UpstreamUnreachable && !(error instanceof UpstreamLimitReached)
}

/** What a broker says that starts or stops: another time it will say something else. */
const PASSING = new Set([CONNECTION_FORCED, RESOURCE_ERROR, INTERNAL_ERROR])

/** How RabbitMQ says that a virtual host or a user has as many connections as it may: others' close. */
const LIMIT_REACHED = /\blimit \(\d+\) is reached/

/** Whether an attempt may well succeed a little later, without anybody changing anything at the broker. */
export function isPassing(failure: unknown): boolean {
  if (isBrokerAway(failure)) return true
  if (!(failure instanceof UpstreamRefused)) return false
  const { code, text } = failure.amqp
  return PASSING.has(code) || (code === NOT_ALLOWED && LIMIT_REACHED.test(text))
}

/** The reason in a thrown value, whatever it is. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  return (error as { code?: string }).code ?? error.name
}

/** Narrows what a failed login or opening rejects with; anything else is a bug and is thrown on. */
export function upstreamFailure(error: unknown): UpstreamRefused | UpstreamUnreachable {
  if (error instanceof UpstreamRefused || error instanceof UpstreamUnreachable) return error
  throw error
}

/** Clients read at most 255 bytes, of which the last ones tell when to come back. */
const REASON_BYTES = 200
const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() }

function shorten(reason: string): string {
  const bytes = utf8.encoder.encode(reason)
  if (bytes.length <= REASON_BYTES) return reason
  let end = REASON_BYTES
  while ((bytes[end] & 0xc0) === 0x80) end--
  return `${utf8.decoder.decode(bytes.subarray(0, end))}…`
}

function nextTry({ nextTryMs }: Outage): string {
  return nextTryMs === undefined ? 'trying again now' : `next try in ${Math.ceil(nextTryMs / 100) / 10} s`
}
