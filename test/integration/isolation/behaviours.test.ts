/** The worst that a client can do to those who share its upstream connections, short of what one frame can do. */
import { expect } from 'chai'
import type { Socket } from 'node:net'
import { eventually } from '../../support/eventually.js'
import { besideNeighbours, promise, type Visit } from '../../support/neighbourhood.js'
import {
  bodyFrame,
  decodeMethod,
  frame,
  FrameType,
  headerFrame,
  heartbeatFrame,
  method,
  methodFrame,
  octet,
  PROTOCOL_HEADER,
  publishFrames,
  type MethodName,
  type WireClient,
} from '../../support/wire-client.js'

type Behaviour = [title: string, misbehave: (visit: Visit) => Promise<void>, pending?: string]

const MAX_MESSAGE = 1_048_576
const ARGS = [
  // Whoever comes in a crowd waits for the others on a slow machine.
  ...['--client-handshake-timeout', '60'],
  ...['--client-max-message-bytes', String(MAX_MESSAGE)],
  ...['--client-max-buffer-bytes', '4194304'],
]
const AMQP_DIRECT = { exchange: 'amq.direct', type: 'direct', passive: true }

async function settled(client: WireClient, channel = 1): Promise<void> {
  client.method(channel, 'exchange.declare', AMQP_DIRECT)
  await client.expectMethod('exchange.declare-ok')
}

/** Reads to the Connection.Close that is due, answers it, and waits for the end. */
async function refused(client: WireClient, ...codes: number[]): Promise<void> {
  for (;;) {
    const { name, args } = await client.nextMethod()
    if (name !== 'connection.close') continue
    expect(codes).to.include((args as { code: number }).code)
    client.method(0, 'connection.close-ok')
    return
  }
}

async function channelRefused(client: WireClient, code: number, channel = 1): Promise<void> {
  expect((await client.expectMethod('channel.close')).code).to.equal(code)
  client.method(channel, 'channel.close-ok')
}

function times<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n))
}

/** Runs in groups, so that the machine isn't asked for everything at once. */
async function inGroups(count: number, size: number, run: (n: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < count; from += size)
    await Promise.all(times(Math.min(size, count - from), (n) => run(from + n)))
}

const written = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => socket.write(bytes, () => resolve()))

const START_OK = method(0, 'connection.start-ok', {
  clientProperties: { product: 'rude' },
  mechanism: 'PLAIN',
  response: Buffer.from('\0guest\0guest'),
  locale: 'en_US',
})
const TUNE_OK = method(0, 'connection.tune-ok', { channelMax: 10, frameMax: 8192, heartbeat: 0 })
const OPEN = method(0, 'connection.open', { vhost: '/' })
const HANDSHAKE = [PROTOCOL_HEADER, START_OK, TUNE_OK, OPEN]

/** A whole session: each step with the answer that a client would wait for, if there is one. */
function sessionOf(n: number): [bytes: Buffer, answer?: MethodName][] {
  const queue = `rude-${`${n}`.padStart(5, '0')}`
  return [
    [PROTOCOL_HEADER, 'connection.start'],
    [START_OK, 'connection.tune'],
    [TUNE_OK],
    [OPEN, 'connection.open-ok'],
    [method(1, 'channel.open'), 'channel.open-ok'],
    [method(1, 'queue.declare', { queue, exclusive: true }), 'queue.declare-ok'],
    [publishFrames(1, { routingKey: queue, body: 'whole' })],
    [method(1, 'basic.consume', { queue, consumerTag: 't' }), 'basic.deliver'],
    [method(1, 'basic.ack', { deliveryTag: 1 })],
    [method(1, 'basic.cancel', { consumerTag: 't' }), 'basic.cancel-ok'],
    [method(1, 'channel.close', { code: 200 }), 'channel.close-ok'],
    [method(0, 'connection.close', { code: 200 }), 'connection.close-ok'],
  ]
}

const SESSION_LENGTH = sessionOf(0).reduce((sum, [{ length }]) => sum + length, 0)

/** Passes over everything else. */
async function awaitMethod(client: WireClient, name: MethodName): Promise<void> {
  for (;;) {
    const next = await client.nextBusyFrame()
    if (next.type === FrameType.method && decodeMethod(next).name === name) return
  }
}

