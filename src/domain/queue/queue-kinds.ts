/** What RabbitMQ's kinds of queue can't do. It answers by closing the whole connection, so that the kind has to be known before. */
import type { Frame } from '../amqp/frame.js'
import * as id from '../amqp/method-ids.js'
import { argumentsOf } from '../amqp/method-layout.js'
import * as method from '../amqp/methods.js'
import {
  type AmqpError,
  INTERNAL_ERROR,
  NOT_IMPLEMENTED,
  amqpError,
  connectionError,
} from '../amqp/reply-codes.js'
import { isNoAck } from '../amqp/single-arguments.js'

/** `other`: nothing is known that it can't do. */
export type QueueKind = 'classic' | 'quorum' | 'stream' | 'other'

/** A queue, and what stands in RabbitMQ's texts for it. */
export interface NamedQueue {
  readonly queue: string
  readonly virtualHost: string
}

/** What some kind of queue can't do. */
export type Demand = 'get' | 'purge' | 'no-ack' | 'global-prefetch' | 'if-unused' | 'if-empty'

/**
 * What a well-formed method asks of the queue that it names; undefined for what all kinds can do. `hasGlobalPrefetch`: the channel has a
 * prefetch for all its consumers together.
 */
export function demandOf(frame: Frame, hasGlobalPrefetch: boolean): Demand | undefined {
  switch (frame.methodId) {
    case id.BASIC_GET:
      return 'get'
    case id.QUEUE_PURGE:
      return 'purge'
    case id.BASIC_CONSUME:
      if (isNoAck(frame)) return 'no-ack'
      return hasGlobalPrefetch ? 'global-prefetch' : undefined
    case id.QUEUE_DELETE: {
      const { ifUnused, ifEmpty } = argumentsOf(method.QueueDelete, frame)
      return ifUnused ? 'if-unused' : ifEmpty ? 'if-empty' : undefined
    }
    default:
      return undefined
  }
}

/** RabbitMQ's answer to a demand that a queue of this kind can't fulfil; undefined when it can. */
export function refusalOf(
  demand: Demand,
  kind: QueueKind,
  named: NamedQueue,
  methodId: number,
): AmqpError | undefined {
  const text =
    kind === 'stream'
      ? refusedByStream(demand, named)
      : kind === 'quorum'
        ? refusedByQuorum(demand, named)
        : undefined
  return text === undefined ? undefined : amqpError(NOT_IMPLEMENTED, text, methodId)
}

/** RabbitMQ's answer to Basic.Nack, Reject or Recover of a delivery from a stream. */
export function streamRejection(methodId: number, named: NamedQueue): AmqpError {
  if (methodId === id.BASIC_RECOVER || methodId === id.BASIC_RECOVER_ASYNC)
    return connectionError(INTERNAL_ERROR, 'INTERNAL_ERROR')
  const text = `basic.nack and basic.reject not supported by stream queues ${shown(named)}`
  return amqpError(NOT_IMPLEMENTED, text, methodId)
}

function refusedByStream(demand: Demand, named: NamedQueue): string | undefined {
  switch (demand) {
    case 'get':
      return `basic.get not supported by stream queues ${shown(named)}`
    case 'purge':
      return `queue.purge not supported by stream queues ${shown(named)}`
    case 'no-ack':
      return `automatic acknowledgement not supported by stream queues ${shown(named)}`
    case 'global-prefetch':
      return `${shown(named)} does not support global qos`
    default:
      return undefined
  }
}

function refusedByQuorum(demand: Demand, named: NamedQueue): string | undefined {
  switch (demand) {
    case 'if-unused':
    case 'if-empty':
      return `cannot delete ${shown(named)}. queue.delete operations with ${demand} flag set are not supported by quorum queues`
    case 'global-prefetch':
      return `${shown(named)} does not support global qos`
    default:
      return undefined
  }
}

function shown({ queue, virtualHost }: NamedQueue): string {
  return `queue '${queue}' in vhost '${virtualHost}'`
}
