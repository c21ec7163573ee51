/** Every configuration key: what it is for, what it may be, and its names on the command line and in the environment. */
import convict from 'convict'
import type {
  JournalSync,
  LogFormat,
  LogLevel,
  PublishGuarantee,
  ClientCertificates,
  TlsVersion,
} from '../../application/settings.js'
import type { IdentityField } from '../../domain/external-identity.js'
import { parseExternalLogins } from './external-logins.js'
import { parseReplayLogins } from './replay-logins.js'
import { isHost } from './host.js'
import { parseNetworks } from './networks.js'
import { parseUpstreamUrl, type UpstreamUrls } from './upstream-url.js'

/** The configuration as people write it. Durations are in seconds, sizes in bytes. */
export interface ConfigurationValues {
  /** Stands outside of the sections. */
  workers: number | 'auto'
  listen: { address: string; port: number; enabled: boolean; proxy_protocol_from: TextList }
  tls: {
    enabled: boolean
    port: number
    cert: TextList
    key: TextList
    ca: string
    client_certificates: ClientCertificates | 'auto'
    min_version: TlsVersion
    external_name: IdentityField
    external_logins: TextList
  }
  upstream: { url: UpstreamUrls; connect_timeout: number; heartbeat: number }
  upstream_tls: {
    enabled: boolean
    ca: string
    client_cert: string
    client_key: string
    server_name: string
    skip_verify: boolean
  }
  pool: {
    max_client_connections: number
    max_upstream_connections: number
    max_channels: number
    separate_roles: boolean
    idle_timeout: number
    cleanup_interval: number
    publish_buffer_size: number
    publish_buffer_bytes: number
    publish_buffer_dir: string
    publish_buffer_sync: JournalSync
    replay_logins: TextList
    reconnect_wait: number
    publish_guarantee: PublishGuarantee
    quarantine_time: number
  }
  client: {
    handshake_timeout: number
    max_buffer_bytes: number
    max_message_bytes: number
    max_unfinished_bytes: number
    max_unfinished_bytes_total: number
    max_table_depth: number
    max_pending: number
    max_per_address: number
    max_per_user: number
    max_per_vhost: number
    channel_max: number
    frame_max: number
    heartbeat: number
  }
  management: { enabled: boolean; address: string; port: number | 'auto'; token: string; read_token: string }
  shutdown: { grace: number; timeout: number }
  log: { level: LogLevel; format: LogFormat }
}

/** One text, or several in a list or in one text. */
export type TextList = string | readonly string[]

type KeysOf<Values> = {
  [Section in keyof Values & string]: Values[Section] extends object
    ? `${Section}.${keyof Values[Section] & string}`
    : Section
}

/** A key's full name, such as `pool.max_channels`. */
export type ConfigurationKey = KeysOf<ConfigurationValues>[keyof ConfigurationValues]

/** What a key can hold. */
export type ConfigurationValue = UpstreamUrls | number | boolean

/** What the schema says about one key. */
interface SchemaEntry<T> {
  readonly doc: string
  readonly format:
    | 'whole_number'
    | 'size'
    | 'seconds'
    | 'whole_seconds'
    | 'host'
    | 'upstream_url'
    | 'choice'
    | 'truth'
    | 'port_or_auto'
    | 'count_or_auto'
    | 'token'
    | 'path'
    | 'pem'
    | 'networks'
    | 'external_logins'
    | 'replay_logins'
    | 'host_or_none'
  readonly default: T
  /** Completes the sentence "must be …". */
  readonly allowed: string
  /** Stands for the value in the help. */
  readonly placeholder: string
  /** Keeps the value out of convict's messages: load-settings.ts writes it into its own, redacted. */
  readonly sensitive: true
  readonly range?: Range
  readonly choices?: readonly string[]
  /** What of the value nobody gets to see. Such a key can also be given as a file that holds the value: see {@link FileNames}. */
  readonly secret?: SecretPart
  /** Another name in the environment, in place of the one that the key's name gives. Both work. */
  readonly alias?: `AMQP_${string}`
}

