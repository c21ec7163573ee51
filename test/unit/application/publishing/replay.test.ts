import { inspect } from 'node:util'
import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Readiness } from '../../../../src/application/operations/readiness.js'
import type { Reload } from '../../../../src/application/operations/reload.js'
import type { Settings } from '../../../../src/application/settings.js'
import { Credentials } from '../../../../src/domain/credentials.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { FakeCredentialSource } from '../../../support/fake-credential-source.js'
import { FakeJournal, FakeJournalDisk } from '../../../support/fake-journal.js'
import { World, type WorldOptions } from '../../../support/fake-world.js'
import { publishFrames } from '../../../support/wire-format.js'

const BUFFER = { publishBufferSize: 1000 }
const UNKNOWN = 'messages wait for the next login of their user: its password is not known'
const REFUSED = 'messages wait for the next login of their user: the broker refuses the one that is known'
const LATER = 'messages wait: their user cannot be logged in now'

describe('The journal at the start', () => {
  let disk: FakeJournalDisk
  let source: FakeCredentialSource
  let world: World

  beforeEach(() => {
    disk = new FakeJournalDisk()
    source = new FakeCredentialSource({ shop: 'right' })
  })
  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** What an earlier run has left there. */
  const left = (user: string, virtualHost: string, ...bodies: string[]): void => {
    const journal = new FakeJournal(disk)
    for (const body of bodies)
      journal.append(
        { user, virtualHost },
        publishFrames(1, { body, properties: { expiration: '500000' } }),
        undefined,
      )
    journal.close()
  }

  const start = async (options: WorldOptions = {}): Promise<void> => {
    const { pool = {}, ...settings } = options.settings ?? {}
    world = await World.start({
      journal: new FakeJournal(disk),
      credentials: source,
      ...options,
      settings: { ...settings, pool: { ...BUFFER, ...pool } },
    })
  }

  const warnings = (): string[] => world.container.get<Readiness>(identifiers.Readiness).warnings()
  const kept = (): number => disk.records.size
  const published = (): string[] => world.broker.opened.flatMap((upstream) => upstream.published())

  it('is published in order before any client is let in, and nothing of it is kept then', async () => {
    left('shop', '/', 'one', 'two', 'three')
    let publishedBefore: string[] | undefined
    await start({
      prepare: ({ listener, broker }) => {
        const listen = listener.listen.bind(listener)
        listener.listen = (...all) => {
          publishedBefore = broker.opened.flatMap((upstream) => upstream.published())
          return listen(...all)
        }
      },
    })
    expect(publishedBefore).to.deep.equal(['one', 'two', 'three'])
    expect(kept()).to.equal(0)
    const { user, password, virtualHost } = world.upstream
    expect([user, password, virtualHost]).to.deep.equal(['shop', 'right', '/'])
    expect(warnings()).to.deep.equal([])
    expect(world.lines(UNKNOWN)).to.deep.equal([])
  })

  it('is published for each user in each virtual host, over connections of their own', async () => {
    source.passwords.set('till', 'other')
    left('shop', '/', 'a1')
    left('till', '/', 'b1')
    left('shop', 'x', 'a2')
    left('shop', '/', 'a3')
    await start()
    const seen = world.broker.opened.map(({ user, virtualHost, ...upstream }) => [
      user,
      virtualHost,
      upstream,
    ])
    expect(seen).to.have.length(3)
    const by = (name: string, vhost: string): string[] =>
      world.broker.opened
        .filter(({ user, virtualHost }) => user === name && virtualHost === vhost)
        .flatMap((upstream) => upstream.published())
    expect([by('shop', '/'), by('till', '/'), by('shop', 'x')]).to.deep.equal([['a1', 'a3'], ['b1'], ['a2']])
    expect(source.asked.sort()).to.deep.equal(['shop in /', 'shop in x', 'till in /'])
    expect(kept()).to.equal(0)
  })

  it('leaves its connection to the clients that come, and otherwise to the sweep', async () => {
    left('shop', '/', 'one')
    await start()
    const client = await world.connectWithChannels(1, { user: 'shop', password: 'right' })
    client.publish(1, 'two')
    await settle()
    expect(world.broker.opened).to.have.length(1)
    expect(world.upstream.published()).to.deep.equal(['one', 'two'])
    client.close()
    await world.advance(70_000)
    expect(world.broker.open).to.deep.equal([])
    expect(world.proxy.clients).to.equal(0)
  })

  it('waits for the next login of a user whose password nobody knows, and says so', async () => {
    left('stranger', '/', 'one', 'two')
    await start()
    expect(kept()).to.equal(2)
    expect(world.lines(UNKNOWN).map(({ fields }) => fields)).to.deep.equal([
      { user: 'stranger', vhost: '/', messages: 2, advice: 'who is in pool.replay_logins is not waited for' },
    ])
    expect(warnings()).to.deep.equal([
      '2 messages wait for the next login of their users, whose passwords are not known (pool.replay_logins)',
    ])
    await world.connect({ user: 'stranger' })
    await settle()
    expect(published()).to.deep.equal(['one', 'two'])
    expect([kept(), warnings()]).to.deep.equal([0, []])
  })

  it('names no more than ten such users in its log, and counts the others', async () => {
    for (let n = 0; n < 14; n++) left(`stranger${n}`, '/', 'one')
    await start()
    expect(world.lines(UNKNOWN)).to.have.length(10)
    expect(
      world.lines('messages wait for the next logins of further users: their passwords are not known')[0]
        .fields,
    ).to.deep.equal({ logins: 4 })
  })

  it('is published within a minute when the password becomes known, without any client', async () => {
    left('stranger', '/', 'one')
    await start()
    source.passwords.set('stranger', 'found')
    await world.advance(61_000)
    expect(published()).to.deep.equal(['one'])
    expect(kept()).to.equal(0)
  })

  it('keeps what the broker refuses to log in for, says why, and does not try the same password again', async () => {
    left('shop', '/', 'one')
    source.passwords.set('shop', 'hunter2')
    await start({
      broker: (broker) => (broker.refusesLogin = (_, password) => (password === 'right' ? false : 'close')),
    })
    expect(kept()).to.equal(1)
    expect(world.lines(REFUSED)[0].fields).to.deep.include({ user: 'shop', vhost: '/', messages: 1 })
    expect(world.lines(REFUSED)[0].fields.reason).to.match(/^403 ACCESS_REFUSED/)
    expect(warnings()).to.deep.equal([
      '1 message waits for the next login of their users: the broker refuses the logins that are known',
    ])
    const { length } = world.broker.connections
    await world.advance(200_000)
    expect(world.broker.connections).to.have.length(length)
    expect(world.lines(REFUSED)).to.have.length(1)
    source.passwords.set('shop', 'right')
    await world.advance(61_000)
    expect([published(), kept(), warnings()]).to.deep.equal([['one'], 0, []])
    expect(inspect(world.logger.lines, { depth: 9 })).not.to.contain('hunter2')
  })

  it('keeps what is for a virtual host that is gone', async () => {
    left('shop', 'gone', 'one')
    await start({
      broker: (broker) =>
        (broker.refusesVirtualHost = () => ({ code: 530, text: 'NOT_ALLOWED - vhost gone not found' })),
    })
    expect(kept()).to.equal(1)
    expect(world.lines(REFUSED)[0].fields.reason).to.equal('530 NOT_ALLOWED - vhost gone not found')
  })

  it('does not hold up the start while the broker is away, and is published at its return', async () => {
    left('shop', '/', 'one', 'two')
    await start({ prepare: (it) => it.brokerDown() })
    expect(world.clock.now()).to.be.below(12_500)
    expect(kept()).to.equal(2)
    expect(world.lines(LATER)).to.have.length(1)
    expect(warnings()).to.deep.equal(['2 messages wait for their broker'])
    await world.advance(120_000)
    expect(world.lines(LATER)).to.have.length(1)
    world.brokerUp()
    await world.advance(31_000)
    expect([published(), kept(), warnings()]).to.deep.equal([['one', 'two'], 0, []])
  })

  it('is published at once when somebody else finds that the broker is back', async () => {
    left('shop', '/', 'one')
    await start({ prepare: (it) => it.brokerDown() })
    await world.advance(200_000)
    world.brokerUp()
    // By chance it's just been tried; a client may ask after 4 s.
    const retries = world.dialer.dials.length
    await world.advance(4000)
    expect(world.dialer.dials.length - retries).to.be.most(1)
    if (kept() > 0) await world.connect()
    await world.advance(600)
    expect(kept()).to.equal(0)
  })

  it('comes before what its user publishes who logs in first, whatever the start was waiting for', async () => {
    left('shop', '/', 'one', 'two')
    await start({ broker: (broker) => (broker.confirms = false) })
    // The broker has taken long over the confirms: clients were let in nevertheless.
    expect(world.clock.now()).to.be.within(10_000, 12_500)
    const client = await world.connectWithChannels(1, { user: 'shop', password: 'right' })
    client.publish(1, 'three')
    await settle()
    expect(published()).to.deep.equal(['one', 'two'])
    world.broker.confirms = true
    world.upstream.peer.reset()
    await world.advance(31_000)
    expect(published()).to.deep.equal(['one', 'two', 'one', 'two', 'three'])
    expect(kept()).to.equal(0)
  })

  it('goes on by itself when the connection is lost in the middle', async () => {
    left('shop', '/', 'one', 'two')
    await start({ broker: (broker) => (broker.confirms = false) })
    world.broker.confirms = true
    world.upstream.peer.reset()
    await world.advance(31_000)
    expect(kept()).to.equal(0)
    expect(world.upstream.published()).to.deep.equal(['one', 'two'])
  })

  it('asks a source again that fails, or keeps silent, and starts without its answer', async () => {
    left('shop', '/', 'one')
    source.failure = new Error('sealed')
    await start()
    expect(kept()).to.equal(1)
    expect(world.lines(LATER)[0].fields.reason).to.equal("its credentials can't be found out: sealed")
    source.failure = undefined
    source.isSilent = true
    await world.advance(40_000)
    expect(world.lines(LATER).at(-1)!.fields.reason).to.equal(
      "its credentials can't be found out: no answer within 5 s",
    )
    source.isSilent = false
    await world.advance(40_000)
    expect([published(), kept()]).to.deep.equal([['one'], 0])
  })

  it('publishes nothing in the name of another user than it was published in', async () => {
    left('shop', '/', 'one')
    source.credentialsFor = () => Promise.resolve(new Credentials('admin', 'x'))
    await start()
    await world.advance(100_000)
    expect([world.broker.opened, kept()]).to.deep.equal([[], 1])
    expect(world.lines(LATER)[0].fields.reason).to.match(/another user/)
  })

  it('waits for a place where the number of upstream connections is limited', async () => {
    source.passwords.set('till', 'other')
    left('shop', '/', 'a')
    left('till', '/', 'b')
    await start({ settings: { pool: { maxUpstreamConnections: 1 } } })
    expect(kept()).to.equal(1)
    expect(world.lines(LATER)[0].fields.reason).to.equal('upstream connection limit reached')
    await world.advance(90_000)
    expect([published().sort(), kept()]).to.deep.equal([['a', 'b'], 0])
  })

  it('logs in for few users at a time', async () => {
    for (let n = 0; n < 100; n++) {
      source.passwords.set(`user${n}`, 'x')
      left(`user${n}`, '/', 'one')
    }
    let most = 0
    await start({
      broker: (broker) =>
        (broker.refusesLogin = () => {
          const busy = broker.connections.filter(
            ({ peer, virtualHost }) => virtualHost === undefined && peer.sees === 'open',
          )
          most = Math.max(most, busy.length)
          return false
        }),
    })
    expect([most <= 8, kept()]).to.deep.equal([true, 0])
  })

  it('logs in for a message that an operator has tried again', async () => {
    const journal = new FakeJournal(disk)
    journal.append({ user: 'shop', virtualHost: '/' }, publishFrames(1, { body: 'again' }), undefined, {
      reason: '404',
      refusedAt: 0,
      wasTold: false,
    })
    journal.close()
    await start()
    expect(published()).to.deep.equal([])
    expect(world.operations.retryAside('all')).to.deep.equal({ done: { retried: 0, waiting: 1, expired: 0 } })
    await world.advance(100)
    expect([published(), kept()]).to.deep.equal([['again'], 0])
  })

  it('begins nothing more when Warren is told to end meanwhile, and accepts nobody', async () => {
    left('shop', '/', 'one')
    source.isSilent = true
    world = World.prepared({
      journal: new FakeJournal(disk),
      credentials: source,
      settings: { pool: BUFFER },
    })
    const started = world.proxy.start()
    await world.advance(1000)
    const ended = world.proxy.shutDown()
    source.isSilent = false
    await world.advance(60_000)
    await started
    expect((await ended).buffered).to.equal(1)
    expect([world.proxy.isAccepting, world.listener.isListening, kept()]).to.deep.equal([false, false, 1])
    expect(world.clock.pendingTimers).to.equal(0)
  })

  describe('with the logins of the configuration', () => {
    const shop = new Credentials('shop', 'right')

    for (const [where, settings] of Object.entries<NonNullable<WorldOptions['settings']>>({
      'pool.replay_logins': { pool: { replayLogins: [shop] } },
      'tls.external_logins': { tls: { externalLogins: new Map([['CN', shop]]) } },
      'upstream.url': { upstream: { logins: [shop] } },
    }))
      it(`uses those of ${where}`, async () => {
        left('shop', '/', 'one')
        left('other', '/', 'two')
        await start({ settings, credentials: undefined })
        expect([published(), kept()]).to.deep.equal([['one'], 1])
      })

    it('uses those of a reload', async () => {
      left('shop', '/', 'one')
      await start({ credentials: undefined })
      const next: Settings = {
        ...world.settings,
        pool: { ...world.settings.pool, replayLogins: [shop] },
      }
      const { applied } = world.container.get<Reload>(identifiers.Reload).apply(next, ['pool.replay_logins'])
      expect(applied).to.deep.equal(['pool.replay_logins'])
      await world.advance(61_000)
      expect([published(), kept()]).to.deep.equal([['one'], 0])
    })
  })
})

