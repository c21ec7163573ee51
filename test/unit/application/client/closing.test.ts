import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { deliveryFrames } from '../../../support/fake-broker.js'
import { frameEnds, type FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import {
  bodyFrame,
  headerFrame,
  method,
  publishFrames,
  type MethodName,
} from '../../../support/wire-format.js'

/** Gives channel 1 a state, with which nobody else may have it. */
const QOS = method(1, 'basic.recover', { requeue: true })

describe('Closing', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** A client whose channel 1 is bound upstream, to the lowest free number, and can't be handed on: it has a state. */
  const connectBound = async (text = 'hello'): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.send(QOS)
    client.publish(1, text)
    await settle()
    return client
  }

  /** What the client got on a channel since it was opened. */
  const since = (client: FakeClient, channel: number): MethodName[] =>
    client.names(channel).slice(client.names(channel).indexOf('channel.open-ok') + 1)

  it('A channel that the broker has closed, and goes on delivering on, doesn’t do so to the next owner of its number', async () => {
    const first = await connectBound()
    const { upstream } = world
    upstream.closeChannel(1, { code: 406, text: 'PRECONDITION_FAILED - unknown delivery tag 9' }, 'basic.ack')
    await settle()
    // RabbitMQ hasn't read Close-Ok yet, nor what comes behind it.
    const read = upstream.peer.onData
    const unread: Buffer[] = []
    upstream.peer.onData = (bytes) => unread.push(bytes)
    const second = await connectBound('from the next owner')
    upstream.send(deliveryFrames(1, { deliveryTag: 4, body: 'whole' }))
    upstream.send(deliveryFrames(1, { deliveryTag: 5, body: 'in parts', frameSizes: [3, 5] }))
    await settle()
    upstream.peer.onData = read
    for (const bytes of unread) read(bytes)
    await settle()
    expect(upstream.published(1)).to.include('from the next owner')
    upstream.deliver(1, { deliveryTag: 1, body: 'its own' })
    await settle()
    expect(second.delivered(1)).to.deep.equal(['its own'])
    expect(first.delivered(1)).to.deep.equal([])
  })

  describe('A channel by the client', () => {
    it('reaches the broker, and its answer the client', async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.closeChannel(1)
      await settle()
      expect(world.upstream.received(1).at(-1)).to.deep.include({
        name: 'channel.close',
        args: { code: 200, text: 'bye', classId: 0, methodId: 0 },
      })
      expect(since(client, 1)).to.deep.equal([])
      world.upstream.answerCloses()
      await settle()
      expect(since(client, 1)).to.deep.equal(['channel.close-ok'])
    })

    it('tells a client that says goodbye everything that came in one breath with the answer', async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.close()
      await settle()
      world.upstream.send(method(1, 'basic.recover-ok'), method(1, 'channel.close-ok'))
      await settle()
      expect(client.names().slice(-2)).to.deep.equal(['basic.recover-ok', 'connection.close-ok'])
    })

    it('comes after all that was sent on it', async () => {
      const client = await world.connectWithChannels(1)
      client.send(
        QOS,
        publishFrames(1, { body: 'a' }),
        publishFrames(1, { body: 'b' }),
        method(1, 'channel.close'),
      )
      await settle()
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.recover',
        'basic.publish',
        'basic.publish',
        'channel.close',
      ])
    })

    it('still brings what the broker sends before its answer', async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.closeChannel(1)
      await settle()
      world.upstream.deliver(1, { body: 'late' })
      world.upstream.answerCloses()
      await settle()
      expect(since(client, 1)).to.deep.equal(['basic.deliver', 'channel.close-ok'])
    })

    it('leaves its other channels and other clients alone', async () => {
      const client = await world.connectWithChannels(2)
      client.send(QOS)
      client.publish(1, 'a')
      client.publish(2, 'b')
      const neighbour = await connectBound()
      client.closeChannel(1)
      await settle()
      client.publish(2, 'c')
      neighbour.publish(1, 'd')
      await settle()
      expect(world.upstream.openChannels).to.deep.equal([2, 3])
      expect(world.upstream.published(2)).to.deep.equal(['b', 'c'])
      expect(world.upstream.published(3)).to.deep.equal(['hello', 'd'])
    })

    it('may be followed at once by its opening anew', async () => {
      const client = await connectBound('first')
      world.broker.holdsCloseOk = true
      client.send(method(1, 'channel.close'), method(1, 'channel.open'), publishFrames(1, { body: 'second' }))
      await settle()
      expect(since(client, 1)).to.deep.equal([])
      world.broker.holdsCloseOk = false
      world.upstream.answerCloses()
      await settle()
      expect(since(client, 1)).to.deep.equal(['channel.close-ok', 'channel.open-ok'])
      expect(world.upstream.published(1)).to.deep.equal(['first', 'second'])
      expect(client.peer.isPaused).to.equal(false)
    })

    it('leaves its number reserved upstream until the broker has answered', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.closeChannel(1)
      await settle()
      const second = await connectBound('second')
      expect(world.upstream.published(2)).to.deep.equal(['second'])
      world.upstream.answerCloses()
      await settle()
      const third = await connectBound('third')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'third'])
      for (const { ended } of [client, second, third]) expect(ended).to.equal('open')
    })

    it('is not sent a second time when the client dies before the answer', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.closeChannel(1)
      await settle()
      client.peer.reset()
      await settle()
      expect(world.upstream.names(1).filter((name) => name === 'channel.close')).to.have.length(1)
      world.upstream.answerCloses()
      await settle()
      await connectBound('next')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'next'])
    })

    it('is not sent a second time when it came with the last bytes of a client that died', async () => {
      const client = await connectBound()
      client.closeChannel(1)
      client.peer.end()
      await settle()
      expect(world.upstream.names(1).filter((name) => name === 'channel.close')).to.have.length(1)
    })
  })

  describe('A channel by the broker', () => {
    const refusal = { code: 404, text: "NOT_FOUND - no exchange 'x' in vhost '/'" }

    it('reaches its client alone, unchanged but for the number', async () => {
      const neighbour = await connectBound()
      const client = await world.connectWithChannels(3)
      client.publish(3, 'x')
      await settle()
      world.upstream.closeChannel(2, refusal)
      await settle()
      expect(since(client, 3)).to.deep.equal(['channel.close'])
      expect(client.received(3).at(-1)!.args).to.deep.equal({ ...refusal, classId: 60, methodId: 40 })
      expect(since(neighbour, 1)).to.deep.equal([])
      neighbour.publish(1, 'still here')
      client.publish(1, 'me too')
      await settle()
      expect(world.upstream.published()).to.include.members(['still here', 'me too'])
    })

    it("is answered at once, without waiting for the client's answer", async () => {
      const client = await connectBound()
      client.stubborn = true
      world.upstream.closeChannel(1, refusal)
      await settle()
      expect(world.upstream.names(1).at(-1)).to.equal('channel.close-ok')
      expect(world.upstream.openChannels).to.deep.equal([])
    })

    it('gives its number to the next one, who gets nothing of what the former owner still sends', async () => {
      const client = await connectBound()
      client.stubborn = true
      world.upstream.closeChannel(1, refusal)
      await settle()
      const next = await connectBound('next')
      client.publish(1, 'too late')
      client.method(1, 'queue.declare', { queue: 'too late' })
      await settle()
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'next'])
      expect(world.upstream.names(1)).not.to.include('queue.declare')
      client.method(1, 'channel.close-ok')
      await settle()
      expect(client.ended).to.equal('open')
      expect(next.ended).to.equal('open')
    })

    it('drops what the client has half sent', async () => {
      const client = await world.connectWithChannels(1)
      client.stubborn = true
      const message = publishFrames(1, { body: 'x'.repeat(100), frameMax: 60 })
      client.send(message.subarray(0, 150))
      await settle()
      world.upstream.closeChannel(1, refusal)
      await settle()
      client.send(message.subarray(150))
      client.method(1, 'channel.close-ok')
      client.method(1, 'channel.open')
      client.publish(1, 'afterwards')
      await settle()
      expect(since(client, 1)).to.deep.equal(['channel.close', 'channel.open-ok'])
      expect(world.upstream.published()).to.deep.equal(['afterwards'])
    })

    it('lets the client use the number again after its answer', async () => {
      const client = await connectBound('first')
      world.upstream.closeChannel(1, refusal)
      await settle()
      await client.openChannels(1)
      client.publish(1, 'second')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['first', 'second'])
    })

    it('is followed by nothing for a client that dies before its answer', async () => {
      const client = await connectBound()
      client.stubborn = true
      world.upstream.closeChannel(1, refusal)
      await settle()
      client.peer.reset()
      await settle()
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.recover',
        'basic.publish',
        'channel.close-ok',
      ])
      await connectBound('next')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'next'])
    })

    describe("that crosses with the client's", () => {
      let client: FakeClient

      beforeEach(async () => {
        client = await connectBound()
        client.stubborn = true
        world.broker.holdsCloseOk = true
        client.closeChannel(1)
        await settle()
        world.upstream.closeChannel(1, refusal)
        await settle()
      })

      it('is answered on both sides, and the client sees both closes end', async () => {
        expect(since(client, 1)).to.deep.equal(['channel.close'])
        client.method(1, 'channel.close-ok')
        await settle()
        expect(world.upstream.names(1).at(-1), 'not before the broker has answered').to.equal('channel.close')
        world.upstream.answerCloses()
        await settle()
        expect(world.upstream.names(1).at(-1)).to.equal('channel.close-ok')
        expect(since(client, 1)).to.deep.equal(['channel.close', 'channel.close-ok'])
        await client.openChannels(1)
        expect(client.ended).to.equal('open')
      })

      it('ends as well when the broker answers before the client does', async () => {
        world.upstream.answerCloses()
        await settle()
        expect(since(client, 1)).to.deep.equal(['channel.close', 'channel.close-ok'])
        client.method(1, 'channel.close-ok')
        await settle()
        await client.openChannels(1)
        expect(client.ended).to.equal('open')
      })

      it("leaves the number reserved until the broker's answer", async () => {
        await connectBound('second')
        expect(world.upstream.published(2)).to.deep.equal(['second'])
        world.upstream.answerCloses()
        await settle()
        await connectBound('third')
        expect(world.upstream.published(1)).to.deep.equal(['hello', 'third'])
      })

      it('is over when the client dies, and the number comes free with the answer', async () => {
        client.peer.reset()
        await settle()
        await connectBound('second')
        world.upstream.answerCloses()
        await settle()
        await connectBound('third')
        expect(world.upstream.published(2)).to.deep.equal(['second'])
        expect(world.upstream.published(1)).to.deep.equal(['hello', 'third'])
        expect(world.upstream.names(1).filter((name) => name === 'channel.close')).to.have.length(1)
      })
    })

    for (const kind of ['safe', 'unsafe']) {
      it(`that crosses with a close of the client (${kind}) which its opening follows at once leaves nobody hanging`, async () => {
        const client = await world.connectWithChannels(2)
        client.stubborn = true
        world.broker.holdsCloseOk = true
        if (kind === 'unsafe') client.send(QOS)
        client.publish(1, 'x')
        client.send(method(1, 'channel.close'), method(1, 'channel.open'))
        await settle()
        world.upstream.closeChannel(1, refusal)
        await settle()
        client.send(method(1, 'channel.close-ok'), publishFrames(2, { body: 'still here' }))
        world.upstream.answerCloses()
        await settle()
        expect(client.peer.isPaused).to.equal(false)
        // RabbitMQ takes the opening for a second one, which is the end of the connection.
        if (client.refusal === undefined) expect(world.upstream.published(2)).to.deep.equal(['still here'])
        else expect(client.refusal.code).to.equal(504)
      })
    }

    it("that crosses with Warren's own, for a client that left, is answered, and the number waits for the other answer", async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.peer.reset()
      await settle()
      world.upstream.closeChannel(1, refusal)
      await settle()
      expect(world.upstream.names(1).at(-1), 'not before the answer to its own').to.equal('channel.close')
      await connectBound('second')
      expect(world.upstream.published(2)).to.deep.equal(['second'])
      world.upstream.answerCloses()
      await settle()
      expect(world.upstream.names(1).at(-1)).to.equal('channel.close-ok')
      await connectBound('third')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'third'])
    })

    it('that crosses on the client side, its own coming late, is answered to it', async () => {
      const client = await connectBound()
      client.stubborn = true
      world.upstream.closeChannel(1, refusal)
      await settle()
      client.closeChannel(1)
      client.method(1, 'channel.close-ok')
      await settle()
      expect(since(client, 1)).to.deep.equal(['channel.close', 'channel.close-ok'])
      await client.openChannels(1)
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.recover',
        'basic.publish',
        'channel.close-ok',
      ])
    })
  })

  describe('A channel by Warren, for a message that is too large', () => {
    beforeEach(async () => {
      const { client } = World.defaults
      world = await World.start({ settings: { client: { ...client, maxMessageBytes: 100 } } })
    })

    const tooLarge = publishFrames(1, { body: 'x'.repeat(101) })

    it('tells the client with 406, and the broker with an ordinary close', async () => {
      const client = await connectBound()
      client.send(tooLarge)
      await settle()
      expect(client.received(1).at(-1)!.args).to.include({ code: 406, classId: 60, methodId: 40 })
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.recover',
        'basic.publish',
        'channel.close',
      ])
      expect(client.ended).to.equal('open')
    })

    it('comes at the broker after what the client sent before, in the same piece', async () => {
      const client = await world.connectWithChannels(1)
      client.send(QOS, publishFrames(1, { body: 'small' }), tooLarge)
      await settle()
      expect(world.upstream.names(1)).to.deep.equal([
        'channel.open',
        'basic.recover',
        'basic.publish',
        'channel.close',
      ])
      expect(world.upstream.published()).to.deep.equal(['small'])
    })

    it('leaves other channels and clients alone', async () => {
      const neighbour = await connectBound()
      const client = await world.connectWithChannels(2)
      client.send(publishFrames(2, { body: 'before' }), tooLarge, publishFrames(2, { body: 'after' }))
      await settle()
      neighbour.publish(1, 'still here')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['hello', 'before', 'after', 'still here'])
      expect(client.ended).to.equal('open')
    })

    it('is over with the answer of the client, who may then open it anew', async () => {
      const client = await world.connectWithChannels(1)
      client.send(tooLarge)
      await settle()
      await client.openChannels(1)
      client.publish(1, 'small')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['small'])
    })

    it('comes behind what the broker has sent until it has dealt with all that came before', async () => {
      const client = await connectBound()
      client.stubborn = true
      world.broker.holdsCloseOk = true
      client.send(method(1, 'queue.declare', { queue: 'q' }), tooLarge)
      await settle()
      world.upstream.method(1, 'queue.declare-ok', { queue: 'q' })
      world.upstream.deliver(1, { body: 'late' })
      await settle()
      expect(since(client, 1)).to.deep.equal(['queue.declare-ok', 'basic.deliver'])
      world.upstream.answerCloses()
      await settle()
      expect(since(client, 1)).to.deep.equal(['queue.declare-ok', 'basic.deliver', 'channel.close'])
      expect(client.received(1).at(-1)!.args).to.include({ code: 406, classId: 60, methodId: 40 })
    })

    it('does not come when the broker closes the channel over what came before', async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.send(publishFrames(1, { exchange: 'absent', body: 'x' }), tooLarge)
      await settle()
      world.upstream.closeChannel(1, { code: 404, text: 'NOT_FOUND - no exchange' })
      world.upstream.answerCloses()
      await settle()
      expect(since(client, 1)).to.deep.equal(['channel.close'])
      expect(client.received(1).at(-1)!.args).to.include({ code: 404 })
      world.broker.holdsCloseOk = false
      await client.openChannels(1)
      client.publish(1, 'small')
      await settle()
      expect(world.upstream.published().at(-1)).to.equal('small')
    })

    it('ends the channel for a client that opens it again before the broker has answered the end', async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.send(tooLarge)
      await settle()
      world.upstream.closeChannel(1, { code: 404, text: 'NOT_FOUND - no exchange' })
      await settle()
      await client.openChannels(1)
      client.publish(1, 'on another')
      await settle()
      expect(world.upstream.published(2)).to.deep.equal(['on another'])
      world.upstream.answerCloses()
      await settle()
      client.publish(1, 'still')
      await settle()
      expect(world.upstream.published(2)).to.deep.equal(['on another', 'still'])
      expect(world.upstream.openChannels).to.deep.equal([2])
    })

    describe('in the middle of a delivery', () => {
      /** What is refused, without the body. */
      const announcement = tooLarge.subarray(0, frameEnds(tooLarge)[1])
      const DELIVERY = deliveryFrames(1, { body: 'a long body', frameSizes: [4, 4, 3] })
      /** The ends of all its frames but the last. */
      const CUTS = frameEnds(DELIVERY).slice(0, -1)
      const RETURNED = Buffer.concat([
        method(1, 'basic.return', { code: 312, text: 'NO_ROUTE' }),
        headerFrame(1, 11),
        bodyFrame(1, 'a long body'),
      ])

      const fromBroker = async (bytes: Buffer): Promise<void> => {
        world.upstream.send(bytes)
        await settle()
      }

      /** The rest of the delivery, behind which the broker closes the channel. */
      const finish = async (bytes: Buffer): Promise<void> => {
        await fromBroker(bytes)
        world.upstream.answerCloses()
        await settle()
      }

      beforeEach(() => (world.broker.holdsCloseOk = true))

      for (const cut of CUTS)
        it(`comes after the body's last frame, of which ${DELIVERY.length - cut} bytes are to come`, async () => {
          const client = await connectBound()
          await fromBroker(DELIVERY.subarray(0, cut))
          client.send(tooLarge)
          await settle()
          expect(since(client, 1)).to.deep.equal([])
          for (let at = cut; at < DELIVERY.length; at += 5) await fromBroker(DELIVERY.subarray(at, at + 5))
          await finish(Buffer.alloc(0))
          expect(since(client, 1)).to.deep.equal(['basic.deliver', 'channel.close'])
          expect(client.received(1).at(-1)!.args).to.include({ code: 406, classId: 60, methodId: 40 })
          expect(client.delivered(1)).to.deep.equal(['a long body'])
          expect(world.upstream.openChannels).to.deep.equal([])
        })

      it('comes after a message without a body, and after one that returns', async () => {
        for (const message of [deliveryFrames(1, { body: '' }), RETURNED]) {
          const client = await connectBound()
          const [cut] = frameEnds(message)
          await fromBroker(message.subarray(0, cut))
          client.send(tooLarge)
          await settle()
          expect(since(client, 1)).to.deep.equal([])
          await finish(message.subarray(cut))
          expect(since(client, 1)).to.have.length(2)
          expect(since(client, 1).at(-1)).to.equal('channel.close')
          client.peer.reset()
          await settle()
        }
      })

      it('comes after frames that are cut for a client with a small frame_max', async () => {
        const client = await world.connectWithChannels(1, { frameMax: 4096 })
        client.send(QOS)
        await settle()
        const delivery = deliveryFrames(1, { body: 'y'.repeat(20_000), frameSizes: [10_000, 10_000] })
        await fromBroker(delivery.subarray(0, 12_000))
        client.send(tooLarge)
        await settle()
        await finish(delivery.subarray(12_000))
        expect(since(client, 1)).to.deep.equal(['basic.deliver', 'channel.close'])
      })

      it('makes the client wait with what it sends meanwhile, on all channels', async () => {
        const client = await connectBound()
        await client.openChannels(2)
        await fromBroker(DELIVERY.subarray(0, CUTS[1]))
        client.send(tooLarge, publishFrames(1, { body: 'too late' }), publishFrames(2, { body: 'waits' }))
        await settle()
        expect(world.upstream.published()).to.deep.equal(['hello'])
        expect(client.peer.isPaused).to.equal(true)
        await finish(DELIVERY.subarray(CUTS[1]))
        expect(world.upstream.published()).to.deep.equal(['hello', 'waits'])
        expect(client.peer.isPaused).to.equal(false)
        await client.openChannels(1)
      })

      it('does not make the client wait as long as it sends nothing on the channel', async () => {
        const client = await connectBound()
        await client.openChannels(2)
        await fromBroker(DELIVERY.subarray(0, CUTS[1]))
        client.send(announcement, publishFrames(2, { body: 'goes on' }))
        await settle()
        expect(world.upstream.published()).to.deep.equal(['hello', 'goes on'])
      })

      it('makes nobody else wait', async () => {
        const client = await connectBound()
        const neighbour = await connectBound('neighbour')
        await fromBroker(DELIVERY.subarray(0, CUTS[1]))
        client.send(tooLarge)
        await settle()
        neighbour.publish(1, 'goes on')
        world.upstream.deliver(2, { body: 'here, too' })
        await settle()
        expect(world.upstream.published(2)).to.deep.equal(['neighbour', 'goes on'])
        expect(neighbour.delivered(1)).to.deep.equal(['here, too'])
        await finish(DELIVERY.subarray(CUTS[1]))
        expect(since(client, 1)).to.deep.equal(['basic.deliver', 'channel.close'])
      })

      it('does not stand in the way of a client that dies', async () => {
        const client = await connectBound()
        await fromBroker(DELIVERY.subarray(0, CUTS[1]))
        client.send(tooLarge)
        await settle()
        client.peer.reset()
        await settle()
        await finish(DELIVERY.subarray(CUTS[1]))
        expect(world.upstream.openChannels).to.deep.equal([])
        expect(world.proxy.clients).to.equal(0)
      })

      for (const [when, message] of [
        ['after the whole message', tooLarge],
        ['after its header', announcement],
      ] as const)
        it(`does not stand in the way of a client that says goodbye ${when}`, async () => {
          const client = await connectBound()
          await fromBroker(DELIVERY.subarray(0, CUTS[1]))
          client.send(message, method(0, 'connection.close'))
          await settle()
          await finish(DELIVERY.subarray(CUTS[1]))
          expect(client.names(0).at(-1)).to.equal('connection.close-ok')
          expect(client.delivered(1)).to.deep.equal(['a long body'])
          expect(client.ended).to.equal('ended')
          expect(world.upstream.openChannels).to.deep.equal([])
        })

      it('is the same for a queue that is somebody else’s', async () => {
        const client = await connectBound()
        const owner = await world.connectWithChannels(1)
        owner.method(1, 'queue.declare', { queue: 'q', exclusive: true })
        await settle()
        world.upstream.method(2, 'queue.declare-ok', { queue: 'q' })
        await settle()
        client.method(1, 'queue.purge', { queue: 'q' })
        await settle()
        // The broker says that the queue is there, and still the owner's, in the middle of a delivery.
        await fromBroker(DELIVERY.subarray(0, CUTS[2]))
        for (let questions = 0; questions < 2; questions++) {
          const { channel } = world.upstream.log.methods.findLast(({ name }) => name === 'queue.declare')!
          world.upstream.method(channel, 'queue.declare-ok', { queue: 'q' })
          await settle()
        }
        expect(since(client, 1)).to.deep.equal([])
        await finish(DELIVERY.subarray(CUTS[2]))
        expect(since(client, 1)).to.deep.equal(['basic.deliver', 'channel.close'])
        expect(client.received(1).at(-1)!.args).to.include({ code: 405, classId: 50, methodId: 30 })
      })
    })
  })

  describe('A client that is gone', () => {
    for (const how of ['end', 'reset'] as const) {
      it(`(${how}) has its channels closed at the broker, and nothing else happens there`, async () => {
        const neighbour = await connectBound()
        const client = await world.connectWithChannels(3)
        for (const channel of [1, 2]) client.method(channel, 'basic.recover', { requeue: true })
        await settle()
        client.peer[how]()
        await settle()
        expect(world.upstream.openChannels).to.deep.equal([1])
        for (const channel of [2, 3])
          expect(world.upstream.received(channel).at(-1)).to.deep.include({ name: 'channel.close' })
        expect(world.upstream.names(0)).not.to.include('connection.close')
        expect(neighbour.ended).to.equal('open')
        expect(world.proxy.clients).to.equal(1)
      })
    }

    it('leaves its numbers reserved until the broker has answered', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.peer.reset()
      await settle()
      await connectBound('second')
      expect(world.upstream.published(2)).to.deep.equal(['second'])
      world.upstream.answerCloses()
      await settle()
      await connectBound('third')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'third'])
    })

    it('has what the broker still delivers to it dropped, which no one else gets', async () => {
      const client = await connectBound()
      world.broker.holdsCloseOk = true
      client.peer.reset()
      await settle()
      const next = await connectBound('next')
      world.upstream.deliver(1, { body: 'late' })
      await settle()
      world.upstream.deliver(1, { body: 'later', frameSizes: [2, 3] })
      world.upstream.answerCloses()
      await settle()
      const last = await connectBound('last')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'last'])
      for (const other of [next, last]) expect(other.delivered()).to.deep.equal([])
    })

    it('in the middle of a delivery has the rest of it dropped', async () => {
      const client = await connectBound()
      const neighbour = await connectBound()
      world.broker.holdsCloseOk = true
      const { upstream } = world
      upstream.method(1, 'basic.deliver', { consumerTag: 'c', deliveryTag: 1 })
      upstream.send(headerFrame(1, 10))
      await settle()
      client.peer.reset()
      await settle()
      upstream.send(Buffer.from('0300010000000a30313233343536373839ce', 'hex'))
      upstream.answerCloses()
      upstream.deliver(2, { body: 'for the neighbour' })
      await settle()
      expect(neighbour.delivered()).to.deep.equal(['for the neighbour'])
    })
  })

  describe('A connection by the client', () => {
    it('without channels is answered at once', async () => {
      const client = await world.connectWithChannels(2)
      client.close()
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(client.ended).to.equal('ended')
      expect(world.proxy.clients).to.equal(0)
    })

    it('is answered only after the broker has answered the closes of all its channels', async () => {
      world.broker.holdsCloseOk = true
      const client = await world.connectWithChannels(2)
      client.send(QOS)
      client.publish(1, 'a')
      // The second one has no state: its end is a barrier, see the tests of recycling.
      client.publish(2, 'b')
      client.close()
      await settle()
      expect(world.upstream.names(1).at(-1)).to.equal('channel.close')
      expect(world.upstream.names(2).at(-1)).to.equal('channel.flow')
      expect(client.names(0).at(-1)).to.equal('connection.open-ok')
      world.upstream.answerCloses([1])
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.open-ok')
      expect(client.ended).to.equal('open')
      world.upstream.answerCloses([2])
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(client.ended).to.equal('ended')
    })

    it('waits also for a channel that the client has just closed itself', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.closeChannel(1)
      client.close()
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.open-ok')
      expect(world.upstream.names(1).filter((name) => name === 'channel.close')).to.have.length(1)
      world.upstream.answerCloses()
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('waits for the answer also when the broker closes one of its channels itself', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.close()
      await settle()
      world.upstream.closeChannel(1, { code: 404, text: 'NOT_FOUND' })
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.open-ok')
      world.upstream.answerCloses()
      await settle()
      expect(world.upstream.names(1).at(-1)).to.equal('channel.close-ok')
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it("that crosses with Warren's own is answered, and the connection ends with the answer to that", async () => {
      const client = await connectBound()
      client.stubborn = true
      world.upstream.peer.reset()
      await settle()
      client.close()
      await settle()
      expect(client.names(0).slice(-2)).to.deep.equal(['connection.close', 'connection.close-ok'])
      client.method(0, 'connection.close-ok')
      await settle()
      expect(client.ended).to.equal('ended')
    })

    it('comes after all that came in the same piece', async () => {
      const client = await world.connectWithChannels(1)
      client.send(
        publishFrames(1, { body: 'a' }),
        publishFrames(1, { body: 'b' }),
        method(0, 'connection.close', { code: 200, text: 'bye' }),
      )
      await settle()
      expect(world.upstream.published()).to.deep.equal(['a', 'b'])
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('leaves the upstream connection open, for the next client', async () => {
      const client = await connectBound()
      client.close()
      await settle()
      const { length } = world.dialer.dials
      await connectBound('next')
      expect(world.dialer.dials).to.have.length(length)
      expect(world.upstream.published()).to.deep.equal(['hello', 'next'])
    })

    it('still brings what the broker has sent before its answer, and nothing afterwards', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.close()
      await settle()
      world.upstream.deliver(1, { body: 'due' })
      world.upstream.answerCloses()
      await settle()
      expect(client.names().slice(-2)).to.deep.equal(['basic.deliver', 'connection.close-ok'])
    })

    it('is followed by nothing of what the client sends', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.close()
      client.publish(1, 'too late')
      client.method(5, 'channel.open')
      await settle()
      world.upstream.answerCloses()
      await settle()
      expect(client.names(5)).to.deep.equal([])
      expect(world.upstream.published()).to.deep.equal(['hello'])
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect(client.refusal).to.equal(undefined)
    })

    it('is not answered with Close-Ok when the upstream connection is lost before the broker has answered', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.close()
      await settle()
      world.upstream.peer.reset()
      await settle()
      expect(client.names(0)).not.to.include('connection.close-ok')
      expect(client.ended).not.to.equal('open')
    })

    it('may be broken off by the end of the client', async () => {
      world.broker.holdsCloseOk = true
      const client = await connectBound()
      client.close()
      await settle()
      client.peer.reset()
      await settle()
      expect(world.proxy.clients).to.equal(0)
      world.upstream.answerCloses()
      await settle()
      await connectBound('next')
      expect(world.upstream.published(1)).to.deep.equal(['hello', 'next'])
    })

    it('is reported in one line, with duration and bytes', async () => {
      const client = await connectBound()
      await world.advance(1500)
      client.close()
      await settle()
      const [line, ...others] = world.lines('client disconnected')
      expect(others).to.deep.equal([])
      expect(line.level).to.equal('info')
      expect(line.fields).to.include({
        user: 'guest',
        vhost: '/',
        remote: client.peer.stream.remoteAddress,
        seconds: 1.5,
      })
      expect(line.fields.bytesOut).to.equal(client.peer.received.length)
    })

    it('ends a client that never closes its side', async () => {
      const client = await connectBound()
      client.stubborn = true
      client.close()
      await settle()
      expect(client.ended).to.equal('ended')
      await world.advance(30_000)
      expect(client.peer.isGone).to.equal(true)
      expect(world.proxy.clients).to.equal(0)
    })
  })
})
