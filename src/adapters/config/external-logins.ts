/** Reads the upstream credentials of certificate names out of `tls.external_logins`. */
import { Credentials } from '../../domain/credentials.js'
import { decoded, itemsOf } from './login-list.js'

const ALLOWED = 'must be NAME=USER:PASSWORD, or several, with % and the characters , = : percent-encoded'

/**
 * Reads `name=user:password`, several of them separated by commas or line ends or in a list; in each part `%2C`, `%3D`, `%3A` and `%25` stand
 * for the characters that separate. Throws an Error that says which entry is wrong, and quotes nothing.
 */
export function parseExternalLogins(given: string | readonly string[]): Map<string, Credentials> {
  const items = itemsOf(given)
  const logins = new Map<string, Credentials>()
  items.forEach((item, at) => {
    const [, name, user, password] = (/^([^=]+)=([^:]+):(.*)$/.exec(item) ?? []).map(decoded)
    if (name === undefined || user === undefined || password === undefined)
      throw new Error(`${items.length === 1 ? '' : `entry ${at + 1} `}${ALLOWED}`)
    if (logins.has(name)) throw new Error(`has two entries for the same name (entry ${at + 1} is the second)`)
    logins.set(name, new Credentials(user, password))
  })
  return logins
}
