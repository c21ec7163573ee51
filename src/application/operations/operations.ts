/** What operators do to clients, upstream connections and pools while Warren runs. */
import { inject, injectable } from 'inversify'
import { CONNECTION_FORCED, amqpError } from '../../domain/amqp/reply-codes.js'
import { identifiers } from '../identifiers.js'
import type { Limits } from './limits.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import type { Logger } from '../ports/logger.js'
import type { Proxy } from '../proxy.js'
import type { RefusedMessages } from '../publishing/refused-messages.js'
import type { Settings } from '../settings.js'
import type { UpstreamPool } from '../upstream/upstream-pool.js'

/** What was done, or why it can't be. */
export type Outcome<Done> =
  { readonly done: Done } | { readonly refused: 'unknown' | 'conflict'; readonly reason: string }

/** Stands for every id. */
const ALL = 'all'

/** Each operation answers with what it did, or why it can't be done; all are logged. */
@injectable()
export class Operations {
  readonly #proxy: Proxy
  readonly #directory: PoolDirectory
  readonly #limits: Limits
  readonly #logger: Logger
  readonly #settings: Settings
  readonly #refused: RefusedMessages

  constructor(
    @inject(identifiers.Proxy) proxy: Proxy,
    @inject(identifiers.PoolDirectory) directory: PoolDirectory,
    @inject(identifiers.Limits) limits: Limits,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Settings) settings: Settings,
    @inject(identifiers.RefusedMessages) refused: RefusedMessages,
  ) {
    this.#proxy = proxy
    this.#directory = directory
    this.#limits = limits
    this.#logger = logger
    this.#settings = settings
    this.#refused = refused
  }

  /** Ends a client's connection with Connection.Close 320. What it hadn't acknowledged is requeued. */
  killClient(id: string): Outcome<{ client: string; remoteAddress: string }> {
    const client = this.#proxy.session(id)
    if (client === undefined) return unknown('client', id)
    const { remoteAddress } = client.view()
    client.kill()
    this.#logger.info('client closed by an operator', { client: id, remote: remoteAddress })
    return { done: { client: id, remoteAddress } }
  }

  /** Closes an upstream connection in order, behind all that was sent on it; its clients hear of a loss. */
  closeUpstream(id: string): Outcome<{ upstream: string; pool: string; channels: number }> {
    for (const pool of this.#directory.pools) {
      const upstream = pool.upstreams.find(({ name }) => name === id)
      if (upstream === undefined) continue
      const { channels } = upstream.view()
      this.#logger.info('upstream connection closed by an operator', { ...pool.fields, upstream: id })
      const text = "broker forced connection closure with reason 'upstream connection closed by an operator'"
      upstream.end(amqpError(CONNECTION_FORCED, text))
      return { done: { upstream: id, pool: pool.id, channels } }
    }
    return unknown('upstream connection', id)
  }

  /** Holds new messages and channels of a pool; what is in flight settles. */
  pausePool(id: string): Outcome<{ pool: string; clients: number }> {
    return this.#withPool(id, (pool) => {
      pool.pause()
      this.#logger.info('pool paused', pool.fields)
      return { pool: id, clients: pool.view().clients }
    })
  }

  /** Ends a pause. */
  resumePool(id: string): Outcome<{ pool: string; clients: number }> {
    return this.#withPool(id, (pool) => {
      const { clients } = pool.view()
      pool.resume()
      this.#logger.info('pool resumed', pool.fields)
      return { pool: id, clients }
    })
  }

  /** Retires the upstream connections of a pool one by one, each when its last channel has left. */
  reconnectPool(id: string): Outcome<{ pool: string; retiring: number }> {
    const pool = this.#findPool(id)
    const needsRoom = pool?.upstreams.some((upstream) => !upstream.isRetiring && upstream.view().channels > 0)
    if (needsRoom === true && this.#limits.isUpstreamLimitReached)
      return {
        refused: 'conflict',
        reason: `upstream connection limit reached (${this.#limits.upstreamLimit}): there is no room for new connections beside the old ones`,
      }
    return this.#withPool(id, () => {
      const retiring = pool!.reconnect()
      this.#logger.info('pool reconnecting by an operator', { ...pool!.fields, retiring })
      return { pool: id, retiring }
    })
  }

  /**
   * Publishes a message again that the broker has refused, or `all` of them; where its user has no pool, at the next login of that user. One that has expired
   * stays where it is.
   */
  retryAside(id: string): Outcome<{ retried: number; waiting: number; expired: number }> {
    return this.#withAside(id, (ids) => {
      const done = { retried: 0, waiting: 0, expired: 0 }
      for (const each of ids) {
        const message = this.#refused.get(each)!
        if (this.#refused.isExpired(message)) {
          if (id !== ALL) return { refused: 'conflict', reason: `message ${id} has expired: drop it` }
          done.expired++
          continue
        }
        this.#refused.take(each)
        if (this.#directory.retry(message)) done.retried++
        else done.waiting++
      }
      this.#logger.info('messages that were set aside are tried again', { aside: id, ...done })
      return { done }
    })
  }

  /** Forgets a message that the broker has refused, or `all` of them, for good. */
  dropAside(id: string): Outcome<{ dropped: number }> {
    return this.#withAside(id, (ids) => {
      for (const each of ids) this.#refused.drop(each)
      this.#logger.warn('messages that were set aside are dropped by an operator', {
        aside: id,
        messages: ids.length,
      })
      return { done: { dropped: ids.length } }
    })
  }

  #withAside<Done>(id: string, act: (ids: readonly number[]) => Outcome<Done>): Outcome<Done> {
    if (id === ALL) return act(this.#refused.ids)
    const number = Number(id)
    return this.#refused.get(number) === undefined ? unknown('message set aside', id) : act([number])
  }

  /** Begins the shutdown: nobody new is accepted, clients may finish for a while, then the process ends. */
  drain(): { clients: number; grace: number } {
    const { clients } = this.#proxy
    void this.#proxy.shutDown()
    return { clients, grace: this.#settings.shutdown.grace }
  }

  #findPool(id: string): UpstreamPool | undefined {
    for (const pool of this.#directory.pools) if (pool.id === id) return pool
    return undefined
  }

  #withPool<Done>(id: string, act: (pool: UpstreamPool) => Done): Outcome<Done> {
    const pool = this.#findPool(id)
    return pool === undefined ? unknown('pool', id) : { done: act(pool) }
  }
}

function unknown(what: string, id: string): { refused: 'unknown'; reason: string } {
  return { refused: 'unknown', reason: `there is no ${what} ${id}` }
}