/** Sends the first `length` octets of a session, waiting for the server where a client would, and leaves. */
async function partOfSession(
  visit: Visit,
  length: number,
  leave: (client: WireClient) => void,
): Promise<void> {
  const client = await visit.dial()
  let left = length
  for (const [bytes, answer] of sessionOf(length)) {
    await written(client.socket, bytes.subarray(0, left))
    left -= bytes.length
    if (left < 0) break
    if (answer !== undefined) await awaitMethod(client, answer)
    if (left === 0) break
  }
  leave(client)
}

const DEPARTURES: Behaviour[] = [
  [
    'a reset at every octet of a session',
    (visit) => inGroups(SESSION_LENGTH, 20, (at) => partOfSession(visit, at + 1, (client) => client.reset())),
  ],
  [
    'an end at every third octet of a session',
    (visit) =>
      inGroups(Math.floor(SESSION_LENGTH / 3), 20, (at) =>
        partOfSession(visit, at * 3 + 1, (client) => void client.socket.end()),
      ),
  ],
  [
    'a session that comes in one piece',
    async (visit) => {
      const client = await visit.dial()
      client.send(
        Buffer.concat(
          sessionOf(0)
            .map(([bytes]) => bytes)
            .slice(0, 8),
        ),
      )
      await awaitMethod(client, 'basic.deliver')
    },
  ],
  [
    'sockets that are opened and reset at once, 300 of them',
    (visit) => inGroups(300, 50, async () => (await visit.dial()).reset()),
  ],
  [
    '200 clients that leave with consumers, unacknowledged messages and half a publish',
    (visit) =>
      inGroups(200, 20, async (n) => {
        const client = await visit.open()
        const { queue } = await client.declareQueue(1)
        await client.consume(1, queue)
        client.publish(1, { routingKey: queue, body: 'x' })
        if (n % 2 === 0) await client.expectContent('basic.deliver')
        client.send(Buffer.concat([method(1, 'basic.publish'), headerFrame(1, 10)]))
        if (n % 3 === 0) client.reset()
        else client.socket.end()
      }),
  ],
  [
    'clients that leave before the answer to what they asked for',
    (visit) =>
      inGroups(100, 20, async (n) => {
        const client = await visit.open()
        const requests = [
          method(1, 'queue.declare', { queue: '', exclusive: true }),
          method(1, 'queue.declare', { queue: '', exclusive: true, nowait: true }),
          method(1, 'queue.declare', { queue: `rude-${n}`, exclusive: true }),
          method(1, 'basic.get', { queue: 'rude-missing' }),
          publishFrames(1, { routingKey: 'rude-missing', mandatory: true, body: 'x' }),
          method(1, 'confirm.select'),
          method(1, 'tx.select'),
          method(1, 'channel.close'),
          method(1, 'channel.flow', { active: true }),
        ]
        await written(client.socket, requests[n % requests.length])
        if (n % 2 === 0) client.reset()
        else client.socket.end()
      }),
  ],
  [
    'exclusive queues without names, whose owners leave before they hear of them',
    (visit) =>
      inGroups(60, 20, async () => {
        const client = await visit.open()
        await written(
          client.socket,
          Buffer.concat(times(10, () => method(1, 'queue.declare', { queue: '', exclusive: true }))),
        )
        client.reset()
      }),
  ],
  [
    'a thousand returns that nobody waits for',
    async (visit) => {
      const client = await visit.open()
      const message = publishFrames(1, { routingKey: 'rude-missing', mandatory: true, body: 'x' })
      await written(client.socket, Buffer.concat(times(1000, () => message)))
      client.reset()
    },
  ],
]

