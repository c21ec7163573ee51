import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { frameEnds, type FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { bodyFrame, frame, method, publishFrames, type MethodName } from '../../../support/wire-format.js'

const DECLARE = method(1, 'queue.declare', { queue: 'q' })
/** What RabbitMQ answers with Connection.Close. */
const FORBIDDEN = method(1, 'basic.qos', { prefetchSize: 1 })

/** A message that is too large, without its body. */
const tooLarge = (channel: number): Buffer => {
  const message = publishFrames(channel, { body: 'x'.repeat(101) })
  return message.subarray(0, frameEnds(message)[1])
}

describe('A connection error', () => {
  let world: World
  let client: FakeClient

  beforeEach(async () => {
    const { client: defaults } = World.defaults
    world = await World.start({ settings: { client: { ...defaults, maxMessageBytes: 100 } } })
    client = await world.connectWithChannels(2)
    world.broker.holdsCloseOk = true
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const send = async (...frames: Buffer[]): Promise<void> => {
    client.send(...frames)
    await settle()
  }

  const declareOk = async (channel: number): Promise<void> => {
    world.upstream.method(channel, 'queue.declare-ok', { queue: 'q' })
    await settle()
  }

  const answerCloses = async (): Promise<void> => {
    world.upstream.answerCloses()
    await settle()
  }

  /** What the client got since its channels were open. */
  const said = (): MethodName[] => client.names().slice(client.names().lastIndexOf('channel.open-ok') + 1)

  for (const [what, forbidden, code] of [
    ['over what a channel may not do', FORBIDDEN, 540],
    ['over a channel that is not open', method(7, 'basic.get', { queue: 'q' }), 504],
    ['over a frame that may not stand there', bodyFrame(1, 'x'), 505],
    ['over a method that belongs to a channel', method(0, 'basic.get'), 504],
    ['over a broken frame', Buffer.concat([frame(1, 1, Buffer.alloc(4)).subarray(0, -1), Buffer.of(0)]), 501],
  ] as const) {
    it(`${what} comes behind the answers to what the client has sent before`, async () => {
      await send(DECLARE, method(2, 'basic.get'), forbidden)
      expect(said()).to.deep.equal([])
      await declareOk(1)
      world.upstream.method(2, 'basic.get-empty')
      await answerCloses()
      expect(said()).to.deep.equal(['queue.declare-ok', 'basic.get-empty', 'connection.close'])
      expect(client.refusal?.code).to.equal(code)
      expect(world.upstream.openChannels).to.deep.equal([])
    })
  }

  it('comes at once when the broker owes no answer', async () => {
    await send(FORBIDDEN)
    expect(said()).to.deep.equal(['connection.close'])
  })

  it('comes behind Consume-Ok, which the broker would not send behind Channel.Close', async () => {
    await send(method(1, 'basic.consume', { queue: 'q', consumerTag: 't' }), FORBIDDEN)
    expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'basic.consume'])
    world.upstream.method(1, 'basic.consume-ok', { consumerTag: 't' })
    world.upstream.deliver(1, { consumerTag: 't', body: 'x' })
    await settle()
    await answerCloses()
    expect(said()).to.deep.equal(['basic.consume-ok', 'basic.deliver', 'connection.close'])
  })

  it('comes behind the error of a consumer that the broker refuses', async () => {
    await send(method(1, 'basic.consume', { queue: 'absent', consumerTag: 't' }), FORBIDDEN)
    world.upstream.closeChannel(1, { code: 404, text: 'NOT_FOUND' }, 'basic.consume')
    await settle()
    expect(said()).to.deep.equal(['channel.close', 'connection.close'])
  })

  it('comes behind messages that return', async () => {
    await send(publishFrames(1, { body: 'x', mandatory: true }), FORBIDDEN)
    world.upstream.send(
      method(1, 'basic.return', { code: 312, text: 'NO_ROUTE' }),
      publishFrames(1, { body: 'x' }).subarray(method(1, 'basic.publish').length),
    )
    await answerCloses()
    expect(said()).to.deep.equal(['basic.return', 'connection.close'])
  })

  it('comes behind a channel error of the broker over what came before', async () => {
    await send(method(2, 'queue.declare', { queue: 'absent', passive: true }), FORBIDDEN)
    world.upstream.closeChannel(1, { code: 404, text: 'NOT_FOUND' }, 'queue.declare')
    await answerCloses()
    expect(said()).to.deep.equal(['channel.close', 'connection.close'])
  })

  it('comes behind a channel error of Warren’s own', async () => {
    await send(method(2, 'basic.get'), tooLarge(2), FORBIDDEN)
    world.upstream.method(1, 'basic.get-empty')
    await answerCloses()
    expect(said()).to.deep.equal(['basic.get-empty', 'channel.close', 'connection.close'])
  })

  it('keeps everything behind it from being carried out', async () => {
    await send(DECLARE, FORBIDDEN, method(2, 'queue.delete', { queue: 'q' }), publishFrames(1, { body: 'x' }))
    await send(method(2, 'queue.purge', { queue: 'q' }), method(3, 'channel.open'))
    await declareOk(1)
    await answerCloses()
    expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'queue.declare', 'channel.close'])
    expect(world.upstream.names(2)).to.deep.equal([])
    expect(said()).to.deep.equal(['queue.declare-ok', 'connection.close'])
  })

  it('is followed by Close-Ok for a client that has said goodbye behind it', async () => {
    client.stubborn = true
    await send(DECLARE, FORBIDDEN, method(0, 'connection.close', { code: 200 }))
    await declareOk(1)
    await answerCloses()
    expect(said()).to.deep.equal(['queue.declare-ok', 'connection.close', 'connection.close-ok'])
  })

  it('comes when the exclusive queues of the client are deleted', async () => {
    await send(method(1, 'queue.declare', { queue: 'q', exclusive: true }))
    await declareOk(1)
    await send(FORBIDDEN)
    world.upstream.answerCloses([1])
    await settle()
    expect(world.upstream.log.methods.map(({ name }) => name)).to.include('queue.delete')
    expect(said()).to.deep.equal(['queue.declare-ok'])
    await answerCloses()
    expect(said()).to.deep.equal(['queue.declare-ok', 'connection.close'])
  })

  for (const [what, prepare] of [
    ['does not answer', () => undefined],
    ['reads nothing', () => world.upstream.peer.stall()],
  ] as const) {
    it(`waits for 5 s at most when the broker ${what}`, async () => {
      await send(DECLARE)
      prepare()
      await send(FORBIDDEN)
      await world.advance(4900)
      expect(said()).to.deep.equal([])
      await world.advance(100)
      expect(said()).to.deep.equal(['connection.close'])
      expect(world.proxy.clients).to.equal(0)
      world.upstream.peer.drain()
      await declareOk(1)
      await answerCloses()
      expect(client.refusal?.code).to.equal(540)
      expect(world.upstream.openChannels).to.deep.equal([])
    })
  }

  it('waits no longer when the broker is gone', async () => {
    await send(DECLARE, FORBIDDEN)
    await world.brokerGoes()
    expect(said()).to.deep.equal(['connection.close'])
    expect(client.ended).to.equal('ended')
  })

  it('does not keep a client that dies meanwhile', async () => {
    await send(DECLARE, FORBIDDEN)
    client.peer.reset()
    await settle()
    expect(world.proxy.clients).to.equal(0)
    await answerCloses()
    expect(world.upstream.openChannels).to.deep.equal([])
  })

  it('keeps no more than a piece of what the client goes on sending meanwhile', async () => {
    await send(DECLARE, FORBIDDEN)
    await send(publishFrames(1, { body: 'x' }))
    expect(client.peer.isPaused).to.equal(true)
  })

  it('of one client leaves the others alone', async () => {
    const neighbour = await world.connectWithChannels(1)
    await send(DECLARE, FORBIDDEN)
    neighbour.publish(1, 'meanwhile')
    await settle()
    await declareOk(1)
    await answerCloses()
    neighbour.publish(1, 'afterwards')
    await settle()
    expect(world.upstream.published()).to.deep.equal(['meanwhile', 'afterwards'])
    expect(neighbour.refusal).to.equal(undefined)
  })
})

