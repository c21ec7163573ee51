import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { takeAll } from '../support/queue-contents.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { runToExit, WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'
import { eventually } from '../support/eventually.js'

const QUEUE = 'kept'
const MESSAGES = 200

describe('a journal', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let directory: string
  let warren: WarrenProcess

  const options = (): string[] => [
    '--pool-publish-buffer-size',
    '10000',
    '--pool-publish-buffer-dir',
    directory,
  ]

  before(async () => {
    directory = join(mkdtempSync(join(tmpdir(), 'warren-journal-')), 'journal')
    broker = await RabbitMqBroker.start()
    warren = await WarrenProcess.start(broker.port, options())
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    await client.declareQueue(1, QUEUE, { durable: true })
    await client.close()
  })
  after(async () => {
    await warren.stop()
    await broker.stop()
    rmSync(join(directory, '..'), { recursive: true })
  })

  /** Bodies in the queue, in order, which is then empty. */
  const contents = async (): Promise<string[]> => {
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    const bodies: string[] = []
    for (;;) {
      const message = await client.get(1, QUEUE).catch(() => undefined)
      if (message === undefined) break
      bodies.push(message.body.toString())
    }
    client.reset()
    return bodies
  }

  /** Has a client publish while the broker is away, and kills Warren. Returns the bodies. */
  const leave = async (): Promise<string[]> => {
    await broker.stopApp()
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    const sent = Array.from({ length: MESSAGES }, (_, at) => `message ${at}`)
    for (const body of sent) client.publish(1, { routingKey: QUEUE, body, properties: { deliveryMode: 2 } })
    // Its answer says that Warren has taken everything before it.
    await client.closeChannel(1)
    await warren.stop()
    return sent
  }

  it('brings through a kill of Warren, in order, what clients had published while the broker was away', async () => {
    const sent = await leave()
    await broker.startApp()
    warren = await WarrenProcess.start(broker.port, options())
    expect(
      warren.lines('messages wait for the next login of their user: its password is not known')[0],
    ).to.include({ user: 'guest', vhost: '/', messages: MESSAGES })
    const next = await WireClient.connect(warren.port)
    await next.openChannel(1)
    next.publish(1, { routingKey: QUEUE, body: 'afterwards' })
    await next.close()
    let arrived: string[] = []
    await eventually(async () => {
      arrived = [...arrived, ...(await contents())]
      expect(arrived).to.have.length(MESSAGES + 1)
    })
    expect(arrived).to.deep.equal([...sent, 'afterwards'])
  })

  it('brings them there before Warren lets any client in, for users whose passwords it knows', async () => {
    const sent = await leave()
    await broker.startApp()
    // It has nothing that it could publish with.
    warren = await WarrenProcess.start(broker.port, options(), { AMQP_POOL_REPLAY_LOGINS: 'guest:wr0ng' })
    const refused = 'messages wait for the next login of their user: the broker refuses the one that is known'
    expect(warren.lines(refused)[0]).to.include({ user: 'guest', vhost: '/', messages: MESSAGES })
    expect(warren.lines(refused)[0]['reason']).to.match(/^403 ACCESS_REFUSED/)
    const ready = await fetch(`http://127.0.0.1:${warren.managementPort}/readyz`)
    const { warnings } = (await ready.json()) as { warnings: string[] }
    expect([ready.status, warnings.length]).to.deep.equal([200, 1])
    expect(warnings[0]).to.match(new RegExp(`^${MESSAGES} messages .* the broker refuses the logins`))
    expect(JSON.stringify([warren.log, warnings])).not.to.contain('wr0ng')
    expect(await contents()).to.deep.equal([])
    await warren.stop()

    warren = await WarrenProcess.start(broker.port, options(), {
      AMQP_POOL_REPLAY_LOGINS: 'guest:guest,other:unused',
    })
    expect(await contents()).to.deep.equal(sent)
    const listening = warren.log.findIndex(({ message }) => message === 'listening')
    const drained = warren.log.findIndex(({ message }) => message === 'publish buffer drained')
    expect(drained).to.be.within(0, listening)
    expect(warren.lines('client disconnected')).to.deep.equal([])
  })

  it('brings them there once the broker is back, when it was away at the start', async () => {
    const sent = await leave()
    const url = `amqp://guest:guest@127.0.0.1:${broker.port}`
    warren = await WarrenProcess.start(url, options())
    expect(warren.lines('messages wait: their user cannot be logged in now')[0]).to.include({
      user: 'guest',
      vhost: '/',
      messages: MESSAGES,
    })
    await broker.startApp()
    await eventually(() => expect(warren.lines('publish buffer drained')).to.have.length(1), 90_000)
    expect(await contents()).to.deep.equal(sent)
    await warren.stop()
    warren = await WarrenProcess.start(broker.port, options())
    expect(warren.log.filter(({ message }) => message.startsWith('messages wait'))).to.deep.equal([])
  })

  it('of several workers is published by one of them each, with fewer workers too, and when one has crashed', async () => {
    let sessions = 0
    let expected: string[] = []
    /** Two clients for each worker publish while the broker is away. */
    const leaveWith = async (workers: number): Promise<void> => {
      const clients = await Promise.all(
        Array.from({ length: 2 * workers }, async () => {
          const client = await WireClient.connect(warren.port)
          await client.openChannel(1)
          return client
        }),
      )
      await broker.stopApp()
      for (const client of clients) {
        const bodies = Array.from({ length: 5 }, (_, at) => `session ${sessions}: ${at}`)
        sessions++
        expected.push(...bodies)
        for (const body of bodies)
          client.publish(1, { routingKey: QUEUE, body, properties: { deliveryMode: 2 } })
        await client.closeChannel(1)
      }
    }
    const startWith = async (workers: number): Promise<void> => {
      warren = await WarrenProcess.start(broker.port, [...options(), '--workers', String(workers)], {
        AMQP_POOL_REPLAY_LOGINS: 'guest:guest',
      })
    }
    const pids = async (): Promise<number[]> => {
      const answer = await fetch(`http://127.0.0.1:${warren.managementPort}/workers`)
      return ((await answer.json()) as { workers: { pid: number }[] }).workers.map(({ pid }) => pid)
    }
    const killAll = async (): Promise<void> => {
      const all = await pids()
      await warren.stop()
      for (const pid of all) await eventually(() => expect(() => process.kill(pid, 0)).to.throw('ESRCH'))
      await broker.startApp()
    }
    /** All of them once, those of each session in order. */
    const expectAll = (arrived: string[]): void => {
      const sessionOf = (body: string): number => Number(body.split(/[ :]/)[1])
      expect([...arrived].sort((a, b) => sessionOf(a) - sessionOf(b))).to.deep.equal(expected)
      expected = []
    }
    await warren.stop()

    await startWith(3)
    await leaveWith(3)
    await killAll()
    await startWith(2)
    // Before anybody could come.
    expectAll(await contents())
    expect(warren.lines('messages moved to the journal of a process that there is')[0]).to.include({
      from: join(directory, 'worker-3'),
      to: join(directory, 'worker-1'),
      messages: 10,
    })

    await leaveWith(2)
    process.kill((await pids())[0], 'SIGKILL')
    await broker.startApp()
    let arrived: string[] = []
    await eventually(async () => {
      arrived = [...arrived, ...(await contents())]
      expect(arrived).to.have.length(20)
    }, 90_000)
    expectAll(arrived)
    expect(warren.lines('worker crashed: it is started again')).to.have.length(1)

    await leaveWith(2)
    await killAll()
    await startWith(1)
    expectAll(await contents())
  })

  it('belongs to one Warren: a second one does not start, and says why', async () => {
    const { code, stdout, stderr } = await runToExit([
      ...options(),
      ...['--listen-port', '0', '--log-format', 'json'],
      `amqp://127.0.0.1:${broker.port}`,
    ])
    expect(code).to.equal(69)
    expect(stdout + stderr)
      .to.contain(directory)
      .and.to.match(/in use|another/)
  })
})