const HANDSHAKES: Behaviour[] = [
  [
    'a handshake that comes octet by octet',
    async (visit) => {
      const client = await visit.dial()
      for (const octets of HANDSHAKE) for (const one of octets) await written(client.socket, octet(one))
      await client.expectMethod('connection.start')
      await client.expectMethod('connection.tune')
      await client.expectMethod('connection.open-ok')
    },
  ],
  [
    'a handshake in one piece, with requests behind it',
    async (visit) => {
      const client = await visit.dial()
      client.send(
        Buffer.concat([...HANDSHAKE, method(1, 'channel.open'), method(1, 'exchange.declare', AMQP_DIRECT)]),
      )
      for (const name of [
        'connection.start',
        'connection.tune',
        'connection.open-ok',
        'channel.open-ok',
        'exchange.declare-ok',
      ] as const)
        await client.expectMethod(name)
    },
  ],
  [
    '50 wrong passwords at once',
    (visit) =>
      inGroups(50, 25, async (n) => {
        const client = await visit.dial()
        client.sendProtocolHeader()
        await client.receiveStart()
        client.startOk({ password: `wrong-${n}` })
        await refused(client, 403)
      }),
  ],
  [
    '50 users that nobody knows at once',
    (visit) =>
      inGroups(50, 25, async (n) => {
        const client = await visit.dial()
        client.sendProtocolHeader()
        await client.receiveStart()
        client.startOk({ user: `rude-${n}` })
        await refused(client, 403)
      }),
  ],
  [
    '50 virtual hosts that are not there at once',
    (visit) =>
      inGroups(50, 25, async (n) => {
        const client = await visit.dial()
        await client.authenticate()
        client.tuneOk()
        client.open(`rude-${n}`)
        await refused(client, 530)
      }),
  ],
  [
    '300 connections at once',
    (visit) => Promise.all(times(300, () => visit.connect())).then(() => undefined),
  ],
  [
    'Start-Ok of more than a frame may have before tuning',
    async (visit) => {
      const client = await visit.dial()
      client.sendProtocolHeader()
      await client.receiveStart()
      client.send(frame(1, 0, Buffer.alloc(20_000)))
      client.socket.resume()
      await client.closed
    },
  ],
  [
    'requests instead of Start-Ok',
    async (visit) => {
      const client = await visit.dial()
      client.sendProtocolHeader()
      await client.receiveStart()
      client.send(method(1, 'channel.open'))
      client.socket.resume()
      await client.closed
    },
  ],
  ...(
    [
      ['a TLS hello', Buffer.from('16030102000100', 'hex')],
      ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: rude\r\n\r\n')],
      ['AMQP 1.0', Buffer.from('AMQP\x00\x01\x00\x00', 'latin1')],
      ['AMQP 1.0 with SASL', Buffer.from('AMQP\x03\x01\x00\x00', 'latin1')],
      ['AMQP 0-8', Buffer.from('AMQP\x01\x01\x08\x00', 'latin1')],
      ['AMQP 0-9', Buffer.from('AMQP\x01\x01\x00\x09', 'latin1')],
      ['SSH', Buffer.from('SSH-2.0-rude\r\n')],
      ['a method frame', method(0, 'connection.open')],
      ['a megabyte of zeros', Buffer.alloc(1_048_576)],
    ] as const
  ).map(([what, bytes]): Behaviour => [
    `${what} instead of the protocol header`,
    async (visit) => {
      const client = await visit.dial()
      client.send(bytes)
      if (bytes.length < 1000) expect(await client.nextBytes(8)).to.deep.equal(PROTOCOL_HEADER)
      client.socket.end()
      client.socket.resume()
      await client.closed
    },
  ]),
]

const SILENCE: Behaviour[] = [
  [
    'handshakes that end after any of their steps, or in the middle of the first, and silence',
    async (visit) => {
      const beginnings = times(HANDSHAKE.length, (step) => HANDSHAKE.slice(0, step))
      const silent = [...beginnings, [PROTOCOL_HEADER.subarray(0, 4)]].map(async (steps) => {
        const client = await visit.dial()
        for (const bytes of steps) await written(client.socket, bytes)
        client.socket.resume()
        await client.closed
      })
      await Promise.all(silent)
    },
  ],
]