describe('Messages whose user has got another password while the broker was away', () => {
  let disk: FakeJournalDisk
  let source: FakeCredentialSource
  let world: World
  let accepted: string

  beforeEach(async () => {
    disk = new FakeJournalDisk()
    source = new FakeCredentialSource()
    accepted = 'old'
    world = await World.start({
      journal: new FakeJournal(disk),
      credentials: source,
      settings: { pool: BUFFER },
      broker: (broker) => (broker.refusesLogin = (_, password) => (password === accepted ? false : 'close')),
    })
    const client = await world.connectWithChannels(1, { user: 'shop', password: 'old' })
    client.publish(1, 'before')
    await settle()
    world.brokerDown()
    world.upstream.peer.reset()
    await settle()
    for (const body of ['one', 'two']) client.publish(1, body)
    await settle()
    expect(disk.records.size).to.equal(2)
  })
  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const change = async (): Promise<void> => {
    accepted = 'new'
    world.brokerUp()
    await world.advance(31_000)
  }
  const published = (): string[] => world.broker.opened.flatMap((upstream) => upstream.published())
  const login = { user: 'shop', password: 'new' }

  it('are published before what its next login publishes, and once', async () => {
    await change()
    expect(published()).to.deep.equal(['before'])
    const client = await world.connectWithChannels(1, login)
    client.publish(1, 'three')
    await settle()
    await world.advance(60_000)
    expect(published()).to.deep.equal(['before', 'one', 'two', 'three'])
    expect(disk.records.size).to.equal(0)
  })

  it('are published over a connection that the new password has already', async () => {
    world.brokerUp()
    accepted = 'new'
    await world.connect(login)
    await world.advance(31_000)
    expect(published()).to.deep.equal(['before', 'one', 'two'])
    expect(disk.records.size).to.equal(0)
  })

  it('are published without any login where the new password is known', async () => {
    source.passwords.set('shop', 'new')
    await change()
    expect(published()).to.deep.equal(['before', 'one', 'two'])
    expect(disk.records.size).to.equal(0)
  })

  it('stay where only the old one is known, and still go when that is accepted again', async () => {
    source.passwords.set('shop', 'old')
    await change()
    expect(disk.records.size).to.equal(2)
    expect(world.container.get<Readiness>(identifiers.Readiness).warnings()).to.deep.equal([
      '2 messages wait for the next login of their users: the broker refuses the logins that are known',
    ])
    accepted = 'old'
    await world.advance(31_000)
    expect(published()).to.deep.equal(['before', 'one', 'two'])
    expect(disk.records.size).to.equal(0)
  })

  it('belong to nobody else', async () => {
    await change()
    accepted = 'x'
    for (const other of [{ user: 'till' }, { user: 'shop', vhost: 'elsewhere' }])
      await world.connect({ ...other, password: 'x' })
    await settle()
    expect(published()).to.deep.equal(['before'])
    expect(disk.records.size).to.equal(2)
  })
})
