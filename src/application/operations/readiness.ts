/** Whether Warren can serve a client that comes now. */
import { inject, injectable } from 'inversify'
import type { Certificates } from './certificates.js'
import { identifiers } from '../identifiers.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import type { Clock } from '../ports/clock.js'
import type { Proxy } from '../proxy.js'
import type { Replay } from '../publishing/replay.js'
import type { UpstreamConnector } from '../upstream/upstream-connector.js'
import { reasonOf } from '../upstream/upstream-errors.js'

/** How long an answer of the broker holds: checks come every few seconds, and each costs it a connection. */
const FRESH_MS = 5000
/** Whoever asks doesn't wait for ever. */
const WAIT_MS = 2000

/** Asks the broker where nothing else tells that it's there. */
@injectable()
export class Readiness {
  readonly #proxy: Proxy
  readonly #directory: PoolDirectory
  readonly #connector: UpstreamConnector
  readonly #clock: Clock
  readonly #certificates: Certificates
  readonly #replay: Replay
  #checkedAt = -Infinity
  #reason: string | undefined
  #asking: Promise<void> | undefined

  constructor(
    @inject(identifiers.Proxy) proxy: Proxy,
    @inject(identifiers.PoolDirectory) directory: PoolDirectory,
    @inject(identifiers.UpstreamConnector) connector: UpstreamConnector,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Certificates) certificates: Certificates,
    @inject(identifiers.Replay) replay: Replay,
  ) {
    this.#proxy = proxy
    this.#directory = directory
    this.#connector = connector
    this.#clock = clock
    this.#certificates = certificates
    this.#replay = replay
  }

  /** Why Warren isn't ready; empty when it is. */
  async reasons(): Promise<string[]> {
    if (!this.#proxy.isAccepting) return ['clients are not accepted']
    const unreachable = await this.#whyUnreachable()
    return unreachable === undefined ? [] : [`broker unreachable: ${unreachable}`]
  }

  /** What doesn't keep Warren from being ready, but will if nobody does anything about it. */
  warnings(): string[] {
    return [...this.#certificates.warnings(), ...this.#replay.warnings()]
  }

  async #whyUnreachable(): Promise<string | undefined> {
    for (const pool of this.#directory.pools) if (pool.openUpstream !== undefined) return undefined
    if (this.#clock.now() - this.#checkedAt < FRESH_MS) return this.#reason
    this.#asking ??= this.#ask()
    const asking = this.#asking
    return new Promise((resolve) => {
      const timer = this.#clock.after(WAIT_MS, () => resolve(`no answer within ${WAIT_MS / 1000} s`))
      void asking.then(() => {
        timer.cancel()
        resolve(this.#reason)
      })
    })
  }

  async #ask(): Promise<void> {
    this.#reason = await this.#connector.introduce().then(
      () => undefined,
      (error: unknown) => reasonOf(error),
    )
    this.#checkedAt = this.#clock.now()
    this.#asking = undefined
  }
}