const FLOODS: Behaviour[] = [
  [
    '100,000 heartbeats in one write',
    async (visit) => {
      const client = await visit.open()
      client.send(Buffer.concat(times(100_000, () => heartbeatFrame())))
      await settled(client)
    },
  ],
  [
    '100,000 tiny publishes in one write',
    async (visit) => {
      const client = await visit.open()
      const message = publishFrames(1, { routingKey: 'rude-missing' })
      client.send(Buffer.concat(times(100_000, () => message)))
      client.method(1, 'exchange.declare', AMQP_DIRECT)
      await client.expectMethod('exchange.declare-ok')
    },
  ],
  [
    '20,000 requests in one write, whose answers nobody reads',
    async (visit) => {
      const client = await visit.open()
      client.socket.pause()
      await written(
        client.socket,
        Buffer.concat(times(20_000, () => method(1, 'exchange.declare', AMQP_DIRECT))),
      )
      client.socket.resume()
      for (let n = 0; n < 20_000; n++) await client.expectMethod('exchange.declare-ok')
    },
  ],
  [
    'a flood to a fanout exchange with ten queues',
    async (visit) => {
      const client = await visit.open()
      client.method(1, 'exchange.declare', { exchange: 'rude-fanout', type: 'fanout' })
      await client.expectMethod('exchange.declare-ok')
      for (let n = 0; n < 10; n++) {
        await client.declareQueue(1, `rude-${n}`, {})
        client.method(1, 'queue.bind', { queue: `rude-${n}`, exchange: 'rude-fanout' })
        await client.expectMethod('queue.bind-ok')
      }
      const message = publishFrames(1, { exchange: 'rude-fanout', body: Buffer.alloc(100) })
      await written(client.socket, Buffer.concat(times(5000, () => message)))
      client.method(1, 'exchange.declare', AMQP_DIRECT)
      await client.expectMethod('exchange.declare-ok')
    },
  ],
  [
    'a flood of messages of half a megabyte',
    async (visit) => {
      const client = await visit.open()
      for (let n = 0; n < 50; n++)
        client.publish(1, { routingKey: 'rude-missing', body: Buffer.alloc(MAX_MESSAGE / 2) })
      client.method(1, 'exchange.declare', AMQP_DIRECT)
      await client.expectMethod('exchange.declare-ok')
    },
  ],
  [
    'empty bodies in the middle of a message, 50,000 of them',
    async (visit) => {
      const client = await visit.open()
      client.send(Buffer.concat([method(1, 'basic.publish'), headerFrame(1, 1)]))
      client.send(Buffer.concat(times(50_000, () => bodyFrame(1, ''))))
      client.send(bodyFrame(1, 'x'))
      await settled(client)
    },
  ],
  [
    'a message in frames of one octet, 10,000 of them',
    async (visit) => {
      const client = await visit.open()
      const { queue } = await client.declareQueue(1)
      client.send(Buffer.concat([method(1, 'basic.publish', { routingKey: queue }), headerFrame(1, 10_000)]))
      client.send(Buffer.concat(times(10_000, () => bodyFrame(1, 'x'))))
      await settled(client)
      expect((await client.get(1, queue)).body.toString()).to.equal('x'.repeat(10_000))
    },
  ],
  [
    '2,000 channels opened and dropped',
    async (visit) => {
      const client = await visit.connect()
      client.send(Buffer.concat(times(2000, (n) => method(n + 1, 'channel.open'))))
      for (let n = 0; n < 2000; n++) await client.expectMethod('channel.open-ok')
    },
  ],
  [
    '1,000 channels with a publish each, dropped',
    async (visit) => {
      const client = await visit.connect()
      for (let n = 1; n <= 1000; n++) {
        client.method(n, 'channel.open')
        client.publish(n, { routingKey: 'rude-missing', body: 'x' })
      }
      for (let n = 0; n < 1000; n++) await client.expectMethod('channel.open-ok')
      await settled(client, 1000)
    },
  ],
  [
    '500 channels with a prefetch each, closed and opened again',
    async (visit) => {
      const client = await visit.connect()
      for (let round = 0; round < 3; round++)
        for (const [send, answer] of [
          ['channel.open', 'channel.open-ok'],
          ['basic.qos', 'basic.qos-ok'],
          ['channel.close', 'channel.close-ok'],
        ] as const) {
          client.send(Buffer.concat(times(500, (n) => method(n + 1, send))))
          for (let n = 0; n < 500; n++) await client.expectMethod(answer)
        }
    },
  ],
  [
    'a channel opened and closed 2,000 times in one write',
    async (visit) => {
      const client = await visit.connect()
      client.send(
        Buffer.concat(
          times(2000, () => Buffer.concat([method(1, 'channel.open'), method(1, 'channel.close')])),
        ),
      )
      for (let n = 0; n < 2000; n++) {
        await client.expectMethod('channel.open-ok')
        await client.expectMethod('channel.close-ok')
      }
    },
  ],
  [
    'a channel used and closed 200 times in one write',
    async (visit) => {
      const client = await visit.connect()
      const round = Buffer.concat([
        method(1, 'channel.open'),
        method(1, 'basic.qos'),
        method(1, 'channel.close'),
      ])
      client.send(Buffer.concat(times(200, () => round)))
      for (let n = 0; n < 200; n++)
        for (const name of ['channel.open-ok', 'basic.qos-ok', 'channel.close-ok'] as const)
          await client.expectMethod(name)
    },
  ],
  [
    '100 channel errors one after the other, without waiting for Close',
    async (visit) => {
      const client = await visit.connect()
      const round = Buffer.concat([
        method(1, 'channel.open'),
        method(1, 'basic.get', { queue: 'rude-missing' }),
        method(1, 'basic.get', { queue: 'rude-missing' }),
        method(1, 'channel.close'),
      ])
      for (let n = 0; n < 100; n++) {
        client.send(round)
        await client.expectMethod('channel.open-ok')
        await channelRefused(client, 404)
        await client.expectMethod('channel.close-ok')
      }
    },
  ],
  [
    'a queue declared, deleted and declared by ten clients at the same moment',
    (visit) =>
      inGroups(100, 10, async () => {
        const client = await visit.open()
        for (let n = 0; n < 5; n++) {
          client.method(1, 'queue.declare', { queue: 'rude-q', nowait: true })
          client.method(1, 'queue.delete', { queue: 'rude-q', nowait: true })
        }
        await settled(client)
        await client.close()
      }),
  ],
]

