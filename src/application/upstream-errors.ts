/** Why an upstream connection couldn't be had. */
import type { AmqpError } from '../domain/amqp/reply-codes.js'

/** The broker couldn't be reached or didn't answer as a broker does. The message is fit for clients and operators. */
export class UpstreamUnreachable extends Error {
  override readonly name = 'UpstreamUnreachable'
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
}

/** Whether a login failed because there's no broker to log in to. */
export function isBrokerAway(error: unknown): error is UpstreamUnreachable {
  return error instanceof UpstreamUnreachable && !(error instanceof UpstreamLimitReached)
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
