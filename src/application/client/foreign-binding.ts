/**
 * A client binds or unbinds a neighbour's exclusive queue: a request that only a connection which isn't the
 * owner's can get the right answer to.
 */
import { type FieldTable, textField } from '../../domain/amqp/field-table.js'
import { FRAME_HEADER_SIZE, type Frame } from '../../domain/amqp/frame.js'
import * as id from '../../domain/amqp/method-ids.js'
import { methodFrame, readArguments } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import { meansCurrent, spelledOut } from '../../domain/queue/current-queue.js'
import type { ChannelQueuesHost } from './channel-queues.js'

/** No binding has this argument. */
const NOWHERE: FieldTable = [['x-warren-nowhere', textField('')]]

/**
 * RabbitMQ looks at permissions, at the exchange and at the arguments before it looks whose the queue is, and
 * takes away a binding that isn't there from anybody's. So the broker is asked on a connection of its own,
 * where it answers as it would answer the client.
 */
export class ForeignBinding {
  readonly #request: Uint8Array
  readonly #isUnbind: boolean
  /** What the broker has said. */
  #answer: { readonly error: AmqpError | undefined } | undefined

  /** Whether it's such a request. */
  static is(methodId: number): boolean {
    return methodId === id.QUEUE_BIND || methodId === id.QUEUE_UNBIND
  }

  /** `locked` is what the client is told if the broker can't be asked. */
  constructor(frame: Frame, queue: string, host: ChannelQueuesHost, locked: AmqpError) {
    this.#isUnbind = frame.methodId === id.QUEUE_UNBIND
    this.#request = meansCurrent(frame)
      ? spelledOut(frame, 0, queue)
      : frame.bytes.slice(frame.start, frame.end)
    void host
      .tryAlone(this.#request)
      .catch(() => locked)
      .then((error) => {
        this.#answer = { error }
        host.resumeReading()
      })
  }

  /** As {@link ChannelQueues.judge}. */
  get judgement(): AmqpError | 'wait' | undefined {
    return this.#answer === undefined ? 'wait' : this.#answer.error
  }

  /**
   * What the broker is sent on the client's channel behind its yes, so that the client has its answer in its
   * place. What there was to unbind is unbound; should the owner have bound its queue meanwhile, that must
   * stand, so it's another binding which isn't there that is taken away.
   */
  insteadOf(channel: number): Uint8Array | undefined {
    if (!this.#isUnbind) return undefined
    const { length } = this.#request
    const args = readArguments(method.QueueUnbind, this.#request, FRAME_HEADER_SIZE + 4, length - 1)
    return methodFrame(method.QueueUnbind, channel, { ...args, arguments: NOWHERE })
  }
}
