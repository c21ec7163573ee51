/** Which credentials the broker has accepted in which virtual host: during an outage their owners may publish. */
import { inject, injectable } from 'inversify'
import type { Credentials } from '../../domain/credentials.js'
import type { Tuning } from './broker-profile.js'
import { identifiers } from '../identifiers.js'
import type { SecretHash } from '../ports/secret-hash.js'

/** More than a site has; beyond, the oldest are forgotten. */
const MOST_REMEMBERED = 10_000

/** Remembers hashes, no secrets. */
@injectable()
export class AcceptedLogins {
  readonly #hash: SecretHash
  /** By the hash of credentials: what the broker offered, and the virtual hosts. */
  readonly #logins = new Map<string, { tuning: Tuning; readonly virtualHosts: Set<string> }>()

  constructor(@inject(identifiers.SecretHash) hash: SecretHash) {
    this.#hash = hash
  }

  /** The broker has accepted the credentials, and opened the virtual host. */
  remember(credentials: Credentials, virtualHost: string, tuning: Tuning): void {
    const name = credentials.fingerprint(this.#hash)
    const login = this.#logins.get(name)
    this.#logins.delete(name)
    this.#logins.set(name, { tuning, virtualHosts: (login?.virtualHosts ?? new Set()).add(virtualHost) })
    if (this.#logins.size > MOST_REMEMBERED) this.#logins.delete(this.#logins.keys().next().value!)
  }

  /** The broker has refused them. */
  forget(credentials: Credentials): void {
    this.#logins.delete(credentials.fingerprint(this.#hash))
  }

  /** What the broker offered whom it accepted with these credentials; undefined when it never did. */
  tuningFor(credentials: Credentials): Tuning | undefined {
    return this.#logins.get(credentials.fingerprint(this.#hash))?.tuning
  }

  includes(credentials: Credentials, virtualHost: string): boolean {
    return this.#logins.get(credentials.fingerprint(this.#hash))?.virtualHosts.has(virtualHost) === true
  }
}
