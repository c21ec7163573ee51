/** Reads the logins out of `pool.replay_logins`. */
import { Credentials } from '../../domain/credentials.js'
import { decoded, itemsOf } from './login-list.js'

const ALLOWED = 'must be USER:PASSWORD, or several, with % and the characters , : percent-encoded'

/**
 * Reads `user:password`, several of them separated by commas or line ends or in a list; in each part `%2C`, `%3A` and `%25` stand for the characters
 * that separate. Throws an Error that says which entry is wrong, and quotes nothing.
 */
export function parseReplayLogins(given: string | readonly string[]): Credentials[] {
  const items = itemsOf(given)
  const logins = new Map<string, Credentials>()
  items.forEach((item, at) => {
    const login = parseLogin(item)
    if (login === undefined) throw new Error(`${items.length === 1 ? '' : `entry ${at + 1} `}${ALLOWED}`)
    if (logins.has(login.user))
      throw new Error(`has two entries for the same user (entry ${at + 1} is the second)`)
    logins.set(login.user, login)
  })
  return [...logins.values()]
}

/** Reads `user:password`, percent-encoded; undefined when it's something else. */
export function parseLogin(text: string): Credentials | undefined {
  const [, user, password] = (/^([^:]+):(.*)$/s.exec(text) ?? []).map(decoded)
  return user === undefined || password === undefined ? undefined : new Credentials(user, password)
}
