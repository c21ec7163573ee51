/** Frames that Warren sends so often that they're built once, or by hand. */
import { FRAME_END, FRAME_HEARTBEAT, FRAME_METHOD } from '../domain/amqp/frame.js'
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

/** A copy of a frame, for another channel. */
export function onChannel(frame: Uint8Array, channel: number): Uint8Array {
  const copy = frame.slice()
  copy[1] = channel >>> 8
  copy[2] = channel & 0xff
  return copy
}
