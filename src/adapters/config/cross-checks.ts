/** What no single key can tell: values that don't go together. */
import type { Sources } from './given-value.js'
import type { Problem } from './problem.js'
import { shown } from './redaction.js'
import { type ConfigurationKey, type ConfigurationValues, entries, valueAt } from './schema.js'
import { tlsContradictions } from './tls-settings.js'
import { parseUpstreamUrl } from './upstream-url.js'

/** Where Warren itself listens. */
interface ListeningAddress {
  readonly key: ConfigurationKey
  /** What else decides about it. */
  readonly others: readonly ConfigurationKey[]
  readonly address: string
  readonly port: number
}

/** What contradicts each other. The values are valid one by one. */
export function contradictions(
  values: ConfigurationValues,
  sources: Sources,
  { managementPort, workers }: { readonly managementPort: number; readonly workers: number },
): Problem[] {
  const found = new Contradictions(values, sources)
  checkPublishBuffer(values, found)
  checkBounds(values, workers, found)
  checkTokens(values, sources, found)
  found.problems.push(...tlsContradictions(values, sources))
  checkPorts(values, managementPort, found)
  return found.problems
}

type Keys = readonly [ConfigurationKey, ...ConfigurationKey[]]

/** Gathers what is found. */
class Contradictions {
  readonly problems: Problem[] = []
  readonly #values: ConfigurationValues
  readonly #sources: Sources

  constructor(values: ConfigurationValues, sources: Sources) {
    this.#values = values
    this.#sources = sources
  }

  /** One of `keys` is to blame. `others`: keys that count too, but aren't to blame. */
  refuse(isWrong: boolean, keys: Keys, reason: string, others: readonly ConfigurationKey[] = []): void {
    if (isWrong) this.problems.push({ keys: [...keys, ...others], line: this.#line(keys, reason) })
  }

  /** The value of `low` may be as large as that of `high`, and no larger. */
  inOrder(low: ConfigurationKey, high: ConfigurationKey): void {
    const [lowValue, highValue] = [low, high].map((key) => valueAt(this.#values, key) as number)
    const shownLow = `${low} (${lowValue}, ${this.#sources[low]})`
    const shownHigh = `${high} (${highValue}, ${this.#sources[high]})`
    this.refuse(lowValue > highValue, [low, high], `${shownLow} must not be above ${shownHigh}`)
  }

  /** Names the key that somebody has set, rather than one that was left alone. */
  #line(keys: Keys, reason: string): string {
    const key = keys.find((candidate) => this.#sources[candidate] !== 'default') ?? keys[0]
    const entry = entries.find((candidate) => candidate.key === key)!
    return `${key} = ${shown(entry, valueAt(this.#values, key))} from ${this.#sources[key]}: ${reason}`
  }
}

function checkPublishBuffer({ pool }: ConfigurationValues, found: Contradictions): void {
  const hasBuffer = pool.publish_buffer_size > 0
  const reason = 'needs a publish buffer: pool.publish_buffer_size above 0'
  const others = ['pool.publish_buffer_size'] as const
  found.refuse(pool.publish_buffer_dir !== '' && !hasBuffer, ['pool.publish_buffer_dir'], reason, others)
  const isConfirmed = pool.publish_guarantee === 'confirmed'
  found.refuse(isConfirmed && !hasBuffer, ['pool.publish_guarantee'], reason, others)
}

function checkBounds({ pool }: ConfigurationValues, workers: number, found: Contradictions): void {
  const { max_upstream_connections: upstreams } = pool
  found.refuse(
    upstreams > 0 && upstreams < workers,
    ['pool.max_upstream_connections', 'workers'],
    `each of the ${workers} workers needs an upstream connection: pool.max_upstream_connections must be 0 or at least ${workers}`,
  )
  found.inOrder('client.frame_max', 'client.max_buffer_bytes')
  found.inOrder('client.max_message_bytes', 'client.max_unfinished_bytes')
  found.inOrder('client.max_unfinished_bytes', 'client.max_unfinished_bytes_total')
  found.inOrder('shutdown.grace', 'shutdown.timeout')
}

function checkTokens({ management }: ConfigurationValues, sources: Sources, found: Contradictions): void {
  const { enabled, address, token, read_token: readToken } = management
  if (!enabled) return
  found.refuse(
    token === '' && readToken === '' && !isLoopback(address),
    ['management.address'],
    'an address that others can reach needs management.token or management.read_token',
    ['management.enabled', 'management.token', 'management.read_token'],
  )
  if (token !== '' && token === readToken)
    found.problems.push({
      keys: ['management.enabled', 'management.token', 'management.read_token'],
      line: `management.read_token from ${sources['management.read_token']}: must be another than management.token`,
    })
}

/** No two listeners on one port, and no listener where the broker is said to be. */
function checkPorts(values: ConfigurationValues, managementPort: number, found: Contradictions): void {
  const listeners = listenersOf(values, managementPort)
  for (const [at, listener] of listeners.entries())
    for (const other of listeners.slice(0, at))
      found.refuse(
        collide(listener, other),
        [listener.key, other.key],
        `${other.key} and ${listener.key} are the same port, ${listener.port}, of one address`,
        [...listener.others, ...other.others],
      )
  for (const { host, port } of parseUpstreamUrl(values.upstream.url, values.upstream_tls.enabled).endpoints)
    found.refuse(
      isLoopback(host) &&
        listeners.some((listener) => collide(listener, { ...listener, address: host, port })),
      ['upstream.url'],
      `Warren itself listens on port ${port} there; the broker needs another`,
      listeners.flatMap(({ key, others }) => [key, ...others]),
    )
}

function listenersOf(
  { listen, tls, management }: ConfigurationValues,
  managementPort: number,
): ListeningAddress[] {
  const { address, port } = listen
  const listeners: ListeningAddress[] = []
  if (listen.enabled) listeners.push({ key: 'listen.port', others: ['listen.address'], address, port })
  if (tls.enabled) listeners.push({ key: 'tls.port', others: ['listen.address'], address, port: tls.port })
  if (management.enabled)
    listeners.push({
      key: 'management.port',
      // `auto` follows listen.port.
      others: ['management.address', 'listen.port'],
      address: management.address,
      port: managementPort,
    })
  return listeners
}

/** Whether the system would refuse the second of two. */
function collide(a: ListeningAddress, b: ListeningAddress): boolean {
  const isEverywhere = (address: string): boolean => address === '0.0.0.0' || address === '::'
  const areSame = a.address === b.address || isEverywhere(a.address) || isEverywhere(b.address)
  return a.port !== 0 && a.port === b.port && areSame
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.\d+){3}$/.test(address)
}
