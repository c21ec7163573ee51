import { inject, injectable } from 'inversify'
import { tableField, textField, type FieldTable } from '../domain/amqp/field-table.js'
import type { Credentials, Mechanism } from '../domain/credentials.js'
import type { BrokerProfile } from './broker-profile.js'
import type { Heartbeats } from './heartbeats.js'
import { identifiers } from './identifiers.js'
import type { Limits, UpstreamPlace } from './limits.js'
import type { ByteStream } from './ports/byte-stream.js'
import type { Clock } from './ports/clock.js'
import type { Dialer } from './ports/dialer.js'
import type { Logger } from './ports/logger.js'
import type { Metrics } from './ports/metrics.js'
import type { Product } from './product.js'
import type { Settings } from './settings.js'
import type { Traffic } from './traffic.js'
import { UpstreamConnection } from './upstream-connection.js'
import { UpstreamLimitReached, UpstreamUnreachable, reasonOf } from './upstream-errors.js'

/** What Warren can do as a client of the broker. Each of Warren's own clients is then sent only what it announced itself. */
const CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'authentication_failure_close',
]

/** Opens connections to the broker and introduces Warren there. */
@injectable()
export class UpstreamConnector {
  readonly #dialer: Dialer
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: Settings
  readonly #product: Product
  readonly #heartbeats: Heartbeats
  readonly #profile: BrokerProfile
  readonly #limits: Limits
  readonly #traffic: Traffic
  readonly #metrics: Metrics
  #dialled = 0

  constructor(
    @inject(identifiers.Dialer) dialer: Dialer,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Settings) settings: Settings,
    @inject(identifiers.Product) product: Product,
    @inject(identifiers.Heartbeats) heartbeats: Heartbeats,
    @inject(identifiers.BrokerProfile) profile: BrokerProfile,
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
    this.#limits = limits
    this.#traffic = traffic
    this.#metrics = metrics
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
    held?: UpstreamPlace,
  ): Promise<UpstreamConnection> {
    const place = held === undefined ? this.#limits.takeUpstream() : undefined
    if (held === undefined && place === undefined) throw new UpstreamLimitReached()
    const upstream = await this.#connect().catch((error: unknown) => {
      place?.release()
      throw error
    })
    upstream.place = place
    await upstream.greet({
      credentials,
      mechanism,
      clientProperties: this.#clientProperties(credentials.user, poolId),
    })
    return upstream
  }

  /** Connects only to see what the broker says of itself, which goes into the {@link BrokerProfile}. Rejects with UpstreamUnreachable. */
  async introduce(): Promise<void> {
    const upstream = await this.#connect()
    await upstream.greet(undefined)
    await upstream.close()
  }

  async #connect(): Promise<UpstreamConnection> {
    return new UpstreamConnection({
      name: `u${++this.#dialled}`,
      stream: await this.#dial(),
      clock: this.#clock,
      logger: this.#logger,
      heartbeats: this.#heartbeats,
      profile: this.#profile,
      traffic: this.#traffic,
      handshakeTimeoutMs: this.#settings.upstream.connectTimeout * 1000,
      heartbeat: this.#settings.upstream.heartbeat,
    })
  }

  async #dial(): Promise<ByteStream> {
    const { endpoint, connectTimeout } = this.#settings.upstream
    const started = this.#clock.now()
    const measure = (isConnected: boolean): void =>
      this.#metrics.dialled((this.#clock.now() - started) / 1000, isConnected)
    try {
      const stream = await this.#dialer.dial(endpoint, connectTimeout * 1000)
      measure(true)
      return stream
    } catch (error) {
      measure(false)
      throw new UpstreamUnreachable(reasonOf(error))
    }
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
