/** Every kind of error that RabbitMQ answers by closing a connection or a channel, in the order of its reply codes' causes. */
import { type ErrorRow, promiseRows } from '../../support/comparison.js'
import { besideNeighbours } from '../../support/neighbourhood.js'
import {
  bodyFrame,
  frame,
  headerFrame,
  idsOf,
  long,
  method,
  methodFrame,
  octet,
  short,
  type MethodName,
  type WireClient,
} from '../../support/wire-client.js'

type Row = [name: string, code: number | number[], act: ErrorRow['act'], more?: Partial<ErrorRow>]

const forConnection = ([name, code, act, more]: Row): ErrorRow => ({
  name,
  code,
  reach: 'connection',
  act,
  ...more,
})
const forChannel = ([name, code, act, more]: Row): ErrorRow => ({
  name,
  code,
  reach: 'channel',
  act,
  ...more,
})
const forNobody = ([name, act, more]: [string, ErrorRow['act'], Partial<ErrorRow>?]): ErrorRow => ({
  name,
  code: 0,
  reach: 'nobody',
  act,
  ...more,
})

/** A method for another exchange's content: what begins a message on channel 1. */
const publish = (channel = 1): Buffer => method(channel, 'basic.publish', { routingKey: 'rude' })

async function closed(client: WireClient, channel = 1): Promise<void> {
  await client.closeChannel(channel)
}

/** Declares an own queue and consumes from it. */
async function consume(client: WireClient, consumerTag: string): Promise<void> {
  await client.declareQueue(1, '', { exclusive: true })
  await client.consume(1, '', { consumerTag })
}

/** RabbitMQ looks for the queue that an empty name means before it looks whether the channel is open. */
const OF_NO_QUEUE: Row[] = (
  ['queue.bind', 'queue.unbind', 'queue.purge', 'queue.delete', 'basic.consume', 'basic.get'] as const
).map((name) => [`${name} without a queue on a channel that was never opened`, 404, (c) => c.method(5, name)])

const CHANNEL_STATE: Row[] = [
  ...['queue.declare', 'basic.get'].map((name): Row => [
    `${name} without its arguments on a channel that was never opened`,
    501,
    (c) => c.send(methodFrame(5, ...idsOf(name as MethodName))),
  ]),
  ['queue.declare on a channel that was never opened', 504, (c) => c.method(5, 'queue.declare')],
  [
    'basic.get of a queue on a channel that was never opened',
    504,
    (c) => c.method(5, 'basic.get', { queue: 'x' }),
  ],
  ['a method on a channel that was never opened', 504, (c) => c.method(5, 'basic.qos')],
  [
    'a publish on a channel that was never opened',
    504,
    (c) => c.publish(5, { routingKey: 'rude', body: 'x' }),
  ],
  ['a content header on a channel that was never opened', 505, (c) => c.send(headerFrame(5, 3))],
  ['a body on a channel that was never opened', 505, (c) => c.send(bodyFrame(5, 'abc'))],
  ['Channel.Close on a channel that was never opened', 504, (c) => c.method(5, 'channel.close')],
  ['Channel.Close-Ok on a channel that was never opened', 504, (c) => c.method(5, 'channel.close-ok')],
  ['a method on the highest channel number, never opened', 504, (c) => c.method(65_535, 'basic.qos')],
  ['Channel.Open twice', 504, (c) => c.method(1, 'channel.open')],
  [
    'Channel.Open twice after the channel was used',
    504,
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'channel.open')
    },
  ],
  [
    'a method after Channel.Close-Ok',
    504,
    async (c) => {
      await closed(c)
      c.method(1, 'basic.qos')
    },
  ],
  [
    'a publish after Channel.Close-Ok',
    504,
    async (c) => {
      await closed(c)
      c.publish(1, { routingKey: 'rude', body: 'late' })
    },
  ],
  [
    'Channel.Close twice',
    504,
    async (c) => {
      await closed(c)
      c.method(1, 'channel.close')
    },
  ],
  [
    'Channel.Close-Ok in answer to Close-Ok',
    504,
    async (c) => {
      await closed(c)
      c.method(1, 'channel.close-ok')
    },
  ],
]

