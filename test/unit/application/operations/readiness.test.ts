import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Readiness } from '../../../../src/application/operations/readiness.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { World } from '../../../support/fake-world.js'

describe('Readiness', () => {
  let world: World
  let readiness: Readiness

  beforeEach(async () => {
    world = await World.start()
    readiness = world.container.get<Readiness>(identifiers.Readiness)
  })
  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** What it says when everybody has had time to answer. */
  const reasons = async (milliseconds = 100): Promise<string[]> => {
    const asked = readiness.reasons()
    await world.advance(milliseconds)
    return asked
  }

  it('asks the broker nothing while there is an upstream connection', async () => {
    await world.connect()
    await world.advance(10_000)
    const { length } = world.dialer.dials
    world.brokerDown()
    expect(await reasons()).to.deep.equal([])
    expect(world.dialer.dials).to.have.length(length)
  })

  it('asks the broker once in 5 s, however many want to know', async () => {
    const { length } = world.dialer.dials
    const asked = Array.from({ length: 10 }, () => readiness.reasons())
    await world.advance(100)
    for (const each of asked) expect(await each).to.deep.equal([])
    expect(world.dialer.dials).to.have.length(length + 1)
    await world.advance(4000)
    expect(await reasons()).to.deep.equal([])
    expect(world.dialer.dials).to.have.length(length + 1)
    await world.advance(2000)
    expect(await reasons()).to.deep.equal([])
    expect(world.dialer.dials).to.have.length(length + 2)
  })

  it('keeps nobody waiting for a broker that never answers', async () => {
    world.dialer.silence(world.endpoint)
    expect(await reasons(2100)).to.deep.equal(['broker unreachable: no answer within 2 s'])
  })

  it('says that the broker is away, and that it is back', async () => {
    world.brokerDown()
    await world.advance(6000)
    expect((await reasons())[0]).to.match(/^broker unreachable: connect ECONNREFUSED rabbit:5672/)
    world.brokerUp()
    await world.advance(40_000)
    expect(await reasons()).to.deep.equal([])
  })

  it('says that clients are not accepted, whatever the broker does', async () => {
    const client = await world.connect()
    world.operations.drain()
    await settle()
    expect(await reasons()).to.deep.equal(['clients are not accepted'])
    client.close()
    await world.advance(1000)
  })
})
