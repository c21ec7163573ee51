/** Where sessions run: the broker, Warren in front of it, and fresh virtual hosts for each run. */
import { eventually } from '../../support/eventually.js'
import type { RabbitMqBroker } from '../../support/rabbitmq-broker.js'
import { WarrenProcess } from '../../support/warren-process.js'
import { prepareBrokerView, viewBroker } from './broker-view.js'
import type { Style } from './lanes.js'
import { Lockstep } from './lockstep.js'
import { Side } from './side.js'

/** The users of a session, each with a pool of their own. They may not touch what is called `forbidden`. */
export const USERS = ['differ-one', 'differ-two'] as const
export const PASSWORD = 'differ'
const ALLOWED = '^(?!forbidden).*'

/** Both sides go straight to the broker: what differs then is chance, and doesn't belong into sessions. */
const IS_CONTROL = process.env['WARREN_DIFFERENTIAL_CONTROL'] !== undefined

let runs = 0

/** Opened once; each session enters and leaves it. */
export class Arena {
  readonly #broker: RabbitMqBroker
  #warren: WarrenProcess | undefined
  /** Settings that Warren has besides the arena's own. */
  #settings: readonly string[] = []
  /** Virtual hosts of earlier runs, while Warren is still connected to them. */
  #retired: string[] = []

  private constructor(broker: RabbitMqBroker) {
    this.#broker = broker
  }

  static async open(broker: RabbitMqBroker): Promise<Arena> {
    await prepareBrokerView(broker)
    for (const user of USERS) await broker.addUser(user, PASSWORD)
    return new Arena(broker)
  }

  /** From now on Warren has these settings. */
  async use(settings: readonly string[]): Promise<void> {
    this.#settings = settings
    await this.#warren?.stop()
    this.#warren = undefined
  }

  /** Two empty virtual hosts, and nothing that an earlier run has left in Warren. */
  async enter(style: Style): Promise<Lockstep> {
    await this.#removeRetired()
    const port = await this.#otherPort()
    const run = String(++runs)
    const sides = [
      new Side('direct', this.#broker.port, `differ-direct-${run}`, style),
      new Side('warren', port, `differ-warren-${run}`, style),
    ] as const
    for (const { vhost } of sides) {
      await this.#broker.addVhost(vhost)
      for (const user of USERS) await this.#broker.allow(user, vhost, ALLOWED)
    }
    const lockstep = new Lockstep(this.#broker, ...sides)
    await lockstep.begin()
    return lockstep
  }

  /** Ends what a run has open. After a failed one Warren starts anew, so that it can't spoil the next. */
  async leave({ sides }: Lockstep, hasFailed: boolean): Promise<string> {
    for (const side of sides) side.dropAll()
    this.#retired.push(...sides.map(({ vhost }) => vhost))
    if (!hasFailed) return ''
    const log = this.#warren?.log.filter(({ level }) => level === 'error' || level === 'warn') ?? []
    await this.#warren?.stop()
    this.#warren = undefined
    return log.map((line) => JSON.stringify(line)).join('\n')
  }

  async close(): Promise<void> {
    await this.#warren?.stop()
    await eventually(() => this.#removeRetired(true), 10_000)
  }

  async #otherPort(): Promise<number> {
    if (IS_CONTROL) return this.#broker.port
    this.#warren ??= await this.#startWarren()
    return this.#warren.port
  }

  /** Unused pools go soon, so that a long run doesn't gather them. */
  #startWarren(): Promise<WarrenProcess> {
    return WarrenProcess.start(this.#broker.port, [
      '--pool-idle-timeout',
      '1',
      '--pool-cleanup-interval',
      '1',
      ...this.#settings,
    ])
  }

  async #removeRetired(isLast = false): Promise<void> {
    if (this.#retired.length === 0) return
    const { vhosts } = await viewBroker(this.#broker, this.#retired)
    const [used, unused] = [[] as string[], [] as string[]]
    vhosts.forEach(({ connections }, at) => (connections > 0 ? used : unused).push(this.#retired[at]))
    this.#retired = used
    for (const vhost of unused) await this.#broker.deleteVhost(vhost)
    if (isLast && used.length > 0) throw new Error(`Connections are left in ${used.join(', ')}.`)
  }
}