const CHANNEL_MAX: Row[] = [
  ...(
    [
      ['a method', 530, (c) => c.method(2, 'basic.qos')],
      ['a method without its arguments', 530, (c) => c.send(methodFrame(2, ...idsOf('basic.get')))],
      ['basic.get without a queue', 530, (c) => c.method(2, 'basic.get')],
      ['a body', 530, (c) => c.send(bodyFrame(2, 'abc'))],
      ['a frame of an unknown type', 501, (c) => c.send(frame(7, 2, Buffer.from('rude')))],
    ] as Row[]
  ).map(([what, code, act]): Row => [
    `${what} on a second channel where one was agreed`,
    code,
    act,
    { options: { channelMax: 1 } },
  ]),
  [
    'a channel more than the agreed channel_max',
    530,
    async (c) => {
      for (const channel of [2, 3, 4]) await c.openChannel(channel)
      c.method(5, 'channel.open')
    },
    { options: { channelMax: 4 } },
  ],
  [
    'a second channel where one was agreed',
    530,
    (c) => c.method(2, 'channel.open'),
    { options: { channelMax: 1 } },
  ],
]

const CONSUMER_TAGS: Row[] = [
  [
    'a consumer tag that is in use on this channel',
    530,
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'basic.consume', { consumerTag: 'tag' })
    },
  ],
  [
    'a consumer tag that was used without waiting',
    530,
    async (c) => {
      await c.declareQueue(1, '', { exclusive: true })
      c.method(1, 'basic.consume', { consumerTag: 'tag', nowait: true })
      c.method(1, 'basic.consume', { consumerTag: 'tag', nowait: true })
    },
  ],
  [
    'a consumer tag that the server made',
    530,
    async (c) => {
      await c.declareQueue(1, '', { exclusive: true })
      const consumerTag = await c.consume(1, '')
      c.method(1, 'basic.consume', { consumerTag })
    },
  ],
  [
    'a consumer tag in use, consuming from another queue',
    530,
    async (c) => {
      await consume(c, 'tag')
      await c.declareQueue(1, '', { exclusive: true })
      c.method(1, 'basic.consume', { consumerTag: 'tag' })
    },
  ],
]

const NOT_IMPLEMENTED: Row[] = [
  ['a publish with immediate', 540, (c) => c.publish(1, { routingKey: 'rude', immediate: true, body: 'x' })],
  ['Basic.Qos with a prefetch_size', 540, (c) => c.method(1, 'basic.qos', { prefetchSize: 1 })],
  [
    'Basic.Qos with the largest prefetch_size',
    540,
    (c) => c.method(1, 'basic.qos', { prefetchSize: 0xffffffff }),
  ],
  ['Basic.Recover without requeue', 540, (c) => c.method(1, 'basic.recover', { requeue: false })],
  ['Basic.Recover-Async without requeue', 540, (c) => c.method(1, 'basic.recover-async', { requeue: false })],
  ['Channel.Flow active=false', 540, (c) => c.method(1, 'channel.flow', { active: false })],
]

const FROM_SERVERS: MethodName[] = [
  'channel.open-ok',
  'exchange.declare-ok',
  'exchange.delete-ok',
  'exchange.bind-ok',
  'exchange.unbind-ok',
  'queue.declare-ok',
  'queue.bind-ok',
  'queue.unbind-ok',
  'queue.purge-ok',
  'queue.delete-ok',
  'basic.qos-ok',
  'basic.consume-ok',
  'basic.cancel-ok',
  'basic.get-empty',
  'basic.recover-ok',
  'confirm.select-ok',
  'tx.select-ok',
  'tx.commit-ok',
  'tx.rollback-ok',
]

const WITHOUT_A_WORD = { differs: 'RabbitMQ closes the socket without a word' }

const WRONG_METHODS: Row[] = [
  ...FROM_SERVERS.map((name): Row => [
    `${name}, which only servers send`,
    [503, 505],
    (c) => c.method(1, name),
  ]),
  ...(['basic.return', 'basic.deliver', 'basic.get-ok'] as const).map((name): Row => [
    `${name}, which only servers send, with its content`,
    [503, 505],
    (c) => c.send(Buffer.concat([method(1, name), headerFrame(1, 1), bodyFrame(1, 'x')])),
  ]),
  ['Channel.Flow-Ok unasked', 503, (c) => c.method(1, 'channel.flow-ok', { active: true })],
  ['Channel.Close-Ok unasked', 503, (c) => c.method(1, 'channel.close-ok')],
  ['an unknown method of a known class', 503, (c) => c.send(methodFrame(1, 60, 999)), WITHOUT_A_WORD],
  ['an unknown class', 540, (c) => c.send(methodFrame(1, 999, 1)), WITHOUT_A_WORD],
  ['class 0, method 0', 540, (c) => c.send(methodFrame(1, 0, 0)), WITHOUT_A_WORD],
  ['class 65535, method 65535', 540, (c) => c.send(methodFrame(1, 65_535, 65_535)), WITHOUT_A_WORD],
]

