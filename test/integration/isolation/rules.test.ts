/** What AMQP and RabbitMQ promise about closing, ownership, flow and negotiation, kept for every client of a shared connection. */
import { expect } from 'chai'
import { eventually } from '../../support/eventually.js'
import { besideNeighbours, promise, type Neighbourhood, type Visit } from '../../support/neighbourhood.js'
import {
  bodyFrame,
  headerFrame,
  method,
  WireClient,
  type Method,
  type WireOptions,
} from '../../support/wire-client.js'

type Promised = [title: string, keep: (visit: Visit) => Promise<void>, pending?: string]

const AMQP_DIRECT = { exchange: 'amq.direct', type: 'direct', passive: true }

/** Resolves when the broker has processed all that was sent on the channel. */
async function settled(client: WireClient, channel = 1): Promise<void> {
  client.method(channel, 'exchange.declare', AMQP_DIRECT)
  await client.expectMethod('exchange.declare-ok')
}

async function select(client: WireClient, channel = 1): Promise<void> {
  client.method(channel, 'confirm.select')
  await client.expectMethod('confirm.select-ok')
}

/** The channel fails; the client hears of it and has not answered yet. */
async function fail(client: WireClient, channel = 1): Promise<void> {
  client.method(channel, 'basic.get', { queue: 'rude-missing' })
  expect((await client.expectMethod('channel.close')).code).to.equal(404)
}

/** A queue that outlives the client. */
async function queueOf(visit: Visit, queue: string): Promise<void> {
  const client = await visit.open()
  await client.declareQueue(1, queue, {})
  await client.close()
}

async function messagesIn(visit: Visit, queue: string): Promise<number> {
  return (await visit.broker.queues()).find(({ name }) => name === queue)!.messages
}

/**
 * Takes all messages out of the queue, past Warren; resolves with their number. Queue.Purge waits its turn there; a question for the number would
 * overtake messages on their way to the queue.
 */
async function takenFrom(visit: Visit, queue: string): Promise<number> {
  const direct = await WireClient.connect(visit.broker.port)
  await direct.openChannel(1)
  direct.method(1, 'queue.purge', { queue })
  const { messageCount } = await direct.expectMethod('queue.purge-ok')
  await direct.close()
  return messageCount
}

async function said(client: WireClient, until: Method['name']): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const frame = await client.nextMethod()
    names.push(frame.name!)
    if (frame.name === until) return names
  }
}

