/** Publishes what waits for users who aren't there, as far as their credentials are known. */
import { inject, injectable } from 'inversify'
import type { Credentials } from '../../domain/credentials.js'
import { backoff } from '../../domain/policy/backoff.js'
import { identifiers } from '../identifiers.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { CredentialSource } from '../ports/credential-source.js'
import type { JournalPool } from '../ports/journal.js'
import type { Logger } from '../ports/logger.js'
import type { Metrics } from '../ports/metrics.js'
import type { Random } from '../ports/random.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import { UpstreamRefused, isPassing, reasonOf, upstreamFailure } from '../upstream/upstream-errors.js'
import { type Leftovers, nameOf } from './leftovers.js'
import { ReplayGuest } from './replay-guest.js'

/** Logins at the same time: the broker may have just started, and each costs it some work. */
const AT_ONCE = 8
/** What isn't known, or was refused, may be another time; the answer costs the source little. */
const ASK_AGAIN_MS = 60_000
/** How long the source may take to answer. */
const SOURCE_LIMIT_MS = 5000
/** Within how long logins come once the broker is back. */
const RECONNECT_SPREAD_MS = 500
/** The log names no more users than this, each in a line of its own. */
const MOST_NAMED = 10

/**
 * Why messages still wait. `unknown`: nobody knows the credentials; `refused`: the broker says no to them;
 * `later`: they're tried again soon.
 */
interface Trouble {
  readonly kind: 'unknown' | 'refused' | 'later'
  readonly reason: string
  /** What the broker has refused. */
  readonly refused?: Credentials
}

/** What {@link Replay.warnings} says of each kind of trouble. Users aren't named where everybody may look. */
const WORDS: Readonly<Record<Trouble['kind'], string>> = {
  unknown: 'for the next login of their users, whose passwords are not known (pool.replay_logins)',
  refused: 'for the next login of their users: the broker refuses the logins that are known',
  later: 'for their broker',
}

/**
 * Logs in for each user with messages in {@link Leftovers}, or in a pool with an old password; the pool that
 * gets the connection publishes them before anything else.
 */
@injectable()
export class Replay {
  readonly #leftovers: Leftovers
  readonly #directory: PoolDirectory
  readonly #source: CredentialSource
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #random: Random
  readonly #metrics: Metrics
  /** By the name of the owner. */
  readonly #troubles = new Map<string, Trouble>()
  /** Owners whose login is being tried, and those whose turn is to come. */
  readonly #underWay = new Set<string>()
  #timer: Timer | undefined
  #failures = 0
  #isOver = false
  /** Owners without known credentials that the log has named, and those that it hasn't. */
  #named = 0
  #unnamed = 0

  constructor(
    @inject(identifiers.Leftovers) leftovers: Leftovers,
    @inject(identifiers.PoolDirectory) directory: PoolDirectory,
    @inject(identifiers.CredentialSource) source: CredentialSource,
    @inject(identifiers.Clock) clock: Clock,
    @inject(identifiers.Logger) logger: Logger,
    @inject(identifiers.Random) random: Random,
    @inject(identifiers.Metrics) metrics: Metrics,
  ) {
    this.#leftovers = leftovers
    this.#directory = directory
    this.#source = source
    this.#clock = clock
    this.#logger = logger
    this.#random = random
    this.#metrics = metrics
  }

