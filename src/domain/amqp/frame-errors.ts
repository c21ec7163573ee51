/** Errors about single frames, in the words of RabbitMQ, which shows the octets as Erlang prints them. */
import { type FrameFault, SNIPPET_SIZE } from './frame-reader.js'
import { FRAME_HEADER_SIZE, type Frame } from './frame.js'
import {
  type AmqpError,
  CHANNEL_ERROR,
  FRAME_ERROR,
  NOT_FOUND,
  UNEXPECTED_FRAME,
  amqpError,
} from './reply-codes.js'
import { joinSlices } from './slice-list.js'

/** The frame's outer form is broken. */
export function brokenFrame(fault: FrameFault): AmqpError {
  const reason =
    fault.kind === 'too-large'
      ? `{frame_too_large,${fault.payloadSize},${fault.detail}}`
      : `{invalid_frame_end_marker,${fault.detail}}`
  // RabbitMQ judges the size before it has read any of the payload.
  const payload = fault.kind === 'too-large' ? new Uint8Array(0) : fault.snippet
  const size = fault.kind === 'too-large' ? 0 : fault.payloadSize
  return amqpError(FRAME_ERROR, `${describe(fault.type, payload, size)}: ${reason}`)
}

/** A frame of a type or size that means nothing. */
export function unknownFrame(frame: Frame): AmqpError {
  return amqpError(FRAME_ERROR, `${describeFrame(frame)}: unknown_frame`)
}

/** A frame that has no business on its channel. */
export function unexpectedFrame(frame: Frame): AmqpError {
  return amqpError(UNEXPECTED_FRAME, describeFrame(frame))
}

/** A method whose arguments don't have its form. */
export function undecodableMethod(frame: Frame): AmqpError {
  const args = frame.bytes.subarray(frame.argumentsStart, frame.payloadEnd)
  // The text is cut to 255 bytes anyway.
  return amqpError(FRAME_ERROR, `cannot decode ${erlangBinary(args.subarray(0, 256))}`, frame.methodId)
}

/** A method or content on a channel that isn't open. */
export function notOpen(methodId: number): AmqpError {
  return amqpError(CHANNEL_ERROR, "expected 'channel.open'", methodId)
}

/** A method that means the queue declared last, on a channel that has declared none. */
export function noCurrentQueue(methodId: number): AmqpError {
  return amqpError(NOT_FOUND, 'no previously declared queue', methodId)
}

function describeFrame(frame: Frame): string {
  const payload =
    frame.parts === undefined
      ? frame.bytes.subarray(frame.payloadStart, frame.payloadEnd)
      : joinSlices(frame.parts).subarray(FRAME_HEADER_SIZE, -1)
  return describe(frame.type, payload, payload.length)
}

function describe(type: number, payload: Uint8Array, payloadSize: number): string {
  const share = payloadSize <= SNIPPET_SIZE ? 'all' : `first ${SNIPPET_SIZE}`
  return `type ${type}, ${share} octets = ${erlangBinary(payload.subarray(0, SNIPPET_SIZE))}`
}

/** As Erlang's ~p prints a binary: a string when all of it is printable, else the octets in decimal. */
function erlangBinary(bytes: Uint8Array): string {
  const isPrintable = bytes.every((octet) => (octet >= 0x20 && octet <= 0x7e) || octet >= 0xa0)
  if (bytes.length === 0 || !isPrintable) return `<<${bytes.join(',')}>>`
  return `<<"${String.fromCharCode(...bytes).replace(/["\\]/g, '\\$&')}">>`
}