/** A queue with messages that nobody has read. */
async function fill(visit: Visit, queue: string, count: number, body: Buffer): Promise<void> {
  const client = await visit.open()
  await client.declareQueue(1, queue, {})
  for (let n = 0; n < count; n++) client.publish(1, { routingKey: queue, body })
  await client.close()
}

const READERS: Behaviour[] = [
  [
    'a consumer without acknowledgements that stops reading before a large queue',
    async (visit) => {
      await fill(visit, 'rude-q', 200, Buffer.alloc(200_000))
      const client = await visit.open()
      await client.consume(1, 'rude-q', { noAck: true })
      client.socket.pause()
      await eventually(async () => expect(await visit.broker.consumers()).to.have.length(2))
    },
  ],
  [
    'a consumer with acknowledgements and without prefetch that stops reading: it is closed, its messages are there',
    async (visit) => {
      await fill(visit, 'rude-q', 100, Buffer.alloc(200_000))
      const client = await visit.open()
      await client.consume(1, 'rude-q')
      client.socket.pause()
      await eventually(async () => {
        expect(await visit.broker.consumers()).to.have.length(2)
        const { ready } = (await visit.broker.queues()).find(({ name }) => name === 'rude-q')!
        expect(ready).to.equal(100)
      })
    },
  ],
  [
    'a consumer that reads slowly, with prefetch',
    async (visit) => {
      await fill(visit, 'rude-q', 50, Buffer.alloc(200_000))
      const client = await visit.open()
      client.method(1, 'basic.qos', { prefetchCount: 5 })
      await client.expectMethod('basic.qos-ok')
      await client.consume(1, 'rude-q')
      for (let n = 1; n <= 50; n++) {
        client.socket.pause()
        await new Promise((resolve) => setImmediate(resolve))
        client.socket.resume()
        expect((await client.expectContent('basic.deliver')).args.deliveryTag).to.equal(n)
        client.ack(1, n)
      }
    },
  ],
  [
    'returns of large messages that nobody reads',
    async (visit) => {
      const client = await visit.open()
      client.socket.pause()
      const message = publishFrames(1, {
        routingKey: 'rude-missing',
        mandatory: true,
        body: Buffer.alloc(100_000),
      })
      for (let n = 0; n < 100; n++) client.socket.write(message)
      const gone = client.closed
      await eventually(() => expect(client.socket.writableLength).to.equal(0), 15_000).catch(() => undefined)
      client.socket.resume()
      client.socket.end()
      await gone
    },
  ],
  [
    'a get of everything in a large queue that nobody reads',
    async (visit) => {
      await fill(visit, 'rude-q', 100, Buffer.alloc(200_000))
      const client = await visit.open()
      client.socket.pause()
      client.send(Buffer.concat(times(100, () => method(1, 'basic.get', { queue: 'rude-q' }))))
      await eventually(async () => {
        const { ready, unacked } = (await visit.broker.queues()).find(({ name }) => name === 'rude-q')!
        expect([ready, unacked]).to.deep.equal([100, 0])
      })
    },
  ],
]

