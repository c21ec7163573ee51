/** Well-formed requests that harm the broker itself, so that they may not even be tried on a connection of their own. */
import { readHeaders } from '../amqp/content-header.js'
import { type FieldTable, fieldOf } from '../amqp/field-table.js'
import { isForgedReplyTo, mentionsReplyTo } from './reply-to.js'

const latin1 = new TextDecoder('latin1')

/**
 * A Queue.Declare that RabbitMQ 3 never finishes: the node of a new queue is looked for by something that
 * isn't a name, in an endless loop.
 */
export function isPoisonousQueue({
  queue,
  arguments: args,
}: {
  queue: string
  arguments: FieldTable
}): boolean {
  const locator = fieldOf(args, 'x-queue-master-locator')?.type
  return locator === 'float' || locator === 'double' || locator === 'decimal' || isForgedReplyTo(queue)
}

/** A Basic.Consume that crashes the queue for everybody: the argument is meant for RabbitMQ's own AMQP 1.0 plugin. */
export function isPoisonousConsumer({ arguments: args }: { arguments: FieldTable }): boolean {
  return fieldOf(args, 'x-credit') !== undefined
}

/**
 * Whether the headers of a well-formed content header in `bytes[at, end)` name such an address as a further
 * routing key (RabbitMQ's CC and BCC).
 */
export function copiesToForgedReplyTo(bytes: Uint8Array, at: number, end: number): boolean {
  if (!mentionsReplyTo(bytes.subarray(at, end))) return false
  return readHeaders(bytes, at, end).some(
    ([name, field]) =>
      (name === 'CC' || name === 'BCC') &&
      field.type === 'array' &&
      field.value.some((key) => key.type === 'string' && isForgedReplyTo(latin1.decode(key.value))),
  )
}
