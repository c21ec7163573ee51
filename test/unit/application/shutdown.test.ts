import { expect } from 'chai'
import type { ShutdownReport } from '../../../src/application/proxy.js'
import { settle } from '../../support/fake-byte-stream.js'
import { FakeJournal } from '../../support/fake-journal.js'
import { World } from '../../support/fake-world.js'
import { PROTOCOL_HEADER } from '../../support/wire-format.js'

describe('Shutting down', () => {
  let world: World
  let report: ShutdownReport | undefined
  let startedAt: number
  let doneAt: number

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** Begins; `report` is set once it's done. */
  const shutDown = async (): Promise<void> => {
    report = undefined
    startedAt = world.clock.now()
    void world.proxy.shutDown().then((result) => {
      report = result
      doneAt = world.clock.now()
    })
    await settle()
  }

  it('without clients says goodbye to the broker, and is done when it has answered', async () => {
    const client = await world.connect()
    client.close()
    await settle()
    await shutDown()
    expect(world.upstream.names(0).at(-1)).to.equal('connection.close')
    expect(world.upstream.peer.sees).to.equal('ended')
    expect(report).to.deep.equal({ closedClients: 0, cutOff: 0, buffered: 0 })
    expect(doneAt).to.equal(startedAt)
  })

  it('without ever having had a client is done at once', async () => {
    await shutDown()
    expect(report).to.deep.equal({ closedClients: 0, cutOff: 0, buffered: 0 })
  })

  it('accepts nobody from the first moment on', async () => {
    await world.connect()
    await shutDown()
    expect(world.listener.isListening).to.equal(false)
    expect(() => world.dial()).to.throw('ECONNREFUSED')
  })

  it('lets clients work on for the time of grace, and is done when the last has gone', async () => {
    const client = await world.connectWithChannels(1)
    await shutDown()
    await world.advance(10_000)
    client.publish(1, 'last words')
    await client.openChannels(2)
    client.publish(2, 'really')
    await settle()
    expect(client.refusal).to.equal(undefined)
    client.close()
    await settle()
    expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    expect(world.upstream.published()).to.deep.equal(['last words', 'really'])
    expect(report).to.deep.equal({ closedClients: 0, cutOff: 0, buffered: 0 })
    expect(doneAt - startedAt).to.equal(10_000)
  })

  it('sends the rest Connection.Close 320 after the time of grace, and then closes upstream', async () => {
    const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
    for (const client of clients) client.method(1, 'basic.recover', { requeue: true })
    await settle()
    const { upstream } = world
    await shutDown()
    await world.advance(14_900)
    expect(clients.map(({ refusal }) => refusal)).to.deep.equal([undefined, undefined])
    await world.advance(200)
    for (const client of clients) {
      expect(client.refusal).to.deep.equal({
        code: 320,
        text: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
      })
      expect(client.ended).to.equal('ended')
    }
    expect(upstream.names(1)).to.deep.equal(['channel.open', 'basic.recover', 'channel.close'])
    expect(upstream.log.methods.at(-1)!.name).to.equal('connection.close')
    expect(upstream.peer.sees).to.equal('ended')
    expect(report).to.deep.equal({ closedClients: 2, cutOff: 0, buffered: 0 })
  })

  it('sends what waits for a client before it is closed', async () => {
    const client = await world.connectWithChannels(1)
    client.publish(1, 'x')
    await settle()
    client.peer.stall(0)
    world.upstream.deliver(1, { body: 'waits' })
    await shutDown()
    await world.advance(16_000)
    client.peer.drain()
    await settle()
    expect(client.names().slice(-2)).to.deep.equal(['basic.deliver', 'connection.close'])
    expect(client.ended).to.equal('ended')
    expect(report).to.deep.equal({ closedClients: 1, cutOff: 0, buffered: 0 })
  })

  it('cuts off a client that never answers Close, in time, and reports it', async () => {
    const client = await world.connectWithChannels(1)
    client.stubborn = true
    await shutDown()
    await world.advance(30_000)
    expect(client.refusal?.code).to.equal(320)
    expect(client.ended).to.equal('destroyed')
    expect(world.proxy.clients).to.equal(0)
    expect(report).to.deep.equal({ closedClients: 1, cutOff: 1, buffered: 0 })
  })

  it('cuts off a client that never answers Close also when there is hardly any time left for it', async () => {
    world = await World.start({ settings: { shutdown: { grace: 3, timeout: 4 } } })
    const client = await world.connectWithChannels(1)
    client.stubborn = true
    await shutDown()
    await world.advance(4100)
    expect(report).to.deep.equal({ closedClients: 1, cutOff: 1, buffered: 0 })
    expect(client.ended).to.equal('destroyed')
    expect(world.proxy.clients).to.equal(0)
  })

  it('takes no grace when there is none', async () => {
    world = await World.start({ settings: { shutdown: { grace: 0, timeout: 30 } } })
    const client = await world.connect()
    await shutDown()
    await world.advance(50)
    expect(client.refusal?.code).to.equal(320)
    expect(report).to.deep.equal({ closedClients: 1, cutOff: 0, buffered: 0 })
  })

  it('ends the handshakes that are under way', async () => {
    const silent = world.dial()
    const halfway = world.dial()
    await halfway.login()
    await shutDown()
    await world.advance(30_000)
    expect([silent.ended, halfway.ended]).not.to.include('open')
    expect(world.proxy.clients).to.equal(0)
    expect(report).not.to.equal(undefined)
  })

  it('lets a client come in whose handshake was under way, and treats it like the others', async () => {
    const client = world.dial()
    await client.login()
    await shutDown()
    client.tuneOk()
    client.open()
    await settle()
    client.next('connection.open-ok')
    await world.advance(16_000)
    expect(client.refusal?.code).to.equal(320)
    expect(report).to.deep.equal({ closedClients: 1, cutOff: 0, buffered: 0 })
  })

  it('answers Close-Ok to a client that was waiting for it', async () => {
    world.broker.holdsCloseOk = true
    const client = await world.connectWithChannels(1)
    client.publish(1, 'x')
    client.close()
    await shutDown()
    await world.advance(1000)
    world.upstream.answerCloses()
    await settle()
    expect(client.names(0).at(-1)).to.equal('connection.close-ok')
    expect(report).to.deep.equal({ closedClients: 0, cutOff: 0, buffered: 0 })
  })

  it('waits for a broker that does not answer, but not for long', async () => {
    world.broker.holdsConnectionCloseOk = true
    const client = await world.connect()
    client.close()
    await settle()
    await shutDown()
    expect(report).to.equal(undefined)
    await world.advance(30_000)
    expect(report).to.deep.equal({ closedClients: 0, cutOff: 0, buffered: 0 })
    expect(world.upstream.peer.sees).to.equal('destroyed')
    expect(doneAt - startedAt).to.be.at.most(30_000)
  })

  it('takes no longer than shutdown.timeout, whatever hangs', async () => {
    world.broker.holdsConnectionCloseOk = true
    world.broker.holdsCloseOk = true
    world = await World.start({
      broker: (broker) => (broker.holdsConnectionCloseOk = broker.holdsCloseOk = true),
      settings: { shutdown: { grace: 5, timeout: 8 } },
    })
    const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
    for (const client of clients) {
      client.stubborn = true
      client.publish(1, 'x')
    }
    clients[1].close()
    await shutDown()
    await world.advance(8100)
    expect(report).to.include({ cutOff: 2, buffered: 0 })
    expect(doneAt - startedAt).to.be.within(8000, 8050)
  })

  it('stops reconnecting', async () => {
    await world.connect()
    world.brokerDown()
    world.upstream.peer.reset()
    await settle()
    await shutDown()
    expect(report).to.deep.equal({ closedClients: 0, cutOff: 0, buffered: 0 })
    const { length } = world.dialer.dials
    await world.advance(60_000)
    expect(world.dialer.dials).to.have.length(length)
  })

  it('closes a connection to the broker that was still being opened', async () => {
    world.broker.silentBefore = 'open-ok'
    const client = world.dial()
    await client.login()
    client.tuneOk()
    client.open()
    await settle()
    await shutDown()
    await world.advance(30_000)
    expect(world.broker.connections.map(({ peer }) => peer.sees)).not.to.include('open')
    expect(report).not.to.equal(undefined)
  })

  it('closes a connection to the broker whose opening ends only afterwards', async () => {
    await world.connect()
    world.upstream.peer.reset()
    world.broker.silentBefore = 'open-ok'
    await world.advance(600)
    await shutDown()
    expect(report).not.to.equal(undefined)
    world.broker.connections.at(-1)!.finishOpen()
    await settle()
    expect(world.broker.connections.map(({ peer }) => peer.sees)).not.to.include('open')
  })

  it('gives up a login that nobody has taken', async () => {
    const client = world.dial()
    client.send(PROTOCOL_HEADER)
    client.startOk()
    await settle()
    client.peer.end()
    await shutDown()
    expect(world.broker.connections.map(({ peer }) => peer.sees)).not.to.include('open')
  })

  it('leaves no timer behind', async () => {
    const clients = [await world.connectWithChannels(1, { heartbeat: 5 }), await world.connect()]
    clients[0].publish(1, 'x')
    clients[1].close()
    await shutDown()
    await world.advance(20_000)
    expect(report).not.to.equal(undefined)
    expect(world.clock.pendingTimers).to.equal(0)
  })

  it('is logged at its begin and its end', async () => {
    await world.connect()
    await shutDown()
    await world.advance(20_000)
    expect(world.lines('shutting down')[0].fields).to.include({ clients: 1, grace: 15, timeout: 30 })
    expect(world.lines('shut down')[0].fields).to.include({ closedClients: 1, cutOff: 0, buffered: 0 })
  })

  for (const [where, journal, message] of [
    [
      'in memory alone are lost',
      undefined,
      'messages in the publish buffer are lost: the broker is away, and there is no journal',
    ],
    [
      'in a journal are kept for the next start',
      () => new FakeJournal(),
      'messages of the publish buffer stay in the journal, for the next start',
    ],
  ] as const)
    it(`says that messages which wait for the broker ${where}`, async () => {
      world = await World.start({ settings: { pool: { publishBufferSize: 10 } }, journal: journal?.() })
      const client = await world.connectWithChannels(1)
      world.brokerDown()
      for (const upstream of world.broker.open) upstream.peer.reset()
      await settle()
      client.publish(1, 'kept')
      client.close()
      await settle()
      await shutDown()
      await world.advance(20_000)
      expect(report).to.include({ buffered: 1 })
      expect(world.lines(message).map(({ fields }) => fields['messages'])).to.deep.equal([1])
    })
})
