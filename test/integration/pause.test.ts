import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { takeAll } from '../support/queue-contents.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { numbered } from '../support/sessions.js'
import { SteadyPublisher } from '../support/steady-publisher.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const QUEUE = 'paused'

describe('pausing a pool', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let proxy: FaultProxy
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
  })
  beforeEach(async () => {
    proxy = await FaultProxy.start(broker.port)
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    await client.declareQueue(1, QUEUE, {})
    await client.close()
  })
  afterEach(async () => {
    await warren.stop()
    await proxy.stop()
    await broker.deleteAllQueues()
  })

  const start = async (...args: string[]): Promise<void> => {
    warren = await WarrenProcess.start(proxy.port, args)
  }
  async function ask(method: string, path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${warren.managementPort}${path}`, { method })
    return (await response.json()) as Record<string, unknown>
  }
  const pool = async (verb: 'pause' | 'resume' | 'reconnect'): Promise<void> => {
    expect(await ask('POST', `/pools/p1/${verb}`)).to.include({ status: 'success' })
  }
  const buffered = async (): Promise<number> =>
    ((await ask('GET', '/pools')).pools as { buffered_messages: number }[])[0].buffered_messages

  it('again and again under load loses and doubles nothing, for publishers and for consumers', async () => {
    await start()
    const CYCLES = 25
    const publishers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name, n) => SteadyPublisher.connect(warren.port, name, QUEUE, n % 2 === 0)),
    )
    const consumer = await WireClient.connect(warren.port)
    await consumer.openChannel(1)
    const received: string[] = []
    await consumer.consume(1, QUEUE)
    const consuming = (async () => {
      for (;;) {
        const { args, body } = await consumer.expectContent('basic.deliver', 180_000)
        received.push(body.toString())
        consumer.ack(1, Number(args.deliveryTag))
      }
    })().catch(() => undefined)
    for (const publisher of publishers) publisher.start(1)
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      await pool('pause')
      if (cycle % 5 === 0) await pool('reconnect')
      await delay(Math.random() * 60)
      await pool('resume')
      await delay(Math.random() * 60)
    }
    for (const publisher of publishers) await publisher.stop(90_000)
    for (const { name, error, wrongs, open, sent } of publishers) {
      expect({ name, error, wrongs }).to.deep.equal({ name, error: undefined, wrongs: [] })
      if (name === 'a' || name === 'c') expect(open).to.deep.equal([])
      expect(sent).to.be.above(CYCLES)
    }
    const total = publishers.reduce((sum, { sent }) => sum + sent, 0)
    await eventually(() => expect(received).to.have.length.at.least(total), 90_000)
    for (const { name, sent } of publishers)
      expect(received.filter((body) => body.startsWith(name))).to.deep.equal(
        Array.from({ length: sent }, (_, n) => `${name}:${n}`),
      )
    expect(received).to.have.length(total)
    consumer.reset()
    await consuming
  })

  /** So many messages wait for the broker; none of them has reached it. */
  async function buffer(messages: number, body: (n: number) => string): Promise<void> {
    await start('--pool-publish-buffer-size', '5000')
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    client.publish(1, { routingKey: QUEUE, body: 'first' })
    await eventually(async () => expect((await broker.queues())[0].messages).to.equal(1))
    await takeAll(broker.port, QUEUE)
    proxy.door = 'resets'
    proxy.resetAll()
    await eventually(() => expect(warren.lines('upstream connection lost')).to.have.length.at.least(1))
    for (let n = 0; n < messages; n++) client.publish(1, { routingKey: QUEUE, body: body(n) })
    await eventually(async () => expect(await buffered()).to.equal(messages))
    await client.close()
  }

  it('holds what waits in the publish buffer when the broker comes back', async () => {
    const bodies = numbered('kept', 300)
    await buffer(bodies.length, (n) => bodies[n])
    await pool('pause')
    proxy.door = 'open'
    await eventually(() => expect(warren.lines('publish buffer draining')).to.have.length.at.least(1), 90_000)
    await delay(300)
    expect(await buffered()).to.equal(bodies.length)
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal([])
    await pool('resume')
    await eventually(async () => expect(await buffered()).to.equal(0), 90_000)
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(bodies)
  })

  it('holds a publish buffer in the middle of draining, and each message arrives once and in order', async () => {
    const padding = 'x'.repeat(2000)
    const bodies = numbered('kept', 1500).map((name) => `${name} ${padding}`)
    await buffer(bodies.length, (n) => bodies[n])
    proxy.door = 'open'
    proxy.faults = { bytesPerSecond: 400_000 }
    await eventually(async () => expect(await buffered()).to.be.below(bodies.length), 90_000)
    await pool('pause')
    // What is on its way settles; then nothing moves.
    const settled = await eventually(async () => {
      const before = await buffered()
      await delay(1000)
      expect(await buffered()).to.equal(before)
      return before
    }, 90_000)
    expect(settled).to.be.within(1, bodies.length - 1)
    proxy.faults = {}
    await pool('resume')
    await eventually(async () => expect(await buffered()).to.equal(0), 90_000)
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(bodies)
  })
})
