/** Reads users with their passwords out of `tls.external_logins`, `pool.replay_logins` and `upstream.url`. */
import { Credentials } from '../../domain/credentials.js'
import { type TextList, itemsOf } from './text-list.js'

const SEPARATOR = /[,\n]/
const EXTERNAL_ALLOWED =
  'must be NAME=USER:PASSWORD, or several, with % and the characters , = : percent-encoded'
const REPLAY_ALLOWED = 'must be USER:PASSWORD, or several, with % and the characters , : percent-encoded'

/**
 * Reads `name=user:password`, several of them separated by commas or line ends or in a list; in each part `%2C`, `%3D`, `%3A` and `%25` stand
 * for the characters that separate. Throws an Error that says which entry is wrong, and quotes nothing.
 */
export function parseExternalLogins(given: TextList): Map<string, Credentials> {
  return loginsBy('name', given, EXTERNAL_ALLOWED, (item) => {
    const [, encodedName, rest] = /^([^=]+)=([^]*)$/.exec(item) ?? []
    const [name, login] = [decoded(encodedName ?? ''), parseLogin(rest ?? '')]
    return encodedName === undefined || name === undefined || login === undefined ? undefined : [name, login]
  })
}

/**
 * Reads `user:password`, several of them separated by commas or line ends or in a list; in each part `%2C`, `%3A` and `%25` stand for the characters
 * that separate. Throws an Error that says which entry is wrong, and quotes nothing.
 */
export function parseReplayLogins(given: TextList): Credentials[] {
  const logins = loginsBy('user', given, REPLAY_ALLOWED, (item) => {
    const login = parseLogin(item)
    return login && [login.user, login]
  })
  return [...logins.values()]
}

/** Reads `user:password`, percent-encoded; undefined when it's something else. */
export function parseLogin(text: string): Credentials | undefined {
  const [, user, password] = (/^([^:]+):(.*)$/s.exec(text) ?? []).map(decoded)
  return user === undefined || password === undefined ? undefined : new Credentials(user, password)
}

/** `what` tells the entries of a list apart: there may be one for each. */
function loginsBy(
  what: string,
  given: TextList,
  allowed: string,
  read: (item: string) => readonly [string, Credentials] | undefined,
): Map<string, Credentials> {
  const items = itemsOf(given, SEPARATOR)
  const logins = new Map<string, Credentials>()
  items.forEach((item, at) => {
    const found = read(item)
    if (found === undefined) throw new Error(`${items.length === 1 ? '' : `entry ${at + 1} `}${allowed}`)
    const [key, login] = found
    if (logins.has(key))
      throw new Error(`has two entries for the same ${what} (entry ${at + 1} is the second)`)
    logins.set(key, login)
  })
  return logins
}

/** Without percent-encoding; undefined where that's broken. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
