/** What the sink says that never changes, encoded once. */
import { Method } from '../wire/method.js'
import { longString, methodFrame, shortString, table, u16, u32, u8 } from '../wire/encoding.js'

const serverProperties = table({
  capabilities: {
    publisher_confirms: true,
    exchange_exchange_bindings: true,
    'basic.nack': true,
    consumer_cancel_notify: true,
    'connection.blocked': true,
    consumer_priorities: true,
    authentication_failure_close: true,
    per_consumer_qos: true,
    direct_reply_to: true,
  },
  cluster_name: 'sink@localhost',
  copyright: 'none',
  information: 'A broker that throws everything away, for benchmarks',
  platform: `Node.js ${process.version}`,
  product: 'RabbitMQ',
  version: '3.10.8',
})

export const START = methodFrame(
  0,
  Method.ConnectionStart,
  u8(0),
  u8(9),
  serverProperties,
  longString('PLAIN AMQPLAIN'),
  longString('en_US'),
)

export const CHANNEL_MAX = 2047
const FRAME_MAX = 131072
const HEARTBEAT_SECONDS = 60

export const TUNE = methodFrame(
  0,
  Method.ConnectionTune,
  u16(CHANNEL_MAX),
  u32(FRAME_MAX),
  u16(HEARTBEAT_SECONDS),
)
export const OPEN_OK = methodFrame(0, Method.ConnectionOpenOk, shortString(''))
export const CLOSE_OK = methodFrame(0, Method.ConnectionCloseOk)

/** Requests that are answered without being looked at, and the reply to each. */
const fixedReplies = new Map<number, { id: number; fields: Buffer[] }>([
  [Method.ExchangeDeclare, { id: Method.ExchangeDeclareOk, fields: [] }],
  [Method.QueueBind, { id: Method.QueueBindOk, fields: [] }],
  [Method.QueueDelete, { id: Method.QueueDeleteOk, fields: [u32(0)] }],
  [Method.ChannelFlow, { id: Method.ChannelFlowOk, fields: [u8(1)] }],
])

export function fixedReply(id: number, channel: number): Buffer | undefined {
  const reply = fixedReplies.get(id)
  return reply && methodFrame(channel, reply.id, ...reply.fields)
}