const CLOSING: Promised[] = [
  [
    'a connection error comes behind what is due on all channels, and behind the end of exclusive queues, as from RabbitMQ itself',
    async (visit) => {
      for (const port of [visit.broker.port, visit.port]) {
        const client = await WireClient.connect(port)
        for (const channel of [1, 2, 3]) await client.openChannel(channel)
        client.send(
          Buffer.concat([
            method(1, 'queue.declare', { queue: 'rude-mine', exclusive: true }),
            method(2, 'queue.declare', { queue: 'rude-missing', passive: true }),
            method(3, 'exchange.declare', AMQP_DIRECT),
            method(0, 'queue.declare', { queue: 'rude-never' }),
          ]),
        )
        const names = await said(client, 'connection.close')
        expect(names.slice(0, -1).sort()).to.deep.equal([
          'channel.close',
          'exchange.declare-ok',
          'queue.declare-ok',
        ])
        const next = await WireClient.connect(port)
        await next.openChannel(1)
        next.method(1, 'queue.declare', { queue: 'rude-mine', passive: true })
        expect((await next.expectMethod('channel.close')).code).to.equal(404)
        for (const one of [client, next]) one.reset()
      }
    },
  ],
  [
    'a channel number can be opened again as soon as Close-Ok has come, hundreds of times',
    async (visit) => {
      const client = await visit.open()
      for (let round = 0; round < 200; round++) {
        client.method(1, 'basic.qos', { prefetchCount: 1 })
        await client.expectMethod('basic.qos-ok')
        await client.closeChannel(1)
        await client.openChannel(1)
      }
    },
  ],
  [
    'a channel number can be opened again as soon as the client has sent Close-Ok, hundreds of times',
    async (visit) => {
      const client = await visit.open()
      for (let round = 0; round < 200; round++) {
        await fail(client)
        client.send(Buffer.concat([method(1, 'channel.close-ok'), method(1, 'channel.open')]))
        await client.expectMethod('channel.open-ok')
      }
    },
  ],
  [
    'closes that cross are answered on both sides, and the number is free then',
    async (visit) => {
      const client = await visit.open()
      for (let round = 0; round < 50; round++) {
        client.send(
          Buffer.concat([method(1, 'basic.get', { queue: 'rude-missing' }), method(1, 'channel.close')]),
        )
        expect((await client.expectMethod('channel.close')).code).to.equal(404)
        client.method(1, 'channel.close-ok')
        await client.expectMethod('channel.close-ok')
        await client.openChannel(1)
        await settled(client)
      }
    },
  ],
  [
    'closes that cross, and the client goes without a word',
    async (visit) => {
      for (let round = 0; round < 50; round++) {
        const client = await visit.open()
        client.send(
          Buffer.concat([method(1, 'basic.get', { queue: 'rude-missing' }), method(1, 'channel.close')]),
        )
        if (round % 2 === 0) await client.expectMethod('channel.close')
        client.reset()
      }
    },
  ],
  [
    'what a client sends after an error until it has heard of it is dropped, and reaches nobody',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const [client, next] = [await visit.open(), await visit.open()]
      const late = Array.from({ length: 1000 }, (_, n) => [
        method(1, 'basic.publish', { routingKey: 'rude-q' }),
        headerFrame(1, 4),
        bodyFrame(1, `${1000 + n}`),
      ]).flat()
      client.publish(1, { exchange: 'rude-missing', body: 'x' })
      client.send(Buffer.concat(late))
      expect((await client.expectMethod('channel.close')).code).to.equal(404)
      client.send(Buffer.concat(late))
      next.publish(1, { routingKey: 'rude-q', body: 'mine' })
      client.send(Buffer.concat([method(1, 'channel.close-ok'), method(1, 'channel.open')]))
      await client.expectMethod('channel.open-ok')
      client.publish(1, { routingKey: 'rude-q', body: 'after' })
      await settled(client)
      await settled(next)
      expect(await takenFrom(visit, 'rude-q')).to.equal(2)
    },
  ],
  [
    'two errors in one breath are one Channel.Close, and no danger to the next owner of the number',
    async (visit) => {
      for (let round = 0; round < 30; round++) {
        const client = await visit.open()
        const missing = method(1, 'basic.get', { queue: 'rude-missing' })
        client.send(Buffer.concat(Array.from({ length: 20 }, () => missing)))
        expect((await client.expectMethod('channel.close')).code).to.equal(404)
        client.method(1, 'channel.close-ok')
        await client.openChannel(1)
        await settled(client)
        await client.close()
      }
    },
  ],
  [
    'a client that dies in the middle of a message publishes nothing, and its channel serves the next',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const publish = method(1, 'basic.publish', { routingKey: 'rude-q' })
      for (const half of [
        [publish],
        [publish, headerFrame(1, 10)],
        [publish, headerFrame(1, 10), bodyFrame(1, 'half')],
        [publish, headerFrame(1, 10), bodyFrame(1, 'almost al')],
      ]) {
        const client = await visit.open()
        client.publish(1, { routingKey: 'rude-q', body: 'whole' })
        client.send(Buffer.concat(half))
        await client.end()
      }
      await eventually(async () => expect(await messagesIn(visit, 'rude-q')).to.equal(4))
    },
  ],
  [
    'Connection.Close in the middle of a message publishes nothing and is answered',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const client = await visit.open()
      client.send(Buffer.concat([method(1, 'basic.publish', { routingKey: 'rude-q' }), headerFrame(1, 10)]))
      await client.close()
      expect(await takenFrom(visit, 'rude-q')).to.equal(0)
    },
  ],
  [
    'Connection.Close-Ok says that all that was published before is in its queue',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      for (let round = 0; round < 10; round++) {
        const client = await visit.open()
        for (let n = 0; n < 100; n++) client.publish(1, { routingKey: 'rude-q', body: 'x' })
        await client.close()
        expect(await takenFrom(visit, 'rude-q')).to.equal(100)
      }
    },
  ],
  [
    'Channel.Close-Ok says so too',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const client = await visit.open()
      for (let round = 0; round < 10; round++) {
        for (let n = 0; n < 100; n++) client.publish(1, { routingKey: 'rude-q', body: 'x' })
        await client.closeChannel(1)
        expect(await takenFrom(visit, 'rude-q')).to.equal(100)
        await client.openChannel(1)
      }
    },
  ],
  [
    'what the broker answers to requests before Connection.Close still reaches the client',
    async (visit) => {
      for (let round = 0; round < 20; round++) {
        const client = await visit.open()
        client.send(
          Buffer.concat([
            method(1, 'confirm.select'),
            method(1, 'channel.flow', { active: true }),
            method(0, 'connection.close', { code: 200 }),
          ]),
        )
        expect(await said(client, 'connection.close-ok')).to.deep.equal([
          'confirm.select-ok',
          'channel.flow-ok',
          'connection.close-ok',
        ])
      }
    },
  ],
  [
    'Connection.Close behind a consumer that is started and cancelled is answered',
    async (visit) => {
      const client = await visit.open()
      await client.declareQueue(1)
      client.send(
        Buffer.concat([
          method(1, 'basic.consume', { consumerTag: 'tag' }),
          method(1, 'basic.cancel', { consumerTag: 'tag' }),
          method(0, 'connection.close', { code: 200 }),
        ]),
      )
      await said(client, 'connection.close-ok')
    },
  ],
  [
    'Connection.Close is answered on both sides when it crosses with an error',
    async (visit) => {
      const client = await visit.open()
      client.send(Buffer.concat([method(1, 'channel.open'), method(0, 'connection.close', { code: 200 })]))
      expect((await client.expectMethod('connection.close')).code).to.equal(504)
      await client.expectMethod('connection.close-ok')
      client.method(0, 'connection.close-ok')
      expect(await client.closed).to.equal(undefined)
    },
  ],
  [
    'nothing is answered after Connection.Close',
    async (visit) => {
      const client = await visit.open()
      client.send(
        Buffer.concat([
          method(0, 'connection.close', { code: 200 }),
          method(1, 'basic.qos', { prefetchCount: 1 }),
          method(2, 'channel.open'),
          method(0, 'connection.close', { code: 200 }),
        ]),
      )
      expect(await said(client, 'connection.close-ok')).to.deep.equal(['connection.close-ok'])
      expect(await client.closed).to.equal(undefined)
    },
  ],
]

