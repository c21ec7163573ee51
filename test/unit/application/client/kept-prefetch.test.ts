import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames } from '../../../support/wire-format.js'

describe('With a publish buffer, the prefetch of a channel', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start({
      settings: { pool: { publishBufferSize: 100, publishGuarantee: 'confirmed' } },
    })
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const brokerGoes = (): Promise<void> => world.brokerGoes()
  const brokerReturns = (): Promise<BrokerConnection> => world.brokerReturns()

  /** As php-amqp does before it publishes: a prefetch for each channel, whatever it's for. */
  const publishLikePhp = async (body: string): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.method(1, 'basic.qos', { prefetchCount: 3 })
    await settle()
    expect(client.names(1)).to.deep.equal(['channel.open-ok', 'basic.qos-ok'])
    client.publish(1, body)
    client.close()
    await settle()
    return client
  }

  it('lets who only publishes come, publish and leave without a broker', async () => {
    ;(await world.connect()).close()
    await brokerGoes()
    for (const body of ['one', 'two', 'three']) {
      const client = await publishLikePhp(body)
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    }
    await brokerReturns()
    expect(world.upstream.published()).to.deep.equal(['one', 'two', 'three'])
  })

  it('lets a publisher stay when the broker goes, and have its messages kept until they are confirmed', async () => {
    world.broker.confirms = false
    const client = await world.connectWithChannels(1)
    client.method(1, 'basic.qos', { prefetchCount: 3 })
    client.publish(1, 'one')
    await settle()
    await brokerGoes()
    expect(client.refusal).to.equal(undefined)
    world.broker.confirms = true
    await brokerReturns()
    expect(world.upstream.published()).to.deep.equal(['one'])
  })

  it('lets no publisher overtake what others have published before it', async () => {
    ;(await world.connect()).close()
    await brokerGoes()
    await publishLikePhp('one')
    world.broker.confirms = false
    await brokerReturns()
    const client = await world.connectWithChannels(1)
    client.send(method(1, 'basic.qos', { prefetchCount: 3 }), publishFrames(1, { body: 'two' }))
    await settle()
    expect(world.upstream.published()).to.deep.equal(['one'])
    world.upstream.confirm(world.upstream.openChannels[0], 1)
    await settle()
    expect(world.upstream.published()).to.deep.equal(['one', 'two'])
  })

  it('is with the broker before the first consumer, the last of each kind, and answered to the client once', async () => {
    const client = await world.connectWithChannels(1)
    for (const args of [{ prefetchCount: 1 }, { prefetchCount: 50, global: true }, { prefetchCount: 2 }])
      client.method(1, 'basic.qos', args)
    await settle()
    client.method(1, 'basic.consume', { queue: 'q', consumerTag: 'tag' })
    await settle()
    const requests = world.upstream.received(1).slice(1)
    expect(requests.map(({ name }) => name)).to.deep.equal(['basic.qos', 'basic.qos', 'basic.consume'])
    // In that order: in RabbitMQ a prefetch for each consumer lifts the one for all.
    expect(requests.slice(0, 2).map(({ args }) => args)).to.deep.equal([
      { prefetchSize: 0, prefetchCount: 50, global: true },
      { prefetchSize: 0, prefetchCount: 2, global: false },
    ])
    for (const name of ['basic.qos-ok', 'basic.qos-ok'] as const) world.upstream.method(1, name)
    world.upstream.method(1, 'basic.consume-ok', { consumerTag: 'tag' })
    client.method(1, 'basic.qos', { prefetchCount: 9 })
    await settle()
    world.upstream.method(1, 'basic.qos-ok')
    await settle()
    expect(client.names(1)).to.deep.equal([
      ...['channel.open-ok', 'basic.qos-ok', 'basic.qos-ok', 'basic.qos-ok'],
      ...['basic.consume-ok', 'basic.qos-ok'],
    ])
    expect(world.upstream.received(1).at(-1)?.args).to.deep.include({ prefetchCount: 9 })
  })

  it('is answered behind what was asked before it', async () => {
    const client = await world.connectWithChannels(1)
    client.method(1, 'queue.purge', { queue: 'q' })
    client.method(1, 'basic.qos', { prefetchCount: 1 })
    await settle()
    expect(client.names(1)).to.deep.equal(['channel.open-ok'])
    world.upstream.method(1, 'queue.purge-ok', { messageCount: 0 })
    world.upstream.method(1, 'basic.qos-ok')
    await settle()
    expect(client.names(1)).to.deep.equal(['channel.open-ok', 'queue.purge-ok', 'basic.qos-ok'])
  })

  it('is with the broker before a later one that had to go there', async () => {
    const client = await world.connectWithChannels(1)
    client.method(1, 'basic.qos', { prefetchCount: 3 })
    client.send(
      method(1, 'queue.declare', { queue: 'q' }),
      method(1, 'basic.qos', { prefetchCount: 7 }),
      method(1, 'basic.consume', { queue: 'q' }),
    )
    await settle()
    const requests = world.upstream.received(1).slice(1)
    expect(
      requests.map(({ name, args }) => [name, (args as { prefetchCount?: number }).prefetchCount]),
    ).to.deep.equal([
      ['queue.declare', undefined],
      ['basic.qos', 3],
      ['basic.qos', 7],
      ['basic.consume', undefined],
    ])
    world.upstream.method(1, 'queue.declare-ok', { queue: 'q' })
    world.upstream.method(1, 'basic.qos-ok')
    world.upstream.method(1, 'basic.qos-ok')
    await settle()
    expect(client.names(1)).to.deep.equal([
      'channel.open-ok',
      'basic.qos-ok',
      'queue.declare-ok',
      'basic.qos-ok',
    ])
  })

  it('is with the broker before a message is taken that would count for it', async () => {
    const client = await world.connectWithChannels(1)
    client.send(
      method(1, 'basic.qos', { prefetchCount: 1, global: true }),
      method(1, 'basic.get', { queue: 'q' }),
      method(1, 'basic.consume', { queue: 'q' }),
    )
    await settle()
    const names = world.upstream.received(1).map(({ name }) => name)
    expect(names).to.deep.equal(['channel.open', 'basic.qos', 'basic.get', 'basic.consume'])
  })

  it('is not answered in the middle of a message that comes back', async () => {
    const client = await world.connectWithChannels(1)
    client.send(publishFrames(1, { routingKey: 'nowhere', mandatory: true, body: 'lost' }))
    await settle()
    world.upstream.method(1, 'basic.return', { code: 312, text: 'NO_ROUTE', routingKey: 'nowhere' })
    await settle()
    client.method(1, 'basic.qos', { prefetchCount: 1 })
    await settle()
    expect(client.names(1)).to.deep.equal(['channel.open-ok'])
    expect(world.upstream.received(1).at(-1)?.name).to.equal('basic.qos')
  })

  it('is not answered there either when something else has been answered meanwhile', async () => {
    const client = await world.connectWithChannels(1)
    client.send(
      method(1, 'queue.declare', { queue: 'q' }),
      publishFrames(1, { routingKey: 'nowhere', mandatory: true, body: 'lost' }),
    )
    await settle()
    world.upstream.method(1, 'queue.declare-ok', { queue: 'q' })
    world.upstream.method(1, 'basic.return', { code: 312, text: 'NO_ROUTE', routingKey: 'nowhere' })
    await settle()
    client.method(1, 'basic.qos', { prefetchCount: 1 })
    await settle()
    expect(client.names(1)).to.deep.equal(['channel.open-ok', 'queue.declare-ok'])
  })

  for (const [what, ...before] of [
    ['a message that the broker may refuse', publishFrames(1, { exchange: 'missing', body: 'lost' })],
    ['an acknowledgement that it may refuse', method(1, 'basic.ack', { deliveryTag: 7 })],
    [
      'a request without an answer that it may refuse',
      method(1, 'tx.select'),
      method(1, 'confirm.select', { nowait: true }),
    ],
  ] as const)
    it(`is answered by the broker behind ${what}, and not at all if it does`, async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      client.send(before[0])
      await settle()
      if (before.length > 1) world.upstream.method(1, 'tx.select-ok')
      client.send(...before.slice(1), method(1, 'basic.qos', { prefetchCount: 1 }))
      await settle()
      expect(client.names(1)).not.to.include('basic.qos-ok')
      world.upstream.method(1, 'channel.close', { code: 404, text: 'NOT_FOUND', classId: 60, methodId: 40 })
      await settle()
      expect(client.names(1).at(-1)).to.equal('channel.close')
      expect(client.names(1)).not.to.include('basic.qos-ok')
    })

  it('stays with Warren behind a message that the broker has taken', async () => {
    const client = await world.connectWithChannels(1)
    client.publish(1, 'message')
    client.method(1, 'queue.declare', { queue: 'q' })
    await settle()
    world.upstream.method(1, 'queue.declare-ok', { queue: 'q' })
    client.method(1, 'basic.qos', { prefetchCount: 1 })
    await settle()
    expect(client.names(1)).to.deep.equal(['channel.open-ok', 'queue.declare-ok', 'basic.qos-ok'])
    expect(world.upstream.names(1)).not.to.include('basic.qos')
  })

  it('that the broker has had makes the channel unfit for the next client', async () => {
    world = await World.start()
    const client = await world.connectWithChannels(1)
    client.send(publishFrames(1, { body: 'message' }), method(1, 'basic.qos', { prefetchCount: 1 }))
    await settle()
    world.upstream.method(1, 'basic.qos-ok')
    client.method(1, 'channel.close')
    await settle()
    expect(world.upstream.names(1)).to.deep.equal([
      ...['channel.open', 'basic.publish', 'basic.qos', 'channel.close'],
    ])
  })

  it('has an answer that says nothing about what was asked behind it: no consumer is cancelled while its queue is being deleted', async () => {
    const client = await world.connectWithChannels(1)
    client.send(
      method(1, 'basic.qos', { prefetchCount: 1 }),
      method(1, 'basic.consume', { queue: 'q', consumerTag: 'tag' }),
      method(1, 'queue.delete', { queue: 'q' }),
      method(1, 'basic.qos', { prefetchCount: 2 }),
      method(1, 'basic.cancel', { consumerTag: 'tag' }),
    )
    await settle()
    world.upstream.method(1, 'basic.qos-ok')
    world.upstream.method(1, 'basic.consume-ok', { consumerTag: 'tag' })
    await settle()
    expect(world.upstream.received(1).at(-1)?.name).to.equal('basic.qos')
    world.upstream.method(1, 'queue.delete-ok', { messageCount: 0 })
    await settle()
    expect(world.upstream.received(1).at(-1)?.name).to.equal('basic.cancel')
  })
})
