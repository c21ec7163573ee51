import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import type { AsideView } from '../../../../src/application/operations/views.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { FakeJournal, FakeJournalDisk } from '../../../support/fake-journal.js'
import { World } from '../../../support/fake-world.js'
import type { Message } from '../../../support/wire-format.js'

const NOT_FOUND = { code: 404, text: "NOT_FOUND - no exchange 'gone' in vhost '/'" }
const ASIDE = 'message set aside: the broker refuses it'

describe('Messages that the broker refuses after Warren has accepted them', () => {
  let world: World
  let disk: FakeJournalDisk
  let journal: FakeJournal | undefined

  const start = async (pool: Partial<World['settings']['pool']> = {}): Promise<void> => {
    world = await World.start({ settings: { pool: { publishBufferSize: 100, ...pool } }, journal })
  }

  beforeEach(async () => {
    journal = undefined
    await start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const aside = (): AsideView[] => world.container.get<Overview>(identifiers.Overview).aside()
  const brokerGoes = (): Promise<void> => world.brokerGoes()

  /** A client whose messages `bad…` the broker refuses when it's back; the others it takes. */
  const publishAway = async (
    messages: readonly (string | Message)[],
    confirms = false,
  ): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    if (confirms) client.method(1, 'confirm.select')
    else client.publish(1, 'before')
    await settle()
    if (confirms) world.upstream.method(1, 'confirm.select-ok')
    await brokerGoes()
    for (const each of messages) client.publish(1, typeof each === 'string' ? { body: each } : each)
    await settle()
    world.broker.confirms = false
    world.brokerUp()
    await world.advance(31_000)
    await judge()
    return client
  }

  /** The broker answers for what it has got, one by one, until nothing is open. */
  const judge = async (): Promise<void> => {
    for (let round = 0; round < 50; round++) {
      const upstream = world.upstream
      for (const channel of upstream.openChannels) {
        const open = upstream.unconfirmed(channel)
        const bodies = upstream.published(channel)
        const last = bodies.slice(bodies.length - open.length)
        const bad = last.findIndex((body) => body.startsWith('bad'))
        if (bad >= 0) upstream.closeChannel(channel, NOT_FOUND)
        else if (open.length > 0) upstream.confirm(channel, open.at(-1)!, true)
      }
      await settle()
    }
  }

  it('are listed with what an operator needs to judge them, and counted', async () => {
    await publishAway([{ body: 'bad', exchange: 'gone', routingKey: 'key' }, 'good'])
    expect(aside()).to.deep.equal([
      {
        id: '1',
        user: 'guest',
        vhost: '/',
        exchange: 'gone',
        routingKey: 'key',
        size: 3,
        reason: `404 ${NOT_FOUND.text}`,
        refusedAt: aside()[0].refusedAt,
        isExpired: false,
        isPublisherTold: false,
      },
    ])
    expect(aside()[0].refusedAt).to.be.within(1_000_000_000_000, world.clock.wallTime())
    expect(world.metrics.count('keptMessages:set_aside')).to.equal(1)
    expect(world.metrics.count('keptMessages:replayed')).to.equal(1)
    const { aside: sum } = world.container.get<Overview>(identifiers.Overview).summary()
    expect(sum.messages).to.equal(1)
    expect(sum.bytes).to.be.greaterThan(3)
  })

  it('have those sent again that were on their way with them, which is counted: the broker may have them twice', async () => {
    await publishAway(['bad', 'good', 'better'])
    expect(aside()).to.have.length(1)
    expect(world.metrics.count('keptMessages:repeated')).to.equal(3)
    expect(world.metrics.count('keptMessages:replayed')).to.equal(2)
  })

  it('are said to have been told to a publisher with confirms, who got a Basic.Nack', async () => {
    const client = await publishAway(['good', 'bad'], true)
    expect(aside()[0].isPublisherTold).to.equal(true)
    expect(client.received(1).at(-1)).to.deep.include({ name: 'basic.nack' })
  })

  it('are not said to have been told to one who had left', async () => {
    const client = await world.connectWithChannels(1)
    client.method(1, 'confirm.select')
    await settle()
    world.upstream.method(1, 'confirm.select-ok')
    await brokerGoes()
    client.publish(1, 'bad')
    await settle()
    client.peer.reset()
    world.broker.confirms = false
    world.brokerUp()
    await world.advance(31_000)
    await judge()
    expect(aside().map(({ isPublisherTold }) => isPublisherTold)).to.deep.equal([false])
  })

  it('are published again when an operator says so, and gone once the broker has them', async () => {
    await publishAway(['bad', 'good'])
    world.broker.confirms = true
    expect(world.operations.retryAside('1')).to.deep.equal({ done: { retried: 1, waiting: 0, expired: 0 } })
    await settle()
    expect(world.upstream.published().at(-1)).to.equal('bad')
    expect(world.broker.stored.has('bad')).to.equal(true)
    expect(aside()).to.deep.equal([])
  })

  it('are published again all together, in order', async () => {
    await publishAway(['bad 1', 'good', 'bad 2', 'bad 3'])
    expect(aside()).to.have.length(3)
    world.broker.confirms = true
    expect(world.operations.retryAside('all')).to.deep.equal({ done: { retried: 3, waiting: 0, expired: 0 } })
    await settle()
    expect(world.upstream.published().slice(-3)).to.deep.equal(['bad 1', 'bad 2', 'bad 3'])
  })

  it('are set aside again when the broker refuses them again', async () => {
    await publishAway(['bad'])
    world.operations.retryAside('1')
    await judge()
    expect(aside().map(({ id }) => id)).to.deep.equal(['2'])
    expect(world.lines(ASIDE)).to.have.length(2)
  })

  it('are published again although all clients have left and the pool is gone: at the next login of their user', async () => {
    const client = await publishAway(['bad'])
    client.close()
    await world.advance(120_000)
    expect(world.broker.open).to.deep.equal([])
    expect(world.operations.retryAside('1')).to.deep.equal({ done: { retried: 0, waiting: 1, expired: 0 } })
    world.broker.confirms = true
    await world.connect({ user: 'other' })
    await world.connect()
    await settle()
    expect(world.upstream.published()).to.deep.equal(['bad'])
  })

  it('open an upstream connection when they are tried again and there is none', async () => {
    await publishAway(['bad'])
    await brokerGoes()
    world.operations.retryAside('all')
    world.broker.confirms = true
    world.brokerUp()
    await world.advance(31_000)
    expect(world.upstream.published()).to.deep.equal(['bad'])
  })

  it('are forgotten when an operator drops them', async () => {
    await publishAway(['bad 1', 'bad 2', 'bad 3'])
    expect(world.operations.dropAside('2')).to.deep.equal({ done: { dropped: 1 } })
    expect(aside().map(({ id }) => id)).to.deep.equal(['1', '3'])
    expect(world.operations.dropAside('all')).to.deep.equal({ done: { dropped: 2 } })
    expect(aside()).to.deep.equal([])
  })

  for (const act of ['retryAside', 'dropAside'] as const)
    it(`are known by their ids only while they are there (${act})`, async () => {
      await publishAway(['bad'])
      for (const id of ['2', '0'])
        expect(world.operations[act](id)).to.deep.equal({
          refused: 'unknown',
          reason: `there is no message set aside ${id}`,
        })
      world.operations.dropAside('1')
      expect(world.operations[act]('1')).to.include({ refused: 'unknown' })
    })

  it('are not published once they have expired, and can be dropped then', async () => {
    await publishAway([{ body: 'bad', properties: { expiration: '60000' } }])
    await world.advance(60_000)
    expect(aside()[0].isExpired).to.equal(true)
    expect(world.operations.retryAside('1')).to.deep.equal({
      refused: 'conflict',
      reason: 'message 1 has expired: drop it',
    })
    expect(world.operations.retryAside('all')).to.deep.equal({ done: { retried: 0, waiting: 0, expired: 1 } })
    expect(world.operations.dropAside('1')).to.deep.equal({ done: { dropped: 1 } })
  })

  it('include what the broker answers with Basic.Nack, when Warren alone has asked for confirms', async () => {
    await start({ publishGuarantee: 'confirmed' })
    world.broker.confirms = false
    const client = await world.connectWithChannels(1)
    client.publish(1, 'one')
    client.publish(1, 'two')
    await settle()
    world.upstream.confirm(1, 1, false, 'basic.nack')
    world.upstream.confirm(1, 2)
    await settle()
    expect(aside().map(({ reason, size }) => ({ reason, size }))).to.deep.equal([
      { reason: 'basic.nack', size: 3 },
    ])
    expect(client.names(1)).to.deep.equal(['channel.open-ok'])
  })

  it('are lost beyond as many as the buffer may hold, of one user; the log says each', async () => {
    await start({ publishBufferSize: 2 })
    await publishAway(['bad 1', 'bad 2'])
    await publishAway(['bad 3'])
    expect(aside()).to.have.length(2)
    const lost = world.lines(
      'message lost: the broker refuses it, and as many as may be are set aside already',
    )
    expect(lost.map(({ fields }) => fields['size'])).to.deep.equal([5])
    expect(world.metrics.count('keptMessages:dropped')).to.equal(1)
    // It's an error for operators to see, and not one of Warren's own.
    world.logger.lines.length = 0
  })

  describe('with a journal', () => {
    beforeEach(async () => {
      disk = new FakeJournalDisk()
      journal = new FakeJournal(disk)
      await start()
    })

    const crash = async (): Promise<void> => {
      journal!.close()
      journal = new FakeJournal(disk)
      await start()
    }

    it('are there after a crash, and are not published by themselves', async () => {
      await publishAway(['bad', 'good'], true)
      const [before] = aside()
      await crash()
      expect(aside()).to.deep.equal([before])
      await world.connect()
      expect(world.broker.arrivals).to.deep.equal([])
      expect(
        world.lines('messages that the broker has refused to an earlier run are set aside')[0].fields,
      ).to.include({ messages: 1 })
    })

    it('can be tried again after a crash, before their user has come', async () => {
      await publishAway(['bad'])
      await crash()
      expect(world.operations.retryAside('all')).to.deep.equal({
        done: { retried: 0, waiting: 1, expired: 0 },
      })
      await world.connect()
      await settle()
      expect(world.upstream.published()).to.deep.equal(['bad'])
      expect(journal!.kept).to.deep.equal([])
    })

    it('leave the journal when they are dropped', async () => {
      await publishAway(['bad', 'good'])
      expect(journal!.kept).to.have.length(1)
      world.operations.dropAside('1')
      expect(journal!.kept).to.deep.equal([])
    })

    it('are tried again after a crash when the journal had no room to note the refusal', async () => {
      await publishAway(['good'])
      await brokerGoes()
      const client = await world.connectWithChannels(1)
      client.publish(1, 'bad')
      await settle()
      await world.advance(10)
      disk.isFull = true
      world.brokerUp()
      await world.advance(31_000)
      await judge()
      expect(aside()).to.have.length(1)
      disk.isFull = false
      await crash()
      expect(aside()).to.deep.equal([])
      await world.connect()
      await settle()
      expect(world.upstream.published()).to.deep.equal(['bad'])
    })
  })
})
