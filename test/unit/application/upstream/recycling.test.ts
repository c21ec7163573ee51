import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import {
  bodyFrame,
  headerFrame,
  method,
  publishFrames,
  type MethodName,
} from '../../../support/wire-format.js'

describe('Recycling', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** A client that has published on its channel 1, and done nothing else. */
  const publisher = async (text: string): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.publish(1, text)
    await settle()
    return client
  }

  /** What the client got on channel 1 since it was opened. */
  const since = (client: FakeClient): MethodName[] =>
    client.names(1).slice(client.names(1).indexOf('channel.open-ok') + 1)

  const returned = (channel: number): Buffer =>
    Buffer.concat([
      method(channel, 'basic.return', { code: 312, text: 'NO_ROUTE' }),
      headerFrame(channel, 4),
      bodyFrame(channel, 'lost'),
    ])

  for (const [how, leave] of [
    ['says goodbye', (client: FakeClient): void => client.close()],
    ['closes its channel', (client: FakeClient): void => client.closeChannel(1)],
    ['ends', (client: FakeClient): void => client.peer.end()],
    ['dies', (client: FakeClient): void => client.peer.reset()],
  ] as const) {
    it(`hands the channel of a client that only published and ${how} on to the next one, behind a barrier`, async () => {
      leave(await publisher('first'))
      await settle()
      await publisher('second')
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.publish',
        'channel.flow',
        'basic.publish',
      ])
      expect(world.upstream.received(1)[2].args).to.deep.equal({ active: true })
      expect(world.upstream.published()).to.deep.equal(['first', 'second'])
    })

    it(`does not hand the channel of a client that ${how} on before the barrier has come back`, async () => {
      world.broker.holdsCloseOk = true
      leave(await publisher('first'))
      await settle()
      await publisher('second')
      expect(world.upstream.published(2)).to.deep.equal(['second'])
      world.upstream.answerCloses()
      await settle()
      await publisher('third')
      expect(world.upstream.published(1)).to.deep.equal(['first', 'third'])
    })

    for (const [what, frame] of [
      ['recovers', method(1, 'basic.recover', { requeue: true })],
      ['consumes', method(1, 'basic.consume', { queue: 'q' })],
      ['gets', method(1, 'basic.get', { queue: 'q' })],
      ['asks for confirms', method(1, 'confirm.select')],
      ['begins a transaction', method(1, 'tx.select')],
      ['declares a queue', method(1, 'queue.declare', { queue: 'q' })],
    ] as const) {
      it(`closes the channel of a client that ${what} and ${how}`, async () => {
        const client = await world.connectWithChannels(1)
        world.broker.answersRequests = true
        client.send(frame, publishFrames(1, { body: 'first' }))
        await settle()
        leave(client)
        await settle()
        await publisher('second')
        expect(world.upstream.names(1).slice(-4)).to.deep.equal([
          'basic.publish',
          'channel.close',
          'channel.open',
          'basic.publish',
        ])
      })
    }
  }

  it('hands on the channel of a client that asked for a prefetch, as php-amqp always does, and only published', async () => {
    const client = await world.connectWithChannels(1)
    client.send(method(1, 'basic.qos', { prefetchCount: 3 }), publishFrames(1, { body: 'first' }))
    await settle()
    expect(client.names(1).slice(1)).to.deep.equal(['basic.qos-ok'])
    client.close()
    await settle()
    await publisher('second')
    expect(world.upstream.names(1)).to.deep.equal([
      'channel.open',
      'basic.publish',
      'channel.flow',
      'basic.publish',
    ])
  })

  it('keeps what the broker still has for the former owner from the next one', async () => {
    world.broker.holdsCloseOk = true
    const former = await publisher('first')
    former.peer.reset()
    await settle()
    world.upstream.send(returned(1))
    world.upstream.answerCloses()
    await settle()
    const next = await publisher('second')
    expect(world.upstream.published(1)).to.deep.equal(['first', 'second'])
    expect(since(next)).to.deep.equal([])
  })

  for (const [how, leave] of [
    ['closes its channel', (client: FakeClient): void => client.closeChannel(1)],
    ['says goodbye', (client: FakeClient): void => client.close()],
  ] as const) {
    it(`brings to a client that ${how} what the broker has for it before its answer`, async () => {
      world.broker.holdsCloseOk = true
      const client = await publisher('first')
      leave(client)
      await settle()
      expect(since(client)).to.deep.equal([])
      // In one piece: the last frame before the barrier's answer.
      world.upstream.send(returned(1), method(1, 'channel.flow-ok', { active: true }))
      await settle()
      expect(client.names().slice(-2)).to.deep.equal([
        'basic.return',
        how === 'says goodbye' ? 'connection.close-ok' : 'channel.close-ok',
      ])
    })
  }

  it('puts the barrier behind all that came in one piece with the close', async () => {
    const client = await world.connectWithChannels(1)
    client.send(publishFrames(1, { body: 'a' }), publishFrames(1, { body: 'b' }), method(1, 'channel.close'))
    await settle()
    expect(world.upstream.names(1)).to.deep.equal([
      'channel.open',
      'basic.publish',
      'basic.publish',
      'channel.flow',
    ])
  })

  it('does not show the barrier to the client', async () => {
    const client = await publisher('first')
    client.closeChannel(1)
    await settle()
    expect(since(client)).to.deep.equal(['channel.close-ok'])
  })

  it('lets the client open its channel anew at once, on the same upstream channel', async () => {
    const client = await publisher('first')
    client.send(method(1, 'channel.close'), method(1, 'channel.open'), publishFrames(1, { body: 'second' }))
    await settle()
    expect(since(client)).to.deep.equal(['channel.close-ok', 'channel.open-ok'])
    expect(world.upstream.published(1)).to.deep.equal(['first', 'second'])
  })

  it("leaves a client's own Channel.Flow alone", async () => {
    const client = await publisher('first')
    client.method(1, 'channel.flow', { active: true })
    await settle()
    expect(since(client)).to.deep.equal(['channel.flow-ok'])
  })

  it('hands on the channel of a client that died in the middle of a message, and nothing of the message', async () => {
    const message = publishFrames(1, { body: 'half a message', frameMax: 13 })
    for (let cut = 1; cut < message.length; cut++) {
      const client = await world.connectWithChannels(1)
      client.send(message.subarray(0, cut))
      await settle()
      client.peer.reset()
      await settle()
    }
    await publisher('whole')
    expect(world.upstream.published()).to.deep.equal(['whole'])
    expect(world.upstream.openChannels).to.deep.equal([1])
  })

  describe('when the broker closes a channel behind which the barrier is under way', () => {
    const refusal = { code: 404, text: "NOT_FOUND - no exchange 'x' in vhost '/'" }

    beforeEach(() => {
      world.broker.holdsCloseOk = true
    })

    it('answers, and opens a new one for the next client', async () => {
      const client = await publisher('first')
      client.peer.reset()
      await settle()
      world.upstream.closeChannel(1, refusal)
      world.upstream.answerCloses()
      await settle()
      await publisher('second')
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.publish',
        'channel.flow',
        'channel.close-ok',
        'channel.open',
        'basic.publish',
      ])
    })

    it('tells a client that closes the channel the error and then that it is closed', async () => {
      const client = await publisher('first')
      client.stubborn = true
      client.closeChannel(1)
      await settle()
      world.upstream.closeChannel(1, refusal)
      await settle()
      expect(since(client)).to.deep.equal(['channel.close', 'channel.close-ok'])
      client.method(1, 'channel.close-ok')
      await settle()
      await client.openChannels(1)
      client.publish(1, 'second')
      await settle()
      expect(world.upstream.published(1)).to.deep.equal(['first', 'second'])
    })

    it('answers the goodbye of a client that leaves', async () => {
      const client = await publisher('first')
      client.close()
      await settle()
      world.upstream.closeChannel(1, refusal)
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(client.ended).to.equal('ended')
    })
  })

  it('gives room to a client that waits, as soon as the barrier has come back', async () => {
    world = await World.start({ broker: ({ tune }) => (tune.channelMax = 1) })
    const first = await publisher('first')
    world.broker.holdsCloseOk = true
    world.broker.silentBefore = 'open-ok'
    first.peer.reset()
    const second = await world.connectWithChannels(1)
    second.publish(1, 'second')
    await settle()
    expect(world.upstream.published()).to.deep.equal(['first'])
    world.upstream.answerCloses()
    await settle()
    expect(world.upstream.published()).to.deep.equal(['first', 'second'])
    expect(second.ended).to.equal('open')
  })

  it('needs one channel for any number of clients that come one after the other', async () => {
    for (let count = 0; count < 50; count++) {
      const client = await publisher(`client ${count}`)
      client.close()
      await settle()
    }
    expect(world.upstream.openChannels).to.deep.equal([1])
    expect(world.upstream.names(1).filter((name) => name === 'channel.open')).to.have.length(1)
    expect(world.upstream.published(1)).to.have.length(50)
  })

  it('closes spare channels that were not needed for a while', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map((count) => publisher(`client ${count}`)))
    for (const client of clients.slice(1)) client.close()
    await settle()
    expect(world.upstream.openChannels).to.deep.equal([1, 2, 3, 4])
    await world.advance(100_000)
    expect(world.upstream.openChannels).to.deep.equal([1])
    expect(clients[0].ended).to.equal('open')
    await publisher('next')
    expect(world.upstream.openChannels).to.deep.equal([1, 2])
  })

  it('does not keep an unused connection open', async () => {
    const client = await publisher('first')
    client.close()
    await settle()
    await world.advance(60_000)
    expect(world.broker.open).to.have.length(0)
  })

  it('is no reason to answer a goodbye with Close-Ok when the connection is lost before the barrier is back', async () => {
    world.broker.holdsCloseOk = true
    const client = await publisher('first')
    client.close()
    await settle()
    world.upstream.peer.reset()
    await settle()
    expect(client.names(0)).not.to.include('connection.close-ok')
    expect(client.ended).not.to.equal('open')
  })
})
