/** The one way to a new connection to the broker. */
import { inject, injectable } from 'inversify'
import { tableField, textField, type FieldTable } from '../../domain/amqp/field-table.js'
import type { Credentials, Mechanism } from '../../domain/credentials.js'
import { type Asker, type Attempt, BrokerCircuit } from '../../domain/policy/broker-circuit.js'
import { BrokerNodes } from './broker-nodes.js'
import type { BrokerProfile } from './broker-profile.js'
import type { Heartbeats } from '../heartbeats.js'
import { identifiers } from '../identifiers.js'
import type { Limits, UpstreamPlace } from '../operations/limits.js'
import type { ByteStream } from '../ports/byte-stream.js'
import type { Clock } from '../ports/clock.js'
import { type Dialer, type Endpoint, nameOf } from '../ports/dialer.js'
import type { Logger } from '../ports/logger.js'
import type { Random } from '../ports/random.js'
import type { Metrics } from '../ports/metrics.js'
import type { Product } from '../product.js'
import type { Settings } from '../settings.js'
import type { Traffic } from '../traffic.js'
import { UpstreamConnection } from './upstream-connection.js'
import { UpstreamLimitReached, UpstreamUnreachable, reasonOf } from './upstream-errors.js'
import type { Login } from './upstream-handshake.js'

/** What Warren can do as a client of the broker. Each of Warren's own clients is then sent only what it announced itself. */
const CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'authentication_failure_close',
]

/**
 * Opens connections to the broker and introduces Warren there. While the broker is down, it says so without
 * dialling, but for a try now and then.
 */
@injectable()
export class UpstreamConnector {
  readonly #dialer: Dialer
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: Settings
  readonly #product: Product
  readonly #heartbeats: Heartbeats
  readonly #profile: BrokerProfile
  readonly #random: Random
  readonly #nodes: BrokerNodes
  readonly #circuit = new BrokerCircuit()
  readonly #limits: Limits
  readonly #traffic: Traffic
  readonly #metrics: Metrics
  #dialled = 0
  #onBrokerBack: () => void = () => {}

