import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Limits } from '../../../../src/application/operations/limits.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'

describe('A connection before its handshake is over', () => {
  let world: World
  const active = (): number => world.container.get<Limits>(identifiers.Limits).clients.active

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  it('counts as pending and as a client, and not any more once it has failed', async () => {
    world = await World.start({ settings: { client: { maxPending: 1 } } })
    const first = world.listener.begin()
    await settle()
    const second = world.listener.begin()
    await settle()
    expect(second.isClosed()).to.equal(true)
    expect(world.lines('client not admitted')[0].fields.reason).to.contain('client.max_pending')
    expect(active()).to.equal(1)
    first.fail('a client without TLS on the TLS port')
    expect(active()).to.equal(0)
    await world.connect()
    expect(world.proxy.clients).to.equal(1)
  })

  it('counts for its address', async () => {
    world = await World.start({ settings: { client: { maxPerAddress: 1 } } })
    const first = world.listener.begin('192.0.2.9:1')
    const second = world.listener.begin('192.0.2.9:2')
    await settle()
    expect([first.isClosed(), second.isClosed()]).to.deep.equal([false, true])
    first.fail('gone')
    const third = world.listener.begin('192.0.2.9:3')
    await settle()
    expect(third.isClosed()).to.equal(false)
  })

  it('gets one line in the log that says why it was not accepted, and from where it came', async () => {
    world = await World.start()
    const arrival = world.listener.begin('192.0.2.9:1')
    await settle()
    arrival.fail('a client without TLS on the TLS port')
    const [{ level, fields }] = world.lines('connection not accepted')
    expect(level).to.equal('warn')
    expect(fields).to.deep.equal({ remote: '192.0.2.9:1', reason: 'a client without TLS on the TLS port' })
    expect(world.metrics.count('clientRefused:not_accepted')).to.equal(1)
  })

  it('gets no line above debug when it was only there to see if the port is open', async () => {
    world = await World.start()
    const arrival = world.listener.begin()
    await settle()
    arrival.fail()
    expect(world.lines('connection not accepted')).to.have.length(0)
    expect(world.metrics.count('clientRefused:not_accepted')).to.equal(0)
  })

  it('has used up its part of the handshake limit', async () => {
    world = await World.start({ settings: { client: { handshakeTimeout: 10 } } })
    const arrival = world.listener.begin()
    await settle()
    await world.advance(7000)
    const client = new FakeClient(arrival.succeed())
    await world.advance(2900)
    expect(client.ended).to.equal('open')
    await world.advance(200)
    expect(client.ended).not.to.equal('open')
    expect(world.lines('client disconnected')[0].fields.reason).to.equal('no handshake within 10 s')
  })
})
