/** JSON schemas of what goes in and out: requests are checked by them, and the OpenAPI document is made of them. */

/** A JSON schema. */
export type Schema = Readonly<Record<string, unknown>>

const text = { type: 'string' }
const number = { type: 'number' }
const whole = { type: 'integer' }
const flag = { type: 'boolean' }
const textOrNull = { type: ['string', 'null'] }

/** An object with all of these properties. */
export function object(properties: Readonly<Record<string, Schema>>, extra: Schema = {}): Schema {
  return { type: 'object', properties, required: Object.keys(properties), ...extra }
}

/** A body that has this and nothing else. */
function body(properties: Readonly<Record<string, Schema>>): Schema {
  return object(properties, { additionalProperties: false })
}

function counts(...names: string[]): Schema {
  return object(Object.fromEntries(names.map((name) => [name, whole])))
}

function list(items: Schema): Schema {
  return { type: 'array', items }
}

function page(name: string, items: Schema): Schema {
  return object({ total: whole, offset: whole, [name]: list(items) })
}

const done = { status: { const: 'success', type: 'string' }, message: text }

export const failure = object({ error: text, status: { const: 'failed', type: 'string' } })

export const limitBody = body({ limit: { type: 'integer', minimum: 1 } })
export const amountBody = body({ amount: { type: 'integer', minimum: 1 } })
export const levelBody = body({ level: { type: 'string', enum: ['error', 'warn', 'info', 'debug'] } })

/** Which part of a list. */
export const pageQuery = {
  type: 'object',
  additionalProperties: false,
  properties: {
    search: { type: 'string', maxLength: 200, description: 'Only what has this text in one of its fields.' },
    sort: {
      type: 'string',
      maxLength: 40,
      description: 'The field to sort by; a leading minus sorts downwards.',
    },
    offset: { type: 'string', pattern: '^\\d{1,9}$', description: 'How many to leave out.' },
    limit: {
      type: 'string',
      pattern: '^\\d{1,4}$',
      description: 'How many to list, 100 if left out, 1000 at most.',
    },
  },
}

export const byFile = object({ file: { type: 'string', maxLength: 40 } })
export const byId = object({ id: { type: 'string', maxLength: 40 } })
/** Of a message that was set aside. */
export const byAsideId = object({
  id: {
    type: 'string',
    pattern: '^(all|(w\\d{1,3}-)?\\d{1,15})$',
    description: 'The id of one message, or "all".',
  },
})

export const health = object({ status: text, service: text })
export const readiness = object({ status: text, reasons: list(text), warnings: list(text) })
export const stats = object({
  active_connections: whole,
  max_connections: { ...whole, description: '0 is no limit.' },
  usage_percentage: number,
  available_slots: { type: ['integer', 'null'], description: 'Null without a limit.' },
})
export const limit = object({ current_limit: whole, active_connections: whole })
export const limitSet = object({ status: text, new_limit: whole, message: text })
export const limitLifted = object({ status: text, old_limit: whole, new_limit: whole, message: text })
export const limitIncreased = object({
  status: text,
  old_limit: whole,
  new_limit: whole,
  increase_amount: whole,
  message: text,
})
export const limitDecreased = object({
  status: text,
  old_limit: whole,
  new_limit: whole,
  decrease_amount: whole,
  message: text,
})
export const limitHistory = object({
  changes: list(
    object({
      time: text,
      old: whole,
      new: whole,
      who: { type: 'string', enum: ['http', 'cli', 'signal', 'reload'] },
    }),
  ),
})

