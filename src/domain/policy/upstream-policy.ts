/** When upstream connections are opened, filled, retried and given up. */
import { backoff } from './backoff.js'
import type { ChannelRole } from './channel-role.js'

/** What the policy needs to know of an upstream connection to place a channel on it. */
export interface Candidate {
  readonly hasRoom: boolean
  /** What its channels are used for; undefined while nothing has told. */
  readonly role: ChannelRole | undefined
  /** Why the broker blocks publishers; undefined when it doesn't. */
  readonly blockedReason: string | undefined
}

/** What configuration says about it. */
export interface UpstreamPolicySettings {
  /** Most channels on one connection, 1 to 65535. */
  readonly maxChannels: number
  /** Whether publishers and consumers get connections of their own. */
  readonly separateRoles: boolean
  /** Milliseconds that a connection may be unused before the sweep closes it. */
  readonly idleTimeoutMs: number
}

/** The rules of one pool. */
export class UpstreamPolicy {
  readonly #settings: UpstreamPolicySettings
  #together: UpstreamPolicy | undefined

  constructor(settings: UpstreamPolicySettings) {
    this.#settings = settings
  }

  /** Most channels on a connection for which the broker granted `channelMax`; 0 there means that the broker has no limit. */
  capacity(channelMax: number): number {
    return channelMax === 0 ? this.#settings.maxChannels : Math.min(this.#settings.maxChannels, channelMax)
  }

  /**
   * Where a client's next channel goes: with its other channels while there's room, else on the first connection with
   * room that fits its role. A channel that hasn't told its role goes where publishers are, so that a request that declares
   * something and publishes needs no second connection; but neither it nor a consumer goes where it would have to wait for the end of
   * an alarm: a consumer that publishes can stop the consumers' connection, too.
   */
  place<C extends Candidate>(
    home: C | undefined,
    candidates: readonly C[],
    role: ChannelRole | undefined,
  ): C | undefined {
    const fitting = candidates.filter((candidate) => candidate.hasRoom && this.#fits(candidate, role))
    if (home !== undefined && fitting.includes(home) && this.#mayStayHome(home, role, fitting)) return home
    return fitting.find((candidate) => candidate.role === (role ?? 'publisher')) ?? fitting[0]
  }

  /** The same rules, but for publishers and consumers on the same connections. */
  get together(): UpstreamPolicy {
    this.#together ??= new UpstreamPolicy({ ...this.#settings, separateRoles: false })
    return this.#together
  }

  /** Whether publishers and consumers get connections of their own. */
  get separatesRoles(): boolean {
    return this.#settings.separateRoles
  }

  /**
   * Whether a channel on `upstream` may stay there once it has told its role. A connection without a role takes one only if
   * no other has room for it: those that are opened for channels without a role during an alarm would all become publishers' otherwise.
   */
  maySettle(upstream: Candidate, role: ChannelRole, candidates: readonly Candidate[]): boolean {
    if (!this.#settings.separateRoles || upstream.role === role) return true
    if (upstream.role !== undefined) return false
    return !candidates.some((other) => other.role === role && other.hasRoom && this.#fits(other, role))
  }

  /** Whether `home` is the place for `role`, given that it fits: if another is for this role alone, that is. */
  #mayStayHome(home: Candidate, role: ChannelRole | undefined, fitting: readonly Candidate[]): boolean {
    if (!this.#settings.separateRoles) return true
    if (role === undefined) return home.role !== 'consumer'
    return home.role === role || !fitting.some((candidate) => candidate.role === role)
  }

  #fits(candidate: Candidate, role: ChannelRole | undefined): boolean {
    if (!this.#settings.separateRoles) return true
    if (role !== 'publisher' && candidate.blockedReason !== undefined) return false
    return role === undefined || candidate.role === undefined || candidate.role === role
  }

  /** Milliseconds before the attempt that follows `failures` failed ones (0 after a loss). `random` is in [0, 1). */
  backoff(failures: number, random: number): number {
    return backoff(failures, random)
  }

  /** Whether a connection that has been unused since `since` is to be closed at `now`. */
  isIdle(since: number | undefined, now: number): boolean {
    return since !== undefined && now - since >= this.#settings.idleTimeoutMs
  }
}
