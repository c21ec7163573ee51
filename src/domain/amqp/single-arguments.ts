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
  const tagAt = argumentsStart + TICKET_SIZE + 1 + bytes[argumentsStart + TICKET_SIZE]
  return (bytes[tagAt + 1 + bytes[tagAt]] & NO_ACK) !== 0
}

/** The consumer tag of a method that begins with it: Basic.Consume-Ok, Cancel, Cancel-Ok. */
export function consumerTagOf({ bytes, argumentsStart, payloadEnd }: Frame): string {
  return new ByteReader(bytes, argumentsStart, payloadEnd).shortString()
}
