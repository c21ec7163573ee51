/** Frames that Warren says by itself, to clients and to brokers; those that are sent often are built once, or by hand. */
import { CHANNEL_AT, FRAME_END, FRAME_HEARTBEAT, FRAME_METHOD, writeShort } from '../domain/amqp/frame.js'
import { fitShortString } from '../domain/amqp/byte-writer.js'
import { type AmqpError, REPLY_SUCCESS } from '../domain/amqp/reply-codes.js'
import { methodFrame } from '../domain/amqp/method-layout.js'
import * as method from '../domain/amqp/methods.js'

/** A heartbeat; never written to. */
export const HEARTBEAT_FRAME = Uint8Array.of(FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END)

/** Connection.Open-Ok; never written to. */
export const CONNECTION_OPEN_OK_FRAME = methodFrame(method.ConnectionOpenOk, 0, {})

/** Connection.Close-Ok; never written to. */
export const CONNECTION_CLOSE_OK_FRAME = methodFrame(method.ConnectionCloseOk, 0, {})

/** Channel.Open-Ok for `channel`. */
export function channelOpenOkFrame(channel: number): Uint8Array {
  // prettier-ignore
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 8, 0, 20, 0, 11, 0, 0, 0, 0, FRAME_END)
}

/** Channel.Close-Ok for `channel`. */
export function channelCloseOkFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 4, 0, 20, 0, 41, FRAME_END)
}

/** Channel.Flow active=true for `channel`: RabbitMQ answers it and changes nothing, so that it serves as a barrier. */
export function channelFlowFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 5, 0, 20, 0, 20, 1, FRAME_END)
}

/** Confirm.Select for `channel`, without an answer. */
export function confirmSelectFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 5, 0, 85, 0, 10, 1, FRAME_END)
}

/** Confirm.Select-Ok for `channel`. */
export function confirmSelectOkFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 4, 0, 85, 0, 11, FRAME_END)
}

/** Basic.Qos-Ok for `channel`. */
export function basicQosOkFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 4, 0, 60, 0, 11, FRAME_END)
}

/** Tx.Select for `channel`. */
export function txSelectFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 4, 0, 90, 0, 10, FRAME_END)
}

/** Channel.Open for `channel`. */
export function channelOpenFrame(channel: number): Uint8Array {
  return Uint8Array.of(FRAME_METHOD, channel >>> 8, channel & 0xff, 0, 0, 0, 5, 0, 20, 0, 10, 0, FRAME_END)
}

/** Channel.Close for `channel`, over `error` or in peace. */
export function channelCloseFrame(channel: number, error?: AmqpError): Uint8Array {
  return methodFrame(method.ChannelClose, channel, closeArguments(error))
}

/** Connection.Close, over `error` or in peace. */
export function connectionCloseFrame(error?: AmqpError): Uint8Array {
  return methodFrame(method.ConnectionClose, 0, closeArguments(error))
}

interface CloseArguments {
  readonly replyCode: number
  readonly replyText: string
  readonly classId: number
  readonly methodId: number
}

function closeArguments(error: AmqpError | undefined): CloseArguments {
  if (error === undefined) return { replyCode: REPLY_SUCCESS, replyText: 'Goodbye', classId: 0, methodId: 0 }
  return {
    replyCode: error.code,
    replyText: fitShortString(error.text),
    classId: error.methodId >>> 16,
    methodId: error.methodId & 0xffff,
  }
}

/** A copy of a frame, for another channel. */
export function onChannel(frame: Uint8Array, channel: number): Uint8Array {
  const copy = frame.slice()
  writeShort(copy, CHANNEL_AT, channel)
  return copy
}