const OWNERSHIP: Promised[] = [
  [
    'confirms count from 1 on every channel, whoever had it before',
    async (visit) => {
      for (let round = 0; round < 20; round++) {
        const client = await visit.open()
        await select(client)
        client.publish(1, { routingKey: 'rude-missing', body: 'x' })
        expect(await client.expectMethod('basic.ack')).to.include({ deliveryTag: 1, multiple: false })
        if (round % 2 === 0) await client.close()
        else client.reset()
      }
    },
  ],
  [
    'delivery tags count from 1 on every channel, whoever had it before',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      for (let round = 0; round < 20; round++) {
        const client = await visit.open()
        client.publish(1, { routingKey: 'rude-q', body: `${round}` })
        await settled(client)
        const { args, body } = await client.get(1, 'rude-q')
        expect([args.deliveryTag, body.toString()]).to.deep.equal([1, `${round}`])
        if (round % 2 === 0) await client.close()
        else client.reset()
      }
    },
  ],
  [
    'a channel without confirms gets none, whoever had it before',
    async (visit) => {
      for (let round = 0; round < 10; round++) {
        const confirming = await visit.open()
        await select(confirming)
        confirming.publish(1, { routingKey: 'rude-missing', body: 'x' })
        confirming.reset()
        const client = await visit.open()
        client.publish(1, { routingKey: 'rude-missing', body: 'x' })
        client.method(1, 'exchange.declare', AMQP_DIRECT)
        expect((await client.nextMethod()).name).to.equal('exchange.declare-ok')
        await client.close()
      }
    },
  ],
  [
    'a channel has no transaction of its former owner: what is published is there at once',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      for (let round = 0; round < 10; round++) {
        const other = await visit.open()
        other.method(1, 'tx.select')
        await other.expectMethod('tx.select-ok')
        other.publish(1, { routingKey: 'rude-q', body: 'never' })
        other.reset()
        const client = await visit.open()
        client.publish(1, { routingKey: 'rude-q', body: 'x' })
        await settled(client)
        expect(await takenFrom(visit, 'rude-q')).to.equal(1)
        await client.close()
      }
    },
  ],
  [
    'a channel has no prefetch of its former owner',
    async (visit) => {
      for (let round = 0; round < 5; round++) {
        const other = await visit.open()
        other.method(1, 'basic.qos', { prefetchCount: 1, global: round % 2 === 0 })
        await other.expectMethod('basic.qos-ok')
        other.reset()
        const client = await visit.open()
        const { queue } = await client.declareQueue(1)
        for (let n = 0; n < 10; n++) client.publish(1, { routingKey: queue, body: `${n}` })
        await client.consume(1, queue)
        for (let n = 0; n < 10; n++)
          expect((await client.expectContent('basic.deliver')).body.toString()).to.equal(`${n}`)
        await client.close()
      }
    },
  ],
  [
    'an empty queue name means the last queue of this channel, and of no other',
    async (visit) => {
      const client = await visit.open()
      await client.openChannel(2)
      const first = (await client.declareQueue(1)).queue
      const second = (await client.declareQueue(2)).queue
      for (const [channel, queue] of [
        [1, first],
        [2, second],
      ] as const) {
        client.method(channel, 'queue.delete')
        await client.expectMethod('queue.delete-ok')
        const left = (await visit.broker.queues()).map(({ name }) => name)
        expect(left).not.to.include(queue)
      }
    },
  ],
  [
    'a channel has no current queue of its former owner',
    async (visit) => {
      for (let round = 0; round < 10; round++) {
        const other = await visit.open()
        await other.declareQueue(1, '', {})
        if (round % 2 === 0) await other.close()
        else other.reset()
        const client = await visit.open()
        client.method(1, 'queue.purge')
        expect((await client.expectMethod('channel.close')).code).to.equal(404)
        client.method(1, 'channel.close-ok')
        await client.close()
      }
    },
  ],
  [
    'direct replies reach the channel that asked, and no other',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const [server, client] = [await visit.open(), await visit.open()]
      for (const channel of [1, 2, 3]) {
        if (channel > 1) await client.openChannel(channel)
        await client.consume(channel, 'amq.rabbitmq.reply-to', { noAck: true })
        const properties = { replyTo: 'amq.rabbitmq.reply-to', correlationId: `${channel}` }
        client.publish(channel, { routingKey: 'rude-q', properties, body: 'ask' })
      }
      for (let n = 0; n < 3; n++) {
        const { properties } = await eventually(() => server.get(1, 'rude-q'))
        server.publish(1, { routingKey: properties.replyTo!, body: properties.correlationId! })
        const reply = await client.expectContent('basic.deliver')
        expect(reply.body.toString()).to.equal(`${reply.channel}`)
      }
    },
  ],
  [
    'the user id of a message is checked against its own sender',
    async (visit) => {
      const client = await visit.open()
      client.publish(1, { routingKey: 'rude', properties: { userId: 'guest' }, body: 'x' })
      await settled(client)
      client.publish(1, { routingKey: 'rude', properties: { userId: 'nobody' }, body: 'x' })
      expect((await client.expectMethod('channel.close')).code).to.equal(406)
    },
  ],
  [
    'messages that a client has not acknowledged are there for the next, marked as redelivered',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const [one, two] = [await visit.open(), await visit.open()]
      for (let n = 0; n < 5; n++) one.publish(1, { routingKey: 'rude-q', body: `${n}` })
      await one.consume(1, 'rude-q')
      for (let n = 0; n < 5; n++) await one.expectContent('basic.deliver')
      one.reset()
      await two.consume(1, 'rude-q')
      for (let n = 0; n < 5; n++) {
        const { args, body } = await two.expectContent('basic.deliver')
        expect([args.redelivered, body.toString()]).to.deep.equal([true, `${n}`])
      }
    },
  ],
  [
    'a consumer tag may be the same on every channel and for every client',
    async (visit) => {
      const clients = [await visit.open(), await visit.open()]
      for (const client of clients)
        for (const channel of [1, 2, 3]) {
          if (channel > 1) await client.openChannel(channel)
          await client.declareQueue(channel)
          expect(await client.consume(channel, '', { consumerTag: 'tag' })).to.equal('tag')
        }
    },
  ],
]