  /** Reads what an earlier run has left, and publishes it; resolves when that's done as far as it can be done now. */
  async start(): Promise<void> {
    this.#leftovers.recover()
    this.#leftovers.onAdded = () => this.#lookSoon(0)
    this.#directory.onStranded = () => this.#lookSoon(0)
    this.#directory.onBrokerBack = () => {
      if (this.#hasTrouble('later')) this.#lookSoon(this.#random() * RECONNECT_SPREAD_MS)
    }
    await this.#look()
    if (this.#unnamed > 0)
      this.#logger.warn('messages wait for the next logins of further users: their passwords are not known', {
        logins: this.#unnamed,
      })
  }

  /** No further logins. */
  stop(): void {
    this.#isOver = true
    this.#timer?.cancel()
  }

  /** What operators should do something about: one line for each kind of trouble. */
  warnings(): string[] {
    const counts = new Map<Trouble['kind'], number>()
    for (const { owner, messages } of this.#waiting) {
      const kind = this.#troubles.get(nameOf(owner))?.kind
      if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + messages)
    }
    return [...counts].map(
      ([kind, count]) => `${count === 1 ? '1 message waits' : `${count} messages wait`} ${WORDS[kind]}`,
    )
  }

  /** Whose messages wait for a login, and how many. */
  get #waiting(): Iterable<{ readonly owner: JournalPool; readonly messages: number }> {
    const waiting = new Map<string, { owner: JournalPool; messages: number }>()
    const left = this.#leftovers.groups.map(({ owner, messages }) => ({ owner, messages: messages.length }))
    for (const { owner, messages } of [...left, ...this.#stranded()]) {
      const before = waiting.get(nameOf(owner))?.messages ?? 0
      waiting.set(nameOf(owner), { owner, messages: before + messages })
    }
    return waiting.values()
  }

  #stranded(): { owner: JournalPool; messages: number }[] {
    return [...this.#directory.pools]
      .filter(({ isStranded }) => isStranded)
      .map(({ credentials: { user }, virtualHost, backlog }) => ({
        owner: { user, virtualHost },
        messages: backlog.length,
      }))
  }

  /** Tries everybody who isn't being tried. */
  async #look(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const owners = [...this.#waiting]
      .map(({ owner }) => owner)
      .filter((owner) => !this.#underWay.has(nameOf(owner)))
    for (const owner of owners) this.#underWay.add(nameOf(owner))
    const lane = async (): Promise<void> => {
      for (let owner = owners.shift(); owner !== undefined; owner = owners.shift()) {
        await this.#try(owner).catch((error: unknown) => {
          this.#logger.error('unexpected error', { error })
          this.#metrics.unexpectedError()
        })
        this.#underWay.delete(nameOf(owner))
      }
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, owners.length) }, lane))
    if (!this.#hasTrouble('later')) this.#failures = 0
    if ([...this.#waiting].length === 0) this.#troubles.clear()
    else this.#lookSoon(this.#hasTrouble('later') ? backoff(this.#failures++, this.#random()) : ASK_AGAIN_MS)
  }

  #lookSoon(milliseconds: number): void {
    if (this.#isOver) return
    this.#timer?.cancel()
    this.#timer = this.#clock.after(milliseconds, () => void this.#look())
  }

  async #try(owner: JournalPool): Promise<void> {
    const before = this.#troubles.get(nameOf(owner))
    const after = this.#isOver || this.#count(owner) === 0 ? undefined : await this.#attempt(owner)
    if (after === undefined) this.#troubles.delete(nameOf(owner))
    else this.#troubles.set(nameOf(owner), after)
    if (after !== undefined && after.reason !== before?.reason) this.#tell(owner, after)
  }

  #tell(owner: JournalPool, { kind, reason }: Trouble): void {
    const { user, virtualHost: vhost } = owner
    const fields = { user, vhost, messages: this.#count(owner) }
    if (kind !== 'unknown')
      this.#logger.warn(
        kind === 'refused'
          ? 'messages wait for the next login of their user: the broker refuses the one that is known'
          : 'messages wait: their user cannot be logged in now',
        { ...fields, reason },
      )
    else if (this.#named++ < MOST_NAMED)
      this.#logger.warn('messages wait for the next login of their user: its password is not known', {
        ...fields,
        advice: 'who is in pool.replay_logins is not waited for',
      })
    else this.#unnamed++
  }

  /** How many messages of the owner wait for a login. */
  #count(owner: JournalPool): number {
    const stranded = this.#directory.strandedOf(owner)
    return stranded.reduce((sum, { backlog }) => sum + backlog.length, this.#leftovers.countOf(owner))
  }

  async #attempt(owner: JournalPool): Promise<Trouble | undefined> {
    let credentials: Credentials | undefined
    try {
      credentials = await this.#ask(owner)
    } catch (error) {
      return { kind: 'later', reason: `its credentials can't be found out: ${reasonOf(error)}` }
    }
    if (credentials === undefined) return { kind: 'unknown', reason: 'unknown' }
    const before = this.#troubles.get(nameOf(owner))
    const isStuckWith = this.#directory.strandedOf(owner).some((pool) => pool.credentials.equals(credentials))
    if (isStuckWith) return { kind: 'refused', reason: 'the broker has refused it', refused: credentials }
    // Where the broker asks a directory, one failed login after the other may lock the user out.
    if (before?.refused?.equals(credentials) === true) return before
    try {
      await this.#publish(owner, credentials)
      return undefined
    } catch (error) {
      const failure = upstreamFailure(error)
      return failure instanceof UpstreamRefused && !isPassing(failure)
        ? { kind: 'refused', reason: failure.reason, refused: credentials }
        : { kind: 'later', reason: failure.reason }
    }
  }

  async #ask({ user, virtualHost }: JournalPool): Promise<Credentials | undefined> {
    const credentials = await new Promise<Credentials | undefined>((resolve, reject) => {
      const limit = this.#clock.after(SOURCE_LIMIT_MS, () =>
        reject(new Error(`no answer within ${SOURCE_LIMIT_MS / 1000} s`)),
      )
      void Promise.resolve()
        .then(() => this.#source.credentialsFor(user, virtualHost))
        .then(resolve, reject)
        .finally(() => limit.cancel())
    })
    // They'd be published in somebody else's name.
    if (credentials !== undefined && credentials.user !== user) throw new Error('they are of another user')
    return credentials
  }

  /** Has the owner's pool log in, which publishes what waits; resolves when it has, or has to go on without being watched. */
  async #publish({ user, virtualHost }: JournalPool, credentials: Credentials): Promise<void> {
    const guest = new ReplayGuest()
    const { pool } = await this.#directory.admit(guest, credentials, 'PLAIN', virtualHost, '')
    this.#logger.debug('logged in for messages that wait', {
      pool: pool.id,
      user,
      vhost: virtualHost,
    })
    try {
      await guest.untilDrained(pool)
    } finally {
      pool.leave(guest)
    }
  }

  #hasTrouble(kind: Trouble['kind']): boolean {
    for (const trouble of this.#troubles.values()) if (trouble.kind === kind) return true
    return false
  }
}