const CONTENT: Row[] = [
  ['a content header without a publish', 505, (c) => c.send(headerFrame(1, 3))],
  ['a body without a header', 505, (c) => c.send(bodyFrame(1, 'abc'))],
  ['a body straight after the publish', 505, (c) => c.send(Buffer.concat([publish(), bodyFrame(1, 'abc')]))],
  [
    'a method between publish and header',
    505,
    (c) => c.send(Buffer.concat([publish(), method(1, 'basic.qos')])),
  ],
  ['a publish between publish and header', 505, (c) => c.send(Buffer.concat([publish(), publish()]))],
  [
    'Channel.Close between publish and header',
    505,
    (c) => c.send(Buffer.concat([publish(), method(1, 'channel.close')])),
  ],
  [
    'a method between header and body',
    505,
    (c) => c.send(Buffer.concat([publish(), headerFrame(1, 3), method(1, 'basic.qos')])),
  ],
  [
    'a method between two bodies',
    505,
    (c) =>
      c.send(
        Buffer.concat([
          publish(),
          headerFrame(1, 6),
          bodyFrame(1, 'abc'),
          method(1, 'basic.qos'),
          bodyFrame(1, 'abc'),
        ]),
      ),
  ],
  [
    'a second header instead of a body',
    505,
    (c) => c.send(Buffer.concat([publish(), headerFrame(1, 3), headerFrame(1, 3)])),
  ],
  [
    'a body after an empty message',
    505,
    (c) => c.send(Buffer.concat([publish(), headerFrame(1, 0), bodyFrame(1, 'abc')])),
  ],
  ['a header of another class', 505, (c) => c.send(Buffer.concat([publish(), headerFrame(1, 3, {}, 50)]))],
  ['a header of class 0', 505, (c) => c.send(Buffer.concat([publish(), headerFrame(1, 3, {}, 0)]))],
  [
    'a header with a weight',
    [501, 505],
    (c) =>
      c.send(
        Buffer.concat([
          publish(),
          frame(2, 1, Buffer.concat([short(60), short(1), long(0), long(3), short(0)])),
        ]),
      ),
  ],
  ['a header without its size', 501, (c) => c.send(Buffer.concat([publish(), frame(2, 1, short(60))]))],
  ['an empty header', 501, (c) => c.send(Buffer.concat([publish(), frame(2, 1, Buffer.alloc(0))]))],
]

