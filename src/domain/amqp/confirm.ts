/** Basic.Ack and Basic.Nack as a broker confirms with them, read where they stand: `ids(4) delivery-tag(8) flags(1)`. */
import { MalformedBytes } from './byte-reader.js'
import { type Frame, writeLong } from './frame.js'
import * as id from './method-ids.js'
import { deliveryTagOf } from './single-arguments.js'

const SIZE = 13
const HIGH = 2 ** 32

/** Which message the broker answers for, as it counts. Throws MalformedBytes when the frame has no room for a tag. */
export function confirmTag(frame: Frame): number {
  if (frame.payloadSize < SIZE) throw new MalformedBytes('a confirm that names no message')
  return deliveryTagOf(frame)
}

/** Whether the broker said no. */
export function isRefusal(frame: Frame): boolean {
  return frame.methodId === id.BASIC_NACK
}

/** Makes it answer for another number. */
export function renumberConfirm({ bytes, argumentsStart }: Frame, tag: number): void {
  writeLong(bytes, argumentsStart, Math.floor(tag / HIGH))
  writeLong(bytes, argumentsStart + 4, tag % HIGH)
}
