/** A whole Warren with a strict broker behind it, neighbours who watch, and rude clients who come and go. */
import { settle } from '../support/fake-byte-stream.js'
import { World } from '../support/fake-world.js'
import { method } from '../support/wire-format.js'
import { LightClient } from './light-client.js'
import { MARK, moveIn, type Neighbour } from './neighbours.js'
import { Prng } from './prng.js'
import type { ClientStep, Round, StreetStep } from './round.js'
import { StrictBroker } from './strict-broker.js'

/** Something that must never happen has happened. */
export class Failure extends Error {}

/** What has been done so far. */
export interface Tally {
  rounds: number
  clients: number
  /** Frames of rude clients that were sent, and those of them that Warren has read before it ended the connection. */
  framesSent: number
  framesRead: number
  /** Frames that have reached the broker, those of the neighbours included. */
  framesForwarded: number
}

export function newTally(): Tally {
  return { rounds: 0, clients: 0, framesSent: 0, framesRead: 0, framesForwarded: 0 }
}

/** Long enough for every limit and for three sweeps. */
const QUIET_MS = 100_000
const TIME_STEP_MS = 1000
const MEGABYTE = 1024 * 1024
/** Channels that neighbours keep in use at the broker; one more where roles are separated, as one of them consumes and publishes. */
const KEPT_CHANNELS = 3

export class Arena {
  readonly broker = new StrictBroker()
  private readonly complaints: string[] = []
  private neighbours: Neighbour[] = []
  private rude: (LightClient | undefined)[] = []
  private readonly rudeAddresses = new Set<string>()
  private connections = 0
  private timers = 0

  private constructor(
    private readonly world: World,
    private readonly tally: Tally,
  ) {}

  /** Warren with settings that follow from the seed, and the neighbours in. */
  static async open(seed: number, tally: Tally): Promise<Arena> {
    const prng = new Prng(seed)
    const pool = {
      ...World.defaults.pool,
      separateRoles: prng.once(2),
      maxChannels: prng.oneOf([12, 40, 2047]),
    }
    const client = {
      ...World.defaults.client,
      maxBufferBytes: 4 * MEGABYTE,
      maxMessageBytes: prng.oneOf([50_000, MEGABYTE]),
      maxUnfinishedBytes: MEGABYTE,
      maxUnfinishedBytesTotal: 2 * MEGABYTE,
    }
    const world = await World.start({ settings: { pool, client }, random: () => prng.next() })
    const arena = new Arena(world, tally)
    await arena.fill()
    return arena
  }

  private async fill(): Promise<void> {
    const { world, broker } = this
    world.dialer.listen(world.endpoint, (peer) => broker.accept(peer))
    this.neighbours = moveIn({
      broker,
      dial: () => world.listener.connect(),
      complain: (text) => this.complain(text),
    })
    await this.becomeQuiet()
    // Some need a channel more once they have acted.
    for (const neighbour of this.neighbours) neighbour.act()
    await this.becomeQuiet()
    this.connections = broker.connections.size
    this.timers = world.clock.pendingTimers
    this.check()
  }

  private get channels(): number {
    return KEPT_CHANNELS + (this.world.settings.pool.separateRoles ? 1 : 0)
  }

  /** Plays a round to its end; throws a Failure when anything of what must always hold doesn't. */
  async play(round: Round): Promise<void> {
    this.tally.rounds++
    this.rude = []
    for (const step of round.steps) {
      if (step.client === undefined) await this.doAround(step)
      else this.doClient(step)
      this.throwComplaints()
    }
    await this.becomeQuiet()
    this.check()
    this.tidyUp()
  }

  /** Everybody goes. */
  async close(): Promise<void> {
    for (const { client } of this.neighbours) {
      client.onEnd = () => client.peer.end()
      client.method(0, 'connection.close', { code: 200 })
    }
    const down = this.world.proxy.shutDown()
    await this.pass(QUIET_MS)
    await down
    if (this.broker.connections.size > 0) this.complain('upstream connections have outlived Warren')
    if (this.world.clock.pendingTimers > 0) this.complain('timers have outlived Warren')
    this.throwComplaints()
  }

  // ---- steps -----------------------------------------------------------------------------------------------------

  private doClient(step: ClientStep & { readonly client: number }): void {
    const number = step.client
    if (step.do === 'connect') this.rude[number] = this.connect(step.isPolite)
    const client = this.rude[number]
    if (client === undefined) return
    if (step.do === 'send') {
      this.tally.framesSent += step.frames
      client.send(step.bytes)
    } else if (step.do === 'end') client.peer.end()
    else if (step.do === 'reset') client.peer.reset()
    else if (step.do === 'stall') client.peer.stall(step.backlog)
    else if (step.do === 'drain') client.peer.drain()
  }

