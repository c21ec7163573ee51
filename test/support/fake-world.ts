/** Warren with everything around it faked: clients, broker, time, logs. */
import 'reflect-metadata'
import { expect } from 'chai'
import type { Container } from 'inversify'
import { identifiers } from '../../src/application/identifiers.js'
import type { Endpoint } from '../../src/application/ports/dialer.js'
import type { CredentialSource } from '../../src/application/ports/credential-source.js'
import type { Journal } from '../../src/application/ports/journal.js'
import type { Operations } from '../../src/application/operations/operations.js'
import type { Proxy } from '../../src/application/proxy.js'
import type { Settings } from '../../src/application/settings.js'
import { createContainer } from '../../src/composition/container.js'
import { type CertificateNames, NO_CERTIFICATE } from '../../src/domain/external-identity.js'
import { FakeBroker, type BrokerConnection } from './fake-broker.js'
import { settle } from './fake-byte-stream.js'
import { FakeClient, type FakeLogin } from './fake-client.js'
import { FakeClock } from './fake-clock.js'
import { FakeDialer } from './fake-dialer.js'
import { FakeListener } from './fake-listener.js'
import { RecordingMetrics } from './recording-metrics.js'
import { RecordingLogger, type RecordedLine } from './recording-logger.js'

const ENDPOINT: Endpoint = { host: 'rabbit', port: 5672 }

/** The product page's defaults, but for the roles: what isn't about them is easier to follow on one upstream connection. */
const SETTINGS: Settings = {
  listen: { address: '0.0.0.0', enabled: true, port: 5673, proxyProtocolFrom: [] },
  tls: {
    enabled: false,
    port: 5671,
    certificates: [],
    ca: undefined,
    clientCertificates: 'none',
    minVersion: 'TLSv1.2',
    externalName: 'common_name',
    externalLogins: new Map(),
  },
  upstreamTls: { ca: undefined, client: undefined, serverName: undefined, skipVerify: false },
  upstream: { endpoints: [ENDPOINT], logins: [], connectTimeout: 10, heartbeat: 0 },
  pool: {
    maxClientConnections: 0,
    maxUpstreamConnections: 0,
    maxChannels: 65_535,
    separateRoles: false,
    idleTimeout: 5,
    cleanupInterval: 30,
    quarantineTime: 60,
    publishBufferSize: 0,
    publishBufferBytes: 1024 * 1024,
    publishBufferDir: undefined,
    publishBufferSync: 'always',
    replayLogins: [],
    reconnectWait: 10,
    publishGuarantee: 'forwarded',
  },
  client: {
    handshakeTimeout: 10,
    maxBufferBytes: 4 * 1024 * 1024,
    maxMessageBytes: 1024 * 1024,
    maxUnfinishedBytes: 4 * 1024 * 1024,
    maxUnfinishedBytesTotal: 16 * 1024 * 1024,
    maxTableDepth: 32,
    maxPending: 0,
    maxPerAddress: 0,
    maxPerUser: 0,
    maxPerVhost: 0,
    channelMax: 0,
    frameMax: 0,
    heartbeat: 0,
  },
  management: { enabled: false, address: '127.0.0.1', port: 0, token: undefined, readToken: undefined },
  shutdown: { grace: 15, timeout: 30 },
  log: { level: 'debug', format: 'json' },
}

export interface WorldOptions {
  /** What differs from the defaults. */
  settings?: { [Section in keyof Settings]?: Partial<Settings[Section]> }
  /** The broker before Warren starts. */
  broker?: (broker: FakeBroker) => void
  /** Everything else before Warren starts. */
  prepare?: (world: World) => void
  /** What the random numbers are; by default 0.5, at which a backoff has no jitter. */
  random?: () => number
  /** Where messages outlive Warren. */
  journal?: Journal | undefined
  /** Who knows passwords; by default only the settings do. */
  credentials?: CredentialSource | undefined
}

/** How far {@link World.advance} moves the clock before everybody gets to react. */
const STEP_MS = 50
/** After this long even the most patient pool has tried again. */
const LONGEST_BACKOFF_MS = 31_000

export class World {
  static readonly defaults = SETTINGS
  readonly clock = new FakeClock()
  readonly logger = new RecordingLogger()
  readonly dialer = new FakeDialer(this.clock)
  readonly listener = new FakeListener()
  readonly broker = new FakeBroker()
  readonly endpoint = ENDPOINT
  readonly settings: Settings
  readonly container: Container
  readonly proxy: Proxy
  readonly operations: Operations
  readonly metrics = new RecordingMetrics()

