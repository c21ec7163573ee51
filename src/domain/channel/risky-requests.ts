/** Well-formed requests that some brokers answer by closing the whole connection, depending on their version, plugins and settings. */
import { type FieldTable, type FieldValue, fieldOf } from '../amqp/field-table.js'
import type { Frame } from '../amqp/frame.js'
import * as id from '../amqp/method-ids.js'
import { argumentsOf, methodFrame } from '../amqp/method-layout.js'
import * as method from '../amqp/methods.js'
import { replyAddressIn, replyNodeOf } from './reply-to.js'

/** The exchange types that every RabbitMQ has; others come with plugins. */
const EXCHANGE_TYPES = new Set(['direct', 'fanout', 'topic', 'headers'])
/** What RabbitMQ up to 3.13 knows; from 4.3 on it denies the argument altogether. */
const MASTER_LOCATOR = 'x-queue-master-locator'
const MAX_AGE = 'x-max-age'
const STREAM_OFFSET = 'x-stream-offset'

/** A queue that is neither durable nor exclusive: brokers may deny them as deprecated (RabbitMQ 3.13 and later). */
export const TRANSIENT_QUEUE = 'a transient queue that is not exclusive'

/** What an answer to a direct reply-to address is called, before the name of the node. */
const REPLY = 'an answer to direct reply-to at the node'

const text = new TextDecoder()

/** Whether a well-formed method can be risky at all. */
export function mayBeRisky(frame: Frame): boolean {
  switch (frame.methodId) {
    case id.BASIC_PUBLISH:
      return replyAddressIn(frame.bytes, frame.argumentsStart) !== ''
    case id.EXCHANGE_DECLARE:
    case id.QUEUE_DECLARE:
    case id.BASIC_CONSUME:
      return true
    default:
      return false
  }
}

/**
 * The kind of risk in a well-formed method that {@link mayBeRisky}, in words; undefined when there's none.
 * What the broker does with one it does with all of a kind.
 */
export function riskOf(frame: Frame): string | undefined {
  switch (frame.methodId) {
    case id.BASIC_PUBLISH:
      return riskOfAnswer(replyAddressIn(frame.bytes, frame.argumentsStart))
    case id.EXCHANGE_DECLARE:
      return riskOfExchange(argumentsOf(method.ExchangeDeclare, frame))
    case id.QUEUE_DECLARE:
      return riskOfQueue(argumentsOf(method.QueueDeclare, frame))
    case id.BASIC_CONSUME:
      return riskOfConsumer(argumentsOf(method.BasicConsume, frame))
    default:
      return undefined
  }
}

/** RabbitMQ up to 3.10 fails over the address of a node that isn't in its cluster, or not any more. */
function riskOfAnswer(address: string): string | undefined {
  const node = replyNodeOf(address)
  return node && `${REPLY} '${node}'`
}

/** A plugin's type may not be there, or fail over an argument of the wrong type. */
function riskOfExchange(declare: {
  type: string
  passive: boolean
  arguments: FieldTable
}): string | undefined {
  if (declare.passive || EXCHANGE_TYPES.has(declare.type)) return undefined
  const details = declare.arguments.map(([name, { type }]) => `${name}: ${type}`)
  return `exchange type '${declare.type}'${details.length === 0 ? '' : ` with ${details.join(', ')}`}`
}

function riskOfQueue(declare: {
  queue: string
  passive: boolean
  durable: boolean
  exclusive: boolean
  arguments: FieldTable
}): string | undefined {
  const answer = riskOfAnswer(declare.queue)
  if (answer !== undefined) return answer
  if (declare.passive) return undefined
  const locator = fieldOf(declare.arguments, MASTER_LOCATOR)
  if (locator !== undefined) return `${MASTER_LOCATOR} = ${shown(locator)}`
  const age = fieldOf(declare.arguments, MAX_AGE)
  if (age?.type === 'string' && !beginsWithDigit(age.value)) return `${MAX_AGE} = ${shown(age)}`
  return declare.durable || declare.exclusive ? undefined : TRANSIENT_QUEUE
}

/** RabbitMQ's streams fail over an offset that they can't read; other queues refuse the argument without harm. */
function riskOfConsumer(consume: { queue: string; arguments: FieldTable }): string | undefined {
  const offset = fieldOf(consume.arguments, STREAM_OFFSET)
  return offset === undefined || isOffset(offset)
    ? undefined
    : `consuming from '${consume.queue}' with ${STREAM_OFFSET} = ${shown(offset)}`
}

function isOffset(offset: FieldValue): boolean {
  switch (offset.type) {
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
    case 'timestamp':
      return true
    case 'string':
      return ['first', 'last', 'next'].includes(text.decode(offset.value)) || beginsWithDigit(offset.value)
    default:
      return false
  }
}

function beginsWithDigit(value: Uint8Array): boolean {
  return value[0] >= 0x30 && value[0] <= 0x39
}

function shown(field: FieldValue): string {
  return field.type === 'string'
    ? `'${text.decode(field.value).slice(0, 40)}'`
    : `a value of type ${field.type}`
}

/**
 * What shows on a connection of its own what the broker makes of a risky request: a frame like it; for an answer, which mustn't come twice,
 * the question whether anybody waits for it.
 */
export function trialOf(frame: Frame): Uint8Array {
  const { bytes, start, end, methodId, argumentsStart } = frame
  if (methodId !== id.BASIC_PUBLISH) return new Uint8Array(bytes.subarray(start, end))
  return methodFrame(method.QueueDeclare, 0, {
    queue: replyAddressIn(bytes, argumentsStart),
    passive: true,
    durable: false,
    exclusive: false,
    autoDelete: false,
    noWait: false,
    arguments: [],
  })
}

/** Whether a request of this kind is so seldom harmful that it goes to the broker also when it can't be tried. */
export function isMostlyHarmless(kind: string): boolean {
  return kind.startsWith(REPLY)
}