const FLOW: Promised[] = [
  [
    'Channel.Flow active=true is answered and changes nothing',
    async (visit) => {
      const client = await visit.open()
      for (let round = 0; round < 20; round++) {
        client.method(1, 'channel.flow', { active: true })
        expect(await client.expectMethod('channel.flow-ok')).to.deep.equal({ active: true })
      }
      await client.declareQueue(1)
    },
  ],
  [
    'Channel.Flow of a channel that is being given back is answered before its Close-Ok',
    async (visit) => {
      for (let round = 0; round < 20; round++) {
        const client = await visit.open()
        client.publish(1, { routingKey: 'rude', body: 'x' })
        client.send(Buffer.concat([method(1, 'channel.flow', { active: true }), method(1, 'channel.close')]))
        await client.expectMethod('channel.flow-ok')
        await client.expectMethod('channel.close-ok')
        await client.close()
      }
    },
  ],
  [
    'Basic.Return comes before the confirm of its message, and in the order of publishing',
    async (visit) => {
      const client = await visit.open()
      await select(client)
      for (let n = 1; n <= 50; n++) {
        client.publish(1, { routingKey: 'rude-missing', mandatory: true, body: `${n}` })
        const { args, body } = await client.expectContent('basic.return')
        expect([args.code, body.toString()]).to.deep.equal([312, `${n}`])
        expect((await client.expectMethod('basic.ack')).deliveryTag).to.equal(n)
      }
    },
  ],
  [
    'returns reach their own client before its Close-Ok, and no other',
    async (visit) => {
      for (let round = 0; round < 20; round++) {
        const client = await visit.open()
        for (let n = 0; n < 10; n++)
          client.publish(1, { routingKey: 'rude-missing', mandatory: true, body: `${n}` })
        client.method(1, 'channel.close')
        for (let n = 0; n < 10; n++)
          expect((await client.expectContent('basic.return')).body.toString()).to.equal(`${n}`)
        await client.expectMethod('channel.close-ok')
        await client.close()
      }
    },
  ],
  [
    'a commit is answered before what follows it is processed, and what follows is no error',
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const client = await visit.open()
      client.method(1, 'tx.select')
      await client.expectMethod('tx.select-ok')
      for (let round = 1; round <= 20; round++) {
        client.publish(1, { routingKey: 'rude-q', properties: { deliveryMode: 2 }, body: 'x' })
        client.send(
          Buffer.concat([
            method(1, 'tx.commit'),
            method(1, 'queue.declare', { queue: 'rude-q', passive: true }),
            method(1, 'tx.rollback'),
          ]),
        )
        await client.expectMethod('tx.commit-ok')
        expect((await client.expectMethod('queue.declare-ok')).messageCount).to.equal(round)
        await client.expectMethod('tx.rollback-ok')
      }
    },
  ],
]

