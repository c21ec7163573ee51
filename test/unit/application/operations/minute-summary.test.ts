import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { MinuteSummary } from '../../../../src/application/operations/minute-summary.js'
import type { Traffic } from '../../../../src/application/traffic.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { World, type WorldOptions } from '../../../support/fake-world.js'

const MINUTE_MS = 60_000

describe('MinuteSummary', () => {
  let world: World

  const start = async (options: WorldOptions = {}): Promise<void> => {
    world = await World.start(options)
    world.container.get<MinuteSummary>(identifiers.MinuteSummary).start()
  }
  const lines = (): object[] => world.lines('last minute').map(({ fields }) => fields)

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  it('tells each minute what there is, and what has happened since the line before', async () => {
    await start()
    const client = await world.connectWithChannels(2)
    for (const text of ['a', 'b', 'c']) client.publish(1, text)
    await settle()
    await world.advance(MINUTE_MS)
    client.publish(1, 'd')
    await world.connect()
    await world.advance(MINUTE_MS)
    const standing = { clients: 1, channels: 2, upstreams: 1, buffered: 0 }
    expect(lines()).to.deep.equal([
      { ...standing, accepted: 1, publishes: 3, deliveries: 0, refused: 0 },
      { ...standing, clients: 2, accepted: 1, publishes: 1, deliveries: 0, refused: 0 },
    ])
  })

  it('counts what was handed out for Basic.Get with the deliveries', async () => {
    await start()
    const traffic = world.container.get<Traffic>(identifiers.Traffic)
    traffic.deliveries += 5
    traffic.gets += 2
    await world.advance(MINUTE_MS)
    expect(lines()[0]).to.include({ deliveries: 7 })
  })

  it('tells who was refused, and why, and nothing of it afterwards', async () => {
    await start({ settings: { pool: { maxClientConnections: 1 } } })
    const client = await world.connect()
    for (let n = 0; n < 3; n++) world.dial()
    await world.advance(MINUTE_MS)
    expect(lines().at(-1)).to.deep.include({ refused: 3, refusedFor: { client_limit: 3 } })
    client.close()
    await world.advance(MINUTE_MS)
    expect(lines()).to.have.length(2)
    expect(lines().at(-1)).to.include({ refused: 0, clients: 0 }).and.not.to.have.property('refusedFor')
  })

  it('is silent while nothing changes, after it has once told that all is quiet', async () => {
    await start()
    await world.advance(5 * MINUTE_MS)
    expect(lines()).to.deep.equal([])
    const client = await world.connectWithChannels(1)
    await world.advance(5 * MINUTE_MS)
    expect(lines()).to.have.length(1)
    client.publish(1, 'after a long time')
    await world.advance(MINUTE_MS)
    expect(lines()).to.have.length(2)
    client.close()
    await world.advance(5 * MINUTE_MS)
    expect(lines().at(-1)).to.include({ clients: 0, channels: 0, upstreams: 0, publishes: 0 })
    expect(lines().length).to.be.at.most(4)
  })

  it('tells how many messages wait for a broker that is away', async () => {
    await start({ settings: { pool: { publishBufferSize: 10 } } })
    const client = await world.connectWithChannels(1)
    client.publish(1, 'before')
    await settle()
    world.brokerDown()
    world.upstream.peer.reset()
    await settle()
    client.publish(1, 'kept')
    await world.advance(MINUTE_MS)
    expect(lines().at(-1)).to.include({ buffered: 1, upstreams: 0, publishes: 2 })
  })
})
