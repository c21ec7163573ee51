/** What a channel is used for: publishing and consuming don't share an upstream connection, since an alarm at the broker stops all of a connection that publishes. */
import type { Frame } from '../amqp/frame.js'
import * as id from '../amqp/method-ids.js'
import { asksForReplies } from '../channel/reply-to.js'

export type ChannelRole = 'publisher' | 'consumer'

const QUEUE_NAME_AT = 6
const EXCLUSIVE = 0b0_0100

/**
 * The role that a well-formed method tells, or undefined when publishers and consumers alike send it, as php-amqp does with Basic.Qos.
 * Whoever declares an exclusive queue is about to consume from it, and whoever asks for direct replies is about to publish.
 */
export function roleToldBy(frame: Frame): ChannelRole | undefined {
  switch (frame.methodId) {
    case id.BASIC_PUBLISH:
    case id.CONFIRM_SELECT:
    case id.TX_SELECT:
      return 'publisher'
    case id.BASIC_CONSUME:
      return asksForReplies(frame) ? 'publisher' : 'consumer'
    case id.BASIC_GET:
    case id.BASIC_RECOVER:
    case id.BASIC_RECOVER_ASYNC:
      return 'consumer'
    case id.QUEUE_DECLARE:
      return hasExclusiveFlag(frame) ? 'consumer' : undefined
    default:
      return undefined
  }
}

/** Whether a well-formed method declares an exclusive queue. */
export function declaresExclusiveQueue(frame: Frame): boolean {
  return frame.methodId === id.QUEUE_DECLARE && hasExclusiveFlag(frame)
}

function hasExclusiveFlag({ bytes, payloadStart }: Frame): boolean {
  const nameAt = payloadStart + QUEUE_NAME_AT
  return (bytes[nameAt + 1 + bytes[nameAt]] & EXCLUSIVE) !== 0
}
