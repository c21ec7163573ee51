/** What no single key can tell: values that don't go together. */
import type { Sources } from './given-value.js'
import type { Problem } from './problem.js'
import { shown } from './redaction.js'
import { type ConfigurationKey, type ConfigurationValues, entries, valueAt } from './schema.js'
import { tlsContradictions } from './tls-settings.js'
import { parseUpstreamUrl } from './upstream-url.js'

/** An address on which Warren itself listens. */
interface Ear {
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
  const { pool, client, shutdown, management } = values
  /** Names the key that somebody has set, rather than one that was left alone. */
  const line = (keys: readonly [ConfigurationKey, ...ConfigurationKey[]], reason: string): string => {
    const key = keys.find((candidate) => sources[candidate] !== 'default') ?? keys[0]
    const entry = entries.find((candidate) => candidate.key === key)!
    return `${key} = ${shown(entry, valueAt(values, key))} from ${sources[key]}: ${reason}`
  }
  const problems: Problem[] = []
  /** `others`: keys that count too, but aren't to blame. */
  const refuse = (
    isWrong: boolean,
    keys: readonly [ConfigurationKey, ...ConfigurationKey[]],
    reason: string,
    others: readonly ConfigurationKey[] = [],
  ): void => {
    if (isWrong) problems.push({ keys: [...keys, ...others], line: line(keys, reason) })
  }
  /** `low` may be as large as `high`, and no larger. */
  const inOrder = (
    low: ConfigurationKey,
    lowValue: number,
    high: ConfigurationKey,
    highValue: number,
  ): void =>
    refuse(
      lowValue > highValue,
      [low, high],
      `${low} (${lowValue}, ${sources[low]}) must not be above ${high} (${highValue}, ${sources[high]})`,
    )

  const { publish_buffer_dir: directory, publish_buffer_size: size, publish_guarantee: guarantee } = pool
  const noBuffer = 'needs a publish buffer: pool.publish_buffer_size above 0'
  refuse(directory !== '' && size === 0, ['pool.publish_buffer_dir'], noBuffer, ['pool.publish_buffer_size'])
  refuse(guarantee === 'confirmed' && size === 0, ['pool.publish_guarantee'], noBuffer, [
    'pool.publish_buffer_size',
  ])
  const { max_upstream_connections: upstreams } = pool
  refuse(
    upstreams > 0 && upstreams < workers,
    ['pool.max_upstream_connections', 'workers'],
    `each of the ${workers} workers needs an upstream connection: pool.max_upstream_connections must be 0 or at least ${workers}`,
  )
  inOrder('client.frame_max', client.frame_max, 'client.max_buffer_bytes', client.max_buffer_bytes)
  const { max_message_bytes: message, max_unfinished_bytes: unfinished } = client
  const { max_unfinished_bytes_total: total } = client
  inOrder('client.max_message_bytes', message, 'client.max_unfinished_bytes', unfinished)
  inOrder('client.max_unfinished_bytes', unfinished, 'client.max_unfinished_bytes_total', total)
  inOrder('shutdown.grace', shutdown.grace, 'shutdown.timeout', shutdown.timeout)

  const { token, read_token: readToken } = management
  if (management.enabled) {
    refuse(
      token === '' && readToken === '' && !isLoopback(management.address),
      ['management.address'],
      'an address that others can reach needs management.token or management.read_token',
      ['management.enabled', 'management.token', 'management.read_token'],
    )
    if (token !== '' && token === readToken)
      problems.push({
        keys: ['management.enabled', 'management.token', 'management.read_token'],
        line: `management.read_token from ${sources['management.read_token']}: must be another than management.token`,
      })
  }

  problems.push(...tlsContradictions(values, sources))

  const ears = earsOf(values, managementPort)
  for (const [at, ear] of ears.entries())
    for (const other of ears.slice(0, at))
      refuse(
        collide(ear, other),
        [ear.key, other.key],
        `${other.key} and ${ear.key} are the same port, ${ear.port}, of one address`,
        [...ear.others, ...other.others],
      )
  for (const { host, port } of parseUpstreamUrl(values.upstream.url, values.upstream_tls.enabled).endpoints)
    refuse(
      isLoopback(host) && ears.some((ear) => collide(ear, { ...ear, address: host, port })),
      ['upstream.url'],
      `Warren itself listens on port ${port} there; the broker needs another`,
      ears.flatMap(({ key, others }) => [key, ...others]),
    )
  return problems
}

function earsOf({ listen, tls, management }: ConfigurationValues, managementPort: number): Ear[] {
  const { address, port } = listen
  const ears: Ear[] = []
  if (listen.enabled) ears.push({ key: 'listen.port', others: ['listen.address'], address, port })
  if (tls.enabled) ears.push({ key: 'tls.port', others: ['listen.address'], address, port: tls.port })
  if (management.enabled)
    ears.push({
      key: 'management.port',
      // `auto` follows listen.port.
      others: ['management.address', 'listen.port'],
      address: management.address,
      port: managementPort,
    })
  return ears
}

/** Whether the system would refuse the second of two. */
function collide(a: Ear, b: Ear): boolean {
  const isEverywhere = (address: string): boolean => address === '0.0.0.0' || address === '::'
  const areSame = a.address === b.address || isEverywhere(a.address) || isEverywhere(b.address)
  return a.port !== 0 && a.port === b.port && areSame
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.\d+){3}$/.test(address)
}
