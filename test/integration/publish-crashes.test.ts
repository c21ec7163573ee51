import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '../support/eventually.js'
import { takeAll } from '../support/queue-contents.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { SteadyPublisher } from '../support/steady-publisher.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const CRASHES = 5
const EACH = 20
const OUTAGE_MS = 20_000
const PHP_PUBLISHERS = 3
/** Warren tries within 30 s of its last try, on a slow machine that begins late, and then there's much to publish. */
const RETURN_MS = 90_000

describe('publishers whose broker crashes', function () {
  this.timeout(600_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await RabbitMqBroker.start()
  })
  after(() => broker.stop())
  beforeEach(async () => {
    const keeping = ['--pool-publish-buffer-size', '100000', '--pool-publish-guarantee', 'confirmed']
    warren = await WarrenProcess.start(broker.port, keeping)
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    await client.declareQueue(1, 'durable', { durable: true })
    // The broker writes down what it was told to declare a moment after it has said so.
    await broker.eval('mnesia:sync_log()')
    await client.close()
  })
  afterEach(async () => {
    await warren.stop()
    await broker.deleteAllQueues()
  })

  /** By name of the publisher, the numbers of its messages in the order in which they lie in the queue. */
  async function takeNumbers(): Promise<Map<string, number[]>> {
    const numbers = new Map<string, number[]>()
    for (const body of await takeAll(broker.port, 'durable')) {
      const [name, number] = body.split(':')
      if (!numbers.has(name)) numbers.set(name, [])
      numbers.get(name)!.push(Number(number))
    }
    return numbers
  }

  /** Whether what was kept in the last outage has been published. Other lines may follow, such as of idle connections. */
  const isBack = (): boolean => {
    const last = (message: string): number => warren.log.findLastIndex((line) => line.message === message)
    return last('publish buffer drained') > last('upstream connection lost')
  }

  const duplicatesIn = (numbers: readonly number[]): number[] =>
    numbers.filter((number, at) => numbers.indexOf(number) < at)

  it(`lose nothing, and are told nothing untrue, while it is killed ${CRASHES} times`, async () => {
    const connect = (prefix: string, confirms: boolean): Promise<SteadyPublisher>[] =>
      Array.from({ length: EACH }, (_, n) =>
        SteadyPublisher.connect(warren.port, `${prefix}${n}`, 'durable', confirms),
      )
    const asking = await Promise.all(connect('asking', true))
    const trusting = await Promise.all(connect('trusting', false))
    const all = [...asking, ...trusting]
    const underWay = new Map(asking.map(({ name }) => [name, new Set<number>()]))
    for (const publisher of all) publisher.start(40)

    for (let crash = 1; crash <= CRASHES; crash++) {
      await delay(Math.random() * 1500)
      await broker.kill()
      for (const { name, open } of asking) for (const number of open) underWay.get(name)!.add(number)
      await broker.restart()
      // Some crashes come while the last outage isn't over for Warren.
      if (crash % 2 === 0)
        await eventually(
          () => expect(warren.lines('publish buffer drained').length).to.be.least(crash / 2),
          RETURN_MS,
        )
    }
    await eventually(() => expect(isBack()).to.equal(true), RETURN_MS)
    await Promise.all(all.map((publisher) => publisher.stop(RETURN_MS)))

    const numbers = await takeNumbers()
    let duplicates = 0
    for (const publisher of all) {
      const { name, sent, wrongs, error, refused, open } = publisher
      expect([error, wrongs, [...refused]], name).to.deep.equal([undefined, [], []])
      const isAsking = asking.includes(publisher)
      if (isAsking) expect(open, name).to.deep.equal([])
      const received = numbers.get(name) ?? []
      // All of them, and the first of each in order.
      expect([...new Set(received)], name).to.deep.equal([...Array(sent).keys()])
      const twice = duplicatesIn(received)
      duplicates += twice.length
      if (isAsking) for (const number of twice) expect([...underWay.get(name)!], name).to.include(number)
    }
    const sent = all.reduce((sum, publisher) => sum + publisher.sent, 0)
    console.log(`      ${sent} messages, ${duplicates} of them twice`)
  })

  it(`come, publish one message and leave all through ${OUTAGE_MS / 1000} s without a broker`, async () => {
    const sessions = Array.from({ length: PHP_PUBLISHERS }, () => 0)
    let isOver = false
    const publishLikePhp = async (at: number): Promise<void> => {
      while (!isOver) {
        const client = await WireClient.connect(warren.port)
        await client.openChannel(1)
        const body = `php${at}:${sessions[at]++}`
        client.publish(1, { routingKey: 'durable', body, properties: { deliveryMode: 2 } })
        client.method(1, 'channel.close', { code: 200, text: 'bye' })
        await client.expectMethod('channel.close-ok', RETURN_MS)
        client.method(0, 'connection.close', { code: 200, text: 'bye' })
        await client.expectMethod('connection.close-ok', RETURN_MS)
        await client.end()
        await delay(20)
      }
    }
    const publishing = Promise.all(sessions.map((_, at) => publishLikePhp(at)))
    // A session that fails is seen at once, not after the outage.
    const outage = async (): Promise<void> => {
      await delay(500)
      await broker.kill()
      const before = [...sessions]
      await delay(OUTAGE_MS)
      for (const [at, count] of sessions.entries()) expect(count).to.be.greaterThan(before[at] + 50)
      await broker.restart()
      await eventually(() => expect(warren.lines('publish buffer drained')).to.have.length(1), RETURN_MS)
      await delay(500)
      isOver = true
    }
    await Promise.race([Promise.all([publishing, outage()]), publishing.then(() => undefined)])
    await publishing
    const numbers = await takeNumbers()
    for (const [at, count] of sessions.entries())
      expect([...new Set(numbers.get(`php${at}`))]).to.deep.equal([...Array(count).keys()])
  })
})
