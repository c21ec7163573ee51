/** Reads the addresses of the broker's nodes out of `upstream.url`, and shows such URLs without their secrets. */
import type { Endpoint } from '../../application/ports/dialer.js'
import type { Credentials } from '../../domain/credentials.js'
import { isHost } from './host.js'
import { parseLogin } from './logins.js'
import type { TextList } from './text-list.js'

/** What a warning calls credentials in a URL. */
export const UNUSED_CREDENTIALS = 'credentials (clients bring their own)'

const defaultPort = 5672
const defaultTlsPort = 5671

/** What upstream URLs say. */
export interface UpstreamUrl {
  /** At least one; each once, in the order given. */
  readonly endpoints: readonly Endpoint[]
  /** Users with their passwords, as far as any are given. */
  readonly logins: readonly Credentials[]
  /** Parts that Warren makes no use of, in words for a warning. */
  readonly unused: readonly string[]
}

const allowed =
  'must be amqp://host:port or amqps://host:port, the port from 1 to 65535 (5672, with TLS 5671, if left out)'

/** Where in a list of URLs the next one begins; a comma without a scheme behind it separates hosts. */
const urlSeparator = /\s*,\s*(?=[a-z][a-z\d+.-]*:\/\/)/i

/**
 * Reads `amqp://host[:port]` or `amqps://host[:port]`, with an IPv6 address in brackets and port 5672, or 5671 with TLS, if none is given;
 * several of them separated by commas or in a list; or one with several hosts, `amqp://a,b:5673/`. `isTls`: `amqp://` means TLS too. Throws an Error that says what is allowed, and of several addresses
 * which is wrong; its message quotes nothing that may be a secret.
 */
export function parseUpstreamUrl(given: TextList, isTls = false): UpstreamUrl {
  const urls = (typeof given === 'string' ? [given] : given).flatMap((text) => text.split(urlSeparator))
  if (urls.length === 0) throw new Error('must name at least one address')
  const endpoints: Endpoint[] = []
  const logins: Credentials[] = []
  const unused = new Set<string>()
  for (const url of urls) {
    const {
      hosts,
      scheme,
      login,
      unused: unusedParts,
    } = splitUrl(url, urls.length > 1 ? endpoints.length + 1 : undefined)
    const areSeveral = urls.length > 1 || hosts.length > 1
    const hasTls = isTls || scheme === 'amqps'
    for (const host of hosts)
      endpoints.push(parseHost(host, hasTls, areSeveral ? endpoints.length + 1 : undefined))
    if (login !== undefined && !logins.some(({ user }) => user === login.user)) logins.push(login)
    for (const part of unusedParts) unused.add(part)
  }
  const isFirst = ({ host, port }: Endpoint, at: number): boolean =>
    endpoints.findIndex((other) => other.host === host && other.port === port) === at
  return { endpoints: endpoints.filter(isFirst), logins, unused: [...unused] }
}

/** One URL, which may have several hosts; they aren't checked yet. `number`: as in {@link refusal}. */
function splitUrl(
  text: string,
  number: number | undefined,
): { hosts: string[]; scheme: string; login: Credentials | undefined; unused: string[] } {
  const [, scheme, authority, rest] = /^\s*(amqps?):\/\/([^/?#]*)(.*?)\s*$/is.exec(text) ?? []
  if (authority === undefined) throw refusal(text, number)
  const user = authority.slice(0, Math.max(authority.lastIndexOf('@'), 0))
  // An unescaped / ? or # ends the host early: Warren would dial the user's name. What stands before a comma may be a host.
  if (rest.includes('@') || user.includes(',')) {
    throw new Error('the characters , / ? # @ in its user or password must be percent-encoded')
  }
  const unused = []
  const login = parseLogin(user)
  if (user !== '' && login === undefined) unused.push(UNUSED_CREDENTIALS)
  if (/^\/[^?#]/.test(rest)) unused.push('virtual host (clients name their own)')
  if (/[?#]./.test(rest)) unused.push('options')
  const hosts = authority.slice(authority.lastIndexOf('@') + 1).split(',')
  return { hosts, scheme: scheme.toLowerCase(), login, unused }
}

function parseHost(text: string, isTls: boolean, number: number | undefined): Endpoint {
  const authority = `amqp://${text.trim()}`
  const url = URL.canParse(authority) ? new URL(authority) : undefined
  const host = withoutBrackets(url?.hostname ?? '')
  if (url === undefined || !isHost(host) || url.port === '0') throw refusal(text, number)
  const unnamedPort = isTls ? defaultTlsPort : defaultPort
  const port = url.port === '' ? unnamedPort : Number(url.port)
  return isTls ? { host, port, tls: true } : { host, port }
}

/** `number`: which of several addresses it is, from 1; undefined if it's the only one. */
function refusal(text: string, number: number | undefined): Error {
  if (number === undefined) return new Error(allowed)
  const shown = redactUrl(text.trim())
  const quoted = JSON.stringify(shown.length > 40 ? `${shown.slice(0, 40)}…` : shown)
  return new Error(`address ${number} (${shown === '' ? 'empty' : quoted}) ${allowed}`)
}

/**
 * `text` with everything hidden that may be a secret: credentials, options, and a "port" that isn't a number (it may be a
 * password whose host is missing). Takes anything, well-formed or not; of several URLs each by itself.
 */
export function redactUrl(text: string): string {
  return text.split(urlSeparator).map(redactOne).join(',')
}

function redactOne(text: string): string {
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(text)?.[0] ?? ''
  const afterScheme = text.slice(scheme.length)
  const at = afterScheme.lastIndexOf('@')
  const shown: string[] = []
  for (const host of afterScheme.slice(at + 1).split(',')) {
    const redacted = host.replace(/^(\[[^\]]*\]|(?!\[[^\]]*\])[^:/?#]*):(?!\d*(?:[/?#]|$)).*$/s, '$1:***')
    shown.push(redacted)
    // What follows may be the rest of a password with a comma.
    if (redacted !== host) break
  }
  return (
    scheme + (at < 0 ? '' : '***@') + shown.join(',').replace(/[?#].*$/s, (options) => `${options[0]}***`)
  )
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}