/** All of it, the credentials in a URL, or all of it unless it is plainly the path of a file. */
export type SecretPart = 'all' | 'credentials' | 'unless-path'

interface Range {
  readonly minimum: number
  readonly maximum: number
  /** Zero is allowed too, although it lies outside of the range: it stands for "no value of one's own". */
  readonly zero?: true
}

/** One key with all its names. */
export interface ConfigurationEntry extends SchemaEntry<ConfigurationValue> {
  readonly key: ConfigurationKey
  /** `AMQP_A_B_C` for `a.b_c`. */
  readonly env: string
  /** `--a-b-c` for `a.b_c`. */
  readonly flag: string
  /** Of a key with a secret. */
  readonly file: FileNames | undefined
}

/** The names under which a file with the value can be given. */
export interface FileNames {
  /** `a.b_c_file` */
  readonly key: string
  /** `AMQP_A_B_C_FILE` */
  readonly env: string
  /** `--a-b-c-file` */
  readonly flag: string
}

const largestShort = 65_535
const mebibyte = 1024 * 1024
/** 2 GiB for one client: more is a slip of the keyboard. */
const mostBytes = 2 ** 31 - 1
/** More than any machine has cores for. */
const mostWorkers = 256
/** As many descriptors as a process can have on Linux. */
const mostClients = 2 ** 20
/** The longest timer that Node has is 2^31 - 1 ms; it fires a longer one at once. */
const longestTimer = 2_147_483
const anyDuration: Range = { minimum: 0, maximum: longestTimer }
/** A limit of 0 would refuse everything; timers count in milliseconds. */
const timeLimit: Range = { minimum: 0.001, maximum: longestTimer }