const MESSAGES: Behaviour[] = [
  [
    'a message over the limit gets 406 for its channel, and the next channel works',
    async (visit) => {
      const client = await visit.open()
      client.publish(1, { routingKey: 'rude', body: Buffer.alloc(MAX_MESSAGE + 1) })
      await channelRefused(client, 406)
      await client.openChannel(1)
      client.publish(1, { routingKey: 'rude', body: Buffer.alloc(MAX_MESSAGE) })
      await settled(client)
    },
  ],
  [
    '18 exabytes announced',
    async (visit) => {
      const client = await visit.open()
      client.send(Buffer.concat([method(1, 'basic.publish'), headerFrame(1, 2n ** 64n - 1n)]))
      expect((await client.expectMethod('channel.close')).code).to.equal(406)
    },
  ],
  [
    'a large body announced by 200 channels, of which nothing comes',
    async (visit) => {
      const client = await visit.connect()
      for (let n = 1; n <= 200; n++) {
        await client.openChannel(n)
        client.send(Buffer.concat([method(n, 'basic.publish'), headerFrame(n, MAX_MESSAGE)]))
      }
      await client.openChannel(201)
      await settled(client, 201)
    },
  ],
  [
    'half of a large body on 20 channels at once, interleaved, then the other half',
    async (visit) => {
      const client = await visit.connect()
      const half = Buffer.alloc(50_000, 'x')
      for (let n = 1; n <= 20; n++) {
        await client.openChannel(n)
        client.send(
          Buffer.concat([method(n, 'basic.publish', { routingKey: 'rude' }), headerFrame(n, 100_000)]),
        )
      }
      for (let n = 0; n < 40; n++) client.send(bodyFrame((n % 20) + 1, half))
      for (let n = 1; n <= 20; n++) await settled(client, n)
    },
  ],
]

