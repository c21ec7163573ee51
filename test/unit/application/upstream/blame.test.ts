import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames } from '../../../support/wire-format.js'

const UNKNOWN_TYPE = { code: 503, text: "COMMAND_INVALID - unknown exchange type 'x-odd'" }
const NOT_THEIRS = 320

describe('When the broker closes a shared connection over a request', () => {
  let world: World
  let culprit: FakeClient
  let neighbour: FakeClient

  beforeEach(async () => {
    world = await World.start()
    culprit = await world.connectWithChannels(1)
    neighbour = await world.connectWithChannels(1)
    neighbour.publish(1, 'x')
    neighbour.method(1, 'basic.qos', { prefetchCount: 1 })
    await settle()
    world.upstream.method(1, 'basic.qos-ok')
    await settle()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const purge = async (client: FakeClient): Promise<void> => {
    client.method(1, 'queue.purge', { queue: 'q' })
    await settle()
  }

  it('tells the client that waits for the answer what the broker said, and the others that it was not them', async () => {
    await purge(culprit)
    world.upstream.close(UNKNOWN_TYPE, 'queue.purge')
    await settle()
    expect(culprit.refusal).to.deep.equal(UNKNOWN_TYPE)
    expect(neighbour.refusal).to.deep.equal({
      code: NOT_THEIRS,
      text: "CONNECTION_FORCED - the broker closed the shared upstream connection over another client's queue.purge (503), not over yours",
    })
  })

  it('finds the client also when it has asked for more meanwhile', async () => {
    culprit.send(method(1, 'queue.purge', { queue: 'q' }), method(1, 'basic.qos'), method(1, 'basic.get'))
    await settle()
    world.upstream.close(UNKNOWN_TYPE, 'basic.qos')
    await settle()
    expect([culprit.refusal?.code, neighbour.refusal?.code]).to.deep.equal([503, NOT_THEIRS])
  })

  it('does not suspect a client whose request of that kind was answered', async () => {
    await purge(neighbour)
    world.upstream.method(1, 'queue.purge-ok')
    await purge(culprit)
    world.upstream.close(UNKNOWN_TYPE, 'queue.purge')
    await settle()
    expect([culprit.refusal?.code, neighbour.refusal?.code]).to.deep.equal([503, NOT_THEIRS])
  })

  it('suspects who waits for any answer when a channel of the broker has crashed, which names no method', async () => {
    await purge(culprit)
    world.upstream.close({ code: 541, text: 'INTERNAL_ERROR' })
    await settle()
    expect([culprit.refusal?.code, neighbour.refusal?.code]).to.deep.equal([541, NOT_THEIRS])
  })

  it('logs who it was', async () => {
    await purge(culprit)
    world.upstream.close(UNKNOWN_TYPE, 'queue.purge')
    await settle()
    const lines = world.lines('client made the broker close a shared upstream connection')
    expect(lines).to.have.length(1)
    expect(lines[0].fields).to.include({ code: 503, reason: UNKNOWN_TYPE.text, user: 'guest', client: 'c1' })
  })

  describe('the next connections of that client', () => {
    beforeEach(async () => {
      await purge(culprit)
      world.upstream.close(UNKNOWN_TYPE, 'queue.purge')
      await settle()
    })

    /** The upstream connection that a new client's channel is on. */
    const placeOf = async (login: { user?: string; vhost?: string } = {}): Promise<string> => {
      const client = await world.connectWithChannels(1, login)
      client.publish(1, 'where')
      await settle()
      const place = world.broker.open.findIndex((upstream) => upstream.published().includes('where'))
      world.broker.open[place].log.methods.length = 0
      return `${place}`
    }

    it('have upstream connections apart from others, which they share', async () => {
      const first = await placeOf()
      expect(await placeOf()).to.equal(first)
      const other = await placeOf({ user: 'other' })
      expect(other).to.not.equal(first)
    })

    it('are like all others again after a while', async () => {
      const quarantined = await placeOf()
      await world.advance(61_000)
      expect(await placeOf()).to.not.equal(quarantined)
    })
  })

  it('does not suspect a client over what it has asked for on another, before its channel came here', async () => {
    world = await World.start({ settings: { pool: { ...World.defaults.pool, separateRoles: true } } })
    culprit = await world.connectWithChannels(1)
    culprit.method(1, 'basic.consume', { queue: 'q' })
    const mover = await world.connectWithChannels(2)
    mover.send(method(1, 'queue.declare', { queue: 'mine', exclusive: true }))
    await settle()
    const [consumers] = world.broker.open
    consumers.method(2, 'queue.declare-ok', { queue: 'mine' })
    mover.send(
      publishFrames(2, { body: 'x' }),
      method(2, 'exchange.declare', { exchange: 'x', nowait: true }),
    )
    await settle()
    mover.method(2, 'queue.purge', { queue: 'mine' })
    await settle()
    expect(consumers.names(3)).to.deep.equal(['channel.open', 'queue.purge'])
    culprit.method(1, 'exchange.declare', { exchange: 'x' })
    await settle()
    consumers.close(UNKNOWN_TYPE, 'exchange.declare')
    await settle()
    expect([culprit.refusal?.code, mover.refusal?.code]).to.deep.equal([503, NOT_THEIRS])
  })
})