  private connect(isPolite: boolean): LightClient {
    this.tally.clients++
    const client = new LightClient(this.world.listener.connect(), (text) =>
      this.complain(`to a rude client: ${text}`),
    )
    this.rudeAddresses.add(client.address)
    client.onMethod = ({ name, channel, body, args }) => {
      const isNeighbours = body?.subarray(0, MARK.length).equals(Buffer.from(MARK)) === true
      if (isNeighbours || args.consumerTag === MARK)
        this.complain(`a rude client got ${body?.subarray(0, 40).toString('latin1')} by ${name}`)
      if (!isPolite) return
      if (name === 'channel.close') client.send(method(channel, 'channel.close-ok'))
      if (name === 'connection.close') client.send(method(0, 'connection.close-ok'))
    }
    client.onEnd = () => {
      if (isPolite) client.peer.end()
    }
    return client
  }

  private async doAround(step: StreetStep): Promise<void> {
    switch (step.do) {
      case 'settle':
        return settle()
      case 'pass time':
        return this.pass(step.milliseconds)
      case 'neighbours act':
        for (const neighbour of this.neighbours) neighbour.act()
        return
      case 'broker is lazy':
        this.broker.isLazy = step.isLazy
        return
      case 'broker works':
        return this.broker.work(new Prng(step.seed), step.most)
      case 'alarm':
        for (const connection of this.broker.connections) connection.setBlocked(step.isOn)
        return
      case 'broker stops reading':
        for (const connection of this.broker.connections) connection.stall(step.backlog)
        return
      case 'broker reads again':
        for (const connection of this.broker.connections) connection.drain()
    }
  }

  // ---- between the rounds ----------------------------------------------------------------------------------------

  /** The rude clients leave, the broker does its work, limits run out. */
  private async becomeQuiet(): Promise<void> {
    for (const [number, client] of this.rude.entries()) {
      if (number % 2 === 0) client?.peer.end()
      else client?.peer.reset()
    }
    this.broker.isLazy = false
    for (const connection of this.broker.connections) {
      connection.drain()
      connection.setBlocked(false)
    }
    this.broker.workAll()
    await settle()
    // By now all that neighbours have begun must have ended well; the rest of the time is for what is left of the others.
    for (const client of this.rude) client?.peer.drain()
    await this.pass(QUIET_MS)
    this.broker.workAll()
    await settle()
    this.readLog()
  }

  private async pass(milliseconds: number): Promise<void> {
    await settle()
    for (let left = milliseconds; left > 0; left -= TIME_STEP_MS) {
      this.world.clock.advance(Math.min(left, TIME_STEP_MS))
      await settle()
    }
  }

  private check(): void {
    for (const neighbour of this.neighbours) neighbour.check()
    const { broker, world } = this
    const isMore = (what: string, number: number, expected: number): void => {
      if (number !== expected) this.complain(`${number} ${what} are left instead of ${expected}`)
    }
    isMore('clients', world.proxy.clients, this.neighbours.length)
    isMore('channels at the broker', broker.openChannels.length, this.channels)
    isMore('upstream connections', broker.connections.size, this.connections)
    isMore('timers', world.clock.pendingTimers, this.timers)
    for (const channel of broker.openChannels) {
      if (channel.isInContent) this.complain(`half a message is left on channel ${channel.number}`)
      for (const queue of channel.queuesInUse)
        if (!queue.startsWith(MARK)) this.complain(`a channel still uses '${queue}'`)
    }
    for (const { queues } of broker.virtualHosts.values())
      for (const { name, owner } of queues.values())
        if (owner !== undefined && !name.startsWith(MARK))
          this.complain(`the exclusive queue '${name}' is left`)
    this.throwComplaints()
  }

  /** What rude clients have made for good is of no interest to the next round. */
  private tidyUp(): void {
    for (const virtualHost of this.broker.virtualHosts.values()) {
      for (const queue of [...virtualHost.queues.values()])
        if (!queue.name.startsWith(MARK)) virtualHost.deleteQueue(queue)
      for (const name of [...virtualHost.exchanges.keys()])
        if (name !== '' && !name.startsWith('amq.')) virtualHost.deleteExchange(name)
    }
    this.rudeAddresses.clear()
    this.world.dialer.dials.length = 0
    this.tally.framesForwarded += this.broker.frames
    this.broker.frames = 0
  }

  private readLog(): void {
    const { lines } = this.world.logger
    for (const { level, message, fields } of lines) {
      if (level === 'error') this.complain(`${message}: ${(fields.error as Error)?.stack}`)
      if (message === 'client disconnected' && this.rudeAddresses.has(fields.remote as string))
        this.tally.framesRead += fields.framesIn as number
    }
    lines.length = 0
  }

  private complain(text: string): void {
    this.complaints.push(text)
  }

  private throwComplaints(): void {
    const all = [...this.broker.violations.map((text) => `at the broker: ${text}`), ...this.complaints]
    if (all.length > 0) throw new Failure([...new Set(all)].slice(0, 10).join('\n'))
  }
}
