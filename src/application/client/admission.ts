/**
 * How many clients may be in at the same time: in all that haven't finished their handshake, from one
 * address, of one user, in one virtual host.
 */
import { inject, injectable } from 'inversify'
import { type AmqpError, NOT_ALLOWED, amqpError } from '../../domain/amqp/reply-codes.js'
import { CONNECTION_OPEN } from '../../domain/amqp/method-ids.js'
import { identifiers } from '../identifiers.js'
import type { Settings } from '../settings.js'

/** Counts clients by something that they have in common. */
class Tally {
  readonly #counts = new Map<string, number>()
  readonly #limit: number

  /** `limit` 0 is none. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get limit(): number {
    return this.#limit
  }

  isFull(name: string): boolean {
    return this.#limit > 0 && (this.#counts.get(name) ?? 0) >= this.#limit
  }

  add(name: string): void {
    if (this.#limit > 0) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  remove(name: string): void {
    const count = this.#counts.get(name)
    if (count === undefined) return
    if (count === 1) this.#counts.delete(name)
    else this.#counts.set(name, count - 1)
  }
}

/** What one client is counted under. Everything is given back by {@link leave}. */
export interface AdmissionPass {
  /**
   * The client wants to open `virtualHost` as `user`. Returns what RabbitMQ says when it has a limit of that kind, in its words.
   * Counts the client from then on.
   */
  enter(user: string, virtualHost: string): AmqpError | undefined
  /** The client's handshake is over, one way or the other. */
  finishHandshake(): void
  /** The client is gone. Can be called twice. */
  leave(): void
}

/** The limits on clients, and who counts against them. */
@injectable()
export class Admission {
  readonly #pendingLimit: number
  readonly #byAddress: Tally
  readonly #byUser: Tally
  readonly #byVirtualHost: Tally
  #pending = 0

  constructor(@inject(identifiers.Settings) { client }: Settings) {
    this.#pendingLimit = client.maxPending
    this.#byAddress = new Tally(client.maxPerAddress)
    this.#byUser = new Tally(client.maxPerUser)
    this.#byVirtualHost = new Tally(client.maxPerVhost)
  }

  /** Counts a client that has just connected from `address` (without a port), or says in words for the log why it can't stay. */
  arrive(address: string): AdmissionPass | string {
    if (this.#pendingLimit > 0 && this.#pending >= this.#pendingLimit)
      return `${this.#pending} clients are in their handshake, as many as client.max_pending allows`
    if (this.#byAddress.isFull(address))
      return `${this.#byAddress.limit} clients of ${address} are connected, as many as client.max_per_address allows`
    this.#pending++
    this.#byAddress.add(address)
    let isPending = true
    let counted: { user: string; virtualHost: string } | undefined
    const finishHandshake = (): void => {
      if (isPending) this.#pending--
      isPending = false
    }
    let isIn = true
    return {
      finishHandshake,
      enter: (user, virtualHost) => {
        const refusal = this.#judge(user, virtualHost)
        if (refusal !== undefined) return refusal
        counted = { user, virtualHost }
        this.#byUser.add(user)
        this.#byVirtualHost.add(virtualHost)
        return undefined
      },
      leave: () => {
        if (!isIn) return
        isIn = false
        finishHandshake()
        this.#byAddress.remove(address)
        if (counted === undefined) return
        this.#byUser.remove(counted.user)
        this.#byVirtualHost.remove(counted.virtualHost)
      },
    }
  }

  #judge(user: string, virtualHost: string): AmqpError | undefined {
    const refuse = (text: string): AmqpError => amqpError(NOT_ALLOWED, text, CONNECTION_OPEN)
    if (this.#byVirtualHost.isFull(virtualHost))
      return refuse(
        `access to vhost '${virtualHost}' refused for user '${user}': connection limit (${this.#byVirtualHost.limit}) is reached`,
      )
    if (this.#byUser.isFull(user))
      return refuse(
        `Connection refused for user '${user}': user connection limit (${this.#byUser.limit}) is reached`,
      )
    return undefined
  }
}
