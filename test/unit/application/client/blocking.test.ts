import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method } from '../../../support/wire-format.js'

const ANNOUNCES = { capabilities: { 'connection.blocked': true } }

describe('Connection.Blocked', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const block = async (reason = 'low on memory'): Promise<void> => {
    world.upstream.method(0, 'connection.blocked', { reason })
    await settle()
  }

  const unblock = async (): Promise<void> => {
    world.upstream.method(0, 'connection.unblocked')
    await settle()
  }

  /** Reasons of Blocked, and 'free' for Unblocked, in order. */
  const told = (client: FakeClient): string[] =>
    client.received(0).flatMap(({ name, args }) => {
      if (name === 'connection.blocked') return [(args as { reason: string }).reason]
      return name === 'connection.unblocked' ? ['free'] : []
    })

  it('goes to the clients that announced it, and Unblocked too', async () => {
    const clients = [await world.connect(ANNOUNCES), await world.connect(ANNOUNCES)]
    await block()
    for (const client of clients) expect(told(client)).to.deep.equal(['low on memory'])
    await unblock()
    for (const client of clients) expect(told(client)).to.deep.equal(['low on memory', 'free'])
  })

  it('does not go to the others', async () => {
    const clients = [
      await world.connect({ capabilities: {} }),
      await world.connect({ capabilities: { 'connection.blocked': false } }),
    ]
    await world.connect(ANNOUNCES)
    await block()
    await unblock()
    for (const client of clients) expect(told(client)).to.deep.equal([])
  })

  it('goes at once to a client that comes while the broker blocks, after Open-Ok', async () => {
    await world.connect()
    await block('low on disk')
    const client = await world.connect(ANNOUNCES)
    expect(client.names(0).slice(-2)).to.deep.equal(['connection.open-ok', 'connection.blocked'])
    const other = await world.connect({ capabilities: {} })
    expect(told(other)).to.deep.equal([])
    await unblock()
    expect(told(client)).to.deep.equal(['low on disk', 'free'])
  })

  it('does not go to a client that comes after Unblocked', async () => {
    await world.connect()
    await block()
    await unblock()
    expect(told(await world.connect(ANNOUNCES))).to.deep.equal([])
  })

  it('goes again the next time', async () => {
    const client = await world.connect(ANNOUNCES)
    for (let count = 0; count < 2; count++) {
      await block()
      await unblock()
    }
    expect(told(client)).to.deep.equal(['low on memory', 'free', 'low on memory', 'free'])
  })

  it('does not go to the clients of other pools', async () => {
    const other = await world.connect({ ...ANNOUNCES, user: 'other' })
    await world.connect()
    await block()
    expect(told(other)).to.deep.equal([])
  })

  it('right behind Open-Ok goes to the client that is just coming in, and Unblocked too', async () => {
    world.broker.afterOpenOk = method(0, 'connection.blocked', { reason: 'low on memory' })
    const client = await world.connect(ANNOUNCES)
    expect(told(client)).to.deep.equal(['low on memory'])
    await unblock()
    expect(told(client)).to.deep.equal(['low on memory', 'free'])
  })

  it('is over for the clients that stay when the blocked connection of their pool is lost', async () => {
    world = await World.start({ broker: ({ tune }) => (tune.channelMax = 1) })
    const clients = [await world.connect(ANNOUNCES), await world.connect(ANNOUNCES)]
    for (const client of clients) {
      await client.openChannels(1)
      client.publish(1, 'x')
      await settle()
    }
    const blocked = world.broker.open[1]
    blocked.method(0, 'connection.blocked', { reason: 'low on memory' })
    await settle()
    expect(told(clients[0])).to.deep.equal(['low on memory'])
    blocked.peer.reset()
    await settle()
    expect(told(clients[0])).to.deep.equal(['low on memory', 'free'])
  })

  it('is told once, whichever of several connections the broker blocks', async () => {
    world = await World.start({ broker: ({ tune }) => (tune.channelMax = 1) })
    const clients = [await world.connect(ANNOUNCES), await world.connect(ANNOUNCES)]
    for (const client of clients) {
      await client.openChannels(1)
      client.publish(1, 'x')
      await settle()
    }
    for (const upstream of world.broker.open)
      upstream.method(0, 'connection.blocked', { reason: 'low on memory' })
    await settle()
    world.broker.open[0].method(0, 'connection.unblocked')
    await settle()
    for (const client of clients) expect(told(client)).to.deep.equal(['low on memory'])
    world.broker.open[1].method(0, 'connection.unblocked')
    await settle()
    for (const client of clients) expect(told(client)).to.deep.equal(['low on memory', 'free'])
  })

  it('does not keep clients from coming, going and consuming', async () => {
    const client = await world.connectWithChannels(1)
    await block()
    client.method(1, 'basic.consume', { queue: 'q' })
    await settle()
    world.upstream.deliver(1, { body: 'still delivered' })
    const other = await world.connectWithChannels(1)
    other.close()
    await settle()
    expect(client.delivered(1)).to.deep.equal(['still delivered'])
    expect(other.names(0).at(-1)).to.equal('connection.close-ok')
  })

  it('is logged when it begins and when it ends', async () => {
    await world.connect()
    await block()
    await unblock()
    expect(world.lines('broker blocked publishing')[0].fields).to.include({
      reason: 'low on memory',
      user: 'guest',
    })
    expect(world.lines('broker unblocked publishing')).to.have.length(1)
  })
})
