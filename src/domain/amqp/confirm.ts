/** Basic.Ack and Basic.Nack as a broker confirms with them, read where they stand: `ids(4) delivery-tag(8) flags(1)`. */
import { MalformedBytes } from './byte-reader.js'
import { type Frame, readLong, writeLong } from './frame.js'
import * as id from './method-ids.js'

const TAG_AT = 4
const FLAGS_AT = 12
const SIZE = 13
const MULTIPLE = 0b1
const HIGH = 2 ** 32

/** Which message the broker answers for, as it counts. Throws MalformedBytes when the frame has no room for a tag. */
export function confirmTag({ bytes, payloadStart, payloadSize }: Frame): number {
  if (payloadSize < SIZE) throw new MalformedBytes('a confirm that names no message')
  const at = payloadStart + TAG_AT
  return readLong(bytes, at) * HIGH + readLong(bytes, at + 4)
}

/** Whether it answers for all up to that message. */
export function isMultiple({ bytes, payloadStart }: Frame): boolean {
  return (bytes[payloadStart + FLAGS_AT] & MULTIPLE) !== 0
}

/** Whether the broker said no. */
export function isRefusal(frame: Frame): boolean {
  return frame.methodId === id.BASIC_NACK
}

/** Makes it answer for another number. */
export function renumberConfirm({ bytes, payloadStart }: Frame, tag: number): void {
  const at = payloadStart + TAG_AT
  writeLong(bytes, at, Math.floor(tag / HIGH))
  writeLong(bytes, at + 4, tag % HIGH)
}
