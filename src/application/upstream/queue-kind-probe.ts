/** A question to the broker: of what kind is a queue? */
import { readClose } from '../../domain/amqp/close-error.js'
import type { Frame } from '../../domain/amqp/frame.js'
import { textField } from '../../domain/amqp/field-table.js'
import * as id from '../../domain/amqp/method-ids.js'
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import type { QueueKind } from '../../domain/queue/queue-kinds.js'
import { InternalChannel } from './internal-channel.js'

const CONSUMER_TAG = 'warren-asks-for-the-kind'
const TYPE = /of queue type rabbit_(classic|quorum)_queue/

/**
 * Asks by beginning to consume at the end of the queue as if it were a stream: a stream says yes and delivers nothing old, other
 * kinds refuse the argument and name themselves in the text, and no message is touched.
 */
export class QueueKindProbe extends InternalChannel {
  readonly #onAnswer: (kind: QueueKind, isOpen: boolean) => void

  /** `onAnswer` hears whether the channel is still open, and has to be taken back. */
  constructor(onAnswer: (kind: QueueKind, isOpen: boolean) => void) {
    super()
    this.#onAnswer = onAnswer
  }

  /** The question, for the channel that this owns. */
  static question(channel: number, queue: string): Uint8Array[] {
    return [
      methodFrame(method.BasicQos, channel, { prefetchSize: 0, prefetchCount: 1, global: false }),
      methodFrame(method.BasicConsume, channel, {
        queue,
        consumerTag: CONSUMER_TAG,
        noLocal: false,
        noAck: false,
        exclusive: false,
        noWait: false,
        arguments: [['x-stream-offset', textField('next')]],
      }),
    ]
  }

  override onAnswer(answer?: Frame): boolean {
    if (answer?.methodId === id.BASIC_CONSUME_OK) this.#onAnswer('stream', true)
    return false
  }

  override onBrokerClose(close?: Frame): boolean {
    if (close === undefined) return false
    const [, kind] = TYPE.exec(readClose(close).text) ?? []
    this.#onAnswer((kind as QueueKind | undefined) ?? 'other', false)
    return false
  }
}
