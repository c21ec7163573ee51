import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames } from '../../../support/wire-format.js'

const UNKNOWN = { code: 503, text: "COMMAND_INVALID - unknown exchange type 'x-odd'" }

describe('A request that may make the broker close the connection', () => {
  let world: World
  let client: FakeClient
  let shared: BrokerConnection

  beforeEach(async () => {
    world = await World.start()
    client = await world.connectWithChannels(1)
    shared = world.upstream
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const declare = async (by = client, type = 'x-odd'): Promise<void> => {
    by.method(1, 'exchange.declare', { exchange: 'e', type })
    await settle()
  }

  /** The connection on which something is being tried. */
  const trial = (): BrokerConnection => {
    expect(world.upstream, 'a connection of its own').to.not.equal(shared)
    return world.upstream
  }

  it('is tried on a connection of its own before it reaches the shared one', async () => {
    await declare()
    expect(trial().names(1)).to.deep.equal(['channel.open', 'exchange.declare', 'channel.close'])
    expect(shared.names(1)).to.deep.equal(['channel.open', 'exchange.declare'])
    expect(trial().isOpen, 'needed no longer').to.equal(false)
  })

  it('waits, and everything behind it, until the broker has answered', async () => {
    world.broker.holdsCloseOk = true
    client.send(
      method(1, 'exchange.declare', { exchange: 'e', type: 'x-odd' }),
      method(1, 'queue.purge', { queue: 'q' }),
    )
    await settle()
    expect(shared.names(1)).to.deep.equal([])
    trial().answerCloses()
    await settle()
    expect(shared.names(1)).to.deep.equal(['channel.open', 'exchange.declare', 'queue.purge'])
  })

  it('is answered to that client alone if the broker closes the connection over it, in its words', async () => {
    world.broker.holdsCloseOk = true
    const neighbour = await world.connectWithChannels(1)
    await declare()
    trial().close(UNKNOWN, 'exchange.declare')
    await settle()
    expect(client.refusal).to.deep.equal(UNKNOWN)
    expect(client.received(0).at(-1)?.args).to.include({ classId: 40, methodId: 10 })
    expect([neighbour.refusal, shared.isOpen]).to.deep.equal([undefined, true])
    expect(shared.names(1)).to.deep.equal([])
  })

  it('goes on if the broker answers it with a channel error, which the client then gets itself', async () => {
    world.broker.holdsCloseOk = true
    await declare()
    trial().closeChannel(1, { code: 406, text: 'PRECONDITION_FAILED' })
    await settle()
    expect(shared.names(1)).to.deep.equal(['channel.open', 'exchange.declare'])
  })

  it('is not tried again once the broker has lived through it', async () => {
    await declare()
    const connections = world.broker.connections.length
    await declare(await world.connectWithChannels(1))
    expect(world.broker.connections).to.have.length(connections)
    await declare(client, 'x-other')
    expect(world.broker.connections).to.have.length(connections + 1)
  })

  it('is refused without another trial for a minute, as a plugin may come', async () => {
    world.broker.holdsCloseOk = true
    await declare()
    trial().close(UNKNOWN, 'exchange.declare')
    const second = await world.connectWithChannels(1)
    const connections = world.broker.connections.length
    await declare(second)
    expect(second.refusal).to.deep.equal(UNKNOWN)
    expect(world.broker.connections).to.have.length(connections)
    world.broker.holdsCloseOk = false
    await world.advance(61_000)
    const third = await world.connectWithChannels(1)
    await declare(third)
    expect(third.refusal).to.equal(undefined)
  })

  it('is tried once for all who ask at the same time', async () => {
    world.broker.holdsCloseOk = true
    const second = await world.connectWithChannels(1)
    await declare()
    const connections = world.broker.connections.length
    await declare(second)
    expect(world.broker.connections).to.have.length(connections)
    trial().answerCloses()
    await settle()
    expect(shared.log.methods.filter(({ name }) => name === 'exchange.declare')).to.have.length(2)
  })

  it('is refused with 503 and the reason when it cannot be tried', async () => {
    world.brokerDown()
    await declare()
    expect(client.refusal?.code).to.equal(503)
    expect(client.refusal?.text).to.match(
      /^exchange type 'x-odd' could not be tried on a connection of its own: /,
    )
  })

  describe('and is an answer to direct reply-to', () => {
    const routingKey =
      'amq.rabbitmq.reply-to.g1h2AA5yZXBseUAzNDI0MjUwMAAAArAAAAAAawGdyw==.nZIbEaEnL+Mg8/8p4/aTig=='
    const answer = publishFrames(1, { routingKey, body: 'answer' })

    it('is not itself tried, but the question whether anybody waits for it', async () => {
      client.send(answer)
      await settle()
      expect(trial().names(1)).to.deep.equal(['channel.open', 'queue.declare', 'channel.close'])
      expect(shared.published()).to.deep.equal(['answer'])
      const connections = world.broker.connections.length
      client.send(answer)
      await settle()
      expect(shared.published()).to.deep.equal(['answer', 'answer'])
      expect(world.broker.connections).to.have.length(connections)
    })

    it('goes to the broker also when it cannot be tried', async () => {
      world.brokerDown()
      client.send(answer)
      await settle()
      expect(client.refusal).to.equal(undefined)
      expect(shared.published()).to.deep.equal(['answer'])
    })

    it('is not held up by one attempt after the other when it cannot be tried', async () => {
      world = await World.start({ settings: { pool: { maxUpstreamConnections: 1 } } })
      client = await world.connectWithChannels(1)
      const attempts = (): number => world.lines('could not be tried on a connection of its own').length
      for (let n = 0; n < 3; n++) {
        client.send(answer)
        await settle()
      }
      expect(world.upstream.published()).to.deep.equal(['answer', 'answer', 'answer'])
      expect(attempts()).to.equal(1)
      await world.advance(10_000)
      client.send(answer)
      await settle()
      expect(world.upstream.published()).to.have.length(4)
      expect(attempts()).to.equal(2)
    })
  })

  it('may lose its client meanwhile', async () => {
    world.broker.holdsCloseOk = true
    await declare()
    client.peer.reset()
    await settle()
    trial().answerCloses()
    await settle()
    expect(world.proxy.clients).to.equal(0)
    expect(shared.names(1)).to.deep.equal([])
  })

  it('leaves no queue behind whose name the broker chose', async () => {
    world.broker.serverProperties = { product: 'RabbitMQ', version: '4.3.0' }
    client = await world.connectWithChannels(1, { user: 'newer' })
    shared = world.upstream
    client.method(1, 'queue.declare', {})
    await settle()
    expect(trial().names(1)).to.deep.equal(['channel.open', 'queue.declare', 'queue.delete', 'channel.close'])
  })

  it('is not a transient queue for a broker that never denies them', async () => {
    client.method(1, 'queue.declare', { queue: 'q' })
    await settle()
    expect(world.upstream).to.equal(shared)
    expect(shared.names(1)).to.deep.equal(['channel.open', 'queue.declare'])
  })
})
