/** The schema of the configuration: its sections, each in a file of its own in schema/, and every key by name. */
import convict from 'convict'
import { type ClientValues, client } from './schema/client.js'
import type { SchemaEntry, Section } from './schema/entry.js'
import { formats } from './schema/formats.js'
import { wholeNumberOrAuto } from './schema/kinds.js'
import { type ListenValues, listen } from './schema/listen.js'
import { type LogValues, log } from './schema/log.js'
import { type ManagementValues, management } from './schema/management.js'
import { type PoolValues, pool } from './schema/pool.js'
import { type ShutdownValues, shutdown } from './schema/shutdown.js'
import { type TlsValues, tls } from './schema/tls.js'
import { type UpstreamTlsValues, upstreamTls } from './schema/upstream-tls.js'
import { type UpstreamValues, upstream } from './schema/upstream.js'
import type { TextList } from './text-list.js'

/** The configuration as people write it. Durations are in seconds, sizes in bytes. */
export interface ConfigurationValues {
  /** Stands outside of the sections. */
  workers: number | 'auto'
  listen: ListenValues
  tls: TlsValues
  upstream: UpstreamValues
  upstream_tls: UpstreamTlsValues
  pool: PoolValues
  client: ClientValues
  management: ManagementValues
  shutdown: ShutdownValues
  log: LogValues
}

type KeysOf<Values> = {
  [Name in keyof Values & string]: Values[Name] extends object
    ? `${Name}.${keyof Values[Name] & string}`
    : Name
}

/** A key's full name, such as `pool.max_channels`. */
export type ConfigurationKey = KeysOf<ConfigurationValues>[keyof ConfigurationValues]

/** What a key can hold. */
type ConfigurationValue = TextList | number | boolean

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

/** More than any machine has cores for. */
const MOST_WORKERS = 256

/** Sections and keys, in the order in which people are shown them. */
export const schema: {
  readonly [Name in keyof ConfigurationValues]: ConfigurationValues[Name] extends object
    ? Section<ConfigurationValues[Name]>
    : SchemaEntry<ConfigurationValues[Name]>
} = {
  workers: wholeNumberOrAuto(
    1,
    { minimum: 1, maximum: MOST_WORKERS },
    'How many processes share the port; auto is one for each core. From 2 on a supervisor hands clients to them, restarts one that crashed, and has the limits, signals and management of all.',
    'number|auto',
  ),
  listen,
  tls,
  upstream,
  upstream_tls: upstreamTls,
  pool,
  client,
  management,
  shutdown,
  log,
}

type AnyEntry = SchemaEntry<ConfigurationValue>

/** Sections hold keys; a `format` that is a word tells a key that stands outside of them (`log` has a key of that name). */
function isSection(part: object): part is Readonly<Record<string, AnyEntry>> {
  return typeof (part as { format?: unknown }).format !== 'string'
}

/** All keys in the order of the schema. */
export const entries: readonly ConfigurationEntry[] = Object.entries<object>(schema).flatMap(
  ([name, part]) =>
    isSection(part)
      ? Object.entries(part).map(([key, entry]) => entryFor(`${name}.${key}`, entry))
      : [entryFor(name, part as AnyEntry)],
)

function entryFor(key: string, entry: AnyEntry): ConfigurationEntry {
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

convict.addFormats(formats)

/** A configuration that holds the defaults. It reads neither the environment nor the command line by itself; text is converted where it is set. */
export function createConfiguration(): Configuration {
  const values = convict<ConfigurationValues>(withoutValuesInMessages(), { env: {}, args: [] })
  return {
    get: (key) => values.get(key),
    set: (key, value) => void values.set<string>(key, value),
    validate: () => void values.validate({ allowed: 'strict' }),
    getProperties: () => values.getProperties(),
  }
}

/** The schema as convict takes it. Its messages would quote what is wrong, secret or not: load-settings.ts writes its own. */
function withoutValuesInMessages(): convict.Schema<ConfigurationValues> {
  const hidden = (entry: AnyEntry): object => ({ ...entry, sensitive: true })
  const parts = Object.entries<object>(schema).map(([name, part]) => [
    name,
    isSection(part)
      ? Object.fromEntries(Object.entries(part).map(([key, entry]) => [key, hidden(entry)]))
      : hidden(part as AnyEntry),
  ])
  return Object.fromEntries(parts) as convict.Schema<ConfigurationValues>
}
