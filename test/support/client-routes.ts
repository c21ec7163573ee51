/** The same scenarios of a client library on two routes: to RabbitMQ itself, and through Warren. */
import { expect } from 'chai'
import { type ClientName, missingClient } from '../../scripts/client-packages.mjs'
import { ClientProgram } from './client-program.js'
import { eventually } from './eventually.js'
import type { BrokerQueue, RabbitMqBroker } from './rabbitmq-broker.js'
import { sharedBroker } from './shared-broker.js'
import { WarrenProcess } from './warren-process.js'
import { WireClient } from './wire-client.js'

/** Most upstream connections that one pool needs here: publishers' and consumers', and one that a claim or a burst adds. */
const UPSTREAMS = 3

/** How a client reaches the broker in the tests of one route, and what the broker has seen of it. */
export class Route {
  #broker: RabbitMqBroker | undefined
  #warren: WarrenProcess | undefined
  /** The broker's count of connections when the route, and when its current test, began. */
  #atBegin = 0
  #atTest = 0

  constructor(readonly throughWarren: boolean) {}

  get name(): string {
    return this.throughWarren ? 'through Warren' : 'to RabbitMQ itself'
  }

  get broker(): RabbitMqBroker {
    return this.#broker!
  }

  /** The port that the client is given. */
  get port(): number {
    return this.#warren?.port ?? this.broker.port
  }

  get url(): string {
    return this.#warren?.url ?? this.broker.url
  }

  /** Runs a client program with the port as its first argument; resolves with what it printed as JSON. */
  async run(program: string, ...args: (string | number)[]): Promise<unknown> {
    const lines = await ClientProgram.start(program, [this.port, ...args]).succeeds()
    return JSON.parse(lines.at(-1) ?? 'null')
  }

  /** As `run`, but to RabbitMQ itself on either route: what a client gets there, Warren must give it too. */
  async runDirectly(program: string, ...args: (string | number)[]): Promise<unknown> {
    const before = await this.broker.connectionsOpened()
    const lines = await ClientProgram.start(program, [this.broker.port, ...args]).succeeds()
    const opened = (await this.broker.connectionsOpened()) - before
    this.#atBegin += opened
    this.#atTest += opened
    return JSON.parse(lines.at(-1) ?? 'null')
  }

  /** Starts a client program with the port as its first argument. */
  start(program: string, ...args: (string | number)[]): ClientProgram {
    return ClientProgram.start(program, [this.port, ...args])
  }

  /** The queue as the broker has it; undefined where it has none of that name. */
  async queue(name: string): Promise<BrokerQueue | undefined> {
    return (await this.broker.queues()).find((queue) => queue.name === name)
  }

  /**
   * Resolves when the queue holds this many messages, all of them ready. Eventually, as the broker lets the question
   * overtake messages that are on their way to the queue.
   */
  async holds(name: string, messages: number): Promise<void> {
    await eventually(async () =>
      expect(await this.queue(name)).to.include({ messages, ready: messages, unacked: 0 }),
    )
  }

  /** Takes all messages out of the queue, past the client and past Warren. */
  async drain(name: string): Promise<{ body: string; deliveryMode: number | undefined }[]> {
    const client = await WireClient.connect(this.broker.port)
    await client.openChannel(1)
    const count = (await this.queue(name))!.messages
    const messages = []
    for (let n = 0; n < count; n++) {
      const { body, properties } = await client.get(1, name)
      messages.push({ body: body.toString(), deliveryMode: properties.deliveryMode })
    }
    await client.close()
    this.#atBegin++
    this.#atTest++
    return messages
  }

  /**
   * That the broker had to open this many connections for the clients since the test began: one for each session when
   * they come to it directly; through Warren all of its tests together share a few.
   */
  async expectOpened(sessions: number): Promise<void> {
    const opened = await this.broker.connectionsOpened()
    if (this.throughWarren) expect(opened - this.#atBegin).to.be.at.most(UPSTREAMS)
    else expect(opened - this.#atTest).to.equal(sessions)
  }

  /** Starts what the route needs. */
  async begin(): Promise<void> {
    this.#broker = await sharedBroker()
    this.#atBegin = await this.broker.connectionsOpened()
    // What it opened stays open, so that all that it needed counts.
    if (this.throughWarren)
      this.#warren = await WarrenProcess.start(this.broker.port, ['--pool-idle-timeout', '600'])
  }

  /** Before each test. */
  async beginTest(): Promise<void> {
    this.#atTest = await this.broker.connectionsOpened()
  }

  /**
   * After each test: of clients that are gone the broker holds nothing. Directly no connection is left; through Warren
   * only its own few, with no channel but clean ones that wait for the next publisher.
   */
  async endTest(): Promise<void> {
    await eventually(async () => {
      const connections = await this.broker.connections()
      const foreign = connections.filter(({ clientProperties }) => clientProperties['product'] !== 'Warren')
      expect(foreign.map(({ name, user }) => ({ name, user }))).to.deep.equal([])
      expect(connections.length).to.be.at.most(this.throughWarren ? UPSTREAMS : 0)
      for (const channel of await this.broker.channels())
        expect(channel).to.include({
          ...{ confirm: false, transactional: false, consumers: 0, prefetch: 0 },
          ...{ unacked: 0, unconfirmed: 0, uncommitted: 0 },
        })
    })
    await this.broker.deleteAllQueues()
  }

  async end(): Promise<void> {
    await this.#warren?.stop()
    this.#warren = undefined
  }
}

/** Defines the scenarios of a client once for each route; all are skipped where the client isn't installed. */
export function describeClient(client: ClientName, define: (route: Route) => void): void {
  describe(client, function () {
    this.timeout(180_000)
    before(function () {
      const missing = missingClient(client)
      if (missing === undefined) return
      console.log(`    skipped: ${missing}`)
      this.skip()
    })
    for (const route of [new Route(false), new Route(true)])
      describe(route.name, () => {
        before(() => route.begin())
        beforeEach(() => route.beginTest())
        afterEach(() => route.endTest())
        after(() => route.end())
        define(route)
      })
  })
}
