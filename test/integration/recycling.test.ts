import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

describe('recycled channels', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
    await broker.quiet()
  })
  beforeEach(async () => {
    warren = await WarrenProcess.start(broker.port)
  })
  afterEach(async () => {
    await warren.stop()
    await broker.quiet()
    await broker.deleteAllQueues()
  })

  async function onChannel(): Promise<WireClient> {
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    return client
  }

  /** The pids of the broker's channels: a pid that stays is a channel that wasn't closed. */
  async function channelPids(): Promise<string[]> {
    return (await broker.channels()).map(({ pid }) => pid)
  }

  it('serve one publishing session after the other', async () => {
    const seen = new Set<string>()
    for (let n = 0; n < 20; n++) {
      const client = await onChannel()
      client.publish(1, { routingKey: 'nowhere', body: 'x' })
      await client.close()
      for (const pid of await channelPids()) seen.add(pid)
    }
    expect(seen.size).to.equal(1)
  })

  it('serve the next channel of the same client too', async () => {
    const client = await onChannel()
    client.publish(1, { routingKey: 'nowhere', body: 'x' })
    await client.closeChannel(1)
    const [first] = await channelPids()
    await client.openChannel(1)
    client.publish(1, { routingKey: 'nowhere', body: 'x' })
    await client.closeChannel(1)
    expect(await channelPids()).to.deep.equal([first])
    await client.close()
  })

  for (const [what, use] of [
    ['confirm mode', (c: WireClient) => c.method(1, 'confirm.select', {})],
    ['transactions', (c: WireClient) => c.method(1, 'tx.select', {})],
    ['a consumer', (c: WireClient) => c.method(1, 'basic.consume', { queue: 'q' })],
    ['a delivery', (c: WireClient) => c.method(1, 'basic.get', { queue: 'q' })],
    ['a current queue', (c: WireClient) => c.method(1, 'queue.declare', { queue: 'q' })],
  ] as const)
    it(`are not those that had ${what}`, async () => {
      const setUp = await onChannel()
      await setUp.declareQueue(1, 'q', {})
      await setUp.close()
      await eventually(async () => expect(await channelPids()).to.have.length(0))
      const client = await onChannel()
      client.publish(1, { routingKey: 'nowhere', body: 'x' })
      use(client)
      await client.nextMethod()
      const used = await channelPids()
      await client.close()
      const next = await onChannel()
      next.publish(1, { routingKey: 'nowhere', body: 'x' })
      // The broker takes a moment to forget a channel that it has closed.
      await eventually(async () => {
        const [channel, ...others] = await broker.channels()
        expect(others).to.deep.equal([])
        expect(used).not.to.include(channel.pid)
        expect(channel).to.include({
          confirm: false,
          transactional: false,
          consumers: 0,
          unacked: 0,
          prefetch: 0,
        })
      })
      await next.close()
    })

  it('are those that asked for a prefetch and only published, and have none', async () => {
    const client = await onChannel()
    client.method(1, 'basic.qos', { prefetchCount: 7 })
    await client.expectMethod('basic.qos-ok')
    client.publish(1, { routingKey: 'nowhere', body: 'x' })
    await eventually(async () => expect(await channelPids()).to.have.length(1))
    const used = await channelPids()
    await client.close()
    const next = await onChannel()
    next.publish(1, { routingKey: 'nowhere', body: 'x' })
    next.method(1, 'channel.flow', { active: true })
    await next.expectMethod('channel.flow-ok')
    expect(await channelPids()).to.deep.equal(used)
    expect((await broker.channels())[0].prefetch).to.equal(0)
    await next.close()
  })

  it("never show a client the returns or errors of the channel's former owner", async () => {
    for (let round = 0; round < 50; round++) {
      const former = await onChannel()
      for (let n = 0; n < 20; n++) former.publish(1, { routingKey: 'nowhere', body: 'x', mandatory: true })
      if (round % 2 === 0) former.publish(1, { exchange: 'missing', routingKey: 'x', body: 'x' })
      former.reset()
      const next = await onChannel()
      next.publish(1, { routingKey: 'nowhere', body: 'x' })
      next.method(1, 'channel.flow', { active: true })
      await next.expectMethod('channel.flow-ok')
      next.reset()
    }
    expect((await broker.upstreams()).length).to.equal(1)
  })

  it('still give the leaving client its returns, before Channel.Close-Ok and before Connection.Close-Ok', async () => {
    for (const end of ['channel', 'connection']) {
      const client = await onChannel()
      for (let n = 0; n < 10; n++) client.publish(1, { routingKey: 'nowhere', body: `${n}`, mandatory: true })
      if (end === 'channel') client.method(1, 'channel.close', { code: 200, text: 'bye' })
      else client.method(0, 'connection.close', { code: 200, text: 'bye' })
      for (let n = 0; n < 10; n++)
        expect((await client.expectContent('basic.return')).body.toString()).to.equal(`${n}`)
      await client.expectMethod(`${end}.close-ok` as 'channel.close-ok')
      client.reset()
    }
  })

  it('publish everything that was sent before Connection.Close, and confirms that come go on to the leaving client', async () => {
    const client = await onChannel()
    await client.declareQueue(1, 'confirmed', {})
    client.method(1, 'confirm.select', {})
    await client.expectMethod('confirm.select-ok')
    for (let n = 0; n < 200; n++) client.publish(1, { routingKey: 'confirmed', body: 'x' })
    client.method(0, 'connection.close', { code: 200, text: 'bye' })
    let confirmed = 0
    for (;;) {
      const method = await client.nextMethod()
      if (method.name === 'connection.close-ok') break
      expect(method.name).to.equal('basic.ack')
      confirmed = Number((method.args as { deliveryTag: number | bigint }).deliveryTag)
    }
    expect(confirmed).to.be.at.most(200)
    // Eventually: the broker lets a question for the count overtake the messages that wait for their queue.
    await eventually(async () => expect((await broker.queues())[0].messages).to.equal(200))
    client.reset()
  })

  it('tell the leaving client of an error of its last publish', async () => {
    const client = await onChannel()
    client.publish(1, { exchange: 'missing', routingKey: 'x', body: 'x' })
    client.method(1, 'channel.close', { code: 200, text: 'bye' })
    expect((await client.expectMethod('channel.close')).code).to.equal(404)
    await client.expectMethod('channel.close-ok')
    client.method(1, 'channel.close-ok', {})
    await client.openChannel(1)
    await client.close()
  })

  it('are closed again when a burst is over', async () => {
    await warren.stop()
    warren = await WarrenProcess.start(broker.port, [
      '--pool-cleanup-interval',
      '0.5',
      '--pool-idle-timeout',
      '60',
    ])
    const clients = await Promise.all(Array.from({ length: 50 }, () => onChannel()))
    for (const client of clients) client.publish(1, { routingKey: 'nowhere', body: 'x' })
    await eventually(async () => expect(await channelPids()).to.have.length(50))
    for (const client of clients) await client.close()
    await eventually(async () => expect(await channelPids()).to.have.length(0))
  })
})
