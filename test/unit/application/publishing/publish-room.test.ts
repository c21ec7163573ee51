import { expect } from 'chai'
import { identifiers } from '../../../../src/application/identifiers.js'
import type { Overview } from '../../../../src/application/operations/overview.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames } from '../../../support/wire-format.js'

describe('Messages that are kept until the broker confirms them', () => {
  let world: World

  const start = async (pool: Partial<World['settings']['pool']> = {}): Promise<void> => {
    world = await World.start({
      settings: { pool: { publishBufferSize: 4, publishGuarantee: 'confirmed', ...pool } },
    })
    world.broker.confirms = false
  }

  beforeEach(() => start())

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const publish = async (client: FakeClient, ...bodies: string[]): Promise<void> => {
    for (const body of bodies) client.publish(1, body)
    await settle()
  }
  const numbers = (from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, at) => String(from + at))
  const upstream = (): BrokerConnection => world.upstream
  const unconfirmed = (): { messages: number; bytes: number } =>
    world.container.get<Overview>(identifiers.Overview).summary().unconfirmed
  const brokerGoes = (): Promise<void> => world.brokerGoes()
  const brokerReturns = async (): Promise<void> => {
    world.broker.confirms = true
    world.brokerUp()
    await world.advance(31_000)
  }

  it('are as many as the buffer may hold: then their publishers are not read from until confirms come', async () => {
    const client = await world.connectWithChannels(1)
    await publish(client, ...numbers(1, 10))
    expect(upstream().published()).to.deep.equal(numbers(1, 4))
    expect(unconfirmed().messages).to.equal(4)
    expect(client.peer.isPaused).to.equal(true)
    upstream().confirm(1, 2, true)
    await settle()
    expect(upstream().published()).to.deep.equal(numbers(1, 6))
    upstream().confirm(1, 6, true)
    await settle()
    expect(upstream().published()).to.deep.equal(numbers(1, 10))
    upstream().confirm(1, 10, true)
    await settle()
    expect(client.peer.isPaused).to.equal(false)
    expect(client.refusal).to.equal(undefined)
    expect(unconfirmed()).to.deep.equal({ messages: 0, bytes: 0 })
  })

  it('are bounded in bytes too, of all clients of a pool together', async () => {
    await start({ publishBufferSize: 1000, publishBufferBytes: 1000 })
    const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
    for (const client of clients) await publish(client, ...numbers(1, 10).map((name) => name.repeat(100)))
    const { messages, bytes } = unconfirmed()
    expect(bytes).to.be.within(1000, 1000 + 200)
    expect(upstream().published()).to.have.length(messages)
    // A message larger than all the room is sent when there is nothing else.
    world.broker.confirms = true
    for (const channel of upstream().openChannels)
      for (const tag of upstream().unconfirmed(channel)) upstream().confirm(channel, tag)
    await settle()
    expect(upstream().published()).to.have.length(20)
    await publish(clients[0], 'x'.repeat(3000))
    expect(upstream().published().at(-1)).to.have.length(3000)
    expect(unconfirmed()).to.deep.equal({ messages: 0, bytes: 0 })
  })

  it('hold up clients with confirms alike, but nobody who does something else', async () => {
    await start({ publishGuarantee: 'forwarded' })
    const asking = await world.connectWithChannels(1)
    asking.method(1, 'confirm.select', { nowait: true })
    await publish(asking, ...numbers(1, 6))
    expect(upstream().published()).to.deep.equal(numbers(1, 4))
    const other = await world.connectWithChannels(2)
    await publish(other, 'trusting')
    other.method(2, 'queue.purge', { queue: 'q' })
    await settle()
    expect(upstream().published()).to.deep.equal([...numbers(1, 4), 'trusting'])
    upstream().confirm(1, 4, true)
    await settle()
    expect(upstream().published()).to.deep.equal([...numbers(1, 4), 'trusting', '5', '6'])
  })

  it('let a client that waits say goodbye, with all that it had sent before', async () => {
    const client = await world.connectWithChannels(1)
    await publish(client, ...numbers(1, 6))
    client.close()
    await settle()
    expect(client.names(0)).not.to.include('connection.close-ok')
    for (let round = 0; round < 2; round++) {
      for (const tag of upstream().unconfirmed(1)) upstream().confirm(1, tag)
      await settle()
    }
    expect(upstream().published()).to.deep.equal(numbers(1, 6))
    expect(client.names(0)).to.include('connection.close-ok')
    expect(unconfirmed()).to.deep.equal({ messages: 0, bytes: 0 })
  })

  for (const [how, leave] of [
    ['closes its channel', (client: FakeClient) => client.closeChannel(1)],
    ['says goodbye', (client: FakeClient) => client.close()],
    ['dies', (client: FakeClient) => client.peer.reset()],
    ['is told off', (client: FakeClient) => client.send(method(9, 'basic.qos'))],
  ] as const)
    it(`take no room any more when a client with confirms ${how}`, async () => {
      await start({ publishGuarantee: 'forwarded' })
      const asking = await world.connectWithChannels(1)
      asking.method(1, 'confirm.select', { nowait: true })
      await publish(asking, ...numbers(1, 4))
      expect(unconfirmed().messages).to.equal(4)
      leave(asking)
      await settle()
      expect(unconfirmed()).to.deep.equal({ messages: 0, bytes: 0 })
    })

  it('take no room any more when the broker closes the channel', async () => {
    const client = await world.connectWithChannels(1)
    await publish(client, ...numbers(1, 4))
    upstream().closeChannel(1, { code: 404, text: 'NOT_FOUND' })
    await settle()
    expect(unconfirmed()).to.deep.equal({ messages: 0, bytes: 0 })
  })

  it('take room until they are confirmed when a client without confirms dies', async () => {
    const client = await world.connectWithChannels(1)
    await publish(client, ...numbers(1, 4))
    client.peer.reset()
    const next = await world.connectWithChannels(1)
    await publish(next, 'five')
    expect(upstream().published()).to.have.length(4)
    upstream().confirm(1, 4, true)
    await settle()
    expect(upstream().published().at(-1)).to.equal('five')
  })

  it('fill the buffer when the broker goes: who was held up waits for its return, who comes then is refused', async () => {
    const client = await world.connectWithChannels(1)
    await publish(client, ...numbers(1, 8))
    const other = await world.connectWithChannels(1)
    await brokerGoes()
    expect(client.refusal).to.equal(undefined)
    await publish(other, 'too much')
    expect(other.refusal?.text).to.contain('publish buffer full')
    world.broker.confirms = true
    world.brokerUp()
    await world.advance(5000)
    expect(upstream().published()).to.deep.equal(numbers(1, 8))
    expect(client.refusal).to.equal(undefined)
    expect(world.metrics.count('keptMessages:repeated')).to.equal(4)
  })

  it('do not let those wait for ever who were held up when the broker went', async () => {
    const client = await world.connectWithChannels(1)
    await publish(client, ...numbers(1, 8))
    await brokerGoes()
    await world.advance(9000)
    expect(client.refusal).to.equal(undefined)
    await world.advance(2000)
    expect(client.refusal?.code).to.equal(503)
    expect(client.refusal?.text).to.contain(
      'the publish buffer is full, and the broker did not come back within 10 s',
    )
    await brokerReturns()
    expect(upstream().published()).to.deep.equal(numbers(1, 4))
    await world.proxy.shutDown()
    expect(world.clock.pendingTimers).to.equal(0)
  })

  it('do not hold up the end of a message that has begun', async () => {
    const clients = [await world.connectWithChannels(1), await world.connectWithChannels(1)]
    const message = publishFrames(1, { body: 'x'.repeat(100), frameMax: 50 })
    clients[0].send(message.subarray(0, 70))
    await settle()
    await publish(clients[1], ...numbers(1, 4))
    clients[0].send(message.subarray(70))
    await settle()
    expect(upstream().published().at(-1)).to.equal('x'.repeat(100))
  })
})