const QUEUES: Behaviour[] = [
  [
    'an exclusive queue that is squatted on by fifty clients',
    async (visit) => {
      const owner = await visit.open()
      await owner.declareQueue(1, 'rude-mine', { exclusive: true })
      await inGroups(50, 10, async () => {
        const client = await visit.open()
        client.method(1, 'queue.declare', { queue: 'rude-mine', exclusive: true })
        await channelRefused(client, 405)
      })
      owner.publish(1, { routingKey: 'rude-mine', body: 'x' })
      await settled(owner)
      expect((await owner.get(1, 'rude-mine')).body.toString()).to.equal('x')
    },
  ],
  [
    "every request for a neighbour's exclusive queue",
    async (visit) => {
      const queue = 'neighbours-right'
      for (const bytes of [
        method(1, 'queue.declare', { queue }),
        method(1, 'queue.declare', { queue, passive: true }),
        method(1, 'queue.declare', { queue, exclusive: true }),
        method(1, 'queue.bind', { queue, exchange: 'amq.fanout' }),
        method(1, 'queue.unbind', { queue, exchange: 'neighbours', routingKey: queue }),
        method(1, 'queue.purge', { queue }),
        method(1, 'queue.delete', { queue }),
        method(1, 'basic.get', { queue }),
        method(1, 'basic.consume', { queue }),
      ]) {
        const client = await visit.open()
        client.send(bytes)
        await channelRefused(client, 405)
      }
    },
  ],
  [
    "a neighbour's consumer tag, cancelled",
    async (visit) => {
      const client = await visit.open()
      for (const consumerTag of ['neighbours-left', 'neighbours-right']) {
        client.method(1, 'basic.cancel', { consumerTag })
        await client.expectMethod('basic.cancel-ok')
      }
    },
  ],
  [
    "a neighbour's delivery tags, acknowledged, rejected and recovered",
    async (visit) => {
      for (const bytes of [
        method(1, 'basic.ack', { deliveryTag: 1 }),
        method(1, 'basic.ack', { deliveryTag: 10, multiple: true }),
        method(1, 'basic.reject', { deliveryTag: 1 }),
        method(1, 'basic.nack', { deliveryTag: 10, multiple: true, requeue: true }),
      ]) {
        const client = await visit.open()
        client.send(bytes)
        await channelRefused(client, 406)
      }
      const client = await visit.open()
      client.method(1, 'basic.recover', { requeue: true })
      await client.expectMethod('basic.recover-ok')
      client.method(1, 'basic.ack', { deliveryTag: 0, multiple: true })
      await settled(client)
    },
  ],
  [
    'a get from a queue that is not there, a hundred times over',
    async (visit) => {
      const client = await visit.open()
      for (let n = 0; n < 100; n++) {
        client.method(1, 'basic.get', { queue: 'rude-missing' })
        await channelRefused(client, 404)
        await client.openChannel(1)
      }
    },
  ],
  [
    'a queue deleted under fifty consumers',
    async (visit) => {
      const owner = await visit.open()
      await owner.declareQueue(1, 'rude-q', {})
      const clients = await Promise.all(times(50, () => visit.open()))
      for (const client of clients) await client.consume(1, 'rude-q')
      owner.method(1, 'queue.delete', { queue: 'rude-q' })
      await owner.expectMethod('queue.delete-ok')
      for (const client of clients) await client.expectMethod('basic.cancel')
    },
  ],
  [
    'a hundred consumers on one channel, cancelled without waiting',
    async (visit) => {
      const client = await visit.open()
      const { queue } = await client.declareQueue(1)
      for (let n = 0; n < 100; n++) await client.consume(1, queue, { consumerTag: `t${n}` })
      client.send(
        Buffer.concat(times(100, (n) => method(1, 'basic.cancel', { consumerTag: `t${n}`, nowait: true }))),
      )
      await settled(client)
    },
  ],
  [
    'a channel closed behind a consumer that is started and cancelled, by clients that are gone then',
    async (visit) => {
      await inGroups(30, 10, async () => {
        const client = await visit.open()
        await client.declareQueue(1)
        await written(
          client.socket,
          Buffer.concat([
            method(1, 'basic.consume', { consumerTag: 'tag' }),
            method(1, 'basic.cancel', { consumerTag: 'tag' }),
          ]),
        )
        client.reset()
      })
    },
    'a cancel before Consume-Ok crashes the channel at the broker, which ends the shared connection with 541',
  ],
  [
    'a consumer tag cancelled without an answer and used again, over and over',
    async (visit) => {
      const client = await visit.open()
      await client.declareQueue(1)
      for (let n = 0; n < 50; n++) {
        await client.consume(1, '', { consumerTag: 'tag' })
        client.method(1, 'basic.cancel', { consumerTag: 'tag', nowait: true })
      }
    },
  ],
  [
    'consumers and cancels of one tag in one write, without answers',
    async (visit) => {
      const client = await visit.open()
      await client.declareQueue(1)
      const round = [
        method(1, 'basic.consume', { consumerTag: 'tag', nowait: true }),
        method(1, 'basic.cancel', { consumerTag: 'tag', nowait: true }),
      ]
      client.send(Buffer.concat(times(20, () => Buffer.concat(round))))
      client.method(1, 'exchange.declare', AMQP_DIRECT)
      await client.nextMethod()
    },
    'a tag that is used again before the broker has cancelled it ends the shared connection',
  ],
  [
    'commits with anything behind them',
    async (visit) => {
      for (const behind of [
        method(1, 'tx.commit'),
        method(1, 'tx.rollback'),
        publishFrames(1, { routingKey: 'rude', body: 'x' }),
        method(1, 'basic.qos', { prefetchCount: 1 }),
        method(1, 'queue.declare', { queue: '', exclusive: true }),
        method(1, 'channel.close'),
      ]) {
        const client = await visit.open()
        client.method(1, 'tx.select')
        await client.expectMethod('tx.select-ok')
        const message = publishFrames(1, { routingKey: 'rude', properties: { deliveryMode: 2 }, body: 'x' })
        client.send(Buffer.concat([message, method(1, 'tx.commit'), behind]))
        await client.expectMethod('tx.commit-ok')
        client.reset()
      }
    },
  ],
  [
    'Update-Secret with anything in it',
    async (visit) => {
      for (const secret of ['', 'wrong', 'x'.repeat(100_000)]) {
        const client = await visit.open()
        client.method(0, 'connection.update-secret', { secret: Buffer.from(secret), reason: 'rude' })
        // RabbitMQ asks for no password when it keeps its users itself.
        await client.expectMethod('connection.update-secret-ok')
        client.reset()
      }
    },
  ],
  [
    'direct replies asked for and left, fifty times',
    (visit) =>
      inGroups(50, 10, async () => {
        const client = await visit.open()
        await client.consume(1, 'amq.rabbitmq.reply-to', { noAck: true })
        client.publish(1, { routingKey: 'rude', properties: { replyTo: 'amq.rabbitmq.reply-to' }, body: 'x' })
        client.reset()
      }),
  ],
  [
    'direct replies to addresses that nobody has',
    async (visit) => {
      const client = await visit.open()
      for (const address of ['', 'g1h2', 'x'.repeat(200), '\u00e9'])
        client.publish(1, { routingKey: `amq.rabbitmq.reply-to.${address}`, body: 'x' })
      await settled(client)
    },
  ],
  [
    'a thousand bindings made and removed',
    async (visit) => {
      const client = await visit.open()
      const { queue } = await client.declareQueue(1)
      const binding = (n: number): object => ({ queue, exchange: 'amq.direct', routingKey: `${n}` })
      client.send(Buffer.concat(times(300, (n) => method(1, 'queue.bind', { ...binding(n), nowait: true }))))
      client.send(Buffer.concat(times(300, (n) => method(1, 'queue.unbind', binding(n)))))
      for (let n = 0; n < 300; n++) await client.expectMethod('queue.unbind-ok')
    },
  ],
  [
    'garbage behind a good session',
    async (visit) => {
      for (let seed = 1; seed <= 30; seed++) {
        const client = await visit.open()
        client.publish(1, { routingKey: 'rude', body: 'x' })
        client.send(Buffer.from(times(200, (n) => (n * seed * 31 + seed) & 0xff)))
        client.send(methodFrame(1, seed, seed * 7))
        client.socket.end()
        client.socket.resume()
      }
    },
  ],
]

