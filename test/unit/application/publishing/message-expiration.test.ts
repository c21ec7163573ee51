import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { FakeJournal, FakeJournalDisk } from '../../../support/fake-journal.js'
import { World } from '../../../support/fake-world.js'

const EXPIRED = 'message expired in the publish buffer'

describe('The expiration of a message that waits for the broker', () => {
  let world: World
  let disk: FakeJournalDisk
  let journal: FakeJournal | undefined

  const start = async (pool: Partial<World['settings']['pool']> = {}): Promise<void> => {
    world = await World.start({ settings: { pool: { publishBufferSize: 100, ...pool } }, journal })
  }

  beforeEach(async () => {
    disk = new FakeJournalDisk()
    journal = new FakeJournal(disk)
    await start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const brokerGoes = (): Promise<void> => world.brokerGoes()

  const brokerReturns = (): Promise<BrokerConnection> => world.brokerReturns()

  const publish = (client: FakeClient, body: string, expiration: string): void =>
    client.publish(1, { body, properties: { expiration, deliveryMode: 2, messageId: body } })

  const publisher = async (): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.publish(1, 'before')
    await settle()
    return client
  }

  /** When the broker got each message with this body, and the expiration that it had then. */
  const arrivals = (body: string): { expiration: number; properties: object }[] =>
    world.broker.opened.flatMap(({ log }) =>
      log.methods
        .filter((received) => received.name === 'basic.publish' && received.body?.toString() === body)
        .map(({ properties = {} }) => {
          const { expiration, ...others } = properties
          return { expiration: Number(expiration), properties: others }
        }),
    )

  it('is shorter by what it has waited, and all else is as it was', async () => {
    const client = await publisher()
    await brokerGoes()
    publish(client, 'lasting', '100000')
    await settle()
    const { length } = world.broker.opened
    const since = world.clock.now()
    world.brokerUp()
    while (world.broker.opened.length === length) await world.advance(50)
    const waited = world.clock.now() - since
    expect(waited).to.be.greaterThan(100)
    expect(arrivals('lasting')).to.deep.equal([
      { expiration: 100_000 - waited, properties: { deliveryMode: 2, messageId: 'lasting' } },
    ])
  })

  it('is shorter at each attempt', async () => {
    const client = await publisher()
    await brokerGoes()
    publish(client, 'lasting', '200000')
    await settle()
    world.broker.confirms = false
    await brokerReturns()
    await brokerGoes()
    world.broker.confirms = true
    await brokerReturns()
    const [first, second] = arrivals('lasting').map(({ expiration }) => expiration)
    expect(first).to.be.within(200_000 - 31_000, 199_999)
    expect(second).to.be.within(200_000 - 62_000, first - 1)
  })

  it('ends it when it has waited longer, which is counted and logged', async () => {
    const client = await publisher()
    await brokerGoes()
    for (const [body, expiration] of [
      ['short', '1000'],
      ['at once', '0'],
      ['lasting', '100000'],
    ])
      publish(client, body, expiration)
    await world.advance(2000)
    await brokerReturns()
    expect([arrivals('short'), arrivals('at once')]).to.deep.equal([[], []])
    expect(arrivals('lasting')).to.have.length(1)
    expect(world.lines(EXPIRED)).to.have.length(2)
    expect(world.metrics.count('keptMessages:expired')).to.equal(2)
    expect(journal!.kept).to.deep.equal([])
  })

  it('counts from when the client published it, not from when the connection was lost', async () => {
    journal = undefined
    await start({ publishGuarantee: 'confirmed' })
    world.broker.confirms = false
    const client = await world.connectWithChannels(1)
    publish(client, 'short', '10000')
    publish(client, 'lasting', '100000')
    await world.advance(20_000)
    await brokerGoes()
    world.broker.confirms = true
    await brokerReturns()
    expect(arrivals('short').map(({ expiration }) => expiration)).to.deep.equal([10_000])
    expect(world.lines(EXPIRED)).to.have.length(1)
    const [sent, again] = arrivals('lasting')
    expect(sent.expiration).to.equal(100_000)
    expect(again.expiration).to.be.within(100_000 - 51_000, 80_000 - 1)
  })

  it('counts so also when the client has died before the connection was lost', async () => {
    journal = undefined
    await start({ publishGuarantee: 'confirmed' })
    world.broker.confirms = false
    const client = await world.connectWithChannels(1)
    publish(client, 'short', '10000')
    await settle()
    client.peer.reset()
    await world.advance(20_000)
    await brokerGoes()
    world.broker.confirms = true
    await brokerReturns()
    expect(arrivals('short')).to.have.length(1)
    expect(world.lines(EXPIRED)).to.have.length(1)
  })

  it('goes on while Warren itself is away, by the time of day', async () => {
    const client = await publisher()
    await brokerGoes()
    publish(client, 'short', '10000')
    publish(client, 'lasting', '100000')
    await world.advance(1000)
    journal!.close()
    journal = new FakeJournal(disk)
    // The clock of the next process begins anew, the time of day doesn't.
    const downtime = 20_000
    const records = [...disk.records].map(
      ([id, record]) =>
        [id, { ...record, expiresAtEpochMs: record.expiresAtEpochMs! - 1000 - downtime }] as const,
    )
    for (const [id, record] of records) disk.records.set(id, record)
    await start()
    await world.connect()
    await settle()
    expect(arrivals('short')).to.deep.equal([])
    expect(arrivals('lasting').map(({ expiration }) => expiration)).to.deep.equal([100_000 - 1000 - downtime])
    expect(journal.kept).to.deep.equal([])
  })

  it('is left as it is when the message has not waited, or the property is none', async () => {
    const client = await publisher()
    publish(client, 'now', '5000')
    await settle()
    await brokerGoes()
    publish(client, 'odd', '1e3')
    publish(client, 'long', '4294967296')
    await settle()
    await brokerReturns()
    expect(arrivals('now').map(({ expiration }) => expiration)).to.deep.equal([5000])
    expect(arrivals('odd').map(({ expiration }) => expiration)).to.deep.equal([1000])
    expect(arrivals('long').map(({ expiration }) => expiration)).to.deep.equal([4_294_967_296])
  })
})
