/** Single arguments of well-formed methods, read where they stand: the rest of the method isn't looked at. */
import { ByteReader } from './byte-reader.js'
import { type Frame, readLong, readShort } from './frame.js'
import * as id from './method-ids.js'

const LAST_BIT = 0b1
/** Behind the prefetch size, which is a long. */
const PREFETCH_COUNT_AT = 4
const HIGH = 2 ** 32
const TAG_SIZE = 8
const MULTIPLE = 0b1
/** Reserved, before the name of the queue. */
const TICKET_SIZE = 2
/** Of Basic.Consume, behind no-local. */
const NO_ACK = 0b10
/** Where methods that name a queue say that they want no answer: behind how many short strings, and the bit. */
const NO_WAIT = new Map([
  [id.QUEUE_DECLARE, { strings: 1, bit: 0b1_0000 }],
  [id.QUEUE_BIND, { strings: 3, bit: 0b1 }],
  [id.QUEUE_PURGE, { strings: 1, bit: 0b1 }],
  [id.QUEUE_DELETE, { strings: 1, bit: 0b100 }],
  [id.BASIC_CONSUME, { strings: 2, bit: 0b1000 }],
])

/** Whether a Basic.Publish is mandatory. */
export function isMandatoryPublish({ bytes, payloadEnd }: Frame): boolean {
  return (bytes[payloadEnd - 1] & LAST_BIT) !== 0
}

/** Whether a Confirm.Select wants no answer. */
export function isSilentSelect({ bytes, payloadEnd }: Frame): boolean {
  return (bytes[payloadEnd - 1] & LAST_BIT) !== 0
}

/** Whether a Basic.Qos limits all consumers of its channel together. A count of 0 limits nothing. */
export function isGlobalPrefetch({ bytes, argumentsStart, payloadEnd }: Frame): boolean {
  return (bytes[payloadEnd - 1] & LAST_BIT) !== 0 && readShort(bytes, argumentsStart + PREFETCH_COUNT_AT) > 0
}

/** The delivery tag of a method that begins with it: Basic.Ack, Nack, Reject. */
export function deliveryTagOf({ bytes, argumentsStart }: Frame): number {
  return readLong(bytes, argumentsStart) * HIGH + readLong(bytes, argumentsStart + 4)
}

/** Whether a Basic.Ack, Nack or Reject settles all up to its delivery tag; the only flag of Reject is another. */
export function isMultiple({ methodId, bytes, argumentsStart }: Frame): boolean {
  return methodId !== id.BASIC_REJECT && (bytes[argumentsStart + TAG_SIZE] & MULTIPLE) !== 0
}

/** Whether a Basic.Consume or Basic.Get wants deliveries that needn't be acknowledged. */
export function isNoAck({ methodId, bytes, argumentsStart, payloadEnd }: Frame): boolean {
  if (methodId === id.BASIC_GET) return (bytes[payloadEnd - 1] & LAST_BIT) !== 0
  return (flagsBehind(bytes, argumentsStart, 2) & NO_ACK) !== 0
}

/** Whether a method that names a queue wants no answer. */
export function wantsNoAnswer({ methodId, bytes, argumentsStart }: Frame): boolean {
  const place = NO_WAIT.get(methodId)
  return place !== undefined && (flagsBehind(bytes, argumentsStart, place.strings) & place.bit) !== 0
}

/** The octet behind so many short strings of a method that names a queue. */
function flagsBehind(bytes: Uint8Array, argumentsStart: number, strings: number): number {
  let at = argumentsStart + TICKET_SIZE
  for (let n = 0; n < strings; n++) at += 1 + bytes[at]
  return bytes[at]
}

/** The consumer tag of a method that begins with it: Basic.Consume-Ok, Cancel, Cancel-Ok. */
export function consumerTagOf({ bytes, argumentsStart, payloadEnd }: Frame): string {
  return new ByteReader(bytes, argumentsStart, payloadEnd).shortString()
}
