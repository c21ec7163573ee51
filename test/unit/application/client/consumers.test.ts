import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames, type Args, type MethodName } from '../../../support/wire-format.js'

const consume = (consumerTag: string, nowait = false): Buffer =>
  method(1, 'basic.consume', { queue: 'q', consumerTag, nowait })
const cancel = (consumerTag: string, nowait = false): Buffer =>
  method(1, 'basic.cancel', { consumerTag, nowait })

describe('Consumers', () => {
  let world: World
  let client: FakeClient

  beforeEach(async () => {
    world = await World.start()
    client = await world.connectWithChannels(2, { capabilities: { consumer_cancel_notify: true } })
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** The client sends in one piece. */
  const send = async (...frames: Buffer[]): Promise<void> => {
    client.send(...frames)
    await settle()
  }

  /** The broker says something about a consumer on its channel 1. */
  const answer = async (
    name: 'basic.consume-ok' | 'basic.cancel-ok' | 'basic.cancel',
    consumerTag: string,
  ): Promise<void> => {
    world.upstream.method(1, name, { consumerTag })
    await settle()
  }

  /** A consumer that the broker has confirmed. */
  const startConsumer = async (tag: string): Promise<void> => {
    await send(consume(tag))
    await answer('basic.consume-ok', tag)
  }

  /** What the broker got on a channel, but for its opening. */
  const asked = (channel = 1): MethodName[] => world.upstream.names(channel).slice(1)

  /** What the client got on channel 1, but for Channel.Open-Ok. */
  const told = (): MethodName[] => client.names(1).slice(1)

  it('are started and cancelled with the broker’s own answers', async () => {
    await startConsumer('t')
    await send(cancel('t'))
    await answer('basic.cancel-ok', 't')
    expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel'])
    expect(told()).to.deep.equal(['basic.consume-ok', 'basic.cancel-ok'])
    expect(
      client.received(1).map(({ args }) => (args as Args<'basic.consume-ok'>).consumerTag),
    ).to.deep.equal([...[undefined, 't', 't']])
  })

  describe('with a tag that something is being asked about', () => {
    it('are not cancelled before the broker has confirmed them, as RabbitMQ would end the connection of all', async () => {
      await send(consume('t'), cancel('t'))
      expect(asked()).to.deep.equal(['basic.consume'])
      await answer('basic.consume-ok', 't')
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel'])
      await answer('basic.cancel-ok', 't')
      expect(told()).to.deep.equal(['basic.consume-ok', 'basic.cancel-ok'])
    })

    it('are asked for one by one, however many come in one piece', async () => {
      await send(...Array.from({ length: 20 }, () => [consume('t'), cancel('t')]).flat())
      for (let round = 0; round < 20; round++) {
        expect(asked()).to.have.length(2 * round + 1)
        await answer('basic.consume-ok', 't')
        expect(asked()).to.have.length(2 * round + 2)
        await answer('basic.cancel-ok', 't')
      }
      expect(asked()).to.deep.equal(
        Array.from({ length: 20 }, () => ['basic.consume', 'basic.cancel']).flat(),
      )
      expect(told()).to.have.length(40)
      expect(client.peer.isPaused).to.equal(false)
    })

    it('hold up everything behind them, on all channels of the client, and in order', async () => {
      await send(
        consume('t'),
        cancel('t'),
        method(1, 'basic.qos', { prefetchCount: 1 }),
        publishFrames(2, { body: 'behind' }),
      )
      await send(publishFrames(2, { body: 'and later' }))
      expect(world.upstream.names(2)).to.deep.equal([])
      expect(client.peer.isPaused).to.equal(true)
      await answer('basic.consume-ok', 't')
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel', 'basic.qos'])
      expect(world.upstream.published(2)).to.deep.equal(['behind', 'and later'])
      expect(client.peer.isPaused).to.equal(false)
    })

    it('hold up nobody else', async () => {
      const neighbour = await world.connectWithChannels(1)
      await send(consume('t'), consume('t'))
      neighbour.publish(1, 'not held')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['not held'])
    })

    it('do not wait for an answer about another tag, or on another channel', async () => {
      await send(consume('t'), consume('u'), method(2, 'basic.consume', { queue: 'q', consumerTag: 't' }))
      expect([asked(1), asked(2)]).to.deep.equal([['basic.consume', 'basic.consume'], ['basic.consume']])
      await send(cancel('t'))
      world.upstream.method(2, 'basic.consume-ok', { consumerTag: 't' })
      await answer('basic.consume-ok', 'u')
      expect(asked(1)).to.have.length(2)
      await answer('basic.consume-ok', 't')
      expect(asked(1)).to.have.length(3)
    })

    it('do not wait when the broker is to choose the tags', async () => {
      await send(consume(''), consume(''), consume(''))
      expect(asked()).to.have.length(3)
      for (const tag of ['a', 'b', 'c']) await answer('basic.consume-ok', tag)
      expect(told()).to.have.length(3)
    })

    it('see the answer before that to what waited for it', async () => {
      await startConsumer('t')
      await send(cancel('t'), consume('t'))
      world.upstream.send(method(1, 'basic.cancel-ok', { consumerTag: 't' }), method(1, 'basic.qos-ok'))
      await settle()
      expect(told()).to.deep.equal(['basic.consume-ok', 'basic.cancel-ok', 'basic.qos-ok'])
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel', 'basic.consume'])
    })

    it('still get what the broker has for them meanwhile', async () => {
      await startConsumer('t')
      await send(cancel('t'), consume('t'))
      world.upstream.deliver(1, { consumerTag: 't', body: 'late' })
      await settle()
      expect(client.delivered(1)).to.deep.equal(['late'])
    })

    it('do not make their client look silent, although nothing is read from it', async () => {
      client = await world.connectWithChannels(1, { heartbeat: 2 })
      await send(consume('t'), consume('t'))
      await world.advance(60_000)
      expect(client.ended).to.equal('open')
    })
  })

  describe('that want no answer', () => {
    it('are asked for one all the same, which the client does not see', async () => {
      await send(consume('t', true))
      expect(world.upstream.received(1).at(-1)!.args).to.deep.include({ consumerTag: 't', nowait: false })
      await answer('basic.consume-ok', 't')
      await send(cancel('t', true))
      expect(world.upstream.received(1).at(-1)!.args).to.deep.include({ consumerTag: 't', nowait: false })
      await answer('basic.cancel-ok', 't')
      expect(told()).to.deep.equal([])
    })

    it('hide no answer but their own', async () => {
      await send(consume('t', true), consume('u'), consume('', true), consume(''))
      for (const tag of ['t', 'u', 'first', 'second']) await answer('basic.consume-ok', tag)
      const seen = client.received(1).slice(1)
      expect(seen.map(({ args }) => (args as Args<'basic.consume-ok'>).consumerTag)).to.deep.equal([
        ...['u', 'second'],
      ])
    })

    it('wait as the others do', async () => {
      await send(consume('t', true), cancel('t', true), consume('t', true), cancel('t', true))
      for (const name of ['basic.consume-ok', 'basic.cancel-ok'] as const) await answer(name, 't')
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel', 'basic.consume'])
      await answer('basic.consume-ok', 't')
      expect(asked()).to.have.length(4)
      expect(told()).to.deep.equal([])
    })

    it('have everything else they ask for left as it is', async () => {
      const request = { queue: 'q', consumerTag: 't', noLocal: true, noAck: true, exclusive: true }
      await send(method(1, 'basic.consume', { ...request, nowait: true, arguments: { 'x-priority': 3 } }))
      expect(world.upstream.received(1).at(-1)!.args).to.deep.equal({
        ...{ ticket: 0, ...request, nowait: false, arguments: { 'x-priority': 3 } },
      })
    })
  })

  describe('with a tag that is in use', () => {
    it('cost their client its connection with 530, and nothing of that reaches the broker', async () => {
      await startConsumer('t')
      const neighbour = await world.connectWithChannels(1)
      neighbour.method(1, 'basic.qos', { prefetchCount: 1 })
      await settle()
      await send(consume('t'))
      expect(client.refusal).to.deep.equal({
        code: 530,
        text: "NOT_ALLOWED - attempt to reuse consumer tag 't'",
      })
      expect(client.ended).to.equal('ended')
      expect(world.upstream.log.methods.filter(({ name }) => name === 'basic.consume')).to.have.length(1)
      neighbour.publish(1, 'still here')
      await settle()
      expect(neighbour.ended).to.equal('open')
      expect(world.upstream.published()).to.deep.equal(['still here'])
    })

    it('are judged only after the answer to what was asked before', async () => {
      await send(consume('t'), consume('t'))
      expect(client.ended).to.equal('open')
      await answer('basic.consume-ok', 't')
      expect(client.names(1).at(-1)).to.equal('basic.consume-ok')
      expect(client.refusal?.code).to.equal(530)
    })

    it('are refused for a tag that the broker has made up, too', async () => {
      await send(consume(''))
      await answer('basic.consume-ok', 'amq.ctag-1')
      await send(consume('amq.ctag-1'))
      expect(client.refusal?.code).to.equal(530)
    })

    it('may have it again once the broker has cancelled the consumer', async () => {
      await startConsumer('t')
      await answer('basic.cancel', 't')
      await send(consume('t'))
      await answer('basic.consume-ok', 't')
      expect(told()).to.deep.equal(['basic.consume-ok', 'basic.cancel', 'basic.consume-ok'])
    })

    it('may have it again also if the client did not announce that it wants to hear of that', async () => {
      client = await world.connectWithChannels(1, { capabilities: {} })
      await startConsumer('t')
      await answer('basic.cancel', 't')
      await send(consume('t'))
      await answer('basic.consume-ok', 't')
      expect(told()).to.deep.equal(['basic.consume-ok', 'basic.consume-ok'])
    })

    it('may have it again after a cancellation by both sides, with the answer', async () => {
      await startConsumer('t')
      await send(cancel('t'), consume('t'))
      await answer('basic.cancel', 't')
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel'])
      await answer('basic.cancel-ok', 't')
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel', 'basic.consume'])
    })

    it('may have it again when the broker cancelled in one breath with its answer, or before it', async () => {
      for (const order of [
        ['basic.consume-ok', 'basic.cancel'],
        ['basic.cancel', 'basic.consume-ok'],
      ] as const) {
        await send(consume('t'), consume('t'))
        world.upstream.send(...order.map((name) => method(1, name, { consumerTag: 't' })))
        await settle()
        await answer('basic.consume-ok', 't')
        await send(cancel('t'))
        await answer('basic.cancel-ok', 't')
      }
      expect(client.ended).to.equal('open')
      expect(asked().filter((name) => name === 'basic.consume')).to.have.length(4)
    })

    it('may have it on a channel that is opened anew', async () => {
      await startConsumer('t')
      client.closeChannel(1)
      await settle()
      await client.openChannels(1)
      await startConsumer('t')
      expect(client.names(1).at(-1)).to.equal('basic.consume-ok')
    })
  })

  it('that nobody has may be cancelled: the broker answers, or not, as the client asked', async () => {
    await send(cancel('nobody'), cancel('nobody'), cancel('nobody', true), consume('nobody'))
    expect(asked()).to.deep.equal(['basic.cancel', 'basic.cancel', 'basic.cancel', 'basic.consume'])
    expect(world.upstream.received(1)[3].args).to.deep.include({ nowait: true })
    for (let count = 0; count < 2; count++) await answer('basic.cancel-ok', 'nobody')
    await answer('basic.consume-ok', 'nobody')
    expect(told()).to.deep.equal(['basic.cancel-ok', 'basic.cancel-ok', 'basic.consume-ok'])
  })

  describe('while a request about a tag waits', () => {
    it('are gone with a client that dies, and nothing of what waited reaches the broker', async () => {
      await send(consume('t'), cancel('t'), publishFrames(2, { body: 'never' }))
      client.peer.reset()
      await settle()
      await answer('basic.consume-ok', 't')
      expect(asked()).to.deep.equal(['basic.consume', 'channel.close'])
      expect(world.upstream.openChannels).to.deep.equal([])
      expect(world.upstream.published()).to.deep.equal([])
      expect(world.proxy.clients).to.equal(0)
    })

    it('are gone with a client that has left, once the broker has answered', async () => {
      await send(consume('t'), cancel('t'))
      client.close()
      await settle()
      expect(client.ended).to.equal('open')
      await answer('basic.consume-ok', 't')
      await answer('basic.cancel-ok', 't')
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel', 'channel.close'])
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(client.ended).to.equal('ended')
    })

    it('end with a channel that the broker closes; what waited is dropped, and the client goes on', async () => {
      await send(consume('t'), consume('t'), publishFrames(2, { body: 'goes on' }))
      world.upstream.closeChannel(1, { code: 404, text: "NOT_FOUND - no queue 'q'" }, 'basic.consume')
      await settle()
      expect(told()).to.deep.equal(['channel.close'])
      expect(client.received(1).at(-1)!.args).to.deep.include({ code: 404, classId: 60, methodId: 20 })
      expect(asked().filter((name) => name === 'basic.consume')).to.have.length(1)
      expect(world.upstream.published()).to.deep.equal(['goes on'])
      await client.openChannels(1)
      expect(client.ended).to.equal('open')
    })

    it('hear of the loss of the upstream connection', async () => {
      await send(consume('t'), consume('t'))
      world.upstream.peer.reset()
      await settle()
      expect(client.refusal?.code).to.equal(320)
      expect(client.ended).to.equal('ended')
    })

    it('and the upstream connection is congested, go on after both', async () => {
      await send(consume('t'), cancel('t'))
      world.upstream.peer.stall()
      const neighbour = await world.connectWithChannels(1)
      neighbour.method(1, 'basic.qos', { prefetchCount: 1 })
      await settle()
      await answer('basic.consume-ok', 't')
      await send(publishFrames(1, { body: 'behind' }))
      expect(asked()).to.deep.equal(['basic.consume'])
      world.upstream.peer.drain()
      await settle()
      expect(asked()).to.deep.equal(['basic.consume', 'basic.cancel', 'basic.publish'])
      expect(client.peer.isPaused).to.equal(false)
    })
  })
})
