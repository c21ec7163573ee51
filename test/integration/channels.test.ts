import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'
import { method } from '../support/wire-format.js'

const CHURN_MS = 5000
const FEWEST_ROUNDS = 200

describe('channels', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
    await broker.quiet()
    warren = await WarrenProcess.start(broker.port)
  })
  after(() => warren.stop())
  afterEach(() => broker.deleteAllQueues())

  it('may be opened and closed as fast as 20 clients can, with the same number, on the same upstream connection', async () => {
    // Alone: logins at the same time could each need a connection of their own for a moment.
    const first = await WireClient.connect(warren.port)
    const others = Array.from({ length: 19 }, () => WireClient.connect(warren.port))
    const clients = [first, ...(await Promise.all(others))]
    const [upstream] = await broker.upstreams()
    const end = Date.now() + CHURN_MS
    let rounds = 0
    await Promise.all(
      clients.map(async (client) => {
        // A slow machine takes longer over them.
        while (Date.now() < end || rounds <= FEWEST_ROUNDS) {
          await client.openChannel(1)
          // Something that needs the broker, so that an upstream channel is really used; every other time left unanswered.
          client.method(1, 'exchange.declare', { exchange: 'amq.direct', passive: true })
          if (rounds++ % 2 === 0) await client.expectMethod('exchange.declare-ok')
          client.method(1, 'channel.close', { code: 200, text: 'bye' })
          for (;;) if ((await client.nextMethod()).name === 'channel.close-ok') break
        }
      }),
    )
    expect((await broker.upstreams()).map(({ pid }) => pid)).to.deep.equal([upstream.pid])
    for (const client of clients) await client.close()
    await eventually(async () => expect(await broker.channels()).to.have.length(0))
  })

  it('that the broker closes end for their client alone', async () => {
    const [a, b] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    for (const client of [a, b]) await client.openChannel(1)
    await a.openChannel(2)
    await b.declareQueue(1, 'bs', {})
    a.publish(1, { exchange: 'no-such-exchange', routingKey: 'x', body: 'lost' })
    const close = await a.expectMethod('channel.close')
    expect(close.code).to.equal(404)
    expect(close.text).to.equal("NOT_FOUND - no exchange 'no-such-exchange' in vhost '/'")
    a.publish(1, { routingKey: 'bs', body: 'dropped: the channel is closing' })
    a.method(1, 'channel.close-ok', {})
    await a.openChannel(1)
    a.publish(1, { routingKey: 'bs', body: 'from 1' })
    a.publish(2, { routingKey: 'bs', body: 'from 2' })
    await eventually(async () => expect((await broker.queues())[0].messages).to.equal(2))
    const bodies = [await b.get(1, 'bs'), await b.get(1, 'bs')].map(({ body }) => body.toString())
    expect(bodies.sort()).to.deep.equal(['from 1', 'from 2'])
    await a.close()
    await b.close()
  })

  it('that fail twice, as RabbitMQ lets them, end for their client alone', async () => {
    const [rude, neighbour] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    for (const client of [rude, neighbour]) await client.openChannel(1)
    await neighbour.declareQueue(1, 'n', {})
    for (let round = 0; round < 20; round++) {
      // RabbitMQ looks up what an empty name means before it sees that the channel is closing.
      rude.method(1, 'basic.get', { queue: 'missing' })
      rude.method(1, 'basic.get', { queue: '' })
      expect((await rude.expectMethod('channel.close')).code).to.equal(404)
      rude.method(1, 'channel.close-ok', {})
      await rude.openChannel(1)
      await neighbour.declareQueue(1, 'n', {})
    }
    await rude.close()
    await neighbour.close()
  })

  it('may start and cancel consumers with one tag without waiting, over which RabbitMQ would crash', async () => {
    const [rude, neighbour] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    for (const client of [rude, neighbour]) await client.openChannel(1)
    await neighbour.declareQueue(1, 'n', {})
    const before = await broker.carriers()
    const request = { queue: 'n', consumerTag: 't' }
    const pair = Buffer.concat([method(1, 'basic.consume', request), method(1, 'basic.cancel', request)])
    const silent = Buffer.concat([
      method(1, 'basic.consume', { ...request, nowait: true }),
      method(1, 'basic.cancel', { ...request, nowait: true }),
    ])
    for (let n = 0; n < 50; n++) rude.send(pair)
    for (let n = 0; n < 50; n++) {
      expect((await rude.expectMethod('basic.consume-ok')).consumerTag).to.equal('t')
      expect((await rude.expectMethod('basic.cancel-ok')).consumerTag).to.equal('t')
    }
    rude.send(Buffer.concat(Array<Buffer>(50).fill(silent)))
    await rude.declareQueue(1, 'n', {})
    await neighbour.declareQueue(1, 'n', {})
    expect(await broker.carriers()).to.include.members(before)
    expect(await broker.consumers()).to.have.length(0)
    for (const client of [rude, neighbour]) await client.close()
  })

  it('may use a consumer tag again when the broker has cancelled it, and not before', async () => {
    const [client, neighbour] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    for (const each of [client, neighbour]) await each.openChannel(1)
    for (let round = 0; round < 20; round++) {
      await neighbour.declareQueue(1, 'brief', {})
      client.method(1, 'basic.consume', { queue: 'brief', consumerTag: 't' })
      await client.expectMethod('basic.consume-ok')
      neighbour.method(1, 'queue.delete', { queue: 'brief' })
      await neighbour.expectMethod('queue.delete-ok')
      expect((await client.expectMethod('basic.cancel')).consumerTag).to.equal('t')
    }
    await neighbour.declareQueue(1, 'brief', {})
    for (let count = 0; count < 2; count++)
      client.method(1, 'basic.consume', { queue: 'brief', consumerTag: 't' })
    await client.expectMethod('basic.consume-ok')
    const { code, text } = await client.expectMethod('connection.close')
    expect([code, text]).to.deep.equal([530, "NOT_ALLOWED - attempt to reuse consumer tag 't'"])
    await neighbour.declareQueue(1, 'brief', {})
    client.reset()
    await neighbour.close()
  })

  it('may have more behind a commit than RabbitMQ would bear', async () => {
    const [rude, neighbour] = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    for (const client of [rude, neighbour]) await client.openChannel(1)
    await neighbour.declareQueue(1, 'committed', { durable: true })
    rude.method(1, 'tx.select', {})
    for (let n = 0; n < 20; n++) {
      rude.publish(1, { routingKey: 'committed', body: `${n}`, properties: { deliveryMode: 2 } })
      rude.method(1, 'tx.commit', {})
    }
    await rude.expectMethod('tx.select-ok')
    for (let n = 0; n < 20; n++) await rude.expectMethod('tx.commit-ok')
    for (let n = 0; n < 20; n++)
      expect((await neighbour.get(1, 'committed')).body.toString()).to.equal(`${n}`)
    await rude.close()
    await neighbour.close()
  })

  it('deliver a message of any size as it was published, also to a client with a small frame_max', async () => {
    for (const options of [{}, { frameMax: 4096 }, { frameMax: 8192 }]) {
      const client = await WireClient.connect(warren.port, options)
      await client.openChannel(1)
      await client.declareQueue(1, 'sizes')
      await client.consume(1, 'sizes', { noAck: true })
      for (const size of [0, 1, 4096, 131_072, 10 * 1024 * 1024]) {
        const body = Buffer.alloc(size)
        for (let at = 0; at < size; at++) body[at] = (at * 31 + (at >> 8)) & 0xff
        client.publish(1, { routingKey: 'sizes', body })
        const delivery = await client.expectContent('basic.deliver')
        expect(delivery.body.equals(body), `${size} bytes`).to.equal(true)
      }
      await client.close()
    }
  })

  it('deliver large messages of a client with a large frame_max to one with a small one', async () => {
    const [large, small] = [
      await WireClient.connect(warren.port),
      await WireClient.connect(warren.port, { frameMax: 4096 }),
    ]
    await small.openChannel(1)
    await small.declareQueue(1, 'small', {})
    await small.consume(1, 'small', { noAck: true })
    await large.openChannel(1)
    const body = Buffer.alloc(1_000_000, 'abcdefg')
    large.publish(1, { routingKey: 'small', body })
    expect((await small.expectContent('basic.deliver')).body.equals(body)).to.equal(true)
    await large.close()
    await small.close()
  })
})