const FRAMES: Row[] = [
  ['a frame with a wrong end octet', 501, (c) => c.send(wrongEnd(method(1, 'basic.qos')))],
  [
    'a body with a wrong end octet',
    501,
    (c) => c.send(Buffer.concat([publish(), headerFrame(1, 3), wrongEnd(bodyFrame(1, 'abc'))])),
  ],
  ['a heartbeat with a wrong end octet', 501, (c) => c.send(wrongEnd(frame(8, 0, Buffer.alloc(0))))],
  ['a wrong end octet on channel 0', 501, (c) => c.send(wrongEnd(method(0, 'connection.close-ok')))],
  ['a wrong end octet on a channel that is not open', 501, (c) => c.send(wrongEnd(method(9, 'basic.qos')))],
  ['a frame size one too small', 501, (c) => c.send(lying(method(1, 'basic.qos'), -1))],
  [
    'a frame size one too large',
    501,
    (c) => c.send(Buffer.concat([lying(method(1, 'basic.qos'), 1), Buffer.alloc(8)])),
  ],
  ['a frame over frame_max', 501, (c) => c.send(frame(3, 1, Buffer.alloc(131_073)))],
  [
    'a frame over a small frame_max',
    501,
    (c) => c.send(frame(3, 1, Buffer.alloc(4097))),
    { options: { frameMax: 4096 } },
  ],
  ['a frame of 4 GiB announced', 501, (c) => c.send(Buffer.from([3, 0, 1, 0xff, 0xff, 0xff, 0xff]))],
  [
    'a method of 4 GiB announced on channel 0',
    501,
    (c) => c.send(Buffer.from([1, 0, 0, 0xff, 0xff, 0xff, 0xff])),
  ],
  ['a frame of type 0', 501, (c) => c.send(frame(0, 1, Buffer.from('rude')))],
  ['a frame of type 4', 501, (c) => c.send(frame(4, 1, Buffer.from('rude')))],
  ['a frame of type 255', 501, (c) => c.send(frame(255, 1, Buffer.from('rude')))],
  ['a frame of an unknown type on channel 0', 501, (c) => c.send(frame(7, 0, Buffer.from('rude')))],
  [
    'a frame of an unknown type on a channel that is not open',
    501,
    (c) => c.send(frame(7, 9, Buffer.from('rude'))),
  ],
  [
    'a frame of an unknown type in the middle of a message',
    [501, 505],
    (c) => c.send(Buffer.concat([publish(), frame(7, 1, Buffer.from('rude'))])),
  ],
  ['a heartbeat with a payload', 501, (c) => c.send(frame(8, 0, Buffer.from('rude')))],
  ['a heartbeat on channel 1 with a payload', 501, (c) => c.send(frame(8, 1, Buffer.from('rude')))],
  ['a heartbeat on channel 1', 505, (c) => c.send(frame(8, 1, Buffer.alloc(0)))],
  ['a heartbeat on a channel that is not open', 505, (c) => c.send(frame(8, 9, Buffer.alloc(0)))],
  ['a method frame without anything in it', 501, (c) => c.send(frame(1, 1, Buffer.alloc(0)))],
  ['a method frame of two octets', 501, (c) => c.send(frame(1, 1, short(60)))],
  ['a method frame without anything in it, on channel 0', 501, (c) => c.send(frame(1, 0, Buffer.alloc(0)))],
  [
    'a method frame without anything in it, on a channel that is not open',
    501,
    (c) => c.send(frame(1, 9, Buffer.alloc(0))),
  ],
  ['the protocol header again', 501, (c) => c.send(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'))],
]

const ON_CHANNEL_0: MethodName[] = [
  'channel.open',
  'channel.flow',
  'channel.flow-ok',
  'channel.close',
  'channel.close-ok',
  'exchange.declare',
  'queue.declare',
  'queue.delete',
  'basic.publish',
  'basic.consume',
  'basic.ack',
  'confirm.select',
  'tx.select',
]
const OF_CONNECTIONS: MethodName[] = [
  'connection.start',
  'connection.start-ok',
  'connection.secure',
  'connection.secure-ok',
  'connection.tune',
  'connection.tune-ok',
  'connection.open',
  'connection.open-ok',
  'connection.close',
  'connection.close-ok',
  'connection.blocked',
  'connection.unblocked',
  'connection.update-secret',
  'connection.update-secret-ok',
]

const WRONG_CHANNELS: Row[] = [
  ...ON_CHANNEL_0.map((name): Row => [`${name} on channel 0`, [503, 504], (c) => c.method(0, name)]),
  ['an unknown method on channel 0', [503, 504], (c) => c.send(methodFrame(0, 60, 999)), WITHOUT_A_WORD],
  ['a content header on channel 0', [501, 505], (c) => c.send(headerFrame(0, 3))],
  ['a body on channel 0', [501, 505], (c) => c.send(bodyFrame(0, 'abc'))],
  ...OF_CONNECTIONS.map((name): Row => [`${name} on channel 1`, [503, 504], (c) => c.method(1, name)]),
  ...OF_CONNECTIONS.map((name): Row => [
    `${name} on a channel that is not open`,
    [503, 504],
    (c) => c.method(9, name),
  ]),
  ...OF_CONNECTIONS.filter((name) => !/\.(close|close-ok|update-secret)$/.test(name)).map((name): Row => [
    `${name} on channel 0 of an open connection`,
    [503, 504, 541],
    (c) => c.method(0, name),
  ]),
]

const EXCHANGE_TYPES: Row[] = ['rude-type', '', 'DIRECT', 'x-delayed-message', 'x'.repeat(255)].map(
  (type) => [
    `an exchange of type '${type.slice(0, 20)}'`,
    [503, 406],
    (c) => c.method(1, 'exchange.declare', { exchange: 'rude', type }),
  ],
)

const STREAMS_AND_QUORUMS: Row[] = [
  [
    'Basic.Get from a stream',
    540,
    async (c) => {
      await c.declareQueue(1, 'rude-stream', { durable: true, arguments: { 'x-queue-type': 'stream' } })
      c.method(1, 'basic.get', { queue: 'rude-stream' })
    },
  ],
  [
    'Queue.Purge of a stream',
    540,
    async (c) => {
      await c.declareQueue(1, 'rude-stream', { durable: true, arguments: { 'x-queue-type': 'stream' } })
      c.method(1, 'queue.purge', { queue: 'rude-stream' })
    },
  ],
  [
    'a consumer of a stream without acknowledgements',
    540,
    async (c) => {
      await c.declareQueue(1, 'rude-stream', { durable: true, arguments: { 'x-queue-type': 'stream' } })
      c.method(1, 'basic.qos', { prefetchCount: 1 })
      await c.expectMethod('basic.qos-ok')
      c.method(1, 'basic.consume', { queue: 'rude-stream', noAck: true })
    },
  ],
  ...(['basic.nack', 'basic.reject'] as const).map((name): Row => [
    `${name} of a delivery from a stream`,
    540,
    async (c) => {
      await c.declareQueue(1, 'rude-stream', { durable: true, arguments: { 'x-queue-type': 'stream' } })
      c.publish(1, { routingKey: 'rude-stream', body: 'x' })
      c.method(1, 'basic.qos', { prefetchCount: 1 })
      await c.expectMethod('basic.qos-ok')
      await c.consume(1, 'rude-stream', { arguments: { 'x-stream-offset': 'first' } })
      await c.expectContent('basic.deliver')
      c.method(1, name, { deliveryTag: 1, requeue: true })
    },
  ]),
  [
    'a consumer of a quorum queue on a channel with a prefetch for all consumers together',
    540,
    async (c) => {
      await c.declareQueue(1, 'rude-quorum', { durable: true, arguments: { 'x-queue-type': 'quorum' } })
      c.method(1, 'basic.qos', { prefetchCount: 1, global: true })
      await c.expectMethod('basic.qos-ok')
      c.method(1, 'basic.consume', { queue: 'rude-quorum' })
    },
  ],
  ...(['ifUnused', 'ifEmpty'] as const).map((flag): Row => [
    `Queue.Delete ${flag} of a quorum queue`,
    540,
    async (c) => {
      await c.declareQueue(1, 'rude-quorum', { durable: true, arguments: { 'x-queue-type': 'quorum' } })
      c.method(1, 'queue.delete', { queue: 'rude-quorum', [flag]: true })
    },
  ]),
]

/** Given out by a node of another cluster. */
const FOREIGN_ADDRESS =
  'amq.rabbitmq.reply-to.g1h2AA5yZXBseUAzNDI0MjUwMAAAArAAAAAAawGdyw==.nZIbEaEnL+Mg8/8p4/aTig=='

const CRASHES: Row[] = [
  [
    'an answer to an address of another cluster',
    (c: WireClient) => c.publish(1, { routingKey: FOREIGN_ADDRESS, body: 'x' }),
  ],
  [
    'the question whether anybody waits at an address of another cluster',
    (c: WireClient) => c.method(1, 'queue.declare', { queue: FOREIGN_ADDRESS, passive: true }),
  ],
  [
    'a reply to a malformed address',
    (c: WireClient) => c.publish(1, { routingKey: 'amq.rabbitmq.reply-to.a.b', body: 'x' }),
  ],
  ...['CC', 'BCC'].map((header) => [
    `a message with a malformed address for replies in ${header}`,
    (c: WireClient) =>
      c.publish(1, {
        routingKey: 'rude',
        properties: { headers: { [header]: ['amq.rabbitmq.reply-to.a.b'] } },
        body: 'x',
      }),
  ]),
  [
    'a queue that has a malformed address for replies as its name',
    (c: WireClient) => c.method(1, 'queue.declare', { queue: 'amq.rabbitmq.reply-to.a.b' }),
  ],
  [
    'a passive declaration of a malformed address for replies',
    (c: WireClient) => c.method(1, 'queue.declare', { queue: 'amq.rabbitmq.reply-to.a.b', passive: true }),
  ],
  [
    'a queue with an unknown x-queue-master-locator',
    (c: WireClient) =>
      c.method(1, 'queue.declare', { queue: 'rude-q', arguments: { 'x-queue-master-locator': 'rude' } }),
  ],
  [
    'a stream with a malformed x-max-age',
    (c: WireClient) =>
      c.method(1, 'queue.declare', {
        queue: 'rude-q',
        durable: true,
        arguments: { 'x-queue-type': 'stream', 'x-max-age': 'rude' },
      }),
  ],
].map(([name, act]) => [name as string, 541, act as ErrorRow['act']])

const SOFT: Row[] = [
  [
    'a publish to an exchange that is not there',
    404,
    (c) => c.publish(1, { exchange: 'rude-missing', body: 'x' }),
  ],
  [
    'a consumer of a queue that is not there',
    404,
    (c) => c.method(1, 'basic.consume', { queue: 'rude-missing' }),
  ],
  ['a get from a queue that is not there', 404, (c) => c.method(1, 'basic.get', { queue: 'rude-missing' })],
  ['a purge of a queue that is not there', 404, (c) => c.method(1, 'queue.purge', { queue: 'rude-missing' })],
  [
    'a passive declaration of a queue that is not there',
    404,
    (c) => c.method(1, 'queue.declare', { queue: 'rude-missing', passive: true }),
  ],
  [
    'a passive declaration of an exchange that is not there',
    404,
    (c) => c.method(1, 'exchange.declare', { exchange: 'rude-missing', type: 'direct', passive: true }),
  ],
  [
    'a binding to an exchange that is not there',
    404,
    async (c) => {
      await c.declareQueue(1)
      c.method(1, 'queue.bind', { exchange: 'rude-missing' })
    },
  ],
  ['an empty queue name on a channel without a current queue', 404, (c) => c.method(1, 'basic.consume')],
  [
    'a get with an empty queue name on a channel without a current queue',
    404,
    (c) => c.method(1, 'basic.get'),
  ],
  [
    'a delete with an empty queue name on a channel without a current queue',
    404,
    (c) => c.method(1, 'queue.delete'),
  ],
  [
    'a purge with an empty queue name on a channel without a current queue',
    404,
    (c) => c.method(1, 'queue.purge'),
  ],
  [
    'a bind with an empty queue name on a channel without a current queue',
    404,
    (c) => c.method(1, 'queue.bind', { exchange: 'amq.direct' }),
  ],
  [
    'an unbind with an empty queue name on a channel without a current queue',
    404,
    (c) => c.method(1, 'queue.unbind', { exchange: 'amq.direct' }),
  ],
  [
    'a publish to the default exchange by an internal one',
    403,
    async (c) => {
      c.method(1, 'exchange.declare', { exchange: 'rude-internal', type: 'fanout', internal: true })
      await c.expectMethod('exchange.declare-ok')
      c.publish(1, { exchange: 'rude-internal', body: 'x' })
    },
  ],
  [
    'a declaration of the default exchange',
    403,
    (c) => c.method(1, 'exchange.declare', { exchange: '', type: 'direct' }),
  ],
  [
    'a declaration of a queue with a reserved name',
    403,
    (c) => c.method(1, 'queue.declare', { queue: 'amq.rude' }),
  ],
  [
    'a declaration of an exchange with a reserved name',
    403,
    (c) => c.method(1, 'exchange.declare', { exchange: 'amq.rude', type: 'direct' }),
  ],
  [
    'a deletion of a predeclared exchange',
    403,
    (c) => c.method(1, 'exchange.delete', { exchange: 'amq.direct' }),
  ],
  [
    'a binding to the default exchange',
    403,
    async (c) => {
      await c.declareQueue(1)
      c.method(1, 'queue.bind', { exchange: '' })
    },
  ],
  [
    'a queue declared with other arguments',
    406,
    async (c) => {
      await c.declareQueue(1, 'rude-q', { durable: true })
      c.method(1, 'queue.declare', { queue: 'rude-q', durable: false })
    },
  ],
  [
    'an exchange declared with another type',
    406,
    (c) => c.method(1, 'exchange.declare', { exchange: 'amq.direct', type: 'fanout', durable: true }),
  ],
  [
    'a queue argument of a wrong kind',
    406,
    (c) => c.method(1, 'queue.declare', { queue: 'rude-q', arguments: { 'x-message-ttl': 'soon' } }),
  ],
  [
    'a queue of an unknown type',
    406,
    (c) =>
      c.method(1, 'queue.declare', { queue: 'rude-q', durable: true, arguments: { 'x-queue-type': 'rude' } }),
  ],
  [
    'a non-durable stream',
    406,
    (c) => c.method(1, 'queue.declare', { queue: 'rude-q', arguments: { 'x-queue-type': 'stream' } }),
  ],
  [
    'a delete of a queue in use',
    406,
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'queue.delete', { ifUnused: true })
    },
  ],
  ['an acknowledgement of an unknown delivery tag', 406, (c) => c.ack(1, 99)],
  ['an acknowledgement of all up to an unknown delivery tag', 406, (c) => c.ack(1, 99, true)],
  ['a reject of an unknown delivery tag', 406, (c) => c.method(1, 'basic.reject', { deliveryTag: 99 })],
  ['a nack of an unknown delivery tag', 406, (c) => c.method(1, 'basic.nack', { deliveryTag: 99 })],
  [
    'an acknowledgement given twice',
    406,
    async (c) => {
      const { queue } = await c.declareQueue(1)
      c.publish(1, { routingKey: queue, body: 'x' })
      c.method(1, 'basic.consume', { queue })
      await c.expectMethod('basic.consume-ok')
      await c.expectContent('basic.deliver')
      c.ack(1, 1)
      c.ack(1, 1)
    },
  ],
  [
    'confirms on a channel with transactions',
    406,
    async (c) => {
      c.method(1, 'tx.select')
      await c.expectMethod('tx.select-ok')
      c.method(1, 'confirm.select')
    },
  ],
  [
    'transactions on a channel with confirms',
    406,
    async (c) => {
      c.method(1, 'confirm.select')
      await c.expectMethod('confirm.select-ok')
      c.method(1, 'tx.select')
    },
  ],
  ['a commit without a transaction', 406, (c) => c.method(1, 'tx.commit')],
  ['a rollback without a transaction', 406, (c) => c.method(1, 'tx.rollback')],
  [
    "a message with somebody else's user id",
    406,
    (c) => c.publish(1, { routingKey: 'rude', properties: { userId: 'nobody' }, body: 'x' }),
  ],
  [
    'an expiration that is no number',
    406,
    (c) => c.publish(1, { routingKey: 'rude', properties: { expiration: 'soon' }, body: 'x' }),
  ],
  [
    'a consumer of direct replies that wants to acknowledge',
    406,
    (c) => c.method(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to' }),
  ],
  [
    'a second consumer of direct replies',
    406,
    async (c) => {
      await c.consume(1, 'amq.rabbitmq.reply-to', { noAck: true, consumerTag: 'one' })
      c.method(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to', noAck: true, consumerTag: 'two' })
    },
  ],
  [
    'a request for direct replies without a consumer of them',
    406,
    (c) => c.publish(1, { routingKey: 'rude', properties: { replyTo: 'amq.rabbitmq.reply-to' }, body: 'x' }),
  ],
  [
    'CC that is no list',
    406,
    (c) => c.publish(1, { routingKey: 'rude', properties: { headers: { CC: 'x' } }, body: 'x' }),
  ],
]

const HARMLESS: [string, ErrorRow['act'], Partial<ErrorRow>?][] = [
  [
    'a heartbeat in the middle of a message',
    (c) =>
      c.send(Buffer.concat([publish(), frame(8, 0, Buffer.alloc(0)), headerFrame(1, 1), bodyFrame(1, 'x')])),
  ],
  [
    'empty bodies in a message',
    (c) => c.send(Buffer.concat([publish(), headerFrame(1, 1), bodyFrame(1, ''), bodyFrame(1, 'x')])),
  ],
  [
    'a cancel of a consumer tag that nobody has',
    (c) => c.method(1, 'basic.cancel', { consumerTag: 'nobody' }),
  ],
  ['a delete of a queue that is not there', (c) => c.method(1, 'queue.delete', { queue: 'rude-missing' })],
  [
    'a delete of an exchange that is not there',
    (c) => c.method(1, 'exchange.delete', { exchange: 'rude-missing' }),
  ],
  ['a recover with nothing to recover', (c) => c.method(1, 'basic.recover', { requeue: true })],
  ['an acknowledgement of everything when there is nothing', (c) => c.ack(1, 0, true)],
  [
    'a return of what cannot be routed, then its confirm',
    (c) => {
      c.method(1, 'confirm.select')
      c.publish(1, { routingKey: 'rude-missing', mandatory: true, body: 'x' })
    },
  ],
  [
    'names of 255 octets',
    async (c) => {
      const name = 'rude'.padEnd(255, '-')
      c.method(1, 'exchange.declare', { exchange: name, type: 'fanout', autoDelete: true })
      c.method(1, 'queue.declare', { queue: name, exclusive: true })
      c.method(1, 'queue.bind', { queue: name, exchange: name, routingKey: name })
      for (const ok of ['exchange.declare-ok', 'queue.declare-ok', 'queue.bind-ok'] as const)
        await c.expectMethod(ok)
      await c.consume(1, name, { consumerTag: name })
      c.method(1, 'basic.cancel', { consumerTag: name })
      await c.expectMethod('basic.cancel-ok')
      c.method(1, 'queue.delete', { queue: name })
    },
  ],
  [
    'a consumer tag used again after Cancel-Ok',
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'basic.cancel', { consumerTag: 'tag' })
      await c.expectMethod('basic.cancel-ok')
      await c.consume(1, '', { consumerTag: 'tag' })
    },
  ],
  [
    'a consumer tag used again after a cancel that asked for no answer',
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'basic.cancel', { consumerTag: 'tag', nowait: true })
      await c.consume(1, '', { consumerTag: 'tag' })
    },
  ],
  [
    'a cancel that does not wait for Consume-Ok',
    async (c) => {
      await c.declareQueue(1)
      c.method(1, 'basic.consume', { consumerTag: 'tag' })
      c.method(1, 'basic.cancel', { consumerTag: 'tag' })
      await c.expectMethod('basic.consume-ok')
      await c.expectMethod('basic.cancel-ok')
    },
    {
      differs: 'RabbitMQ 3.10 crashes over it, if its queue is not faster',
    },
  ],
  [
    'a consumer tag cancelled and used again in one breath',
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'basic.cancel', { consumerTag: 'tag' })
      c.method(1, 'basic.consume', { consumerTag: 'tag' })
      await c.expectMethod('basic.cancel-ok')
      await c.expectMethod('basic.consume-ok')
    },
  ],
  [
    'a consumer tag used again after its queue was deleted',
    async (c) => {
      await consume(c, 'tag')
      c.method(1, 'queue.delete')
      // In either order.
      await c.nextMethod()
      await c.nextMethod()
      await c.declareQueue(1)
      await c.consume(1, '', { consumerTag: 'tag' })
    },
  ],
  [
    'tx.select twice, then a rollback and a commit of nothing',
    (c) => {
      c.method(1, 'tx.select')
      c.method(1, 'tx.select')
      c.method(1, 'tx.rollback')
      c.method(1, 'tx.commit')
    },
  ],
]

