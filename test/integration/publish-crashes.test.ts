import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '../support/eventually.js'
import { takeAll } from '../support/queue-contents.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { SILENCE_MS, SteadyPublisher } from '../support/steady-publisher.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const CRASHES = 5
const EACH = 20
const OUTAGE_MS = 20_000
const PHP_PUBLISHERS = 3
/** How long nothing at all may happen: Warren tries within 30 s of its last try, and on a slow machine each takes its time. */
const STALL_MS = 90_000
/** A slow machine has longer outages; what is published meanwhile mustn't grow with them. */
const MOST_EACH = 1500

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

  /** Waits for `check` as long as there's anything new in Warren's log, or in what `more` counts. */
  const patiently = (check: () => void, more: () => number = () => 0): Promise<void> =>
    eventually(check, STALL_MS, () => `${warren.log.length} ${more()}`).catch((error: unknown) => {
      console.log(warren.log.slice(-20))
      throw error
    })

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
    for (const publisher of all) publisher.start(40, MOST_EACH)
    const confirmed = (): number => asking.reduce((sum, { confirmed: { size } }) => sum + size, 0)

    for (let crash = 1; crash <= CRASHES; crash++) {
      await delay(Math.random() * 1500)
      await broker.kill()
      for (const { name, open } of asking) for (const number of open) underWay.get(name)!.add(number)
      await broker.restart()
      // Some crashes come while the last outage isn't over for Warren.
      if (crash % 2 === 0) await patiently(() => expect(isBack()).to.equal(true), confirmed)
    }
    await patiently(() => expect(isBack()).to.equal(true), confirmed)
    await Promise.all(all.map((publisher) => publisher.stop(SILENCE_MS)))

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
        await client.expectMethod('channel.close-ok', SILENCE_MS)
        client.method(0, 'connection.close', { code: 200, text: 'bye' })
        await client.expectMethod('connection.close-ok', SILENCE_MS)
        await client.end()
        await delay(20)
      }
    }
    const publishing = Promise.all(sessions.map((_, at) => publishLikePhp(at)))
    // A session that fails is seen at once, not after the outage.
    const outage = async (): Promise<void> => {
      /** Each has published so many more. */
      const more = (than: readonly number[], count: number): Promise<void> =>
        patiently(
          () => expect(sessions.every((done, at) => done >= than[at] + count)).to.equal(true),
          () => sessions.reduce((sum, done) => sum + done, 0),
        )
      await more([0, 0, 0], 5)
      await broker.kill()
      const before = [...sessions]
      await delay(OUTAGE_MS)
      await more(before, 50)
      await broker.restart()
      await patiently(() => expect(isBack()).to.equal(true))
      await more(sessions.slice(), 5)
      isOver = true
    }
    await Promise.race([Promise.all([publishing, outage()]), publishing.then(() => undefined)])
    await publishing
    const numbers = await takeNumbers()
    for (const [at, count] of sessions.entries())
      expect([...new Set(numbers.get(`php${at}`))]).to.deep.equal([...Array(count).keys()])
  })
})