  constructor(
    @inject(identifiers.Dialer) dialer: Dialer,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Settings) settings: Settings,
    @inject(identifiers.Product) product: Product,
    @inject(identifiers.Heartbeats) heartbeats: Heartbeats,
    @inject(identifiers.BrokerProfile) profile: BrokerProfile,
    @inject(identifiers.Random) random: Random,
    @inject(identifiers.Limits) limits: Limits,
    @inject(identifiers.Traffic) traffic: Traffic,
    @inject(identifiers.Metrics) metrics: Metrics,
  ) {
    this.#dialer = dialer
    this.#clock = clock
    this.#logger = logger
    this.#settings = settings
    this.#product = product
    this.#heartbeats = heartbeats
    this.#profile = profile
    this.#random = random
    this.#limits = limits
    this.#traffic = traffic
    this.#metrics = metrics
    const { endpoints, connectTimeout } = settings.upstream
    this.#nodes = new BrokerNodes({
      dialer,
      clock,
      logger,
      random,
      endpoints,
      timeoutMs: connectTimeout * 1000,
    })
  }

  /** Whether the broker is known to be down. */
  get knowsOutage(): boolean {
    return this.#circuit.isOpen
  }

  /** Names the one who hears that the broker answers again after an outage. */
  set onBrokerBack(callback: () => void) {
    this.#onBrokerBack = callback
  }

  /**
   * Connects and logs in; resolves when the broker has accepted the credentials and waits for a virtual host.
   * `poolId` is what operators see beside the connection. Rejects with UpstreamRefused or UpstreamUnreachable. `held` is the place of
   * a connection that was lost, under the upstream limit; without it a place has to be had first.
   */
  async login(
    credentials: Credentials,
    mechanism: Mechanism,
    poolId: string,
    asker: Asker,
    held?: UpstreamPlace,
  ): Promise<UpstreamConnection> {
    const place = held === undefined ? this.#limits.takeUpstream() : undefined
    if (held === undefined && place === undefined) throw new UpstreamLimitReached()
    const clientProperties = this.#clientProperties(credentials.user, poolId)
    try {
      const upstream = await this.#connect(asker, { credentials, mechanism, clientProperties })
      upstream.place = place
      return upstream
    } catch (error) {
      place?.release()
      throw error
    }
  }

  /** Connects only to see what the broker says of itself, which goes into the {@link BrokerProfile}. Rejects with UpstreamUnreachable. */
  async introduce(): Promise<void> {
    const upstream = await this.#connect('pool', undefined)
    await upstream.close()
  }

  async #connect(asker: Asker, login: Login | undefined): Promise<UpstreamConnection> {
    const asked = this.#circuit.ask(asker, this.#clock.now())
    if ('outage' in asked) {
      const { outage } = asked
      throw new UpstreamUnreachable(outage.reason, outage, outage.askAgainMs)
    }
    let isThere = false
    try {
      const reached = await this.#nodes.reach(async (address, limitMs) => {
        const upstream = await this.#dial(address, limitMs)
        try {
          await upstream.greet(login, limitMs)
        } finally {
          isThere ||= upstream.hasIntroducedItself
        }
        return upstream
      })
      this.#onReached()
      return reached
    } catch (error) {
      // What goes wrong behind Connection.Start may be about this login alone: others aren't kept from theirs.
      if (isThere) this.#onReached()
      else if (error instanceof UpstreamUnreachable) throw this.#onUnreachable(asked.attempt, error.reason)
      throw error
    } finally {
      this.#circuit.end(asked.attempt)
    }
  }

  async #dial(address: Endpoint, limitMs: number): Promise<UpstreamConnection> {
    let stream: ByteStream
    const started = this.#clock.now()
    const measure = (isConnected: boolean): void =>
      this.#metrics.dialled((this.#clock.now() - started) / 1000, isConnected)
    try {
      stream = await this.#dialer.dial(address, limitMs)
      measure(true)
    } catch (error) {
      measure(false)
      throw new UpstreamUnreachable(reasonOf(error))
    }
    return new UpstreamConnection({
      name: `u${++this.#dialled}`,
      node: nameOf(address),
      stream,
      isSecure: address.tls === true,
      clock: this.#clock,
      logger: this.#logger,
      heartbeats: this.#heartbeats,
      profile: this.#profile,
      traffic: this.#traffic,
      metrics: this.#metrics,
      handshakeTimeoutMs: this.#settings.upstream.connectTimeout * 1000,
      heartbeat: this.#settings.upstream.heartbeat,
    })
  }

  #onReached(): void {
    const failures = this.#circuit.reached()
    if (failures === 0) return
    this.#logger.info('broker answers again', { failedAttempts: failures })
    this.#nodes.afterOutage()
    this.#onBrokerBack()
  }

  #onUnreachable(attempt: Attempt, reason: string): UpstreamUnreachable {
    const now = this.#clock.now()
    const failures = this.#circuit.failed(attempt, reason, now, this.#random())
    const outage = this.#circuit.outage(now)
    if (failures === 1)
      this.#logger.warn('broker unreachable: clients are told so until it answers', { reason })
    return new UpstreamUnreachable(reason, outage)
  }

  #clientProperties(user: string, poolId: string): FieldTable {
    const { name, version, platform, host } = this.#product
    return [
      ['product', textField(name)],
      ['version', textField(version)],
      ['platform', textField(platform)],
      ['host', textField(host)],
      ['pool', textField(poolId)],
      ['connection_name', textField(`${name} ${poolId} (${user}) on ${host}`)],
      [
        'capabilities',
        tableField(
          Object.fromEntries(CAPABILITIES.map((capability) => [capability, { type: 'bool', value: true }])),
        ),
      ],
    ]
  }
}
