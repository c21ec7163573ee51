/** The upstream connections of one credential set, and the clients that share them. */
import type { AmqpError } from '../../domain/amqp/reply-codes.js'
import type { Credentials } from '../../domain/credentials.js'
import type { ChannelRole } from '../../domain/policy/channel-role.js'
import type { UpstreamPolicy } from '../../domain/policy/upstream-policy.js'
import type { BindingOwner, ChannelBinding } from './channel-binding.js'
import type { Tuning } from './broker-profile.js'
import type { GroupCommit } from '../publishing/group-commit.js'
import type { Limits, UpstreamPlace } from '../operations/limits.js'
import { Roster } from '../roster.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import type { Random } from '../ports/random.js'
import type { Leftover } from '../publishing/kept-messages.js'
import { PublishBacklog } from '../publishing/publish-backlog.js'
import type { RefusedMessages } from '../publishing/refused-messages.js'
import { mayBeOverMessage, tellLost } from './blame.js'
import type { PoolClient } from './pool-client.js'
import { Reconnecting } from './reconnecting.js'
import { WaitingClients } from './waiting-clients.js'
import { tryAlone } from './trial-channel.js'
import type { TrialFailure, Trials } from './trials.js'
import type { UpstreamConnection, UpstreamObserver } from './upstream-connection.js'
import {
  UpstreamLimitReached,
  UpstreamRefused,
  UpstreamUnreachable,
  isPassing,
  upstreamFailure,
} from './upstream-errors.js'
import type { PoolState, PoolView } from '../operations/views.js'

/** What becomes of messages while the broker is away. */
export interface PublishingSettings {
  /** Most messages that are kept; 0 is none. */
  readonly bufferSize: number
  readonly bufferBytes: number
  /** How long a client may wait for the broker's return before it's told that it's away. */
  readonly reconnectWaitMs: number
  /** Whether messages of clients that don't ask for confirms are kept until the broker has confirmed them. */
  readonly guarantee: 'forwarded' | 'confirmed'
}

/** What {@link UpstreamPool} is made with. */
export interface PoolParts {
  readonly id: string
  readonly credentials: Credentials
  readonly virtualHost: string
  /** The quarantine whose clients the pool is for; undefined for everybody else. */
  readonly quarantine: string | undefined
  readonly policy: UpstreamPolicy
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  readonly trials: Trials
  readonly publishing: PublishingSettings
  readonly journal: GroupCommit | undefined
  readonly refused: RefusedMessages
  /** What an earlier run has left in the journal for these credentials; asked for once the broker has accepted them. */
  readonly takeRecords: () => readonly Leftover[]
  /** The broker has accepted these credentials in this virtual host before. */
  readonly isAccepted: boolean
  /** It does so now. */
  readonly onAccepted: (tuning: Tuning) => void
  /** It no longer does. What waits may be had for another login of the same user: see {@link UpstreamPool.isStranded}. */
  readonly onRefused: () => void
  readonly limits: Limits
  readonly metrics: Metrics
  /** Logs in at the broker, in the place of a connection that was lost if one is held. */
  readonly login: (held?: UpstreamPlace) => Promise<UpstreamConnection>
  /** The pool has neither clients nor upstream connections nor a reason to get one. */
  readonly onEmpty: (pool: UpstreamPool) => void
}