/** The schema for convict. */
export const schema = {
  workers: {
    doc: 'How many processes share the port; auto is one for each core. From 2 on a supervisor hands clients to them, restarts one that crashed, and has the limits, signals and management of all.',
    format: 'count_or_auto',
    default: 1,
    allowed: `auto or a whole number from 1 to ${mostWorkers}`,
    placeholder: 'number|auto',
    range: { minimum: 1, maximum: mostWorkers },
    sensitive: true,
  },
  listen: {
    address: host('0.0.0.0', 'Address on which clients are accepted.'),
    port: wholeNumber(5673, 'Port on which clients are accepted; 0 lets the system choose one.', 'port', {
      minimum: 0,
      maximum: largestShort,
    }),
    enabled: truth(true, 'Whether clients are accepted without TLS.'),
    proxy_protocol_from: {
      doc: 'Networks of the proxies in front of Warren whose connections begin with a PROXY protocol header (version 1 or 2), which then every one of theirs must; from elsewhere none is accepted. Separated by commas, or in a list in the file.',
      format: 'networks',
      default: '',
      allowed: 'IP addresses or networks such as 10.0.0.0/8',
      placeholder: 'networks',
      sensitive: true,
    },
  },
  tls: {
    enabled: truth(false, 'Whether clients are accepted with TLS.'),
    port: wholeNumber(5671, 'Port on which they are; 0 lets the system choose one.', 'port', {
      minimum: 0,
      maximum: largestShort,
    }),
    cert: pem(
      'Certificate with its chain. Several, separated by commas or in a list in the file, are chosen from by the server name that the client asks for; the first is for all others.',
    ),
    key: pem('Private key of the certificate; of several, one for each, in the same order.'),
    ca: pem('Certificates of those who issue the certificates of clients.'),
    client_certificates: choice<ClientCertificates | 'auto'>(
      'auto',
      ['auto', 'none', 'optional', 'required'],
      'which',
      'Whether clients need a certificate that tls.ca has issued; auto requires one if there is a tls.ca.',
    ),
    min_version: choice<TlsVersion>(
      'TLSv1.2',
      ['TLSv1.2', 'TLSv1.3'],
      'version',
      'Oldest version of TLS that clients may speak.',
    ),
    external_name: choice<IdentityField>(
      'common_name',
      ['common_name', 'dns', 'email', 'uri'],
      'name',
      'Which name in a client certificate counts for EXTERNAL: the common name, or a subject alternative name of this type.',
    ),
    external_logins: {
      doc: 'Allows EXTERNAL for the client certificates with these names, each with the user and password at the broker. Separated by commas, or in a list in the file.',
      format: 'external_logins',
      default: '',
      allowed: 'NAME=USER:PASSWORD, or several, with % and the characters , = : percent-encoded',
      placeholder: 'logins',
      sensitive: true,
      secret: 'all',
    },
  },
  upstream: {
    url: {
      doc: 'The broker. Clients bring credentials of their own; those that stand here only count as one of pool.replay_logins. The nodes of a cluster are separated by commas, or stand in a list in the file. Can be given as the one argument instead.',
      format: 'upstream_url',
      default: 'amqp://127.0.0.1:5672',
      allowed: 'amqp://host:port or amqps://host:port, or several',
      placeholder: 'url',
      sensitive: true,
      secret: 'credentials',
    },
    connect_timeout: seconds(
      10,
      'Limit for the connection to the broker, and again for its handshake; while there are other addresses to try, each has a share of it, but not less than a second.',
      timeLimit,
    ),
    heartbeat: heartbeat('Heartbeat that Warren asks the broker for; 0 takes what the broker offers.'),
  },
  upstream_tls: {
    enabled: truth(
      false,
      'Whether Warren speaks TLS to the broker also where upstream.url says amqp:// rather than amqps://.',
    ),
    ca: pem(
      "Certificates of those who may have issued the broker's; without them, those that Node.js knows.",
      'AMQP_UPSTREAM_CA',
    ),
    client_cert: pem(
      'Certificate, with its chain, that Warren shows the broker.',
      'AMQP_UPSTREAM_CLIENT_CERT',
    ),
    client_key: pem('Private key of that certificate.', 'AMQP_UPSTREAM_CLIENT_KEY'),
    server_name: {
      doc: "The name that the broker's certificate must have and that Warren asks for (SNI), if it isn't the host in upstream.url.",
      format: 'host_or_none',
      default: '',
      allowed: 'a host name or an IP address, or empty',
      placeholder: 'name',
      sensitive: true,
    },
    skip_verify: truth(
      false,
      "Whether Warren takes any certificate for the broker's. Then anybody on the way can read passwords and messages.",
    ),
  },
  pool: {
    max_client_connections: clients(
      0,
      'Most clients; others are closed right after they connect. Can be changed while Warren runs.',
    ),
    max_upstream_connections: wholeNumber(
      0,
      'Most upstream connections, those that are being reconnected included; clients that need another get 503. 0 is no limit.',
      'number',
      { minimum: 0, maximum: mostClients },
    ),
    max_channels: wholeNumber(
      largestShort,
      "Most channels on one upstream connection; the broker's channel_max caps it too.",
      'number',
      { minimum: 1, maximum: largestShort },
    ),
    separate_roles: truth(
      true,
      'Whether publishers and consumers get upstream connections of their own, so that an alarm at the broker stops only the former.',
    ),
    idle_timeout: seconds(
      5,
      'How long an upstream connection may be without channels before the sweep closes it.',
      anyDuration,
    ),
    cleanup_interval: seconds(30, 'How often the sweep looks for idle upstream connections.', timeLimit),
    publish_buffer_size: wholeNumber(
      0,
      'Most messages that a pool keeps for its broker: those that wait while it is away, and those that were sent and are not confirmed; 0 keeps none. As many again of each user are set aside when the broker refuses them.',
      'number',
      { minimum: 0, maximum: 2 ** 31 - 1 },
    ),
    publish_buffer_bytes: size(256 * mebibyte, 'The same in bytes.', {
      minimum: 1,
      maximum: 1024 * 1024 * mebibyte,
    }),
    publish_buffer_dir: path(
      '',
      'A directory in which kept messages outlive a crash or restart of Warren; empty keeps them in memory alone. One process can use it.',
    ),
    publish_buffer_sync: choice<JournalSync>(
      'always',
      ['always', 'interval', 'never'],
      'when',
      'When the disk is made to hold kept messages: before their publishers hear that they are kept, once a second, or when the system likes.',
    ),
    replay_logins: {
      doc: 'Logins at the broker of users whose messages are in pool.publish_buffer_dir when Warren starts: they are published before any client comes. Those in tls.external_logins and in upstream.url count too; messages of all others wait for the next login of their user. Separated by commas, or in a list in the file.',
      format: 'replay_logins',
      default: '',
      allowed: 'USER:PASSWORD, or several, with % and the characters , : percent-encoded',
      placeholder: 'logins',
      sensitive: true,
      secret: 'all',
    },
    reconnect_wait: seconds(
      10,
      "How long clients of a pool with a publish buffer wait for their broker's return with what needs its answer.",
      timeLimit,
    ),
    publish_guarantee: choice<PublishGuarantee>(
      'forwarded',
      ['forwarded', 'confirmed'],
      'guarantee',
      'With a publish buffer: whether messages of clients that ask for no confirms are only forwarded, or kept until the broker has confirmed them.',
    ),
    quarantine_time: seconds(
      60,
      'How long clients that made the broker close a shared upstream connection are kept apart from others, by address, user and virtual host; 0 is not at all.',
      anyDuration,
    ),
  },
  client: {
    handshake_timeout: seconds(10, 'Limit from the accepted connection to Connection.Open-Ok.', timeLimit),
    max_buffer_bytes: bytes(
      64 * mebibyte,
      "Most bytes that may wait for a client which doesn't read; past it the client is closed.",
      // Streams count only from a megabyte on, and a burst to a healthy client may be as large.
      4 * mebibyte,
    ),
    max_message_bytes: bytes(128 * mebibyte, 'Largest message body that a client may publish.'),
    max_unfinished_bytes: bytes(
      256 * mebibyte,
      "Most bytes of one client's messages that haven't wholly arrived; past it the client is closed.",
    ),
    max_unfinished_bytes_total: size(
      1024 * mebibyte,
      'The same for all clients together: the client that asks for more is closed.',
      { minimum: 1, maximum: 1024 * 1024 * mebibyte },
    ),
    max_table_depth: wholeNumber(
      32,
      'How deep tables in arguments and headers may nest; RabbitMQ has no limit of its own.',
      'number',
      { minimum: 1, maximum: 1000 },
    ),
    max_pending: clients(10_000, 'Most clients that are in their handshake; others are closed at once.'),
    max_per_address: clients(0, 'Most clients from one address; others are closed at once.'),
    max_per_user: clients(0, 'Most clients of one user; others are refused with 530.'),
    max_per_vhost: clients(0, 'Most clients in one virtual host; others are refused with 530.'),
    channel_max: wholeNumber(
      0,
      "Cap on the channel_max offered to clients; 0 leaves the broker's own.",
      'number',
      { minimum: 0, maximum: largestShort },
    ),
    // RabbitMQ 4.1 allows frames of 8192 bytes before tuning; a lower cap would take that back.
    frame_max: size(0, "Cap on the frame_max offered to clients; 0 leaves the broker's own.", {
      minimum: 8192,
      maximum: mostBytes,
      zero: true,
    }),
    heartbeat: heartbeat("Cap on the heartbeat offered to clients; 0 leaves the broker's own."),
  },
  management: {
    enabled: truth(true, 'Whether there is a management server: status page, HTTP interface, metrics.'),
    address: host('127.0.0.1', 'Address of the management server; any but a loopback address needs a token.'),
    port: {
      doc: 'Its port; auto is listen.port + 1000 where that is a port, 0 lets the system choose one.',
      format: 'port_or_auto',
      default: 'auto',
      allowed: 'auto or a whole number from 0 to 65535',
      placeholder: 'port',
      range: { minimum: 0, maximum: largestShort },
      sensitive: true,
    },
    token: token('Bearer token that callers need to look at things and to change them.'),
    read_token: token('Bearer token with which callers can only look.'),
  },
  shutdown: {
    grace: seconds(
      5,
      'How long clients may finish by themselves before they get Connection.Close.',
      anyDuration,
    ),
    timeout: seconds(30, 'Limit for the whole shutdown.', timeLimit),
  },
  log: {
    level: choice<LogLevel>(
      'info',
      ['error', 'warn', 'info', 'debug'],
      'level',
      'Least severe level that is logged.',
    ),
    format: choice<LogFormat>(
      'auto',
      ['auto', 'json', 'text'],
      'format',
      'How log lines look: JSON, text for people, or text on a terminal and JSON elsewhere (auto).',
    ),
  },
} satisfies {
  [S in keyof ConfigurationValues]: ConfigurationValues[S] extends object
    ? { [K in keyof ConfigurationValues[S]]: SchemaEntry<ConfigurationValues[S][K]> }
    : SchemaEntry<ConfigurationValues[S]>
}