export const clients = page(
  'clients',
  object({
    id: text,
    remote_address: text,
    connection_name: textOrNull,
    user: textOrNull,
    vhost: textOrNull,
    pool: textOrNull,
    state: text,
    channels: whole,
    bytes_in: whole,
    bytes_out: whole,
    frames_in: whole,
    frames_out: whole,
    buffered_bytes: whole,
    age_seconds: number,
  }),
)
export const upstreams = page(
  'upstreams',
  object({
    id: text,
    pool: text,
    user: text,
    vhost: text,
    state: text,
    role: textOrNull,
    channels: whole,
    spare_channels: whole,
    closing_channels: whole,
    max_channels: whole,
    bytes_in: whole,
    bytes_out: whole,
    frames_in: whole,
    buffered_bytes: whole,
    blocked_reason: textOrNull,
    age_seconds: number,
  }),
)
export const pools = page(
  'pools',
  object({
    id: text,
    user: text,
    vhost: text,
    state: text,
    clients: whole,
    upstreams: whole,
    channels: whole,
    max_channels: whole,
    buffered_messages: whole,
    buffered_bytes: whole,
    unconfirmed_messages: whole,
    unconfirmed_bytes: whole,
    quarantine: flag,
  }),
)
export const aside = page(
  'aside',
  object({
    id: text,
    user: text,
    vhost: text,
    exchange: text,
    routing_key: text,
    size: { ...whole, description: 'Of the body, in bytes.' },
    reason: { ...text, description: 'Why the broker refuses it, in its own words.' },
    refused_at: text,
    expired: {
      ...flag,
      description: 'It has waited longer than its expiration lets it, and can only be dropped.',
    },
    publisher_told: { ...flag, description: 'Its publisher has asked for confirms and got a Basic.Nack.' },
  }),
)
export const workers = page(
  'workers',
  object({
    id: text,
    pid: { type: ['integer', 'null'], description: 'Null while there is no process.' },
    state: { type: 'string', enum: ['starting', 'ready', 'silent', 'retiring', 'down'] },
    clients: whole,
    starts: { ...whole, description: 'How often a process was started, the first time included.' },
    age_seconds: number,
  }),
)
export const summary = object({
  version: text,
  host: text,
  accepting: flag,
  uptime_seconds: number,
  clients: counts('handshake', 'open', 'waiting', 'closing'),
  client_channels: whole,
  client_limit: whole,
  upstreams: counts('open', 'blocked', 'retiring', 'closing'),
  upstreams_counted: whole,
  upstream_limit: whole,
  upstream_channels: counts('bound', 'spare', 'closing'),
  upstream_channel_capacity: whole,
  pools: counts('open', 'paused', 'reconnecting', 'idle'),
  buffered: counts('messages', 'bytes'),
  unconfirmed: counts('messages', 'bytes'),
  aside: counts('messages', 'bytes'),
  traffic: counts(
    'accepted',
    'bytes_in',
    'bytes_out',
    'frames_in',
    'frames_out',
    'upstream_bytes_in',
    'upstream_bytes_out',
    'upstream_frames_in',
    'publishes',
    'deliveries',
    'gets',
    'returns',
    'recycled_channels',
  ),
  refusals: { type: 'object', additionalProperties: whole, description: 'By reason.' },
  certificates: list(object({ use: text, name: text, expires: text, warning: textOrNull })),
  process: object({
    event_loop_lag_p50_seconds: number,
    event_loop_lag_p99_seconds: number,
    resident_bytes: whole,
    cpu_seconds: number,
  }),
})

export const clientKilled = object({ ...done, client: text, remote_address: text })
export const upstreamClosed = object({ ...done, upstream: text, pool: text, channels: whole })
export const poolPaused = object({ ...done, pool: text, clients: whole })
export const poolReconnecting = object({ ...done, pool: text, retiring: whole })
export const asideRetried = object({ ...done, retried: whole, waiting: whole, expired: whole })
export const asideDropped = object({ ...done, dropped: whole })
export const workersRestarting = object({ ...done, workers: whole })
export const draining = object({ ...done, clients: whole, grace: number })
export const reloaded = object({
  ...done,
  applied: list(text),
  needs_restart: list(text),
  refused: list(text),
})
export const logLevel = object({ level: text })
export const logLevelSet = object({ ...done, level: text })
