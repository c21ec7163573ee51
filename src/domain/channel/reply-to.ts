/** The addresses at which RabbitMQ's direct reply-to takes answers: a process id of the broker in base64, and a key. */
import type { Frame } from '../amqp/frame.js'
import * as id from '../amqp/method-ids.js'

/** The queue that isn't one: who consumes from it gets the answers to what it publishes on the same channel. */
const ANSWERS = 'amq.rabbitmq.reply-to'
const REPLY_TO = `${ANSWERS}.`
/** The prefix and something behind it. */
const SHORTEST = REPLY_TO.length + 1
/**
 * A process of a node named `reply@<number>` in Erlang's external term format: version, NEW_PID_EXT, the node's name as an atom with its
 * length, twelve bytes of numbers.
 */
const PROCESS_ID = /^\x83X(?:[vd]([^]{2})|w([^]))(reply@\d+)[^]{12}$/
/** Behind the ids of a Basic.Publish is a reserved ticket, then the exchange and the routing key. */
const EXCHANGE_AT = 2
/** Behind the ids of a Basic.Consume and its reserved ticket. */
const QUEUE_AT = 6

const latin1 = new TextDecoder('latin1')

/**
 * The node that has given out an address; undefined when `name` isn't one. RabbitMQ fails to decode an address without a node, and
 * may fail over one whose node it doesn't know.
 */
export function replyNodeOf(name: string): string | undefined {
  const parts = partsOf(name)
  return parts && nodeOf(parts[0])
}

/** Whether a name looks like a reply-to address and can't be one that a broker has given out: RabbitMQ fails to decode it. */
export function isForgedReplyTo(name: string): boolean {
  const parts = partsOf(name)
  return parts !== undefined && nodeOf(parts[0]) === undefined
}

/** Whether `bytes`, read as text, has what a reply-to address begins with. */
export function mentionsReplyTo(bytes: Uint8Array): boolean {
  return latin1.decode(bytes).includes(REPLY_TO)
}

/**
 * The routing key of a Basic.Publish to the default exchange whose arguments begin at `args`; empty when it can't be such an address,
 * which costs next to nothing to see.
 */
export function replyAddressIn(bytes: Uint8Array, args: number): string {
  if (bytes[args + EXCHANGE_AT] !== 0) return ''
  const at = args + EXCHANGE_AT + 1
  const length = bytes[at]
  if (length < SHORTEST || bytes[at + 1] !== 0x61 || bytes[at + 4] !== 0x2e) return ''
  return latin1.decode(bytes.subarray(at + 1, at + 1 + length))
}

/** Whether a well-formed method consumes what comes to such addresses: answers to what is published on the same channel, and no other. */
export function asksForReplies({ methodId, bytes, payloadStart }: Frame): boolean {
  if (methodId !== id.BASIC_CONSUME) return false
  const at = payloadStart + QUEUE_AT
  return bytes[at] === ANSWERS.length && latin1.decode(bytes.subarray(at + 1, at + 1 + bytes[at])) === ANSWERS
}

function partsOf(name: string): readonly [string, string] | undefined {
  if (!name.startsWith(REPLY_TO)) return undefined
  const parts = name.slice(REPLY_TO.length).split('.')
  return parts.length === 2 && parts[0] !== '' && parts[1] !== '' ? [parts[0], parts[1]] : undefined
}

function nodeOf(base64: string): string | undefined {
  let term
  try {
    term = atob(base64)
  } catch {
    return undefined
  }
  const match = PROCESS_ID.exec(term)
  if (match === null) return undefined
  const [, twoOctets, oneOctet, node] = match
  const length = oneOctet ?? twoOctets
  const isRight = length.charCodeAt(length.length - 1) === node.length
  return isRight && (length.length === 1 || length[0] === '\0') ? node : undefined
}