/** Sections hold keys; a `format` that is a word tells a key that stands outside of them (`log` has a key of that name). */
export function isSection(part: object): part is Readonly<Record<string, SchemaEntry<ConfigurationValue>>> {
  return typeof (part as { format?: unknown }).format !== 'string'
}

/** All keys in the order of the schema. */
export const entries: readonly ConfigurationEntry[] = Object.entries<object>(schema).flatMap(
  ([name, part]) =>
    isSection(part)
      ? Object.entries(part).map(([key, entry]) => entryFor(`${name}.${key}`, entry))
      : [entryFor(name, part as SchemaEntry<ConfigurationValue>)],
)

function entryFor(key: string, entry: SchemaEntry<ConfigurationValue>): ConfigurationEntry {
  return {
    ...entry,
    ...namesOf(key),
    key: key as ConfigurationKey,
    file: entry.secret === undefined ? undefined : namesOf(`${key}_file`),
  }
}

function namesOf(key: string): FileNames {
  return {
    key,
    env: `AMQP_${key.replace('.', '_')}`.toUpperCase(),
    flag: `--${key.replace(/[._]/g, '-')}`,
  }
}

/** What `values` have for a key. */
export function valueAt(values: ConfigurationValues, key: string): unknown {
  const [name, section] = key.split('.').reverse()
  const all = values as unknown as Record<string, Record<string, unknown>>
  return section === undefined ? all[name] : all[section][name]
}

