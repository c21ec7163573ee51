import { expect } from 'chai'
import { settle } from '../../support/fake-byte-stream.js'
import type { FakeClient } from '../../support/fake-client.js'
import { World } from '../../support/fake-world.js'
import { method, publishFrames } from '../../support/wire-format.js'

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

  const brokerGoes = async (): Promise<void> => {
    world.brokerDown()
    for (const upstream of world.broker.open) upstream.peer.reset()
    await settle()
  }
  const brokerReturns = async (): Promise<void> => {
    world.brokerUp()
    await world.advance(31_000)
  }

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
    expect(requests.slice(0, 2).map(({ args }) => args)).to.deep.equal([
      { prefetchSize: 0, prefetchCount: 2, global: false },
      { prefetchSize: 0, prefetchCount: 50, global: true },
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
})
