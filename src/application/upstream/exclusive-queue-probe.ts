/** A question to the broker: is an exclusive queue of the connection still there? */
import { readClose } from '../../domain/amqp/close-error.js'
import type { FieldTable } from '../../domain/amqp/field-table.js'
import type { Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { NOT_FOUND, RESOURCE_LOCKED } from '../../domain/amqp/reply-codes.js'
import { InternalChannel } from './internal-channel.js'

/** RabbitMQ makes no queue with this, and looks at it only after it has seen whose queue it is. */
const IMPOSSIBLE: FieldTable = [['x-expires', { type: 'int32', value: -1 }]]

/**
 * Asks with two declarations on one channel. A passive one gets 404 if the queue is gone. The other is exclusive and can't be fulfilled, so
 * that it makes no queue if that goes between the two: it gets 405 if another queue of that name has come since, which is exclusive to
 * nobody, or it wouldn't have been seen from here; and some other error if it's the connection's own.
 */
export class ExclusiveQueueProbe extends InternalChannel {
  readonly #onAnswer: (exists: boolean, isOpen: boolean) => void

  /** `onAnswer` hears whether the channel is still open, and has to be taken back. */
  constructor(onAnswer: (exists: boolean, isOpen: boolean) => void) {
    super()
    this.#onAnswer = onAnswer
  }

  /** The question, for the channel that this owns. */
  static question(channel: number, queue: string): Uint8Array[] {
    const flags = { passive: false, durable: false, exclusive: true, autoDelete: false, noWait: false }
    return [
      silentCheck(channel, queue),
      methodFrame(method.QueueDeclare, channel, { queue, ...flags, arguments: IMPOSSIBLE }),
    ]
  }

  /** A broker that agrees after all has seen whose queue it is. */
  override onAnswer(answer?: Frame): boolean {
    if (answer?.methodId === id.QUEUE_DECLARE_OK) this.#onAnswer(true, true)
    return false
  }

  override onBrokerClose(close?: Frame): boolean {
    if (close === undefined) return false
    const { code } = readClose(close)
    this.#onAnswer(code !== NOT_FOUND && code !== RESOURCE_LOCKED, false)
    return false
  }
}

/** Ends the channel with 404 if the queue isn't there, and with 405 if it's another connection's; otherwise the broker says nothing. */
export function silentCheck(channel: number, queue: string): Uint8Array {
  const flags = { passive: true, durable: false, exclusive: false, autoDelete: false, noWait: true }
  return methodFrame(method.QueueDeclare, channel, { queue, ...flags, arguments: [] })
}
