/** Finds and reads the configuration file, TOML or JSON. */
import { resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { ConfigurationError } from './configuration-error.js'
import { nearestName } from './nearest-name.js'
import { entries, schema, type ConfigurationKey } from './schema.js'

/** Where a file is looked for when none is named; the first is relative to the working directory. */
export const defaultFiles = ['config.toml', '/etc/warren/config.toml'] as const

/** Gives a file's text, or throws an Error with Node's `code`. */
export type ReadFile = (path: string) => string

/** A file that was found and parsed; values aren't validated yet. */
export interface ConfigurationFile {
  /** Absolute. */
  readonly path: string
  readonly values: ReadonlyMap<ConfigurationKey, unknown>
}

/** A file that somebody asked for, and how: "flag --config". */
export interface NamedFile {
  readonly name: string
  readonly source: string
}

/**
 * Reads the named file, otherwise the first default that exists, otherwise none. A name that ends in .json means JSON, any
 * other TOML. Throws {@link ConfigurationError} for a file that can't be read or parsed, or has unknown keys.
 */
export function readConfigurationFile(
  named: NamedFile | undefined,
  cwd: string,
  readFile: ReadFile,
): ConfigurationFile | undefined {
  for (const name of named === undefined ? defaultFiles : [named.name]) {
    const path = resolve(cwd, name)
    let text
    try {
      text = readFile(path)
    } catch (error) {
      if (named === undefined && codeOf(error) === 'ENOENT') continue
      const source = named === undefined ? '' : ` (${named.source})`
      throw new ConfigurationError(`can't read configuration file ${path}${source}: ${reasonOf(error)}`)
    }
    return { path, values: keysIn(parseText(text.replace(/^\uFEFF/, ''), path), path) }
  }
  return undefined
}

function parseText(text: string, path: string): unknown {
  try {
    return path.endsWith('.json') ? JSON.parse(text) : parse(text)
  } catch (error) {
    if (error instanceof TomlError) {
      const reason = /^Invalid TOML document: (.*)/.exec(error.message)?.[1] ?? 'not understood'
      throw new ConfigurationError(
        `configuration file ${path}, line ${error.line}: not valid TOML: ${reason}`,
      )
    }
    if (error instanceof SyntaxError) {
      throw new ConfigurationError(
        `configuration file ${path}, line ${lineOfJsonError(text)}: not valid JSON`,
      )
    }
    throw error
  }
}

/**
 * The line, from 1, that keeps `text` from being JSON. V8 names a position for some mistakes only, so this looks for the first
 * lines that no further text could complete.
 */
function lineOfJsonError(text: string): number {
  const lines = text.split('\n')
  for (let count = 1; count <= lines.length; count++) {
    const beginning = lines.slice(0, count).join('\n')
    try {
      JSON.parse(beginning)
    } catch (error) {
      const { message } = error as SyntaxError
      const position = Number(/at position (\d+)/.exec(message)?.[1] ?? NaN)
      if (position < beginning.length) return beginning.slice(0, position).split('\n').length
      if (Number.isNaN(position) && !message.includes('end of JSON input')) return count
    }
  }
  return lines.length
}

function keysIn(tree: unknown, path: string): Map<ConfigurationKey, unknown> {
  const values = new Map<ConfigurationKey, unknown>()
  const collect = (table: object, prefix: string): void => {
    for (const [name, value] of Object.entries(table) as [string, unknown][]) {
      const key = `${prefix}${name}`
      const entry = entries.find((candidate) => candidate.key === key)
      if (entry !== undefined) {
        if (isTable(value)) {
          throw new ConfigurationError(`${key} from file ${path}: must be ${entry.allowed}, not a section`)
        }
        values.set(entry.key, value)
      } else if (isTable(value) && (Object.keys(value).length > 0 || Object.hasOwn(schema, key))) {
        collect(value, `${key}.`)
      } else {
        throw new ConfigurationError(unknownKey(key, path))
      }
    }
  }
  if (!isTable(tree))
    throw new ConfigurationError(`configuration file ${path}: must be an object of sections`)
  collect(tree, '')
  return values
}

/** Doesn't quote the value: a key that Warren doesn't know may well hold a secret. */
function unknownKey(key: string, path: string): string {
  const source = `file ${path}`
  const section = Object.entries(schema).find(([name]) => name === key)?.[1]
  if (section !== undefined) {
    return `${key} from ${source}: must be a section with the keys ${Object.keys(section).join(', ')}`
  }
  const nearest = nearestName(
    key,
    entries.map((entry) => entry.key),
  )
  const shown = /^[\w.-]+$/.test(key) ? key : JSON.stringify(key)
  return `unknown key ${shown} in ${source}: ${nearest === undefined ? 'warren --help lists the keys as flags' : `did you mean ${nearest}?`}`
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'no such file'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'EISDIR':
      return 'it is a directory'
    default:
      return codeOf(error) ?? 'unknown reason'
  }
}
