/** Where a rude client does its worst: one Warren, neighbours on the same upstream connections, and what must hold afterwards. */
import { expect } from 'chai'
import { eventually } from './eventually.js'
import { NEIGHBOURS, Neighbours } from './neighbours.js'
import type { BrokerChannel, RabbitMqBroker } from './rabbitmq-broker.js'
import { sharedBroker } from './shared-broker.js'
import { WarrenProcess } from './warren-process.js'
import { WireClient, type WireOptions } from './wire-client.js'

/** Channels that Warren may keep open for the next client; a sweep closes those that nobody needs. */
const FEW_SPARES = 16
/** Two sweeps, and the broker's time for thousands of channels. */
const CLEANING_UP_MS = 60_000

/** The rude client's side: connections that are torn down when its behaviour is over. */
export class Visit {
  readonly #clients: WireClient[] = []

  constructor(
    readonly port: number,
    readonly broker: RabbitMqBroker,
  ) {}

  /** A socket that has said nothing. */
  async dial(): Promise<WireClient> {
    const client = await WireClient.dial(this.port)
    this.#clients.push(client)
    return client
  }

  /** A connection up to Open-Ok. */
  async connect(options: WireOptions = {}): Promise<WireClient> {
    const client = await WireClient.connect(this.port, options)
    this.#clients.push(client)
    return client
  }

  /** A connection with channel 1 open. */
  async open(options: WireOptions = {}): Promise<WireClient> {
    const client = await this.connect(options)
    await client.openChannel(1)
    return client
  }

  /** Resets what is still open. */
  leave(): void {
    for (const { socket } of this.#clients)
      if (socket.readyState === 'open') socket.resetAndDestroy()
      else socket.destroy()
  }
}

/** The neighbours, the Warren that they share, and a place at it for rude visitors. */
export class Neighbourhood {
  readonly broker: RabbitMqBroker
  readonly #args: readonly string[]
  #warren!: WarrenProcess
  #neighbours!: Neighbours
  #isAlive = true
  #isDisturbed = false
  /** The neighbours' channels at the broker, by pid, and the connections that carry them. */
  #channels: readonly BrokerChannel[] = []

  private constructor(broker: RabbitMqBroker, args: readonly string[]) {
    this.broker = broker
    this.#args = args
  }

  /** `args` are Warren's; it sweeps every second. */
  static async start(broker: RabbitMqBroker, args: readonly string[] = []): Promise<Neighbourhood> {
    const neighbourhood = new Neighbourhood(broker, args)
    await neighbourhood.#begin()
    return neighbourhood
  }

  get warren(): WarrenProcess {
    return this.#warren
  }

