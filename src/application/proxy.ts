/** Warren as a whole: who comes in, and how it ends. */
import { inject, injectable, optional } from 'inversify'
import { CONNECTION_FORCED, amqpError } from '../domain/amqp/reply-codes.js'
import { atMost } from './at-most.js'
import type { Admission, AdmissionPass } from './client/admission.js'
import type { BrokerProfile } from './upstream/broker-profile.js'
import { ClientSession } from './client/client-session.js'
import type { Heartbeats } from './heartbeats.js'
import { identifiers } from './identifiers.js'
import type { Limits } from './operations/limits.js'
import type { Replay } from './publishing/replay.js'
import type { PoolDirectory } from './upstream/pool-directory.js'
import { type ByteStream, hostOf } from './ports/byte-stream.js'
import type { Clock } from './ports/clock.js'
import { nameOf } from './ports/dialer.js'
import type { Arrival, BoundAddress, Listener } from './ports/listener.js'
import type { Logger } from './ports/logger.js'
import type { Metrics } from './ports/metrics.js'
import type { Quarantine } from './client/quarantine.js'
import type { Settings } from './settings.js'
import { Roster } from './roster.js'
import type { Traffic } from './traffic.js'
import type { UnfinishedBytes } from './client/unfinished-bytes.js'
import type { UpstreamConnector } from './upstream/upstream-connector.js'

/** How long the start waits to hear from the broker what it is; clients are accepted without that too. */
const INTRODUCTION_WAIT_MS = 2000

/** How long it waits for messages of an earlier run to be published. */
const REPLAY_WAIT_MS = 10_000

/** The same for each kind of listener that there is. */
export interface BoundAddresses {
  readonly plain: BoundAddress | undefined
  readonly tls: BoundAddress | undefined
}

/** How a shutdown went. */
export interface ShutdownReport {
  /** Clients that were still connected when the grace was over, and were sent Connection.Close. */
  readonly closedClients: number
  /** Clients whose socket had to be cut off because they didn't answer in time. */
  readonly cutOff: number
  /** Messages that were accepted, and that the broker never got. */
  readonly buffered: number
}

/** Warren itself: accepts clients, and sees them all off in the end. */
@injectable()
export class Proxy {
  readonly #listener: Listener
  readonly #tlsListener: Listener | undefined
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: Settings
  readonly #heartbeats: Heartbeats
  readonly #profile: BrokerProfile
  readonly #connector: UpstreamConnector
  readonly #directory: PoolDirectory
  readonly #replay: Replay
  readonly #quarantine: Quarantine
  readonly #admission: Admission
  readonly #unfinished: UnfinishedBytes
  readonly #limits: Limits
  readonly #traffic: Traffic
  readonly #metrics: Metrics
  readonly #sessions = new Roster<ClientSession>()
  #isAccepting = false
  #shutdown: Promise<ShutdownReport> | undefined
  /** Hears of a shutdown as soon as anybody asks for it, and can wait for its end. */
  onShutDown: (report: Promise<ShutdownReport>) => void = () => undefined
  #accepted = 0
  #cutOff = 0
  #whenEmpty: (() => void) | undefined