besideNeighbours(
  'nothing that a client does disturbs those who share its upstream connections',
  (neighbourhood) => {
    it('which are the same for it and for them', () =>
      neighbourhood().endure(async (visit) => {
        const before = (await visit.broker.upstreams()).map(({ pid, channels }) => ({ pid, channels }))
        const client = await visit.connect()
        await client.openChannel(1)
        await client.openChannel(2)
        client.publish(1, { routingKey: 'rude', body: 'x' })
        client.method(2, 'basic.recover', { requeue: true })
        await client.expectMethod('basic.recover-ok')
        await settled(client)
        const after = (await visit.broker.upstreams()).map(({ pid, channels }) => ({ pid, channels }))
        expect(before).to.have.length(2)
        expect(after).to.deep.equal(before.map(({ pid, channels }) => ({ pid, channels: channels + 1 })))
      }))

    for (const [title, behaviours] of [
      ['leaving', DEPARTURES],
      ['handshakes', HANDSHAKES],
      ['floods', FLOODS],
      ['reading late or never', READERS],
      ['messages', MESSAGES],
      ["queues, consumers, transactions, and others' things", QUEUES],
    ] as const)
      describe(title, () => {
        for (const [what, misbehave, pending] of behaviours)
          promise(what, () => neighbourhood().endure(misbehave), pending)
      })
  },
  ARGS,
)

besideNeighbours(
  'nobody who is silent in the handshake disturbs those who share its upstream connections',
  (neighbourhood) => {
    for (const [what, misbehave] of SILENCE) promise(what, () => neighbourhood().endure(misbehave))
  },
  ['--client-handshake-timeout', '4'],
)
