/** The upstream connections of one credential set, and the clients that share them. */
import { methodOf } from '../domain/amqp/methods.js'
import { type AmqpError, CONNECTION_FORCED, amqpError } from '../domain/amqp/reply-codes.js'
import type { Credentials } from '../domain/credentials.js'
import type { ChannelRole } from '../domain/policy/channel-role.js'
import type { UpstreamPolicy } from '../domain/policy/upstream-policy.js'
import type { BindingOwner, ChannelBinding } from './channel-binding.js'
import type { Clock, Timer } from './ports/clock.js'
import type { Logger } from './ports/logger.js'
import type { Random } from './ports/random.js'
import { tryAlone } from './trial-channel.js'
import type { TrialFailure, Trials } from './trials.js'
import type { UpstreamConnection, UpstreamObserver } from './upstream-connection.js'
import { UpstreamRefused, upstreamFailure } from './upstream-errors.js'
import type { UpstreamUnreachable } from './upstream-errors.js'

/** Within how long all pools come back once one has found the broker. */
const RECONNECT_SPREAD_MS = 500

/** A client as its pool sees it. */
export interface PoolClient {
  /** Whether the client has a channel on `upstream`, or counts on it for the next one. */
  dependsOn(upstream: UpstreamConnection): boolean
  /**
   * Whether the broker may have ended `upstream` over a request of this client: one of the kind `methodId`, or any if that's 0, is
   * under way there.
   */
  isSuspect(upstream: UpstreamConnection, methodId: number): boolean
  /** The broker ended a shared upstream connection over a request of this client, or so it seems. The loss itself follows. */
  onBlamed(error: AmqpError): void
  /** An upstream connection that the client depends on is gone. */
  onUpstreamLost(error: AmqpError): void
  /** There may be room for a channel that had to wait. */
  onRoom(): void
  /** No further upstream connection could be opened for a channel that waits. */
  onNoRoom(failure: UpstreamRefused | UpstreamUnreachable): void
  /** The broker blocks (reason) or unblocks (undefined) publishing. */
  onBlocked(reason: string | undefined): void
}

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
  /** Logs in at the broker. */
  readonly login: () => Promise<UpstreamConnection>
  /** The pool has neither clients nor upstream connections nor a reason to get one. */
  readonly onEmpty: (pool: UpstreamPool) => void
}

/** Packs channels on as few upstream connections as will hold them, and gets a new one when the last is lost. */
export class UpstreamPool implements UpstreamObserver {
  readonly #parts: PoolParts
  readonly #upstreams: UpstreamConnection[] = []
  readonly #clients = new Set<PoolClient>()
  /** Clients with a channel that waits for room. */
  readonly #waiting = new Set<PoolClient>()
  #opening: Promise<void> | undefined
  #retry: Timer | undefined
  #failures = 0
  /** The last connection was lost, and no other has been opened since. */
  #isReconnecting = false
  #isBlocked = false
  #closed = false