/** A broken frame: RabbitMQ trusts nothing that follows it, not even Close-Ok. */
function lingering([name, code, act, more]: Row): Row {
  return [name, code, act, { lingers: true, ...more }]
}

function wrongEnd(bytes: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, -1), octet(0xcd)])
}

/** The frame with another size than it has. */
function lying(bytes: Buffer, by: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt32BE(copy.readUInt32BE(3) + by, 3)
  return copy
}

besideNeighbours(
  'an error of one client is answered as RabbitMQ answers it, to that client alone',
  (neighbourhood) => {
    for (const [title, rows] of [
      ['channels that are not open, or open already', CHANNEL_STATE],
      ['more channels than channel_max', CHANNEL_MAX],
      ['consumer tags', CONSUMER_TAGS],
      ['what RabbitMQ does not implement', NOT_IMPLEMENTED],
      ['methods that no client may send', WRONG_METHODS],
      ['content out of order', CONTENT],
      ['malformed frames', FRAMES.map(lingering)],
      ['methods on the wrong kind of channel', WRONG_CHANNELS],
      ['unknown exchange types', EXCHANGE_TYPES],
      ['requests that some kinds of queue refuse', STREAMS_AND_QUORUMS],
      ['what makes the broker crash', CRASHES],
    ] as const)
      describe(title, () => promiseRows(neighbourhood, rows.map(forConnection)))
    describe('errors of a channel', () =>
      promiseRows(neighbourhood, [...SOFT, ...OF_NO_QUEUE].map(forChannel)))
    describe('what looks rude and is not', () => promiseRows(neighbourhood, HARMLESS.map(forNobody)))
  },
)