/** Packs channels on as few upstream connections as will hold them, and gets a new one when the last is lost. */
export class UpstreamPool implements UpstreamObserver {
  readonly #parts: PoolParts
  readonly #upstreams: UpstreamConnection[] = []
  readonly #clients = new Roster<PoolClient>()
  readonly #waiting: WaitingClients
  /** Messages that wait for the broker. */
  readonly backlog: PublishBacklog
  #opening: Promise<void> | undefined
  readonly #reconnecting: Reconnecting
  #isBlocked = false
  #closed = false
  #isPaused = false
  /** The broker refuses the connections that would keep publishers and consumers apart. */
  #isCrowded = false
  #isAccepted: boolean
  /** The broker has refused the login since the last connection. */
  #isRefused = false
  #tuning: Tuning | undefined

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#isAccepted = parts.isAccepted
    this.#waiting = new WaitingClients(parts.clock)
    this.#reconnecting = new Reconnecting({
      ...parts,
      onDue: () => void this.#open().catch(() => this.#removeIfEmpty()),
    })
    this.backlog = new PublishBacklog({
      maxMessages: parts.publishing.bufferSize,
      maxBytes: parts.publishing.bufferBytes,
      clock: parts.clock,
      logger: parts.logger,
      metrics: parts.metrics,
      waitMs: parts.publishing.reconnectWaitMs,
      journal: parts.journal,
      refused: parts.refused,
      pool: { user: parts.credentials.user, virtualHost: parts.virtualHost },
      fields: this.fields,
      place: () => this.#policy.place<UpstreamConnection>(undefined, this.#upstreams, 'publisher'),
      onUpstreamNeeded: () => this.#openForBacklog(),
      isHeld: () => this.#isPaused,
      onDrained: () => this.onUpstreamRoom(),
    })
  }

  get id(): string {
    return this.#parts.id
  }

  get credentials(): Credentials {
    return this.#parts.credentials
  }

  get virtualHost(): string {
    return this.#parts.virtualHost
  }

  get quarantine(): string | undefined {
    return this.#parts.quarantine
  }

  /** For logs. */
  get fields(): { pool: string; user: string; vhost: string } {
    return { pool: this.id, user: this.credentials.user, vhost: this.virtualHost }
  }

  /** Whether Warren asks for confirms where clients don't, and keeps their messages until those have come. */
  get asksForConfirms(): boolean {
    return this.backlog.isEnabled && this.#parts.publishing.guarantee === 'confirmed'
  }

  /** What the broker offered last, while clients may come although it's away. */
  get tuningWhileAway(): Tuning | undefined {
    return this.#mayGoWithoutBroker && this.#reconnecting.isUnderWay ? this.#tuning : undefined
  }

  get upstreams(): readonly UpstreamConnection[] {
    return this.#upstreams
  }

  /** Whether messages wait for a login that the broker has refused, as after a change of the password. */
  get isStranded(): boolean {
    return this.#isRefused && this.#upstreams.length === 0 && this.backlog.length > 0
  }

  /** An upstream connection that is open, if there is one. */
  get openUpstream(): UpstreamConnection | undefined {
    return this.#upstreams.find((upstream) => upstream.isOpen && !upstream.isRetiring)
  }

  /** Why the broker blocks publishers; undefined when it doesn't. */
  get blockedReason(): string | undefined {
    return this.#upstreams.find((upstream) => upstream.blockedReason !== undefined)?.blockedReason
  }

  /**
   * Takes `client` in; resolves with the upstream connection that its channels will go to first, once there is one; with undefined
   * when the client may publish although there is none.
   * Rejects with UpstreamRefused or UpstreamUnreachable; the client is then out again.
   */
  async enter(client: PoolClient): Promise<UpstreamConnection | undefined> {
    this.#clients.add(client)
    try {
      if (this.openUpstream !== undefined) return this.#home()
      if (this.#reconnecting.isUnderWay && this.#mayGoWithoutBroker) return this.#enterWithoutBroker()
      await this.#open()
      return this.#home()
    } catch (error) {
      try {
        return this.#enterAfter(error)
      } catch (refusal) {
        this.leave(client)
        throw refusal
      }
    }
  }

  /** Whether a client may stay although the attempt to reach the broker has failed; the first that comes here has the pool try again. */
  #enterAfter(error: unknown): undefined {
    if (!isPassing(error) || !this.#mayGoWithoutBroker || this.#closed) throw error
    if (!this.#reconnecting.isUnderWay) {
      this.#reconnecting.countFailure()
      this.#reconnect()
    }
    return this.#enterWithoutBroker()
  }

  /** Whether clients may publish although there's no broker to ask who they are: it has accepted them before. */
  get #mayGoWithoutBroker(): boolean {
    return this.backlog.isEnabled && this.#isAccepted
  }

  #enterWithoutBroker(): undefined {
    this.backlog.goAway()
    if (!this.backlog.isFull) return undefined
    throw new UpstreamUnreachable('the publish buffer is full')
  }

  /** Lets `client` go. Its channels are its own business. Can be called twice. */
  leave(client: PoolClient): void {
    this.#clients.delete(client)
    this.#waiting.forget(client)
    this.backlog.room.forget(client)
    this.#removeIfEmpty()
  }

  /** Where a channel of a client whose others are on `home` goes; undefined when a further upstream connection is needed. */
  place(home: UpstreamConnection | undefined, role: ChannelRole | undefined): UpstreamConnection | undefined {
    return this.#policy.place(home, this.#upstreams, role)
  }

  /**
   * An upstream channel for `owner` on `upstream`. Undefined when there is none: then another connection is opened, and
   * `client` hears of room or of the failure.
   */
  bind(
    client: PoolClient,
    upstream: UpstreamConnection | undefined,
    owner: BindingOwner,
    role: ChannelRole | undefined,
  ): ChannelBinding | undefined {
    const binding = this.#isPaused ? undefined : upstream?.bind(owner)
    if (upstream !== undefined && binding !== undefined) {
      upstream.role ??= role
      return binding
    }
    this.wait(client)
    if (this.#isPaused) return undefined
    if (!this.#reconnecting.isUnderWay || !this.backlog.isEnabled)
      this.#open().catch((error: unknown) => this.#refuseWaiting(error))
    return undefined
  }

  /** Lets `client` wait until there's room for another channel, or the backlog has drained; while the broker is away, not for ever. */
  wait(client: PoolClient): void {
    this.#waiting.add(
      client,
      this.backlog.state === 'away' ? this.#parts.publishing.reconnectWaitMs : undefined,
    )
  }

  /** Whether a channel that has just told its role may stay on `upstream`, which then is for this role. */
  settle(upstream: UpstreamConnection, role: ChannelRole): boolean {
    if (!this.#policy.maySettle(upstream, role, this.#upstreams)) return false
    upstream.role ??= role
    return true
  }

  /** Whether publishers and consumers have upstream connections of their own, as far as the broker and the limits let them. */
  get separatesRoles(): boolean {
    return this.#policy.separatesRoles
  }

  /**
   * Whether a message for `upstream` has to wait: the pool is paused, or there is an alarm, and the broker
   * would stop reading from a connection that carries consumers too if it published now.
   */
  mustHoldPublish(upstream: UpstreamConnection): boolean {
    if (this.#isPaused) return true
    return this.#isBlocked && upstream.role === 'consumer' && this.#policy.separatesRoles
  }

  /**
   * As {@link Trials.judge}: `request` is a frame of a kind that may make the broker close the connection,
   * and is tried on another one first.
   */
  judgeRisk(
    kind: string,
    request: Uint8Array,
    onDecided: (failure?: TrialFailure) => void,
  ): AmqpError | 'wait' | undefined {
    const attempt = async (): Promise<AmqpError | undefined> => {
      const error = await this.tryAlone(request)
      return error?.scope === 'connection' ? error : undefined
    }
    return this.#parts.trials.judge(kind, attempt, onDecided)
  }

  /** As {@link tryAlone}, with the credentials of the pool. Rejects also when there can be no further connection. */
  async tryAlone(request: Uint8Array): Promise<AmqpError | undefined> {
    const upstream = await this.#parts.login()
    await upstream.open(this.virtualHost, () => 1)
    return tryAlone(upstream, request)
  }

  /** The broker answers again after an outage: no need to wait any longer, but for not all pools coming at once. */
  onBrokerBack(): void {
    this.#reconnecting.hurry()
  }

  /** Closes upstream connections that have been unused for too long, and channels that are kept for nobody. */
  sweep(now: number): void {
    // What the broker refused may be allowed again.
    this.#isCrowded = false
    for (const upstream of [...this.#upstreams]) {
      if (upstream.isRetiring) {
        this.onUpstreamRetired(upstream)
        continue
      }
      upstream.updateUse()
      if (!this.#parts.policy.isIdle(upstream.unusedSince, now)) {
        upstream.trimChannels()
        continue
      }
      this.#remove(upstream)
      this.#parts.logger.info('idle upstream connection closed', { ...this.fields, upstream: upstream.name })
      void upstream.close()
    }
    this.#removeIfEmpty()
  }

  /** Closes all upstream connections; resolves when the broker has answered. No new ones are opened. */
  async close(): Promise<void> {
    this.#closed = true
    this.#reconnecting.giveUp()
    const upstreams = this.#upstreams.splice(0)
    await Promise.all(upstreams.map((upstream) => upstream.close()))
    this.#removeIfEmpty()
  }

  // ---- for operators ---------------------------------------------------------------------------------------------

  /** What there is to see of the pool. */
  view(): PoolView {
    const views = this.#upstreams.map((upstream) => upstream.view())
    return {
      id: this.id,
      user: this.credentials.user,
      vhost: this.virtualHost,
      state: this.#state,
      clients: this.#clients.size,
      upstreams: views.length,
      channels: views.reduce((sum, { channels }) => sum + channels, 0),
      maxChannels: views.reduce((sum, { maxChannels }) => sum + maxChannels, 0),
      bufferedMessages: this.backlog.length,
      bufferedBytes: this.backlog.bytes,
      unconfirmedMessages: this.backlog.room.messages,
      unconfirmedBytes: this.backlog.room.bytes,
      isQuarantine: this.quarantine !== undefined,
    }
  }

  get #state(): PoolState {
    if (this.#isPaused) return 'paused'
    if (this.#reconnecting.isUnderWay) return 'reconnecting'
    return this.#upstreams.length > 0 ? 'open' : 'idle'
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /**
   * From now on no client begins a message or gets a channel: whoever wants to isn't read from until {@link resume}, and messages of the
   * publish buffer stay there. What has begun goes on, and so does everything from the broker.
   */
  pause(): void {
    this.#isPaused = true
  }

  /** Ends a pause: everything that was held goes on where it stopped. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.backlog.onResumed()
    this.onUpstreamRoom()
    for (const client of [...this.#clients]) client.onRoom()
    this.#removeIfEmpty()
  }

  /** Lets the connections that there are go, each once its last channel has left; what comes now gets new ones. Returns how many. */
  reconnect(): number {
    const upstreams = this.#upstreams.filter(({ isRetiring }) => !isRetiring)
    for (const upstream of upstreams) upstream.retire()
    return upstreams.length
  }

  onUpstreamRetired(upstream: UpstreamConnection): void {
    if (!upstream.isRetired || !this.#upstreams.includes(upstream)) return
    for (const client of this.#clients) client.onRetired(upstream)
    this.#remove(upstream)
    this.#parts.logger.info('retired upstream connection closed', { ...this.fields, upstream: upstream.name })
    void upstream.close()
    this.#removeIfEmpty()
  }

  onUpstreamLost(upstream: UpstreamConnection, error: AmqpError): void {
    this.#parts.metrics.upstreamLost()
    this.#remove(upstream)
    // Before any client leaves: a pool that means to reconnect isn't empty without them.
    if (this.openUpstream === undefined) this.#reconnect()
    const dependent = [...this.#clients].filter((client) => client.dependsOn(upstream))
    this.backlog.onUpstreamLost(upstream, mayBeOverMessage(error))
    const affected = dependent.filter((client) => !this.backlog.isEnabled || !client.survive(upstream))
    this.#parts.logger.warn('upstream connection lost', {
      ...this.fields,
      upstream: upstream.name,
      node: upstream.node,
      code: error.code,
      reason: error.text,
      clients: affected.length,
      ...(this.backlog.isEnabled
        ? { stay: dependent.length - affected.length, kept: this.backlog.length }
        : {}),
    })
    this.backlog.resume()
    if (this.openUpstream !== undefined && this.backlog.state === 'away') this.#openForBacklog()
    // Who waited for a connection or for the end of a drain may be able to publish now, and doesn't wait for ever otherwise.
    if (this.backlog.state === 'away') this.onUpstreamRoom()
    tellLost(upstream, error, affected)
  }

  onUpstreamRoom(): void {
    for (const client of this.#waiting.takeAll()) client.onRoom()
  }

  onUpstreamBlocked(upstream: UpstreamConnection, reason: string | undefined): void {
    this.#parts.logger.warn(
      reason === undefined ? 'broker unblocked publishing' : 'broker blocked publishing',
      {
        ...this.fields,
        upstream: upstream.name,
        ...(reason === undefined ? {} : { reason }),
      },
    )
    this.#tellBlocked()
  }

  /** Tells the clients when publishing turns from free to blocked, or back, for the pool as a whole. */
  #tellBlocked(): void {
    const reason = this.blockedReason
    if ((reason !== undefined) === this.#isBlocked) return
    this.#isBlocked = reason !== undefined
    for (const client of this.#clients) client.onBlocked()
  }

  #home(): UpstreamConnection {
    const home = this.#policy.place(undefined, this.#upstreams, undefined) ?? this.openUpstream
    if (home === undefined) throw new Error('a pool without an open connection has no place for a client')
    return home
  }

  /** Opens one more upstream connection; callers who come meanwhile share the attempt. */
  #open(): Promise<void> {
    this.#reconnecting.stopWaiting()
    this.#opening ??= this.#attempt()
    return this.#opening
  }

  /** For messages that wait, or are about to: as long as there's a broker for others, it's asked at once. */
  #openForBacklog(): void {
    if (this.openUpstream === undefined) return this.#reconnect()
    if (!this.#closed && !this.#reconnecting.isUnderWay)
      this.#open().catch((reason: unknown) => this.#refuseWaiting(reason))
  }

  async #attempt(): Promise<void> {
    try {
      const upstream = await this.#openOne()
      if (this.#closed) await upstream.close()
      else this.#takeIn(upstream)
      this.#opening = undefined
      if (this.#closed) return
      if (this.#reconnecting.isUnderWay) this.#onReconnected()
      // In the same turn: nobody may publish on the new connection before what waits for one.
      this.backlog.resume()
      // Only now: who finds no room any more asks for a further connection.
      this.onUpstreamRoom()
    } catch (error) {
      this.#opening = undefined
      const failure = upstreamFailure(error)
      if (failure instanceof UpstreamRefused && this.#crowd(failure)) this.#reconnecting.giveUp()
      else if (this.#reconnecting.isUnderWay || this.backlog.state === 'away')
        this.#onReconnectFailed(failure)
      throw error
    }
  }

  #onReconnected(): void {
    this.#reconnecting.succeed()
    this.#parts.metrics.reconnectTried(true)
    this.#parts.logger.info('pool reconnected', this.fields)
    const upstream = this.openUpstream
    if (upstream !== undefined) for (const client of this.#clients) client.onBrokerBack(upstream)
  }

  async #openOne(): Promise<UpstreamConnection> {
    const { policy, login } = this.#parts
    const upstream = await login(this.#reconnecting.place)
    await upstream.open(this.virtualHost, (channelMax) => policy.capacity(channelMax))
    return upstream
  }

  /** The broker may have closed it, or blocked it, in one breath with Open-Ok. */
  #takeIn(upstream: UpstreamConnection): void {
    if (upstream.lostWith !== undefined) throw new UpstreamRefused(upstream.lostWith)
    upstream.observer = this
    this.#reconnecting.handOver(upstream)
    this.#upstreams.push(upstream)
    this.#tellBlocked()
    this.#isCrowded = false
    this.#isAccepted = true
    this.#isRefused = false
    this.#tuning = upstream.tuning
    this.#parts.onAccepted(upstream.tuning)
    const records = this.#parts.takeRecords()
    if (records.length > 0) this.backlog.recover(records)
    const { name, node, tuning } = upstream
    this.#parts.logger.info('upstream connection opened', { ...this.fields, upstream: name, node, ...tuning })
  }

  /**
   * There can be no further connection: a limit of Warren's or of the broker's is reached, or the password
   * was changed. While there's room on those that there are, publishers and consumers share them. Returns
   * whether that helps.
   */
  #crowd(failure: UpstreamRefused | UpstreamUnreachable): boolean {
    if (this.#isCrowded || !this.#upstreams.some(({ hasRoom }) => hasRoom)) return false
    this.#isCrowded = true
    this.#parts.logger.warn(
      'no further upstream connection: publishers and consumers share those that there are',
      {
        ...this.fields,
        reason: failure.message,
      },
    )
    if (this.backlog.state === 'away') this.backlog.resume()
    this.onUpstreamRoom()
    return true
  }

  /** The rules as they can be followed. */
  get #policy(): UpstreamPolicy {
    return this.#isCrowded ? this.#parts.policy.together : this.#parts.policy
  }

  #refuseWaiting(error: unknown): void {
    const failure = upstreamFailure(error)
    const isFinal = failure instanceof UpstreamRefused || failure instanceof UpstreamLimitReached
    if (isFinal && this.#crowd(failure)) return
    for (const client of this.#waiting.takeAll()) client.onNoRoom(failure)
  }

  /** `afterMs`: when to ask for another attempt, if that isn't for the pool itself to say. */
  #reconnect(afterMs?: number): void {
    if (!this.#closed) this.#reconnecting.begin(this.#opening !== undefined, afterMs)
  }

  #onReconnectFailed(failure: UpstreamRefused | UpstreamUnreachable): void {
    // The broker is down, and others try.
    if ('askAgainMs' in failure && failure.askAgainMs !== undefined)
      return this.#reconnect(failure.askAgainMs)
    this.#parts.metrics.reconnectTried(false)
    this.#parts.logger.warn('reconnecting failed', {
      ...this.fields,
      attempt: this.#reconnecting.countFailure(),
      reason: failure.reason,
    })
    if (!(failure instanceof UpstreamRefused) || (this.backlog.isEnabled && isPassing(failure)))
      return this.#reconnect()
    // A broker that says no won't say yes to the same credentials: the next client asks anew.
    this.#isAccepted = false
    // Clients that stayed have nowhere to go, but what they have published may still find its way.
    for (const client of [...this.#clients])
      if (!this.#upstreams.some((upstream) => client.dependsOn(upstream))) client.onUpstreamLost(failure.amqp)
    this.#isRefused = true
    this.#parts.onRefused()
    if (this.backlog.length > 0) return this.#reconnect()
    this.backlog.giveUp()
    this.#reconnecting.giveUp()
  }

  #remove(upstream: UpstreamConnection): void {
    const at = this.#upstreams.indexOf(upstream)
    if (at >= 0) this.#upstreams.splice(at, 1)
    this.#tellBlocked()
  }

  #removeIfEmpty(): void {
    if (this.#clients.size > 0 || this.#upstreams.length > 0 || (this.#isPaused && !this.#closed)) return
    if (this.#opening !== undefined || this.#reconnecting.isWaiting) return
    if (this.backlog.length > 0 && !this.#closed) return
    this.#parts.onEmpty(this)
  }
}
