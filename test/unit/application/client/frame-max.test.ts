import { expect } from 'chai'
import { deliveryFrames } from '../../../support/fake-broker.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'

/** Different bytes all along. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32BE(at * 7, at)
  return bytes
}

describe("A client's frame_max", () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const connect = async (frameMax: number): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1, { frameMax })
    client.method(1, 'basic.consume', { queue: 'q' })
    await settle()
    return client
  }

  const lastDelivery = (client: FakeClient): { body: Buffer; bodyFrames: readonly number[] } => {
    const { name, body, bodyFrames } = client.received(1).at(-1)!
    expect(name).to.equal('basic.deliver')
    return { body: body!, bodyFrames: bodyFrames! }
  }

  it("smaller than the broker's splits bodies, and their contents stay equal", async () => {
    const client = await connect(4096)
    const body = pattern(10_000)
    world.upstream.deliver(1, { body })
    await settle()
    expect(lastDelivery(client).body.equals(body)).to.equal(true)
    expect(lastDelivery(client).bodyFrames).to.deep.equal([4088, 4088, 1824])
  })

  it("gets the pieces on the client's own channel, whatever the upstream channel's number is", async () => {
    const neighbour = await connect(131_072)
    const client = await connect(4096)
    world.upstream.deliver(2, { body: pattern(10_000) })
    await settle()
    expect(lastDelivery(client).body.equals(pattern(10_000))).to.equal(true)
    expect(neighbour.refusal).to.equal(undefined)
  })

  it('is never exceeded, and splits nothing that fits', async () => {
    const client = await connect(4096)
    for (const size of [0, 1, 4087, 4088, 4089, 8176, 8177]) {
      world.upstream.deliver(1, { body: pattern(size) })
      await settle()
      const { body, bodyFrames } = lastDelivery(client)
      expect(body.equals(pattern(size))).to.equal(true)
      expect(bodyFrames).to.have.length(Math.ceil(size / 4088))
    }
    for (const { payload } of client.log.frames.slice(3)) expect(payload.length).to.be.at.most(4088)
  })

  it('holds for bodies of several frames', async () => {
    const client = await connect(4096)
    const body = pattern(30_000)
    world.upstream.deliver(1, { body, frameSizes: [10_000, 3000, 16_000, 1000] })
    await settle()
    expect(lastDelivery(client).body.equals(body)).to.equal(true)
    expect(Math.max(...lastDelivery(client).bodyFrames)).to.equal(4088)
  })

  it('holds for bodies that come in pieces, however they are cut', async () => {
    const client = await connect(4096)
    const body = pattern(9000)
    const frames = deliveryFrames(1, { body })
    for (const size of [1000, 4096, 8000, 9001]) {
      for (let at = 0; at < frames.length; at += size) world.upstream.send(frames.subarray(at, at + size))
      await settle()
      expect(lastDelivery(client).body.equals(body)).to.equal(true)
      expect(Math.max(...lastDelivery(client).bodyFrames)).to.equal(4088)
    }
  })

  it('does not change the order of what comes for several clients in one piece', async () => {
    const [small, large] = [await connect(4096), await connect(131_072)]
    const numbers = [1, 2, 1, 2, 2, 1]
    world.upstream.send(
      ...numbers.map((channel, at) => deliveryFrames(channel, { body: `${at}`.repeat(5000) })),
    )
    await settle()
    expect(small.delivered(1).map(([first]) => first)).to.deep.equal(['0', '2', '5'])
    expect(large.delivered(1).map(([first]) => first)).to.deep.equal(['1', '3', '4'])
    for (const { body, bodyFrames } of large.received(1).filter(({ name }) => name === 'basic.deliver'))
      expect(bodyFrames).to.deep.equal([body!.length])
  })

  it("splits bodies on the client's own channel, whatever its number at the broker is", async () => {
    await connect(131_072)
    const client = await connect(4096)
    const body = pattern(10_000)
    world.upstream.deliver(2, { body })
    await settle()
    expect(lastDelivery(client).body.equals(body)).to.equal(true)
    expect(client.log.frames.slice(3).filter(({ channel }) => channel !== 1)).to.deep.equal([])
  })

  it("the same as the broker's leaves frames as they are", async () => {
    const client = await connect(131_072)
    const body = pattern(131_064)
    world.upstream.deliver(1, { body })
    await settle()
    expect(lastDelivery(client).bodyFrames).to.deep.equal([131_064])
    expect(lastDelivery(client).body.equals(body)).to.equal(true)
  })

  it('0, where the broker has no limit either, leaves frames as they are', async () => {
    world = await World.start({ broker: ({ tune }) => (tune.frameMax = 0) })
    const client = await connect(0)
    world.upstream.deliver(1, { body: pattern(500_000) })
    await settle()
    expect(lastDelivery(client).bodyFrames).to.deep.equal([500_000])
  })
})
