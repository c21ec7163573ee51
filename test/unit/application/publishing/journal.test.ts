import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { FakeJournal, FakeJournalDisk } from '../../../support/fake-journal.js'
import { World } from '../../../support/fake-world.js'

describe('The publish buffer with a journal', () => {
  let disk: FakeJournalDisk
  let journal: FakeJournal
  let world: World

  const start = async (): Promise<void> => {
    journal = new FakeJournal(disk)
    world = await World.start({ settings: { pool: { publishBufferSize: 100 } }, journal })
  }

  beforeEach(async () => {
    disk = new FakeJournalDisk()
    await start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const brokerGoes = (): Promise<void> => world.brokerGoes()

  /** Messages that a client publishes while the broker is away. */
  const keep = async (...messages: string[]): Promise<FakeClient> => {
    const client = await world.connectWithChannels(1)
    client.publish(1, 'before')
    await settle()
    await brokerGoes()
    for (const body of messages) client.publish(1, { body, properties: { expiration: '50000' } })
    await settle()
    return client
  }

  /** Warren is gone without a word, and another one begins. */
  const crash = async (): Promise<void> => {
    journal.close()
    await start()
  }

  it('keeps in it what waits, and nothing that the broker has confirmed', async () => {
    await keep('one', 'two')
    expect(journal.kept).to.have.length(2)
    world.brokerUp()
    await world.advance(31_000)
    expect(world.upstream.published()).to.deep.equal(['one', 'two'])
    expect(journal.kept).to.deep.equal([])
  })

  it('publishes after a crash what was kept, before anything else of that user', async () => {
    await keep('one', 'two')
    await crash()
    const client = await world.connectWithChannels(1)
    client.publish(1, 'three')
    await settle()
    expect(world.upstream.published()).to.deep.equal(['one', 'two', 'three'])
    expect(journal.kept).to.deep.equal([])
    expect(world.lines('messages recovered from the journal')[0].fields).to.include({
      messages: 2,
      user: 'guest',
    })
  })

  it('hands nobody the messages of another user or virtual host', async () => {
    await keep('one')
    await crash()
    for (const login of [{ user: 'other' }, { vhost: 'elsewhere' }]) {
      const client = await world.connectWithChannels(1, login)
      client.publish(1, 'mine')
      await settle()
      expect(world.upstream.published()).to.deep.equal(['mine'])
    }
    expect(journal.kept).to.have.length(1)
  })

  it('lets go of what has expired meanwhile', async () => {
    await keep('one')
    await world.advance(60_000)
    world.brokerUp()
    await world.advance(31_000)
    expect(world.broker.open.flatMap((upstream) => upstream.published())).to.deep.equal([])
    expect(journal.kept).to.deep.equal([])
  })

  it('refuses what it cannot keep, and says why in the log', async () => {
    const client = await keep('one')
    disk.isFull = true
    client.publish(1, 'two')
    await settle()
    expect(client.refusal?.code).to.equal(503)
    expect(world.lines('message not kept: the journal cannot take it')).to.have.length(1)
    expect(journal.kept).to.have.length(1)
  })

  describe('is made sure of by the disk once for what comes together', () => {
    it('and then the goodbyes are answered that say so', async () => {
      await keep()
      const clients = await Promise.all(Array.from({ length: 20 }, () => world.connectWithChannels(1)))
      for (const client of clients) {
        client.publish(1, 'x')
        client.closeChannel(1)
      }
      await settle()
      expect([journal.kept.length, journal.commits]).to.deep.equal([20, 0])
      for (const client of clients) expect(client.names(1)).not.to.include('channel.close-ok')
      await world.advance(1)
      expect(journal.commits).to.equal(1)
      for (const client of clients) expect(client.names(1).at(-1)).to.equal('channel.close-ok')
    })

    it('also those to the whole connection', async () => {
      await keep()
      const client = await world.connectWithChannels(1)
      client.publish(1, 'x')
      client.close()
      await settle()
      expect(client.names(0)).not.to.include('connection.close-ok')
      await world.advance(1)
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('and those of a client that had said goodbye when the broker went', async () => {
      world = await World.start({
        settings: { pool: { publishBufferSize: 100, publishGuarantee: 'confirmed' } },
        journal,
      })
      world.broker.confirms = false
      const client = await world.connectWithChannels(1)
      client.publish(1, 'x')
      client.close()
      await settle()
      await brokerGoes()
      expect(client.names(0)).not.to.include('connection.close-ok')
      await world.advance(1)
      expect(client.names(0).at(-1)).to.equal('connection.close-ok')
      expect([journal.kept.length, journal.commits]).to.deep.equal([1, 1])
    })

    it('at shutdown at the latest', async () => {
      await keep('one')
      void world.proxy.shutDown()
      await world.advance(40_000)
      expect(journal.commits).to.equal(1)
    })
  })

  it('refuses what it could not make sure of, does not publish it, and keeps what was safe', async () => {
    const clients = [
      await keep('one'),
      await world.connectWithChannels(1),
      await world.connectWithChannels(1),
    ]
    await world.advance(1)
    disk.isBroken = true
    for (const client of clients.slice(1)) client.publish(1, 'lost')
    clients[1].closeChannel(1)
    clients[2].close()
    await settle()
    await world.advance(1)
    for (const client of clients.slice(1)) {
      expect(client.refusal).to.deep.equal({
        code: 503,
        text: "message not kept: the broker is away, and Warren's journal can't hold more",
      })
      expect(client.names(1)).not.to.include('channel.close-ok')
    }
    expect(clients[2].names(0)).not.to.include('connection.close-ok')
    expect(clients[0].refusal).to.equal(undefined)
    disk.isBroken = false
    world.brokerUp()
    await world.advance(31_000)
    expect(world.upstream.published()).to.deep.equal(['one'])
    expect(world.lines('messages not kept: the disk does not hold them')).to.have.length(1)
    // It's an error for operators to see, and not one of Warren's own.
    world.logger.lines.length = 0
  })

  it('counts what nobody has come for, at shutdown too', async () => {
    await keep('one')
    await crash()
    const { buffered } = world.container.get<Overview>(identifiers.Overview).summary()
    expect(buffered.messages).to.equal(1)
    expect(buffered.bytes).to.be.greaterThan(3)
    const report = world.proxy.shutDown()
    await world.advance(40_000)
    expect((await report).buffered).to.equal(1)
    expect(
      world.lines('messages of the publish buffer stay in the journal, for the next start'),
    ).to.have.length(1)
  })
})