  constructor(
    @inject(identifiers.Listener) listener: Listener,
    @inject(identifiers.TlsListener) @optional() tlsListener: Listener | undefined,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Settings) settings: Settings,
    @inject(identifiers.Heartbeats) heartbeats: Heartbeats,
    @inject(identifiers.BrokerProfile) profile: BrokerProfile,
    @inject(identifiers.UpstreamConnector) connector: UpstreamConnector,
    @inject(identifiers.PoolDirectory) directory: PoolDirectory,
    @inject(identifiers.Replay) replay: Replay,
    @inject(identifiers.Quarantine) quarantine: Quarantine,
    @inject(identifiers.Admission) admission: Admission,
    @inject(identifiers.UnfinishedBytes) unfinished: UnfinishedBytes,
    @inject(identifiers.Limits) limits: Limits,
    @inject(identifiers.Traffic) traffic: Traffic,
    @inject(identifiers.Metrics) metrics: Metrics,
  ) {
    this.#listener = listener
    this.#tlsListener = tlsListener
    this.#clock = clock
    this.#logger = logger
    this.#settings = settings
    this.#heartbeats = heartbeats
    this.#profile = profile
    this.#connector = connector
    this.#directory = directory
    this.#replay = replay
    this.#quarantine = quarantine
    this.#admission = admission
    this.#unfinished = unfinished
    this.#limits = limits
    this.#traffic = traffic
    this.#metrics = metrics
  }

  /**
   * Starts accepting; resolves with the addresses in use, with and without TLS. Rejects when an address can't be had. A broker that isn't
   * there is no reason not to start.
   */
  async start(): Promise<BoundAddresses> {
    await this.#meetBroker()
    this.#directory.start()
    // Before any client: what an earlier run has promised comes first. Behind a broker that is away, or slow, it still comes first in each pool.
    await atMost(this.#clock, REPLAY_WAIT_MS, this.#replay.start())
    if (this.#shutdown !== undefined) return { plain: undefined, tls: undefined }
    const { listen, tls } = this.#settings
    const plain = listen.enabled ? await this.#listen(this.#listener, listen.port) : undefined
    const secure = this.#tlsListener && (await this.#listen(this.#tlsListener, tls.port))
    this.#isAccepting = true
    if (this.#listener.isHandedOver !== true)
      this.#logger.info('listening', {
        ...(plain ?? secure),
        ...(secure === undefined ? {} : { tlsPort: secure.port }),
        upstream: this.#upstreamName,
      })
    return { plain, tls: secure }
  }

  #listen(listener: Listener, port: number): Promise<BoundAddress> {
    return listener.listen(this.#settings.listen.address, port, {
      admits: () => this.#mayEnter(),
      onArrival: (remoteAddress) => this.#onArrival(remoteAddress),
      onLost: (remoteAddress, reason) => {
        this.#onLost(remoteAddress, reason)
        this.#leave()
      },
    })
  }

  /** Clients that are connected, whatever they are doing. */
  get clients(): number {
    return this.#sessions.size
  }

  /** Each of them, in no particular order. */
  get sessions(): Iterable<ClientSession> {
    return this.#sessions
  }

  /** The one that has this id, if it's there. */
  session(id: string): ClientSession | undefined {
    for (const session of this.#sessions) if (session.id === id) return session
    return undefined
  }

  /** Whether clients are accepted. */
  get isAccepting(): boolean {
    return this.#isAccepting
  }

  /**
   * Stops accepting, lets clients finish for `shutdown.grace` seconds, sends the others Connection.Close 320, then closes the
   * upstream connections. Takes at most `shutdown.timeout` seconds. Asked again while that's under way, it resolves with the first.
   * `grace`: seconds, if it's another one.
   */
  shutDown(grace = this.#settings.shutdown.grace): Promise<ShutdownReport> {
    if (this.#shutdown === undefined) {
      this.#shutdown = this.#shutDown(grace)
      this.onShutDown(this.#shutdown)
    }
    return this.#shutdown
  }

  async #shutDown(grace: number): Promise<ShutdownReport> {
    this.#isAccepting = false
    const { timeout } = this.#settings.shutdown
    const end = this.#clock.now() + timeout * 1000
    this.#replay.stop()
    await this.#listener.close()
    await this.#tlsListener?.close()
    for (const session of [...this.#sessions]) session.dismissIfSilent()
    this.#logger.info('shutting down', { clients: this.#sessions.size, grace, timeout })
    await this.#clientsGone(grace * 1000)
    for (const session of [...this.#sessions]) session.dismissUnlessIn()
    const closedClients = this.#sessions.size
    this.#cutOff = 0
    for (const session of [...this.#sessions])
      session.refuse(amqpError(CONNECTION_FORCED, "broker forced connection closure with reason 'shutdown'"))
    await this.#clientsGone(Math.max(0, end - this.#clock.now()))
    for (const session of [...this.#sessions]) session.cutOff()
    const cutOff = this.#cutOff
    const { buffered } = this.#directory
    await atMost(this.#clock, Math.max(0, end - this.#clock.now()), this.#directory.close())
    if (buffered > 0 && !this.#directory.hasJournal)
      this.#logger.error(
        'messages in the publish buffer are lost: the broker is away, and there is no journal',
        {
          messages: buffered,
        },
      )
    else if (buffered > 0)
      this.#logger.warn('messages of the publish buffer stay in the journal, for the next start', {
        messages: buffered,
      })
    this.#logger.info('shut down', { closedClients, cutOff, buffered })
    return { closedClients, cutOff, buffered }
  }

  /** Over the client limit nothing is made for a connection, not even a line in the log for each. */
  #mayEnter(): boolean {
    if (this.#limits.admitClient()) return true
    this.#metrics.clientRefused('client_limit')
    return false
  }

  #leave(): void {
    this.#limits.onClientsLeft(1)
  }

  #onArrival(remoteAddress: string): Arrival | undefined {
    const pass = this.#admission.arrive(hostOf(remoteAddress))
    if (typeof pass === 'string') {
      this.#logger.warn('client not admitted', { remote: remoteAddress, reason: pass })
      this.#metrics.clientRefused('admission')
      this.#leave()
      return undefined
    }
    const acceptedAt = this.#clock.now()
    return {
      onStream: (stream) => this.#accept(stream, pass, acceptedAt),
      onFailure: (reason) => {
        this.#onLost(remoteAddress, reason)
        pass.leave()
        this.#leave()
      },
    }
  }

  /** A connection ended before anything of AMQP was said on it. */
  #onLost(remote: string, reason: string | undefined): void {
    // Checks whether the port is open come every few seconds.
    if (reason === undefined) return this.#logger.debug('connection closed before it began', { remote })
    this.#logger.warn('connection not accepted', { remote, reason })
    this.#metrics.clientRefused('not_accepted')
  }

  #accept(stream: ByteStream, pass: AdmissionPass, acceptedAt: number): void {
    this.#traffic.accepted++
    const session = new ClientSession({
      id: `c${++this.#accepted}`,
      stream,
      acceptedAt,
      clock: this.#clock,
      logger: this.#logger,
      settings: this.#settings,
      heartbeats: this.#heartbeats,
      profile: this.#profile,
      directory: this.#directory,
      quarantine: this.#quarantine,
      pass,
      unfinished: this.#unfinished,
      traffic: this.#traffic,
      metrics: this.#metrics,
      onEnd: (ended) => this.#forget(ended),
    })
    this.#sessions.add(session)
    session.start()
  }

  #forget(session: ClientSession): void {
    this.#sessions.delete(session)
    this.#leave()
    if (session.wasCutOff) this.#cutOff++
    if (this.#sessions.size === 0) this.#whenEmpty?.()
  }

  /** Libraries look at the broker's properties in Connection.Start, which comes before any login: so the broker is asked beforehand. */
  async #meetBroker(): Promise<void> {
    // A broker that can't be reached has its line in the log from the connector, as later on.
    const introduction = this.#connector.introduce().catch(() => undefined)
    await atMost(this.#clock, INTRODUCTION_WAIT_MS, introduction)
  }

  async #clientsGone(milliseconds: number): Promise<void> {
    if (this.#sessions.size === 0) return
    await atMost(this.#clock, milliseconds, new Promise<void>((resolve) => (this.#whenEmpty = resolve)))
    this.#whenEmpty = undefined
  }

  get #upstreamName(): string {
    return this.#settings.upstream.endpoints.map(nameOf).join(', ')
  }
}