  private constructor({ settings = {}, random = () => 0.5, journal, credentials }: WorldOptions) {
    const sections = Object.entries(SETTINGS).map(([name, section]) => [
      name,
      { ...section, ...settings[name as keyof Settings] } as unknown,
    ])
    this.settings = Object.fromEntries(sections) as Settings
    const product = { name: 'Warren', version: '0.0.0', platform: 'tests', host: 'burrow' }
    const container = createContainer({
      settings: this.settings,
      logger: this.logger,
      product,
      journal,
      credentials,
    })
    container.rebind(identifiers.Clock).toConstantValue(this.clock)
    container.rebind(identifiers.Dialer).toConstantValue(this.dialer)
    container.rebind(identifiers.Listener).toConstantValue(this.listener)
    container.rebind(identifiers.Random).toConstantValue(random)
    container.rebind(identifiers.Metrics).toConstantValue(this.metrics)
    this.container = container
    this.proxy = container.get<Proxy>(identifiers.Proxy)
    this.operations = container.get<Operations>(identifiers.Operations)
    this.brokerUp()
  }

  /** Everything in place, and Warren not started. */
  static prepared(options: WorldOptions = {}): World {
    const world = new World(options)
    options.broker?.(world.broker)
    options.prepare?.(world)
    return world
  }

  /** Everything in place, and Warren accepting clients. */
  static async start(options: WorldOptions = {}): Promise<World> {
    const world = World.prepared(options)
    const started = world.proxy.start()
    await settle()
    // A broker that isn't there holds the start up for a while.
    while (!world.listener.isListening) await world.advance(1000)
    await started
    return world
  }

  // ---- clients ---------------------------------------------------------------------------------------------------

  /** Somebody who has connected, and said nothing yet. */
  dial(): FakeClient {
    return new FakeClient(this.listener.connect())
  }

  /** Somebody who has shown a certificate with these names. */
  dialWithCertificate(names: Partial<CertificateNames>): FakeClient {
    return new FakeClient(this.listener.connect({ ...NO_CERTIFICATE, ...names }))
  }

  /** A socket with TLS of a client that was asked for a certificate, and has none. */
  dialWithoutCertificate(): FakeClient {
    return new FakeClient(this.listener.connect(NO_CERTIFICATE))
  }

  /** A client that is in. */
  connect(login: FakeLogin = {}): Promise<FakeClient> {
    return this.dial().connect(login)
  }

  /** A client that is in, with channels 1 to `channels` open. */
  async connectWithChannels(channels: number, login: FakeLogin = {}): Promise<FakeClient> {
    const client = await this.connect(login)
    await client.openChannels(...Array.from({ length: channels }, (_, at) => at + 1))
    return client
  }

  // ---- the broker ------------------------------------------------------------------------------------------------

  /** The upstream connection that was opened last. */
  get upstream(): BrokerConnection {
    const upstream = this.broker.opened.at(-1)
    if (upstream === undefined) throw new Error('no upstream connection was opened')
    return upstream
  }

  brokerUp(): void {
    this.dialer.listen(this.endpoint, (peer) => this.broker.accept(peer))
  }

  /** New connections are refused; those that are there live on. */
  brokerDown(): void {
    this.dialer.refuse(this.endpoint)
  }

  /** The broker goes, and with it every connection. */
  async brokerGoes(): Promise<void> {
    this.brokerDown()
    for (const upstream of this.broker.open) upstream.peer.reset()
    await settle()
  }

  /** It's back, and Warren has noticed: the upstream connection that it has then. */
  async brokerReturns(): Promise<BrokerConnection> {
    this.brokerUp()
    await this.advance(LONGEST_BACKOFF_MS)
    return this.upstream
  }

  // ---- time and logs ---------------------------------------------------------------------------------------------

  /** Lets time pass, and everybody react to it. */
  async advance(milliseconds: number): Promise<void> {
    await settle()
    for (let left = milliseconds; left > 0; left -= STEP_MS) {
      this.clock.advance(Math.min(left, STEP_MS))
      await settle()
    }
  }

  /**
   * For `afterEach`: what must be true in every test that passed. Warren did nothing wrong in the broker's eyes, and
   * noticed no bug of its own.
   */
  expectNoComplaints({ currentTest }: Mocha.Context): void {
    if (currentTest?.state !== 'passed') return
    const bugs = this.logger.lines.filter(
      ({ level, fields }) => level === 'error' && fields.error !== undefined,
    )
    const texts = bugs.map(({ message, fields }) => `${message}: ${(fields.error as Error)?.stack}`)
    expect([...this.broker.violations, ...texts]).to.deep.equal([])
  }

  /** Log lines with this message. */
  lines(message: string): RecordedLine[] {
    return this.logger.lines.filter((line) => line.message === message)
  }
}