  constructor(parts: PoolParts) {
    this.#parts = parts
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

  get upstreams(): readonly UpstreamConnection[] {
    return this.#upstreams
  }

  /** An upstream connection that is open, if there is one. */
  get openUpstream(): UpstreamConnection | undefined {
    return this.#upstreams.find((upstream) => upstream.isOpen)
  }

  /** Why the broker blocks publishers; undefined when it doesn't. */
  get blockedReason(): string | undefined {
    return this.#upstreams.find((upstream) => upstream.blockedReason !== undefined)?.blockedReason
  }

  /**
   * Takes `client` in; resolves with the upstream connection that its channels will go to first, once there is one.
   * Rejects with UpstreamRefused or UpstreamUnreachable; the client is then out again.
   */
  async enter(client: PoolClient): Promise<UpstreamConnection> {
    this.#clients.add(client)
    try {
      if (this.openUpstream === undefined) await this.#open()
      return this.#home()
    } catch (error) {
      this.leave(client)
      throw error
    }
  }

  /** Lets `client` go. Its channels are its own business. Can be called twice. */
  leave(client: PoolClient): void {
    this.#clients.delete(client)
    this.#waiting.delete(client)
    this.#removeIfEmpty()
  }

  /** Where a channel of a client whose others are on `home` goes; undefined when a further upstream connection is needed. */
  place(home: UpstreamConnection, role: ChannelRole | undefined): UpstreamConnection | undefined {
    return this.#parts.policy.place(home, this.#upstreams, role)
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
    const binding = upstream?.bind(owner)
    if (upstream !== undefined && binding !== undefined) {
      upstream.role ??= role
      return binding
    }
    this.#waiting.add(client)
    this.#open().catch((error: unknown) => this.#refuseWaiting(error))
    return undefined
  }

  /** Whether a channel that has just told its role may stay on `upstream`, which then is for this role. */
  settle(upstream: UpstreamConnection, role: ChannelRole): boolean {
    if (!this.#parts.policy.maySettle(upstream, role, this.#upstreams)) return false
    upstream.role ??= role
    return true
  }

  /**
   * Whether a message for `upstream` has to wait: there is an alarm, and the broker would stop reading from a connection that carries
   * consumers too if it published now.
   */
  mustHoldPublish(upstream: UpstreamConnection): boolean {
    return this.#isBlocked && upstream.role === 'consumer' && this.#parts.policy.separatesRoles
  }

  /** As {@link Trials.judge}: `request` is a frame of a kind that may make the broker close the connection, and is tried on another one first. */
  judgeRisk(
    kind: string,
    request: Uint8Array,
    onDecided: (failure?: TrialFailure) => void,
  ): AmqpError | 'wait' | undefined {
    const attempt = async (): Promise<AmqpError | undefined> => {
      const upstream = await this.#parts.login()
      await upstream.open(this.virtualHost, () => 1)
      return tryAlone(upstream, request)
    }
    return this.#parts.trials.judge(kind, attempt, onDecided)
  }

  /** The broker answers again after an outage: no need to wait any longer, but for not all pools coming at once. */
  onBrokerBack(): void {
    if (this.#retry === undefined) return
    this.#retry.cancel()
    this.#retry = undefined
    this.#retryLater(this.#parts.random() * RECONNECT_SPREAD_MS)
  }

  /** Closes upstream connections that have been unused for too long, and channels that are kept for nobody. */
  sweep(now: number): void {
    for (const upstream of [...this.#upstreams]) {
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
    this.#retry?.cancel()
    this.#retry = undefined
    const upstreams = this.#upstreams.splice(0)
    await Promise.all(upstreams.map((upstream) => upstream.close()))
    this.#removeIfEmpty()
  }

  onUpstreamLost(upstream: UpstreamConnection, error: AmqpError): void {
    this.#remove(upstream)
    const affected = [...this.#clients].filter((client) => client.dependsOn(upstream))
    this.#parts.logger.warn('upstream connection lost', {
      ...this.fields,
      upstream: upstream.name,
      node: upstream.node,
      code: error.code,
      reason: error.text,
      clients: affected.length,
    })
    // Before the clients leave: a pool that means to reconnect isn't empty without them.
    if (this.openUpstream === undefined) this.#retryLater()
    this.#tellLost(upstream, error, affected)
  }

  /**
   * The broker's Close names the method at fault, unless its channel has crashed: who waits for the answer to one is told what the
   * broker said, and the others that it wasn't them.
   */
  #tellLost(upstream: UpstreamConnection, error: AmqpError, clients: readonly PoolClient[]): void {
    const isSomebodysFault = error.code !== CONNECTION_FORCED && clients.length > 1
    const suspects = new Set(
      isSomebodysFault ? clients.filter((client) => client.isSuspect(upstream, error.methodId)) : [],
    )
    for (const client of clients) {
      if (suspects.has(client)) client.onBlamed(error)
      client.onUpstreamLost(isSomebodysFault && !suspects.has(client) ? notYourFault(error) : error)
    }
  }

  onUpstreamRoom(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const client of waiting) client.onRoom()
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
    for (const client of this.#clients) client.onBlocked(reason)
  }

  #home(): UpstreamConnection {
    const home = this.#parts.policy.place(undefined, this.#upstreams, undefined) ?? this.openUpstream
    if (home === undefined) throw new Error('a pool without an open connection has no place for a client')
    return home
  }

  /** Opens one more upstream connection; callers who come meanwhile share the attempt. */
  #open(): Promise<void> {
    this.#retry?.cancel()
    this.#retry = undefined
    this.#opening ??= this.#attempt()
    return this.#opening
  }

  async #attempt(): Promise<void> {
    try {
      await this.#openOne()
      if (this.#isReconnecting) this.#parts.logger.info('pool reconnected', this.fields)
      this.#isReconnecting = false
      this.#opening = undefined
      // Only now: who finds no room any more asks for a further connection.
      this.onUpstreamRoom()
    } catch (error) {
      this.#opening = undefined
      if (this.#isReconnecting) this.#onReconnectFailed(upstreamFailure(error))
      throw error
    }
  }

  async #openOne(): Promise<void> {
    const { policy, login, logger } = this.#parts
    const upstream = await login()
    await upstream.open(this.virtualHost, (channelMax) => policy.capacity(channelMax))
    // The broker may have closed it, or blocked it, in one breath with Open-Ok.
    if (upstream.lostWith !== undefined) throw new UpstreamRefused(upstream.lostWith)
    if (this.#closed) {
      await upstream.close()
      return
    }
    upstream.observer = this
    this.#upstreams.push(upstream)
    this.#tellBlocked()
    this.#failures = 0
    const { name, node, tuning } = upstream
    logger.info('upstream connection opened', { ...this.fields, upstream: name, node, ...tuning })
  }

  #refuseWaiting(error: unknown): void {
    const failure = upstreamFailure(error)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const client of waiting) client.onNoRoom(failure)
  }

  /** `afterMs`: when to ask for another attempt, if that isn't for the pool itself to say. */
  #retryLater(afterMs?: number): void {
    if (this.#closed) return
    // An attempt that is under way for another reason counts as the first one.
    this.#isReconnecting = true
    if (this.#opening !== undefined || this.#retry !== undefined) return
    const delay = afterMs ?? this.#parts.policy.backoff(this.#failures, this.#parts.random())
    this.#retry = this.#parts.clock.after(delay, () => {
      this.#retry = undefined
      this.#open().catch(() => this.#removeIfEmpty())
    })
  }

  #onReconnectFailed(failure: UpstreamRefused | UpstreamUnreachable): void {
    // The broker is down, and others try.
    if ('askAgainMs' in failure && failure.askAgainMs !== undefined)
      return this.#retryLater(failure.askAgainMs)
    this.#failures++
    this.#parts.logger.warn('reconnecting failed', {
      ...this.fields,
      attempt: this.#failures,
      reason: failure.reason,
    })
    // A broker that says no won't say yes to the same credentials: the next client asks anew.
    if (failure instanceof UpstreamRefused) this.#isReconnecting = false
    else this.#retryLater()
  }

  #remove(upstream: UpstreamConnection): void {
    const at = this.#upstreams.indexOf(upstream)
    if (at >= 0) this.#upstreams.splice(at, 1)
    this.#tellBlocked()
  }

  #removeIfEmpty(): void {
    if (this.#clients.size > 0 || this.#upstreams.length > 0) return
    if (this.#opening !== undefined || this.#retry !== undefined) return
    this.#parts.onEmpty(this)
  }
}

/** What a client is told when the broker closed the shared connection over a request of another. */
function notYourFault({ code, methodId }: AmqpError): AmqpError {
  const name = methodOf(methodId)?.name ?? 'request'
  return amqpError(
    CONNECTION_FORCED,
    `the broker closed the shared upstream connection over another client's ${name} (${code}), not over yours`,
  )
}
