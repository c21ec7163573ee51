/** All pools, and how a login finds its own. */
import { inject, injectable, optional } from 'inversify'
import type { Credentials, Mechanism } from '../../domain/credentials.js'
import { UpstreamPolicy } from '../../domain/policy/upstream-policy.js'
import type { AcceptedLogins } from './accepted-logins.js'
import type { Tuning } from './broker-profile.js'
import { identifiers } from '../identifiers.js'
import type { GroupCommit } from '../publishing/group-commit.js'
import type { Limits, UpstreamPlace } from '../operations/limits.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Journal, JournalPool } from '../ports/journal.js'
import type { Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import type { Random } from '../ports/random.js'
import type { AsideMessage } from '../../domain/publish/aside-messages.js'
import type { Leftovers } from '../publishing/leftovers.js'
import type { Quarantine } from '../client/quarantine.js'
import type { RefusedMessages } from '../publishing/refused-messages.js'
import type { Settings } from '../settings.js'
import type { Trials } from './trials.js'
import type { UpstreamConnection } from './upstream-connection.js'
import type { UpstreamConnector } from './upstream-connector.js'
import { SpareLogins } from './spare-logins.js'
import { UpstreamRefused, isBrokerAway } from './upstream-errors.js'
import type { PoolClient } from './pool-client.js'
import { UpstreamPool } from './upstream-pool.js'

/** Finds or makes the pool of each client. Credentials are checked by the broker, and only by it. */
@injectable()
export class PoolDirectory {
  readonly #connector: UpstreamConnector
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #random: Random
  readonly #settings: Settings
  readonly #quarantine: Quarantine
  readonly #trials: Trials
  readonly #accepted: AcceptedLogins
  readonly #journal: Journal | undefined
  readonly #commits: GroupCommit | undefined
  readonly #refused: RefusedMessages
  readonly #leftovers: Leftovers
  readonly #limits: Limits
  readonly #metrics: Metrics
  readonly #policy: UpstreamPolicy
  readonly #pools = new Set<UpstreamPool>()
  /** The same by the name of the user: finding one mustn't cost more with every user that there is. */
  readonly #poolsOf = new Map<string, Set<UpstreamPool>>()
  readonly #spareLogins: SpareLogins
  #sweep: Timer | undefined
  #created = 0
  /** Hears that there is more in {@link strandedOf}. */
  onStranded: () => void = () => undefined
  /** Hears that the broker answers again after an outage. */
  onBrokerBack: () => void = () => undefined

  constructor(
    @inject(identifiers.UpstreamConnector) connector: UpstreamConnector,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Random) random: Random,
    @inject(identifiers.Settings) settings: Settings,
    @inject(identifiers.Quarantine) quarantine: Quarantine,
    @inject(identifiers.Trials) trials: Trials,
    @inject(identifiers.AcceptedLogins) accepted: AcceptedLogins,
    @inject(identifiers.Journal) @optional() journal: Journal | undefined,
    @inject(identifiers.GroupCommit) @optional() commits: GroupCommit | undefined,
    @inject(identifiers.RefusedMessages) refused: RefusedMessages,
    @inject(identifiers.Leftovers) leftovers: Leftovers,
    @inject(identifiers.Limits) limits: Limits,
    @inject(identifiers.Metrics) metrics: Metrics,
  ) {
    this.#connector = connector
    this.#clock = clock
    this.#logger = logger
    this.#random = random
    this.#settings = settings
    this.#quarantine = quarantine
    this.#trials = trials
    this.#accepted = accepted
    this.#journal = journal
    this.#commits = commits
    this.#refused = refused
    this.#leftovers = leftovers
    this.#spareLogins = new SpareLogins(connector, clock, () => this.#nextPoolId())
    connector.onBrokerBack = () => {
      for (const pool of this.#pools) pool.onBrokerBack()
      this.onBrokerBack()
    }
    this.#limits = limits
    this.#metrics = metrics
    this.#policy = new UpstreamPolicy({
      maxChannels: settings.pool.maxChannels,
      separateRoles: settings.pool.separateRoles,
      idleTimeoutMs: settings.pool.idleTimeout * 1000,
    })
  }

  /** Starts the sweep for unused upstream connections. */
  start(): void {
    this.#sweep ??= this.#clock.every(this.#settings.pool.cleanupInterval * 1000, () => this.#sweepPools())
  }

  /** Every pool there is. */
  get pools(): ReadonlySet<UpstreamPool> {
    return this.#pools
  }

  /**
   * Has the broker check the credentials, unless it did so for an upstream connection that is open; clients
   * that come meanwhile share the answer. Resolves with what the broker offers in Tune, or did before it went
   * away. Rejects with UpstreamRefused or UpstreamUnreachable.
   */
  async authenticate(credentials: Credentials, mechanism: Mechanism): Promise<Tuning> {
    for (const pool of this.#poolsOf.get(credentials.user) ?? []) {
      if (!pool.credentials.equals(credentials)) continue
      if (pool.openUpstream !== undefined) return pool.openUpstream.tuning
      if (pool.tuningWhileAway === undefined) continue
      // Nobody waits for the broker, but clients that come are a reason to look for it.
      this.#spareLogins.login(credentials, mechanism).catch(() => undefined)
      return pool.tuningWhileAway
    }
    try {
      return (await this.#spareLogins.login(credentials, mechanism)).tuning
    } catch (error) {
      return this.#tuningWithoutBroker(credentials, error)
    }
  }

  /** With a publish buffer whom the broker has accepted before may come in although it's away. */
  #tuningWithoutBroker(credentials: Credentials, error: unknown): Tuning {
    if (error instanceof UpstreamRefused) this.#accepted.forget(credentials)
    const isAway = isBrokerAway(error) && this.#settings.pool.publishBufferSize > 0
    const tuning = isAway ? this.#accepted.tuningFor(credentials) : undefined
    if (tuning === undefined) throw error
    return tuning
  }

  /** The pool for clients from `address` with these credentials and this virtual host; it may have no upstream connection yet. */
  poolFor(
    credentials: Credentials,
    mechanism: Mechanism,
    virtualHost: string,
    address: string,
  ): UpstreamPool {
    const quarantine = this.#quarantine.nameFor({ address, user: credentials.user, virtualHost })
    for (const pool of this.#poolsOf.get(credentials.user) ?? []) {
      const isFor = pool.virtualHost === virtualHost && pool.quarantine === quarantine
      if (isFor && pool.credentials.equals(credentials)) return pool
    }
    const id = this.#spareLogins.takePoolId(credentials)
    const owner: JournalPool = { user: credentials.user, virtualHost }
    const pool: UpstreamPool = new UpstreamPool({
      id,
      credentials,
      virtualHost,
      quarantine,
      policy: this.#policy,
      clock: this.#clock,
      logger: this.#logger,
      random: this.#random,
      trials: this.#trials,
      publishing: {
        bufferSize: this.#settings.pool.publishBufferSize,
        bufferBytes: this.#settings.pool.publishBufferBytes,
        reconnectWaitMs: this.#settings.pool.reconnectWait * 1000,
        guarantee: this.#settings.pool.publishGuarantee,
      },
      journal: this.#commits,
      refused: this.#refused,
      takeRecords: () => [
        ...this.#leftovers.take(owner),
        ...this.strandedOf(owner).flatMap(({ backlog }) => backlog.surrender()),
      ],
      isAccepted: this.#accepted.includes(credentials, virtualHost),
      onRefused: () => {
        this.#accepted.forget(credentials)
        if (pool.isStranded) this.#findHeir(pool)
      },
      onAccepted: (tuning) => this.#accepted.remember(credentials, virtualHost, tuning),
      limits: this.#limits,
      metrics: this.#metrics,
      login: (held) => this.#takeLogin(credentials, mechanism, id, held),
      onEmpty: (empty) => this.#remove(empty),
    })
    this.#add(pool)
    return pool
  }

  #add(pool: UpstreamPool): void {
    const { user } = pool.credentials
    const theirs = this.#poolsOf.get(user) ?? new Set()
    this.#poolsOf.set(user, theirs.add(pool))
    this.#pools.add(pool)
  }

  #remove(pool: UpstreamPool): void {
    const { user } = pool.credentials
    const theirs = this.#poolsOf.get(user)
    if (theirs?.delete(pool) === true && theirs.size === 0) this.#poolsOf.delete(user)
    this.#pools.delete(pool)
  }

  /**
   * Takes `client` into the pool for these credentials, as far as the broker accepts them. Rejects like {@link authenticate} and
   * {@link UpstreamPool.enter}; the client is then in no new pool.
   */
  async admit(
    client: PoolClient,
    credentials: Credentials,
    mechanism: Mechanism,
    virtualHost: string,
    address: string,
  ): Promise<{ pool: UpstreamPool; home: UpstreamConnection | undefined }> {
    await this.authenticate(credentials, mechanism)
    const pool = this.poolFor(credentials, mechanism, virtualHost, address)
    return { pool, home: await pool.enter(client) }
  }

  /** Closes every upstream connection; resolves when the broker has answered all. */
  async close(): Promise<void> {
    this.#sweep?.cancel()
    this.#spareLogins.close()
    await Promise.all([...this.#pools].map((pool) => pool.close()))
    this.#commits?.commit()
    this.#journal?.close()
  }

  /** Pools of a user in a virtual host whose messages wait for a password that the broker refuses. */
  strandedOf(owner: JournalPool): UpstreamPool[] {
    return this.#poolsAt(owner).filter(({ isStranded }) => isStranded)
  }

  #poolsAt({ user, virtualHost }: JournalPool): UpstreamPool[] {
    return [...(this.#poolsOf.get(user) ?? [])].filter((pool) => pool.virtualHost === virtualHost)
  }

  /** Another pool of the user publishes what this one can't. */
  #findHeir(stranded: UpstreamPool): void {
    const { credentials, virtualHost, backlog } = stranded
    const theirs = this.#poolsAt({ user: credentials.user, virtualHost })
    const heir = theirs.find(({ openUpstream }) => openUpstream !== undefined)
    if (heir === undefined) return this.onStranded()
    heir.backlog.recover(backlog.surrender())
    heir.backlog.resumeIfIdle()
  }

  /** Tries a message again that the broker has refused. Returns whether its user is there; if not, it waits for the next login. */
  retry({ user, virtualHost, bytes, expiresAtEpochMs, record }: AsideMessage): boolean {
    const message = { bytes, expiresAtEpochMs, record }
    const theirs = this.#poolsAt({ user, virtualHost })
    const pool = theirs.find(({ openUpstream }) => openUpstream !== undefined) ?? theirs[0]
    if (pool === undefined) this.#leftovers.add({ user, virtualHost }, message)
    else pool.backlog.retry(message)
    return pool !== undefined
  }

  /** Whether messages that wait outlive the process. */
  get hasJournal(): boolean {
    return this.#journal !== undefined
  }

  /** Messages that wait for the broker. */
  get buffered(): number {
    let buffered = this.#leftovers.messages
    for (const { backlog } of this.#pools) buffered += backlog.length
    return buffered
  }

  /** A login that waits for a pool, or else a new one. */
  #takeLogin(
    credentials: Credentials,
    mechanism: Mechanism,
    poolId: string,
    held: UpstreamPlace | undefined,
  ): Promise<UpstreamConnection> {
    const login = (): Promise<UpstreamConnection> =>
      this.#connector.login(credentials, mechanism, poolId, 'pool', held)
    const spare = this.#spareLogins.take(credentials)
    return spare === undefined ? login() : spare.then((upstream) => (upstream.isTuned ? upstream : login()))
  }

  #nextPoolId(): string {
    return `p${++this.#created}`
  }

  #sweepPools(): void {
    const now = this.#clock.now()
    for (const pool of this.#pools) pool.sweep(now)
  }
}