/** What the server says to Tune-Ok and Open. */
async function tuned(port: number, options: WireOptions): Promise<string> {
  const client = await WireClient.dial(port)
  try {
    await client.authenticate(options)
    client.tuneOk(options)
    client.open()
    const { name, args } = await client.nextMethod()
    return name === 'connection.close' ? `${(args as { code: number }).code}` : name!
  } catch {
    return 'closed'
  } finally {
    client.reset()
  }
}

const NEGOTIATION: Promised[] = [
  ...(
    [
      ['no limit of channels', { channelMax: 0 }, '530'],
      ['more channels than offered', { channelMax: 2048 }, '530'],
      ['the most channels that AMQP has', { channelMax: 65_535 }, '530'],
      ['no limit of frames', { frameMax: 0 }, '530'],
      ['larger frames than offered', { frameMax: 131_073 }, '530'],
      ['frames under the minimum', { frameMax: 4095 }, '530'],
      ['frames of one octet', { frameMax: 1 }, '530'],
      ['the smallest frames', { frameMax: 4096 }, 'connection.open-ok'],
      ['a single channel', { channelMax: 1 }, 'connection.open-ok'],
      ['no heartbeat', { heartbeat: 0 }, 'connection.open-ok'],
      ['a heartbeat above the offer', { heartbeat: 65_535 }, 'connection.open-ok'],
    ] as const
  ).map(([what, options, answer]): Promised => [
    `Tune-Ok with ${what} is answered with ${answer}`,
    async (visit) => expect(await tuned(visit.port, options)).to.equal(answer) as unknown as void,
  ]),
  [
    'a client that asked for heartbeats gets them at half its interval, and none is sent upstream for it',
    async (visit) => {
      const client = await visit.connect({ heartbeat: 1 })
      for (let n = 0; n < 2; n++) expect((await client.nextFrame()).type).to.equal(8)
    },
  ],
  [
    'a client that asked for heartbeats and is silent for two intervals is dropped',
    async (visit) => {
      const client = await visit.connect({ heartbeat: 1 })
      client.socket.resume()
      await client.closed
    },
  ],
  [
    'frames sent to a client are no larger than it has agreed to',
    async (visit) => {
      const [small, large] = [await visit.open({ frameMax: 4096 }), await visit.open()]
      const { queue } = await small.declareQueue(1)
      await small.consume(1, queue)
      large.publish(1, { routingKey: queue, body: Buffer.alloc(50_000, 'x') })
      await small.expectMethod('basic.deliver')
      await small.nextFrame()
      for (let left = 50_000; left > 0;) {
        const { payload } = await small.nextFrame()
        expect(payload.length).to.be.within(1, 4088)
        left -= payload.length
      }
    },
  ],
  ...([true, false] as const).map((announced): Promised => [
    `a cancel by the broker reaches ${announced ? 'who' : 'nobody who has not'} announced consumer_cancel_notify`,
    async (visit) => {
      await queueOf(visit, 'rude-q')
      const client = await visit.open({ capabilities: { consumer_cancel_notify: announced } })
      await client.consume(1, 'rude-q', { consumerTag: 'tag' })
      const other = await visit.open()
      other.method(1, 'queue.delete', { queue: 'rude-q' })
      await other.expectMethod('queue.delete-ok')
      if (announced) expect((await client.expectMethod('basic.cancel')).consumerTag).to.equal('tag')
      client.method(1, 'exchange.declare', AMQP_DIRECT)
      expect((await client.nextMethod()).name).to.equal('exchange.declare-ok')
    },
  ]),
  ...(['PLAIN', 'AMQPLAIN'] as const).flatMap((mechanism) =>
    ([true, false] as const).map((announced): Promised => [
      `a wrong password by ${mechanism} is ${announced ? 'told with 403 to who' : 'told by silence to who has not'} announced authentication_failure_close`,
      async (visit) => {
        const client = await visit.dial()
        client.sendProtocolHeader()
        await client.receiveStart()
        const capabilities = { authentication_failure_close: announced }
        client.startOk({ mechanism, password: 'wrong', capabilities })
        if (announced) expect((await client.expectMethod('connection.close')).code).to.equal(403)
        else expect(await client.nextMethod().catch((error: Error) => error.message)).to.match(/ended/)
      },
    ]),
  ),
  [
    'Update-Secret of one client leaves the others alone',
    async (visit) => {
      const client = await visit.open()
      client.method(0, 'connection.update-secret', { secret: Buffer.from('guest'), reason: 'test' })
      await client.expectMethod('connection.update-secret-ok')
      await settled(client)
    },
  ],
  [
    'Update-Secret with a wrong secret changes nothing, as with the users that RabbitMQ keeps itself',
    async (visit) => {
      const client = await visit.open()
      client.method(0, 'connection.update-secret', { secret: Buffer.from('wrong'), reason: 'test' })
      await client.expectMethod('connection.update-secret-ok')
      await client.close()
    },
  ],
]

besideNeighbours('beside neighbours', (neighbourhood: () => Neighbourhood) => {
  for (const [title, promises] of [
    ['closing', CLOSING],
    ['what belongs to whom', OWNERSHIP],
    ['flow', FLOW],
    ['negotiation and authentication', NEGOTIATION],
  ] as const)
    describe(title, () => {
      for (const [what, keep, pending] of promises) promise(what, () => neighbourhood().endure(keep), pending)
    })
})