/** Values by key. Which library holds them is nobody else's business: a program that imports Warren may not have its types. */
export interface Configuration {
  get(key: ConfigurationKey): unknown
  /** Converts text to what the key's format wants. */
  set(key: ConfigurationKey, value: unknown): void
  /** Throws an Error whose message has a line for each key with a wrong value, such as `listen.port: must be …`. */
  validate(): void
  getProperties(): ConfigurationValues
}

/** A configuration that holds the defaults. It reads neither the environment nor the command line by itself; text is converted where it is set. */
export function createConfiguration(): Configuration {
  const values = convict<ConfigurationValues>(schema, { env: {}, args: [] })
  return {
    get: (key) => values.get(key),
    set: (key, value) => void values.set<string>(key, value),
    validate: () => void values.validate({ allowed: 'strict' }),
    getProperties: () => values.getProperties(),
  }
}

// Formats of our own, as convict's read 12abc as 12.
convict.addFormats({
  pem: {
    validate: (value: unknown, entry) => demand(isTextList(value), entry),
  },
  networks: {
    validate: (value: unknown, entry) => {
      demand(isTextList(value), entry)
      parseNetworks(value as TextList)
    },
  },
  external_logins: {
    validate: (value: unknown, entry) => {
      demand(isTextList(value), entry)
      parseExternalLogins(value as TextList)
    },
  },
  replay_logins: {
    validate: (value: unknown, entry) => {
      demand(isTextList(value), entry)
      parseReplayLogins(value as TextList)
    },
  },
  host_or_none: {
    validate: (value: unknown, entry) =>
      demand(value === '' || (typeof value === 'string' && isHost(value)), entry),
  },
  whole_number: {
    coerce: numberIn,
    validate: (value: unknown, entry) => demand(Number.isInteger(value) && isInRange(value, entry), entry),
  },
  size: {
    coerce: (text: string) => numberWithUnit(text, byteUnits),
    validate: (value: unknown, entry) => demand(Number.isInteger(value) && isInRange(value, entry), entry),
  },
  seconds: {
    coerce: (text: string) => numberWithUnit(text, timeUnits),
    validate: (value: unknown, entry) => demand(isInRange(value, entry), entry),
  },
  whole_seconds: {
    coerce: (text: string) => numberWithUnit(text, timeUnits),
    validate: (value: unknown, entry) => demand(Number.isInteger(value) && isInRange(value, entry), entry),
  },
  host: {
    validate: (value: unknown, entry) => demand(typeof value === 'string' && isHost(value), entry),
  },
  port_or_auto: {
    coerce: numberIn,
    validate: (value: unknown, entry) =>
      demand(value === 'auto' || (Number.isInteger(value) && isInRange(value, entry)), entry),
  },
  count_or_auto: {
    coerce: numberIn,
    validate: (value: unknown, entry) =>
      demand(value === 'auto' || (Number.isInteger(value) && isInRange(value, entry)), entry),
  },
  token: {
    validate: (value: unknown, entry) =>
      demand(typeof value === 'string' && (value === '' || /^[\x21-\x7e]{8,256}$/.test(value)), entry),
  },
  choice: {
    validate: (value: unknown, entry) =>
      demand((entry as SchemaEntry<string>).choices?.includes(value as string) ?? false, entry),
  },
  path: {
    validate: (value: unknown, entry) => demand(typeof value === 'string' && !value.includes('\0'), entry),
  },
  truth: {
    coerce: (text: string) => truthWords.get(text.toLowerCase()) ?? text,
    validate: (value: unknown, entry) => demand(typeof value === 'boolean', entry),
  },
  upstream_url: {
    validate: (value: unknown, entry) => {
      demand(isTextList(value), entry)
      parseUpstreamUrl(value as UpstreamUrls)
    },
  },
})