describe('A goodbye', () => {
  let world: World
  let client: FakeClient

  beforeEach(async () => {
    const { client: defaults } = World.defaults
    world = await World.start({ settings: { client: { ...defaults, maxMessageBytes: 100 } } })
    client = await world.connectWithChannels(1)
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const goodbye = async (...before: Buffer[]): Promise<void> => {
    client.send(...before, method(0, 'connection.close', { code: 200 }))
    await settle()
  }

  it('is answered behind a channel error of Warren’s own over what came before', async () => {
    await goodbye(method(1, 'basic.get'), tooLarge(1))
    expect(client.names().slice(-2)).to.deep.equal(['channel.close', 'connection.close-ok'])
  })

  it('is answered behind Consume-Ok, which the broker would not send behind Channel.Close', async () => {
    await goodbye(method(1, 'basic.consume', { queue: 'q', consumerTag: 't' }))
    expect(world.upstream.names(1)).to.deep.equal(['channel.open', 'basic.consume'])
    world.upstream.method(1, 'basic.consume-ok', { consumerTag: 't' })
    await settle()
    expect(client.names().slice(-2)).to.deep.equal(['basic.consume-ok', 'connection.close-ok'])
  })

  it('is answered when the broker refuses the consumer', async () => {
    await goodbye(method(1, 'basic.consume', { queue: 'absent', consumerTag: 't' }))
    world.upstream.closeChannel(1, { code: 404, text: 'NOT_FOUND' }, 'basic.consume')
    await settle()
    expect(client.names().slice(-2)).to.deep.equal(['channel.close', 'connection.close-ok'])
  })
})
