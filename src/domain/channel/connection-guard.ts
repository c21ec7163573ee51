/** AMQP's rules for what a client may send on an open connection outside its channels. */
import { unexpectedFrame, unknownFrame } from '../amqp/frame-errors.js'
import {
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  type Frame,
  METHOD_IDS_SIZE,
} from '../amqp/frame.js'
import { hasShapeOf } from '../amqp/method-layout.js'
import { CONNECTION_CLASS, methodOf } from '../amqp/methods.js'
import { type AmqpError, CHANNEL_ERROR, INTERNAL_ERROR, amqpError } from '../amqp/reply-codes.js'

/**
 * What is wrong with a frame that isn't for an open channel of an open connection, in RabbitMQ's words;
 * undefined for a well-formed method of class Connection, which may still be one that isn't expected now.
 */
export function judgeConnectionFrame(frame: Frame): AmqpError | undefined {
  if (frame.type === FRAME_HEARTBEAT && frame.payloadSize > 0) return unknownFrame(frame)
  if (frame.type === FRAME_HEARTBEAT || frame.type === FRAME_HEADER || frame.type === FRAME_BODY)
    return unexpectedFrame(frame)
  if (frame.type !== FRAME_METHOD || frame.payloadSize < METHOD_IDS_SIZE) return unknownFrame(frame)
  const layout = methodOf(frame.methodId)
  if (layout?.classId !== CONNECTION_CLASS) return unexpectedConnectionMethod(frame.methodId)
  if (!hasShapeOf(layout, frame.bytes, frame.argumentsStart, frame.payloadEnd))
    return amqpError(INTERNAL_ERROR, 'malformed arguments')
  return undefined
}

/** The answer to a method that has no place on an open connection. */
export function unexpectedConnectionMethod(methodId: number): AmqpError {
  return amqpError(CHANNEL_ERROR, 'unexpected method in connection state running', methodId)
}