describe('a journal, when Warren is killed at any moment', function () {
  this.timeout(400_000)
  let broker: RabbitMqBroker
  let parent: string
  let warren: WarrenProcess

  const start = async (): Promise<void> => {
    warren = await WarrenProcess.start(broker.port, [
      ...['--pool-publish-buffer-size', '100000', '--pool-publish-guarantee', 'confirmed'],
      ...['--pool-publish-buffer-dir', join(parent, 'journal')],
    ])
  }

  beforeEach(async () => {
    parent = mkdtempSync(join(tmpdir(), 'warren-journal-'))
    broker = await RabbitMqBroker.start()
    await start()
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    await client.declareQueue(1, QUEUE, { durable: true })
    await broker.eval('mnesia:sync_log()')
    await client.close()
  })
  afterEach(async () => {
    await warren.stop()
    await broker.stop()
    rmSync(parent, { recursive: true })
  })

  it('has all that sessions were told is taken, in order, however often and whenever that is', async () => {
    /** By publisher, the messages that it was told are taken. */
    const taken = Array.from({ length: 4 }, (): number[] => [])
    let isOver = false
    const session = async (name: number, number: number): Promise<void> => {
      const client = await WireClient.connect(warren.port)
      await client.openChannel(1)
      client.publish(1, { routingKey: QUEUE, body: `${name}:${number}`, properties: { deliveryMode: 2 } })
      client.method(1, 'channel.close', { code: 200, text: 'bye' })
      await client.expectMethod('channel.close-ok', 90_000)
      client.reset()
      taken[name].push(number)
    }
    const publish = async (name: number): Promise<void> => {
      for (let number = 0; !isOver; number++) {
        // Without Warren, or without a broker since its start, nobody gets in: the next message is another.
        await session(name, number).catch(() => undefined)
        await delay(5)
      }
    }
    const publishing = Promise.all(taken.map((_, name) => publish(name)))
    const allTaken = (): number => taken.reduce((sum, { length }) => sum + length, 0)
    const more = async (count: number): Promise<void> => {
      const before = allTaken()
      await eventually(() => expect(allTaken()).to.be.least(before + count), 90_000)
    }
    const restartWarren = async (): Promise<void> => {
      await warren.stop()
      await start()
    }

    for (let round = 0; round < 3; round++) {
      await more(50)
      await broker.stopApp()
      await more(100)
      // While the broker is away, or in the middle of the drain.
      if (round !== 1) await restartWarren()
      await broker.startApp()
      if (round === 0) continue
      const drains = 'publish buffer draining'
      await eventually(() => expect(warren.lines(drains)).not.to.have.length(0), 90_000)
      await restartWarren()
    }
    await more(20)
    isOver = true
    await publishing
    await eventually(async () => {
      const { body } = await pools()
      expect(body.every(({ buffered_messages: waiting }) => waiting === 0)).to.equal(true)
    })

    const arrived = await takeAll(broker.port, QUEUE)
    for (const [name, numbers] of taken.entries()) {
      const mine = arrived.filter((body) => body.startsWith(`${name}:`)).map((body) => Number(body.slice(2)))
      const firsts = [...new Set(mine)]
      expect(firsts.filter((number, at) => at > 0 && number < firsts[at - 1])).to.deep.equal([])
      expect(numbers.filter((number) => !firsts.includes(number))).to.deep.equal([])
    }
  })

  const pools = async (): Promise<{ body: { buffered_messages: number }[] }> => {
    const response = await fetch(`http://127.0.0.1:${warren.managementPort}/pools`)
    const { pools: body } = (await response.json()) as { pools: { buffered_messages: number }[] }
    return { body }
  }
})
