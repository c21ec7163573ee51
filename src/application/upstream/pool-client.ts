/** A client as the pool sees whose upstream connections it shares. */
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import type { Rostered } from '../roster.js'
import type { UpstreamConnection } from './upstream-connection.js'
import type { UpstreamRefused, UpstreamUnreachable } from './upstream-errors.js'

/** What the pool asks it, and what it hears from the pool. */
export interface PoolClient extends Rostered {
  /** Whether the client has a channel on `upstream`, or counts on it for the next one. */
  dependsOn(upstream: UpstreamConnection): boolean
  /**
   * Whether the broker may have ended `upstream` over a request of this client: one of the kind `methodId`, or any if that's 0, is
   * under way there.
   */
  isSuspect(upstream: UpstreamConnection, methodId: number): boolean
  /**
   * Whether the client can stay without `upstream`, which is gone: then it has moved what the broker hasn't confirmed to the pool's
   * backlog, and hears nothing of the loss.
   */
  survive(upstream: UpstreamConnection): boolean
  /** There is an upstream connection again, after an outage that the client has survived. */
  onBrokerBack(upstream: UpstreamConnection): void
  /** The broker ended a shared upstream connection over a request of this client, or so it seems. The loss itself follows. */
  onBlamed(error: AmqpError): void
  /** An upstream connection that the client depends on is gone. */
  onUpstreamLost(error: AmqpError): void
  /** There may be room for a channel that had to wait. */
  onRoom(): void
  /** No further upstream connection could be opened for a channel that waits. */
  onNoRoom(failure: UpstreamRefused | UpstreamUnreachable): void
  /** The client's next channel goes elsewhere: `upstream` takes no more, and is about to be closed. */
  onRetired(upstream: UpstreamConnection): void
  /** The broker blocks publishing, or doesn't any more: see `blockedReason` of the pool. */
  onBlocked(): void
}
