import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method } from '../../../support/wire-format.js'

const GET = method(1, 'basic.get', { queue: 's' })

describe('A request that some kinds of queue cannot fulfil', () => {
  let world: World
  let client: FakeClient

  beforeEach(async () => {
    world = await World.start()
    world.broker.kinds['s'] = 'stream'
    world.broker.kinds['t'] = 'stream'
    client = await world.connectWithChannels(1)
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const send = async (...frames: Buffer[]): Promise<void> => {
    client.send(...frames)
    await settle()
  }

  /** How often the broker was asked for the kind of a queue. */
  const questions = (): number =>
    world.upstream.log.methods.filter(
      ({ name, args }) =>
        name === 'basic.consume' &&
        (args as { consumerTag: string }).consumerTag === 'warren-asks-for-the-kind',
    ).length

  it('reaches the broker once the queue has turned out to be of a kind that can, and in order', async () => {
    await send(method(1, 'basic.get', { queue: 'q' }), method(1, 'queue.purge', { queue: 'q' }))
    expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'basic.get', 'queue.purge'])
    expect(questions()).to.equal(1)
  })

  it('is refused to its client alone when it is not, and never reaches the broker', async () => {
    const neighbour = await world.connectWithChannels(1)
    await send(GET)
    expect(client.refusal).to.deep.equal({
      code: 540,
      text: "NOT_IMPLEMENTED - basic.get not supported by stream queues queue 's' in vhost '/'",
    })
    expect([neighbour.refusal, world.upstream.isOpen]).to.deep.equal([undefined, true])
    expect(world.upstream.log.methods.some(({ name }) => name === 'basic.get')).to.equal(false)
    expect(world.upstream.openChannels, 'the question has left nothing behind').to.deep.equal([])
  })

  it('asks again after a minute, or when the queue was declared or deleted', async () => {
    const get = method(1, 'basic.get', { queue: 'q' })
    await send(get, get)
    expect(questions()).to.equal(1)
    await send(method(1, 'queue.delete', { queue: 'q' }), get)
    expect(questions()).to.equal(2)
    await send(method(1, 'queue.declare', { queue: 'q' }), get)
    expect(questions()).to.equal(3)
    await world.advance(61_000)
    await send(get)
    expect(questions()).to.equal(4)
  })

  it('asks nothing about an exclusive queue, one that the broker has named, or the way back for answers', async () => {
    await send(method(1, 'queue.declare', { queue: 'own', exclusive: true }))
    world.upstream.method(1, 'queue.declare-ok', { queue: 'own' })
    await settle()
    await send(
      ...['own', 'amq.gen-1', 'amq.rabbitmq.reply-to'].map((queue) =>
        method(1, 'basic.consume', { queue, consumerTag: queue, noAck: true }),
      ),
    )
    expect(questions()).to.equal(0)
  })

  it('lets a client go that leaves before the answer', async () => {
    await send(GET)
    client.peer.reset()
    await settle()
    expect(world.proxy.clients).to.equal(0)
  })

  describe('such as taking a delivery back', () => {
    const consume = async (queue: string, consumerTag: string): Promise<void> => {
      await send(method(1, 'basic.consume', { queue, consumerTag }))
      world.upstream.method(1, 'basic.consume-ok', { consumerTag })
      await settle()
    }
    const NACK = method(1, 'basic.nack', { deliveryTag: 1 })

    it('is refused to a client that consumes from streams', async () => {
      await consume('s', 'one')
      await consume('t', 'two')
      await send(NACK)
      expect(client.refusal?.code).to.equal(540)
    })

    it('reaches the broker from others', async () => {
      await consume('q', 'one')
      await send(NACK, NACK)
      expect(world.upstream.names(1).slice(-2)).to.deep.equal(['basic.nack', 'basic.nack'])
      expect(questions()).to.equal(1)
    })

    it('reaches the broker from a channel that also consumes from something else, as it may be about that', async () => {
      await consume('s', 'one')
      await consume('q', 'two')
      await send(NACK)
      expect(world.upstream.names(1).at(-1)).to.equal('basic.nack')
    })
  })

  it('is to consume from a quorum queue with a prefetch for all consumers together', async () => {
    world.broker.kinds['u'] = 'quorum'
    await send(
      method(1, 'basic.qos', { prefetchCount: 1, global: true }),
      method(1, 'basic.consume', { queue: 'u', consumerTag: 't' }),
    )
    expect(client.refusal).to.deep.equal({
      code: 540,
      text: "NOT_IMPLEMENTED - queue 'u' in vhost '/' does not support global qos",
    })
  })
})
