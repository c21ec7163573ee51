/** Logins at the broker that stand in the configuration. */
import type { CredentialSource } from '../../application/ports/credential-source.js'
import type { Settings } from '../../application/settings.js'
import type { Credentials } from '../../domain/credentials.js'

/** What of the settings holds logins. */
export type LoginSettings = {
  readonly pool: Pick<Settings['pool'], 'replayLogins'>
  readonly tls: Pick<Settings['tls'], 'externalLogins'>
  readonly upstream: Pick<Settings['upstream'], 'logins'>
}

/**
 * The logins of the configuration, in whatever virtual host: `pool.replay_logins`, then those of `tls.external_logins`, then those in `upstream.url`.
 * They are looked up in the settings each time, so that a reload holds from the next question on.
 */
export class ConfiguredCredentials implements CredentialSource {
  readonly #settings: LoginSettings

  constructor(settings: LoginSettings) {
    this.#settings = settings
  }

  credentialsFor(user: string): Promise<Credentials | undefined> {
    const { pool, tls, upstream } = this.#settings
    const all = [...pool.replayLogins, ...tls.externalLogins.values(), ...upstream.logins]
    return Promise.resolve(all.find((credentials) => credentials.user === user))
  }
}
