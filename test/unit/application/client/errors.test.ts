import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'

describe('A bug in one session', () => {
  let world: World
  let victim: FakeClient
  let neighbour: FakeClient

  beforeEach(async () => {
    world = await World.start({ broker: ({ tune }) => (tune.heartbeat = 10) })
    victim = await world.connectWithChannels(1)
    neighbour = await world.connectWithChannels(1)
    for (const client of [victim, neighbour]) {
      client.method(1, 'basic.recover', { requeue: true })
      await settle()
    }
  })

  /** The next calls of this method of the victim's stream throw, as a bug anywhere below would. */
  const breakNext = (name: 'write' | 'pause' | 'resume', times = 1): void => {
    const { stream } = victim.peer
    let left = times
    stream[name] = (): never => {
      if (--left === 0) delete (stream as Partial<typeof stream>)[name]
      throw new TypeError(`a bug in ${name}`)
    }
  }

  const expectNeighbourWell = async (): Promise<void> => {
    neighbour.publish(1, 'still here')
    await settle()
    world.upstream.deliver(2, { body: 'for the neighbour' })
    await settle()
    expect(neighbour.ended).to.equal('open')
    expect(neighbour.delivered(1).at(-1)).to.equal('for the neighbour')
    expect(world.upstream.published(2).at(-1)).to.equal('still here')
    expect(world.broker.violations).to.deep.equal([])
    expect(world.broker.open).to.have.length(1)
  }

  const expectVictimEnded = async (): Promise<void> => {
    await world.advance(6000)
    expect(victim.ended).not.to.equal('open')
    expect(world.upstream.openChannels).to.deep.equal([2])
    expect(world.proxy.clients).to.equal(1)
    const bugs = world.logger.lines.filter(({ level }) => level === 'error')
    expect(bugs).to.have.length(1)
    expect(bugs[0].fields.error).to.be.instanceOf(TypeError)
    expect(bugs[0].fields).to.include({ remote: victim.peer.stream.remoteAddress })
    expect(world.metrics.count('unexpectedError')).to.equal(1)
  }

  it('while it reads what its client sent ends that session, with 541, and no other', async () => {
    breakNext('write')
    victim.method(2, 'channel.open')
    await settle()
    expect(victim.refusal?.code).to.equal(541)
    await expectNeighbourWell()
    await expectVictimEnded()
  })

  it('does not show the client what it is', async () => {
    breakNext('write')
    victim.method(2, 'channel.open')
    await settle()
    expect(victim.refusal?.text).not.to.contain('a bug in')
  })

  it('while the broker delivers to it ends that session and no other', async () => {
    breakNext('write')
    world.upstream.deliver(1, { body: 'for the victim' })
    await settle()
    await expectNeighbourWell()
    await expectVictimEnded()
  })

  it('while the broker delivers to it loses nothing that comes for others in the same piece', async () => {
    breakNext('write')
    const { upstream } = world
    upstream.deliver(2, { body: 'before' })
    upstream.deliver(1, { body: 'for the victim' })
    upstream.deliver(2, { body: 'after' })
    await settle()
    expect(neighbour.delivered(1)).to.deep.equal(['before', 'after'])
    await expectNeighbourWell()
  })

  it('while the broker answers the end of its channel ends that session and no other', async () => {
    victim.method(2, 'channel.open')
    victim.publish(2, 'x')
    await settle()
    world.broker.holdsCloseOk = true
    victim.closeChannel(2)
    await settle()
    breakNext('write')
    world.upstream.answerCloses()
    world.broker.holdsCloseOk = false
    await settle()
    await expectNeighbourWell()
    await world.advance(6000)
    expect(victim.ended).not.to.equal('open')
    expect(world.proxy.clients).to.equal(1)
  })

  it('that keeps it even from saying so ends that session and no other', async () => {
    breakNext('write', Infinity)
    victim.method(2, 'channel.open')
    await settle()
    await expectNeighbourWell()
    await expectVictimEnded()
  })

  it('while it is stopped for back-pressure ends that session and no other', async () => {
    breakNext('pause')
    world.upstream.peer.stall()
    victim.publish(1, 'x')
    await settle()
    world.upstream.peer.drain()
    await settle()
    await expectNeighbourWell()
    await expectVictimEnded()
  })

  it('while it is let go on after back-pressure ends that session, and the others go on', async () => {
    world.upstream.peer.stall()
    victim.publish(1, 'x')
    await settle()
    neighbour.publish(1, 'y')
    await settle()
    breakNext('resume')
    world.upstream.peer.drain()
    await settle()
    expect(neighbour.peer.isPaused).to.equal(false)
    await expectNeighbourWell()
    await expectVictimEnded()
  })

  it('while its heartbeat is due ends that session, and the others get theirs', async () => {
    neighbour.close()
    await settle()
    victim = await world.connect({ heartbeat: 10 })
    neighbour = await world.connectWithChannels(1, { heartbeat: 10 })
    breakNext('write')
    let thrown: unknown
    await world.advance(6000).catch((error: unknown) => (thrown = error))
    expect(thrown).to.equal(undefined)
    expect(neighbour.log.heartbeats).to.equal(1)
    expect(neighbour.ended).to.equal('open')
  })

  it('while its upstream connection is lost ends that session, and the others are told of the loss', async () => {
    breakNext('write')
    world.upstream.peer.reset()
    await settle()
    expect(neighbour.refusal?.code).to.equal(320)
    await world.advance(6000)
    expect(victim.ended).not.to.equal('open')
    expect(world.proxy.clients).to.equal(0)
  })

  it('while the broker blocks ends that session, and the others are told', async () => {
    const capabilities = { 'connection.blocked': true }
    victim = await world.connect({ capabilities })
    neighbour = await world.connect({ capabilities })
    breakNext('write')
    world.upstream.method(0, 'connection.blocked', { reason: 'low on memory' })
    await settle()
    expect(neighbour.names(0).at(-1)).to.equal('connection.blocked')
    expect(neighbour.ended).to.equal('open')
  })
})

describe('A bug on an upstream connection', () => {
  it('ends that connection, tells its clients, is logged and counted, and the next client gets another', async () => {
    const world = await World.start()
    const client = await world.connectWithChannels(1)
    client.publish(1, 'one')
    await settle()
    const { upstream } = world
    // The answer to Connection.Close meets the bug.
    const { stream } = upstream.peer
    stream.write = (): never => {
      throw new TypeError('a bug in write')
    }
    upstream.close({ code: 320, text: 'CONNECTION_FORCED' })
    await settle()
    const bugs = world.lines('unexpected error on an upstream connection')
    expect(bugs.map(({ fields }) => (fields.error as Error).message)).to.deep.equal(['a bug in write'])
    expect(world.metrics.count('unexpectedError')).to.equal(1)
    await world.advance(6000)
    expect(client.ended).not.to.equal('open')
    expect(upstream.peer.isGone).to.equal(true)
    const next = await world.connectWithChannels(1)
    next.publish(1, 'two')
    await settle()
    expect(world.upstream.published()).to.deep.equal(['two'])
  })
})
