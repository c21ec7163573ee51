/** The client's half of the handshake, encoded ahead of time. */
import { longString, methodFrame, shortString, table, u16, u32, u8 } from '../wire/encoding.js'
import { Method } from '../wire/method.js'

const FRAME_MAX = 131072
const CHANNEL_MAX = 2047

export const PROTOCOL_HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')

const clientProperties = table({
  product: 'warren-bench',
  version: '1',
  capabilities: {
    publisher_confirms: true,
    'basic.nack': true,
    consumer_cancel_notify: true,
    authentication_failure_close: true,
  },
})

export const TUNE_OK = methodFrame(0, Method.ConnectionTuneOk, u16(CHANNEL_MAX), u32(FRAME_MAX), u16(0))
export const CLOSE = methodFrame(0, Method.ConnectionClose, u16(200), shortString('Goodbye'), u32(0))

export function startOk(user: string, password: string): Buffer {
  const response = longString(`\0${user}\0${password}`)
  return methodFrame(
    0,
    Method.ConnectionStartOk,
    clientProperties,
    shortString('PLAIN'),
    response,
    shortString('en_US'),
  )
}

export function open(vhost: string): Buffer {
  return methodFrame(0, Method.ConnectionOpen, shortString(vhost), shortString(''), u8(0))
}

export function channelOpen(channel: number): Buffer {
  return methodFrame(channel, Method.ChannelOpen, shortString(''))
}

export function channelClose(channel: number): Buffer {
  return methodFrame(channel, Method.ChannelClose, u16(200), shortString('Goodbye'), u32(0))
}

/** `active=true` changes nothing: its answer says that all that was sent before has been processed. */
export function flow(channel: number): Buffer {
  return methodFrame(channel, Method.ChannelFlow, u8(1))
}
