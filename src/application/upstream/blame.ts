/** Who hears what when the broker has closed a connection that many share. */
import { methodOf } from '../../domain/amqp/methods.js'
import { BASIC_PUBLISH } from '../../domain/amqp/method-ids.js'
import { type AmqpError, CONNECTION_FORCED, amqpError } from '../../domain/amqp/reply-codes.js'
import type { PoolClient } from './pool-client.js'
import type { UpstreamConnection } from './upstream-connection.js'

/**
 * Tells `clients` that `upstream` is gone. The broker's Close names the method at fault, unless its channel has crashed: who waits for the
 * answer to one is told what the broker said, and the others that it wasn't them.
 */
export function tellLost(
  upstream: UpstreamConnection,
  error: AmqpError,
  clients: readonly PoolClient[],
): void {
  const isSomebodysFault = error.code !== CONNECTION_FORCED && clients.length > 1
  const suspects = new Set(
    isSomebodysFault ? clients.filter((client) => client.isSuspect(upstream, error.methodId)) : [],
  )
  for (const client of clients) {
    if (suspects.has(client)) client.onBlamed(error)
    client.onUpstreamLost(isSomebodysFault && !suspects.has(client) ? notYourFault(error) : error)
  }
}

/** Whether the broker may have closed a connection over a message: it names the method, unless its channel has crashed. */
export function mayBeOverMessage({ code, methodId }: AmqpError): boolean {
  return code !== CONNECTION_FORCED && (methodId === BASIC_PUBLISH || methodId === 0)
}

/** What a client is told when the broker closed the shared connection over a request of another. */
function notYourFault({ code, methodId }: AmqpError): AmqpError {
  const name = methodOf(methodId)?.name ?? 'request'
  return amqpError(
    CONNECTION_FORCED,
    `the broker closed the shared upstream connection over another client's ${name} (${code}), not over yours`,
  )
}