  /** The broker's ids of the connections that carry the neighbours. */
  get upstreams(): string[] {
    return [...new Set(this.#channels.map(({ connection }) => connection))].sort()
  }

  /** Lets `misbehave` happen, and demands that nobody else is any the worse for it. */
  async endure<T>(misbehave: (visit: Visit) => Promise<T> | T): Promise<T> {
    if (this.#isDisturbed) await this.#beginAnew()
    const logged = this.#warren.log.length
    const visit = new Visit(this.#warren.port, this.broker)
    this.#isDisturbed = true
    let result: T
    try {
      result = await misbehave(visit)
    } catch (error) {
      // What became of the neighbours tells more than what the rude client missed.
      visit.leave()
      await this.#neighbours.settle()
      throw error
    }
    visit.leave()
    await this.#neighbours.settle()
    await this.#expectNothingLeft(FEW_SPARES)
    expect(this.#isAlive, 'Warren is running').to.equal(true)
    expect(this.#warren.log.slice(logged).filter(({ level }) => level === 'error')).to.deep.equal([])
    await this.tidy()
    this.#isDisturbed = false
    return result
  }

  /** Resolves when the broker has no channel left but the neighbours'. */
  expectNoSpareChannels(): Promise<void> {
    return this.#expectNothingLeft(0)
  }

  async stop(): Promise<void> {
    await this.#neighbours?.stop()
    await this.#warren?.stop()
    await this.broker.quiet()
    await this.tidy()
    await this.broker.deleteAllQueues()
  }

  async #begin(): Promise<void> {
    const sweeping = ['--pool-cleanup-interval', '1']
    await this.broker.quiet()
    this.#warren = await WarrenProcess.start(this.broker.port, [...sweeping, ...this.#args])
    const warren = this.#warren
    this.#isAlive = true
    void warren.exited.then(() => {
      if (warren === this.#warren) this.#isAlive = false
    })
    this.#neighbours = await Neighbours.start(this.#warren.port)
    await this.#neighbours.settle()
    this.#channels = await this.broker.channels()
    expect(this.#channels.length, 'channels of the neighbours').to.equal(4)
    expect(this.upstreams.length, 'upstream connections of the neighbours').to.equal(2)
    this.#isDisturbed = false
  }

  async #beginAnew(): Promise<void> {
    await this.stop()
    await this.#begin()
  }

  async #expectNothingLeft(spares: number): Promise<void> {
    const own = new Set(this.#channels.map(({ pid }) => pid))
    await eventually(async () => {
      const channels = await this.broker.channels()
      const others = channels.filter(({ pid }) => !own.has(pid))
      const used = others.filter(
        (channel) =>
          channel.consumers + channel.unacked + channel.prefetch > 0 ||
          channel.confirm ||
          channel.transactional,
      )
      expect(channels.length - others.length, 'channels of the neighbours').to.equal(own.size)
      expect(used, 'channels with traces of somebody who is gone').to.deep.equal([])
      expect(others.length, 'other channels').to.be.at.most(spares)
      expect(await this.#leftovers(), 'exclusive or auto-delete queues').to.equal(
        `[<<"${NEIGHBOURS}-right">>]`,
      )
    }, CLEANING_UP_MS)
    const upstreams = (await this.broker.upstreams()).map(({ pid }) => pid)
    expect(upstreams).to.include.members(this.upstreams)
  }

  #leftovers(): Promise<string> {
    const isPassing = 'amqqueue:get_exclusive_owner(Q) =/= none orelse amqqueue:is_auto_delete(Q)'
    return this.broker.eval(
      `lists:sort([element(4, amqqueue:get_name(Q)) || Q <- rabbit_amqqueue:list(), ${isPassing}])`,
    )
  }

  /** Deletes the queues and exchanges that a visitor made to last. */
  async tidy(): Promise<void> {
    const isStrange = `binary:match(N, <<"${NEIGHBOURS}">>) =:= nomatch`
    await this.broker.eval(`[catch rabbit_amqqueue:delete(Q, false, false, <<"test">>) ||
      Q <- rabbit_amqqueue:list(), N <- [element(4, amqqueue:get_name(Q))], ${isStrange}]`)
    await this.broker.eval(`[catch rabbit_exchange:delete(X, false, <<"test">>) ||
      {resource, _, _, N} = X <- rabbit_exchange:list_names(), N =/= <<>>, ${isStrange},
      binary:match(N, <<"amq.">>) =/= {0, 4}]`)
  }
}

/** A suite of rude behaviours, all beside the same neighbours. */
export function besideNeighbours(
  title: string,
  define: (neighbourhood: () => Neighbourhood) => void,
  args: readonly string[] = [],
): void {
  describe(title, function () {
    this.timeout(180_000)
    let neighbourhood: Neighbourhood | undefined

    before(async () => {
      neighbourhood = await Neighbourhood.start(await sharedBroker(), args)
    })
    after(() => neighbourhood?.stop())

    define(() => neighbourhood!)

    // Behind the suites that `define` has made, which mocha runs after single tests.
    describe('in the end', () =>
      it('the broker has no channel left but those of the neighbours', () =>
        neighbourhood!.endure(() => neighbourhood!.expectNoSpareChannels())))
  })
}

/** As mocha's `it`; what can't hold yet is pending with its reason, unless WARREN_PENDING asks to try it all the same. */
export function promise(title: string, test: () => Promise<unknown>, pending?: string): void {
  if (pending === undefined) it(title, test)
  else if (process.env['WARREN_PENDING'] === undefined) it(`${title} (pending: ${pending})`)
  else it(`${title} (${pending})`, test)
}
