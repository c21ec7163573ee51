import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { frameEnds, type FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { bodyFrame, headerFrame, method, publishFrames } from '../../../support/wire-format.js'

/** Method, header and three body frames. */
const MESSAGE = publishFrames(1, {
  exchange: 'x',
  routingKey: 'half',
  body: 'one half, other half, end',
  properties: { headers: { a: 1 } },
  frameMax: 18,
})
const ENDS = frameEnds(MESSAGE)

describe('Half messages', () => {
  let world: World
  let neighbour: FakeClient

  beforeEach(async () => {
    world = await World.start()
    neighbour = await world.connectWithChannels(1)
    neighbour.publish(1, 'neighbour')
    await settle()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** The neighbour's channel works; nothing but what is expected was ever begun on another. */
  const expectOnly = async (messages: string[]): Promise<void> => {
    neighbour.publish(1, 'neighbour again')
    await settle()
    const { upstream } = world
    expect(upstream.published(1)).to.deep.equal(['neighbour', 'neighbour again'])
    expect(upstream.log.methods.filter(({ name }) => name === 'basic.publish')).to.have.length(
      2 + messages.length,
    )
    expect(upstream.published()).to.include.members(messages)
    for (const channel of [1, 2, 3, 4]) expect(upstream.log.isInContent(channel)).to.equal(false)
    expect(upstream.log.frames.filter(({ type }) => type === 2)).to.have.length(2 + messages.length)
  }

  it('are whole once their last frame has come, however they are cut', async () => {
    expect(ENDS).to.have.length(5)
    const client = await world.connectWithChannels(1)
    for (let cut = 0; cut <= MESSAGE.length; cut++) {
      client.send(MESSAGE.subarray(0, cut))
      client.send(MESSAGE.subarray(cut))
    }
    await settle()
    const received = world.upstream.received(2).slice(1)
    expect(received).to.have.length(MESSAGE.length + 1)
    for (const { args, properties, body, bodyFrames } of received) {
      expect(args).to.include({ exchange: 'x', routingKey: 'half' })
      expect(properties).to.deep.equal({ headers: { a: 1 } })
      expect(body!.toString()).to.equal('one half, other half, end')
      expect(bodyFrames).to.deep.equal([10, 10, 5])
    }
  })

  it('are whole when they come octet by octet', async () => {
    const client = await world.connectWithChannels(1)
    for (const octet of MESSAGE) {
      client.send(Buffer.of(octet))
      await settle()
    }
    await expectOnly(['one half, other half, end'])
  })

  it('stay with Warren until they are whole', async () => {
    const client = await world.connectWithChannels(1)
    for (const octet of MESSAGE.subarray(0, -1)) {
      client.send(Buffer.of(octet))
      await settle()
      expect(world.upstream.names(2).filter((name) => name !== 'channel.open')).to.deep.equal([])
      expect(world.upstream.log.isInContent(2)).to.equal(false)
    }
    client.send(MESSAGE.subarray(-1))
    await settle()
    await expectOnly(['one half, other half, end'])
  })

  for (const how of ['end', 'reset'] as const) {
    it(`of a client that dies (${how}) at a frame boundary go nowhere, and its neighbours go on`, async () => {
      for (const end of ENDS.slice(0, -1)) {
        const client = await world.connectWithChannels(1)
        client.send(MESSAGE.subarray(0, end))
        await settle()
        client.peer[how]()
        await settle()
        // The channel is handed on from one to the next.
        expect(world.upstream.openChannels.length).to.be.at.most(2)
      }
      await expectOnly([])
    })

    it(`of a client that dies (${how}) within a frame go nowhere, and its neighbours go on`, async () => {
      for (let cut = 1; cut < MESSAGE.length; cut++) {
        const client = await world.connectWithChannels(1)
        client.send(MESSAGE.subarray(0, cut))
        await settle()
        client.peer[how]()
        await settle()
        // The channel is handed on from one to the next.
        expect(world.upstream.openChannels.length).to.be.at.most(2)
      }
      await expectOnly([])
    })
  }

  it('of a client that dies while they trickle in go nowhere', async () => {
    for (let cut = 1; cut < MESSAGE.length; cut += 7) {
      const client = await world.connectWithChannels(1)
      for (const octet of MESSAGE.subarray(0, cut)) client.send(Buffer.of(octet))
      client.peer.end()
      await settle()
    }
    await expectOnly([])
  })

  it('do not keep back the whole ones before them', async () => {
    for (let cut = 0; cut < MESSAGE.length; cut++) {
      const client = await world.connectWithChannels(1)
      client.send(publishFrames(1, { body: 'whole' }), MESSAGE.subarray(0, cut))
      await settle()
      client.peer.reset()
      await settle()
    }
    await expectOnly(Array<string>(MESSAGE.length).fill('whole'))
  })

  it('do not keep back what the client does on its other channels', async () => {
    const client = await world.connectWithChannels(2)
    for (const end of ENDS.slice(0, -1)) {
      client.send(MESSAGE.subarray(0, end), publishFrames(2, { body: 'other' }), MESSAGE.subarray(end))
      await settle()
    }
    expect(world.upstream.published(2)).to.deep.equal(Array(4).fill('one half, other half, end'))
    expect(world.upstream.published(3)).to.deep.equal(Array(4).fill('other'))
  })

  it('on several channels at once are put together each for itself', async () => {
    const client = await world.connectWithChannels(2)
    const other = publishFrames(2, { body: 'abcdefghijklmnopqrst', frameMax: 18 })
    const otherEnds = frameEnds(other)
    const pieces: Buffer[] = []
    for (let at = 0; at < 5; at++) {
      pieces.push(MESSAGE.subarray(ENDS[at - 1] ?? 0, ENDS[at]))
      pieces.push(other.subarray(otherEnds[at - 1] ?? 0, otherEnds[at]))
    }
    client.send(...pieces)
    await settle()
    for (const piece of pieces) client.send(piece)
    await settle()
    for (let cut = 0, all = Buffer.concat(pieces); cut < all.length; cut++) {
      client.send(all.subarray(0, cut))
      client.send(all.subarray(cut))
    }
    await settle()
    const times = 2 + Buffer.concat(pieces).length
    expect(world.upstream.published(2)).to.deep.equal(Array(times).fill('one half, other half, end'))
    expect(world.upstream.published(3)).to.deep.equal(Array(times).fill('abcdefghijklmnopqrst'))
  })

  it('on several channels of a client that dies go nowhere', async () => {
    const client = await world.connectWithChannels(3)
    client.send(
      MESSAGE.subarray(0, ENDS[2]),
      method(2, 'basic.publish', { routingKey: 'q' }),
      publishFrames(3, { body: 'whole' }),
      headerFrame(2, 8),
      bodyFrame(2, 'half'),
    )
    await settle()
    client.peer.reset()
    await settle()
    await expectOnly(['whole'])
  })

  it('of a client that says goodbye in their middle go nowhere, and it is answered', async () => {
    for (const end of ENDS.slice(0, -1)) {
      const client = await world.connectWithChannels(1)
      client.send(MESSAGE.subarray(0, end), method(0, 'connection.close', { code: 200 }))
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    }
    await expectOnly([])
  })

  it('followed by a method on the same channel end that client with 505, and no other', async () => {
    const client = await world.connectWithChannels(1)
    client.send(MESSAGE.subarray(0, ENDS[2]), method(1, 'queue.declare', { queue: 'q' }))
    await settle()
    expect(client.refusal?.code).to.equal(505)
    await expectOnly([])
  })

  it('that turn out longer than announced end that client with 501, and no other', async () => {
    const client = await world.connectWithChannels(1)
    client.send(method(1, 'basic.publish', {}), headerFrame(1, 5), bodyFrame(1, 'too long'))
    await settle()
    expect(client.refusal?.code).to.equal(501)
    await expectOnly([])
  })

  it('without a body are whole with their header', async () => {
    const client = await world.connectWithChannels(1)
    client.send(method(1, 'basic.publish', {}))
    await settle()
    client.send(headerFrame(1, 0))
    await settle()
    expect(world.upstream.published(2)).to.deep.equal([''])
  })

  it('may be large, and come in many chunks', async () => {
    const client = await world.connectWithChannels(1)
    const body = Buffer.alloc(1_000_000, 'abcdefg')
    const frames = publishFrames(1, { body, frameMax: 131_072 })
    for (let at = 0; at < frames.length; at += 65_536) client.send(frames.subarray(at, at + 65_536))
    await settle()
    expect(world.upstream.received(2).at(-1)!.body!.equals(body)).to.equal(true)
  })
})
