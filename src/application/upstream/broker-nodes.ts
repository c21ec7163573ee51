/** The broker's nodes: their addresses, which of them is next, and which are left alone because they failed. */
import { CONNECTION_FORCED } from '../../domain/amqp/reply-codes.js'
import { AddressBook, type AddressUse } from '../../domain/policy/address-book.js'
import { NameLookup } from './name-lookup.js'
import type { Clock } from '../ports/clock.js'
import { type Dialer, type Endpoint, addressOf, nameOf } from '../ports/dialer.js'
import type { Logger } from '../ports/logger.js'
import type { Random } from '../ports/random.js'
import { UpstreamRefused, UpstreamUnreachable, reasonOf, upstreamFailure } from './upstream-errors.js'

/** What {@link BrokerNodes} is made with. */
export interface BrokerNodesParts {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  readonly endpoints: readonly Endpoint[]
  /** Limit for each attempt at an address. */
  readonly timeoutMs: number
}

/** Where there are others to try, an attempt has its share of the limit, but not less than this. */
const SHORTEST_TIMEOUT_MS = 1000

/** All endpoints lead to the same broker: nodes of a cluster, or addresses of one node. */
export class BrokerNodes {
  readonly #parts: BrokerNodesParts
  readonly #book = new AddressBook()
  readonly #names: readonly NameLookup[]

  constructor(parts: BrokerNodesParts) {
    this.#parts = parts
    this.#names = parts.endpoints.map((endpoint) => new NameLookup({ ...parts, endpoint }))
  }

  /**
   * Makes `attempt` at one address after the other until one answers; successive calls begin with different ones. `limitMs` is how
   * long the attempt may take to connect, and again to be answered. Rejects with UpstreamRefused when an address answers with a
   * refusal, which isn't tried elsewhere; with UpstreamUnreachable and all reasons when none answers.
   */
  async reach<T>(attempt: (address: Endpoint, limitMs: number) => Promise<T>): Promise<T> {
    const { addresses, failures } = await this.#resolveAll()
    const { clock, random, timeoutMs } = this.#parts
    const isOnly = addresses.size === 1
    const share = this.#share(addresses.size)
    for (;;) {
      const use = this.#book.next([...addresses.keys()], clock.now(), random())
      if (use === undefined) throw new UpstreamUnreachable(failures.join(', '))
      const endpoint = addresses.get(use.address)!
      addresses.delete(use.address)
      try {
        const result = await attempt(endpoint, addresses.size === 0 ? timeoutMs : share)
        this.#onAnswer(use, endpoint)
        return result
      } catch (error) {
        const failure = upstreamFailure(error)
        if (failure instanceof UpstreamRefused && !(isGoingDown(failure) && addresses.size > 0)) {
          this.#onAnswer(use, endpoint)
          throw failure
        }
        this.#onFailure(use, isOnly ? undefined : nameOf(endpoint), failure.reason)
        if (!failures.includes(failure.reason)) failures.push(failure.reason)
      }
    }
  }

  /** The broker is back: what was learnt of single nodes meanwhile says little. */
  afterOutage(): void {
    this.#book.pardonAll()
  }

  #onAnswer(use: AddressUse, endpoint: Endpoint): void {
    if (this.#book.answered(use))
      this.#parts.logger.info('broker node answers again', { node: nameOf(endpoint) })
  }

  /** `node`: its name for the log, if there are others. */
  #onFailure(use: AddressUse, node: string | undefined, reason: string): void {
    const failure = this.#book.failed(use, this.#parts.clock.now())
    if (failure === undefined || node === undefined) return
    const fields = { node, reason, avoidedFor: `${failure.avoidedMs / 1000} s` }
    if (failure.inARow === 1) this.#parts.logger.warn('broker node failed', fields)
    else this.#parts.logger.debug('broker node failed again', { ...fields, attempt: failure.inARow })
  }

  /** All addresses of all endpoints, each once, by what tells them apart; and why there are none of some. */
  async #resolveAll(): Promise<{ addresses: Map<string, Endpoint>; failures: string[] }> {
    const limit = this.#share(this.#names.length)
    const answers = await Promise.allSettled(this.#names.map((name) => name.addresses(limit)))
    const addresses = new Map<string, Endpoint>()
    const failures: string[] = []
    for (const answer of answers) {
      if (answer.status === 'rejected') failures.push(reasonOf(answer.reason))
      else for (const endpoint of answer.value) addresses.set(addressOf(endpoint), endpoint)
    }
    // With nothing to try the broker is unreachable: that has a warning of its own, with these failures for its reason.
    if (addresses.size > 0) for (const name of this.#names) name.warnOfFailure()
    this.#book.keepOnly([...addresses.keys()])
    return { addresses, failures }
  }

  /** The part of the limit that each of `count` attempts has. */
  #share(count: number): number {
    const { timeoutMs } = this.#parts
    return Math.min(timeoutMs, Math.max(SHORTEST_TIMEOUT_MS, Math.floor(timeoutMs / count)))
  }
}

/** A node that is being stopped says so; another one may take the connection. */
function isGoingDown({ amqp }: UpstreamRefused): boolean {
  return amqp.code === CONNECTION_FORCED
}
