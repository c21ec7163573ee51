/** Well-formed requests that harm the broker itself, so that they may not even be tried on a connection of their own. */
import { readHeaders } from '../amqp/content-header.js'
import { type FieldTable, fieldOf } from '../amqp/field-table.js'

const latin1 = new TextDecoder('latin1')

/** RabbitMQ's own name for the place where answers to direct reply-to go; a process id in base64 and a key follow it. */
const REPLY_TO = 'amq.rabbitmq.reply-to.'
/**
 * A process of a node named `reply@<number>` in Erlang's external term format: version, NEW_PID_EXT, the node's name as an atom with its
 * length, twelve bytes of numbers.
 */
const PROCESS_ID = /^\x83X(?:[vd]([^]{2})|w([^]))(reply@\d+)[^]{12}$/

/** A Queue.Declare that RabbitMQ 3 never finishes: the node of a new queue is looked for by something that isn't a name, in an endless loop. */
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

/** Whether a name looks like a reply-to address and can't be one that a broker has given out: RabbitMQ fails to decode it. */
export function isForgedReplyTo(name: string): boolean {
  if (!name.startsWith(REPLY_TO)) return false
  const parts = name.slice(REPLY_TO.length).split('.')
  return parts.length === 2 && parts[0] !== '' && parts[1] !== '' && !isProcessId(parts[0])
}

/** Whether the headers of a well-formed content header in `bytes[at, end)` name such an address as a further routing key (RabbitMQ's CC and BCC). */
export function copiesToForgedReplyTo(bytes: Uint8Array, at: number, end: number): boolean {
  if (!latin1.decode(bytes.subarray(at, end)).includes(REPLY_TO)) return false
  return readHeaders(bytes, at, end).some(
    ([name, field]) =>
      (name === 'CC' || name === 'BCC') &&
      field.type === 'array' &&
      field.value.some((key) => key.type === 'string' && isForgedReplyTo(latin1.decode(key.value))),
  )
}

function isProcessId(base64: string): boolean {
  let term
  try {
    term = atob(base64)
  } catch {
    return false
  }
  const match = PROCESS_ID.exec(term)
  if (match === null) return false
  const [, twoOctets, oneOctet, node] = match
  const length = oneOctet ?? twoOctets
  return length.charCodeAt(length.length - 1) === node.length && (length.length === 1 || length[0] === '\0')
}
