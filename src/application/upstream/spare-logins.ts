/** Logins that clients have asked the broker for, until a pool takes them. */
import type { Credentials, Mechanism } from '../../domain/credentials.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { UpstreamConnection } from './upstream-connection.js'
import type { UpstreamConnector } from './upstream-connector.js'

/** A login that the broker was asked for, or has accepted. */
interface SpareLogin {
  readonly credentials: Credentials
  readonly mechanism: Mechanism
  readonly upstream: Promise<UpstreamConnection>
  /** Names the pool to come: operators see it beside the connection from the login on. Undefined once a pool has taken it. */
  poolId: string | undefined
  /** Set once the broker has accepted the login. */
  timer: Timer | undefined
}

/** RabbitMQ gives a connection 10 s to open its virtual host; one that nobody takes is given up before. */
const SPARE_LOGIN_MS = 8000

/** The broker checks a client's credentials by a login; the connection that comes of it is the first of the client's pool. */
export class SpareLogins {
  readonly #connector: UpstreamConnector
  readonly #clock: Clock
  readonly #nextPoolId: () => string
  readonly #spares = new Set<SpareLogin>()

  constructor(connector: UpstreamConnector, clock: Clock, nextPoolId: () => string) {
    this.#connector = connector
    this.#clock = clock
    this.#nextPoolId = nextPoolId
  }

  /**
   * Logs in for a client; those who come meanwhile with the same credentials share the login. Rejects with
   * UpstreamRefused or UpstreamUnreachable.
   */
  login(credentials: Credentials, mechanism: Mechanism): Promise<UpstreamConnection> {
    const spare = this.#find(
      (login) => login.mechanism === mechanism && login.credentials.equals(credentials),
    )
    // One that is under way doesn't keep anybody waiting once the broker is known to be down.
    const isHopeless = spare?.timer === undefined && this.#connector.knowsOutage
    if (spare !== undefined && !isHopeless) return spare.upstream
    const poolId = this.#nextPoolId()
    const upstream = this.#connector.login(credentials, mechanism, poolId, 'client')
    this.#keep({ credentials, mechanism, upstream, poolId, timer: undefined })
    return upstream
  }

  /** The id of a new pool with these credentials: the one that its login has named, or else the next. */
  takePoolId(credentials: Credentials): string {
    const spare = this.#find((login) => login.poolId !== undefined && login.credentials.equals(credentials))
    const id = spare?.poolId ?? this.#nextPoolId()
    if (spare !== undefined) spare.poolId = undefined
    return id
  }

  /** Gives a login with these credentials away; undefined when there is none. It may have failed, or been lost, meanwhile. */
  take(credentials: Credentials): Promise<UpstreamConnection> | undefined {
    const spare = this.#find((login) => login.credentials.equals(credentials))
    if (spare !== undefined) this.#forget(spare)
    return spare?.upstream
  }

  /** Gives all up. */
  close(): void {
    for (const spare of [...this.#spares]) this.#drop(spare)
  }

  #find(matches: (login: SpareLogin) => boolean): SpareLogin | undefined {
    for (const spare of this.#spares) if (matches(spare)) return spare
    return undefined
  }

  #keep(spare: SpareLogin): void {
    this.#spares.add(spare)
    spare.upstream.then(
      () => {
        if (this.#spares.has(spare)) spare.timer = this.#clock.after(SPARE_LOGIN_MS, () => this.#drop(spare))
      },
      () => this.#forget(spare),
    )
  }

  #forget(spare: SpareLogin): void {
    this.#spares.delete(spare)
    spare.timer?.cancel()
  }

  #drop(spare: SpareLogin): void {
    this.#forget(spare)
    spare.upstream.then(
      (upstream) => upstream.close(),
      () => undefined,
    )
  }
}