/** Without short forms such as M, which is a million to some and 2^20 to others. */
const byteUnits: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ...['k', 'm', 'g', 't'].flatMap((letter, at): [string, number][] => [
    [`${letter}b`, 1000 ** (at + 1)],
    [`${letter}ib`, 1024 ** (at + 1)],
  ]),
])
const timeUnits: ReadonlyMap<string, number> = new Map([
  ['ms', 0.001],
  ['s', 1],
  ['m', 60],
  ['min', 60],
  ['h', 3600],
  ['d', 86_400],
])
/** What the environment and command lines use for the two. */
const truthWords: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
])
function isTextList(value: unknown): boolean {
  const isText = (item: unknown): boolean => typeof item === 'string'
  return isText(value) || (Array.isArray(value) && value.every(isText))
}

function demand(fulfilled: boolean, entry: convict.SchemaObj): void {
  if (!fulfilled) throw new Error(`must be ${String(entry.allowed)}`)
}

/** The number that `text` is, or `text` itself, which is refused later. */
function numberIn(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

/** The same with a unit behind it, if there is one; a unit alone is none. */
function numberWithUnit(text: string, units: ReadonlyMap<string, number>): number | string {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([a-z]+)$/i.exec(text) ?? []
  const factor = unit === undefined ? undefined : units.get(unit.toLowerCase())
  if (number === undefined || factor === undefined) return numberIn(text)
  // 0.07 s is 70 ms, and not 70.00000000000001.
  return Number((Number(number) * factor).toPrecision(15))
}

function isInRange(value: unknown, entry: convict.SchemaObj): boolean {
  const { minimum, maximum, zero } = entry.range as Range
  return (
    typeof value === 'number' && ((value >= minimum && value <= maximum) || (zero === true && value === 0))
  )
}

function wholeNumber(value: number, doc: string, placeholder: string, range: Range): SchemaEntry<number> {
  const allowed = `a whole number from ${range.minimum} to ${range.maximum}`
  return {
    doc,
    format: 'whole_number',
    default: value,
    allowed: range.zero === true ? `0 or ${allowed}` : allowed,
    placeholder,
    range,
    sensitive: true,
  }
}

function bytes(value: number, doc: string, minimum = 1): SchemaEntry<number> {
  return size(value, doc, { minimum, maximum: mostBytes })
}

/** A whole number of bytes, also with a unit. */
function size(value: number, doc: string, range: Range): SchemaEntry<number> {
  const entry = wholeNumber(value, doc, 'bytes', range)
  return { ...entry, format: 'size', allowed: `${entry.allowed}, units such as KiB, MiB, GB allowed` }
}

/** A limit on how many clients there are. */
function clients(value: number, doc: string): SchemaEntry<number> {
  return wholeNumber(value, `${doc.slice(0, -1)}; 0 is no limit.`, 'number', {
    minimum: 0,
    maximum: mostClients,
  })
}

function truth(value: boolean, doc: string): SchemaEntry<boolean> {
  return {
    doc,
    format: 'truth',
    default: value,
    allowed: 'true or false',
    placeholder: 'true|false',
    sensitive: true,
  }
}

/** AMQP's heartbeat is a short that counts seconds. */
function heartbeat(doc: string): SchemaEntry<number> {
  const entry = wholeNumber(0, doc, 'seconds', { minimum: 0, maximum: largestShort })
  return { ...entry, format: 'whole_seconds', allowed: `whole seconds from 0 to ${largestShort}` }
}

function seconds(value: number, doc: string, range: Range): SchemaEntry<number> {
  return {
    doc,
    format: 'seconds',
    default: value,
    allowed: `seconds from ${range.minimum} to ${range.maximum}, fractions and units (ms, s, m, h, d) allowed`,
    placeholder: 'seconds',
    range,
    sensitive: true,
  }
}

/** A word that nobody gets to see. */
function token(doc: string): SchemaEntry<string> {
  const allowed = 'empty, or 8 to 256 printable ASCII characters without spaces'
  return { doc, format: 'token', default: '', allowed, placeholder: 'token', sensitive: true, secret: 'all' }
}

/** A certificate or key; what isn't a path may well be a key, also where a certificate belongs. */
function pem(doc: string, alias?: `AMQP_${string}`): SchemaEntry<string> {
  return {
    doc,
    format: 'pem',
    default: '',
    allowed: 'the path of a PEM file, or PEM, or base64 of PEM',
    placeholder: 'pem',
    sensitive: true,
    secret: 'unless-path',
    ...(alias === undefined ? {} : { alias }),
  }
}

function host(value: string, doc: string): SchemaEntry<string> {
  const allowed = 'an IP address (without brackets) or a host name'
  return { doc, format: 'host', default: value, allowed, placeholder: 'address', sensitive: true }
}

function path(value: string, doc: string): SchemaEntry<string> {
  return { doc, format: 'path', default: value, allowed: 'a path', placeholder: 'path', sensitive: true }
}

function choice<T extends string>(
  value: T,
  choices: readonly T[],
  placeholder: string,
  doc: string,
): SchemaEntry<T> {
  const allowed = `one of ${choices.join(', ')}`
  return { doc, format: 'choice', default: value, allowed, placeholder, choices, sensitive: true }
}
