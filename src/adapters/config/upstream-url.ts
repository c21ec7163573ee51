/** Reads the broker's address out of `upstream.url`, and shows such URLs without their secrets. */
import type { Endpoint } from '../../application/ports/dialer.js'
import { isHost } from './host.js'

const defaultPort = 5672

/** What an upstream URL says. */
export interface UpstreamUrl {
  readonly endpoint: Endpoint
  /** Parts that Warren makes no use of, in words for a warning. */
  readonly unused: readonly string[]
}

/** Reads `amqp://host[:port]`, with an IPv6 address in brackets and port 5672 if none is given. Throws an Error that says what is allowed; its message doesn't quote `text`. */
export function parseUpstreamUrl(text: string): UpstreamUrl {
  if (/^amqps:/i.test(text)) {
    throw new Error("TLS to the broker (amqps://) isn't available in this version; use amqp://host:port")
  }
  const url = URL.canParse(text) ? new URL(text) : null
  if (
    url === null ||
    url.protocol !== 'amqp:' ||
    !isHost(withoutBrackets(url.hostname)) ||
    url.port === '0'
  ) {
    throw new Error('must be amqp://host:port, the port from 1 to 65535 (5672 if left out)')
  }
  // A password with an unescaped / ? or # ends the host early: Warren would dial the user's name.
  if (`${url.pathname}${url.search}${url.hash}`.includes('@')) {
    throw new Error('the characters / ? # @ in its user or password must be percent-encoded')
  }
  const unused = []
  if (url.username !== '' || url.password !== '') unused.push('credentials (clients bring their own)')
  if (url.pathname !== '' && url.pathname !== '/') unused.push('virtual host (clients name their own)')
  if (url.search !== '' || url.hash !== '') unused.push('options')
  return {
    endpoint: { host: withoutBrackets(url.hostname), port: url.port === '' ? defaultPort : Number(url.port) },
    unused,
  }
}

/**
 * `text` with everything hidden that may be a secret: credentials, options, and a "port" that isn't a number (it may be a
 * password whose host is missing). Takes anything, well-formed or not.
 */
export function redactUrl(text: string): string {
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(text)?.[0] ?? ''
  const afterScheme = text.slice(scheme.length)
  const at = afterScheme.lastIndexOf('@')
  return (
    scheme +
    (at < 0 ? '' : '***@') +
    afterScheme
      .slice(at + 1)
      .replace(/^(\[[^\]]*\]|(?!\[[^\]]*\])[^:/?#]*):(?!\d*(?:[/?#]|$)).*$/s, '$1:***')
      .replace(/[?#].*$/s, (options) => `${options[0]}***`)
  )
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}
