/** Single arguments of well-formed methods, read where they stand: the rest of the method isn't looked at. */
import { ByteReader } from './byte-reader.js'
import { type Frame, readLong, readShort } from './frame.js'
import * as id from './method-ids.js'

const LAST_BIT = 0b1
/** Behind the prefetch size, which is a long. */
const PREFETCH_COUNT_AT = 4
const HIGH = 2 ** 32

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

/** Whether a Basic.Ack, Nack or Reject settles all deliveries up to its own. */
export function settlesMany({ methodId, bytes, payloadEnd }: Frame): boolean {
  return methodId !== id.BASIC_REJECT && (bytes[payloadEnd - 1] & LAST_BIT) !== 0
}

/** The consumer tag of a method that begins with it: Basic.Consume-Ok, Cancel, Cancel-Ok. */
export function consumerTagOf({ bytes, argumentsStart, payloadEnd }: Frame): string {
  return new ByteReader(bytes, argumentsStart, payloadEnd).shortString()
}
