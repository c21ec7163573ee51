/** Finds and reads the configuration file, TOML or JSON. */
import { resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { codeOf, fileFailure } from '../node-error.js'
import type { GivenValue, Source } from './given-value.js'
import { JsonMistake, parseJson } from './json-text.js'
import { nearestName } from './nearest-name.js'
import type { ReadFile } from './read-file.js'
import { type ConfigurationEntry, entries, schema } from './schema.js'

/** Where a file is looked for when none is named; the first is relative to the working directory. */
const DEFAULT_FILES = ['config.toml', '/etc/warren/config.toml'] as const

/** A file that was found, values not validated yet, and what is wrong with it. */
export interface ConfigurationFile {
  readonly values: readonly GivenValue[]
  readonly problems: readonly string[]
}

/** A file that somebody asked for, and how: "flag --config". */
export interface NamedFile {
  readonly name: string
  readonly source: string
}

/**
 * Reads the named file, otherwise the first default that exists, otherwise none. A name that ends in .json means JSON, any
 * other TOML. A file that can't be read or parsed has no values, and one problem. YAML is told apart by its name: what a
 * reader of TOML says of it helps nobody.
 */
export function readConfigurationFile(
  named: NamedFile | undefined,
  cwd: string,
  readFile: ReadFile,
): ConfigurationFile {
  for (const name of named === undefined ? DEFAULT_FILES : [named.name]) {
    const path = resolve(cwd, name)
    let text
    try {
      text = readFile(path)
    } catch (error) {
      if (named === undefined && codeOf(error) === 'ENOENT') continue
      const source = named === undefined ? '' : ` (${named.source})`
      return failed(`can't read configuration file ${path}${source}: ${fileFailure(error)}`)
    }
    return parseText(text.replace(/^\uFEFF/, ''), path)
  }
  return { values: [], problems: [] }
}

function parseText(text: string, path: string): ConfigurationFile {
  if (/\.ya?ml$/i.test(path)) return failed(`configuration file ${path}: must be TOML or JSON, not YAML`)
  try {
    return keysIn(path.endsWith('.json') ? parseJson(text) : parse(text), path)
  } catch (error) {
    if (error instanceof TomlError) {
      const reason = /^Invalid TOML document: (.*)/.exec(error.message)?.[1] ?? 'not understood'
      const place = `line ${error.line}, column ${error.column}`
      return failed(`configuration file ${path}, ${place}: not valid TOML: ${reason}`)
    }
    if (error instanceof JsonMistake)
      return failed(
        `configuration file ${path}, line ${error.line}, column ${error.column}: ${error.message}`,
      )
    throw error
  }
}

function failed(problem: string): ConfigurationFile {
  return { values: [], problems: [problem] }
}

function keysIn(tree: unknown, path: string): ConfigurationFile {
  const source: Source = `file ${path}`
  const values: GivenValue[] = []
  const problems: string[] = []
  const collect = (table: object, prefix: string): void => {
    for (const [name, value] of Object.entries(table) as [string, unknown][]) {
      const key = `${prefix}${name}`
      const entry = entryOf(key)
      if (entry !== undefined) {
        const isPath = key !== entry.key
        if (!isTable(value)) values.push({ entry, value, source, isPath })
        else
          problems.push(`${key} from ${source}: must be ${isPath ? 'a path' : entry.allowed}, not a section`)
      } else if (isTable(value) && (Object.keys(value).length > 0 || Object.hasOwn(schema, key))) {
        collect(value, `${key}.`)
      } else {
        problems.push(unknownKey(key, source))
      }
    }
  }
  if (!isTable(tree)) return failed(`configuration file ${path}: must be an object of sections`)
  collect(tree, '')
  return { values, problems }
}

function entryOf(key: string): ConfigurationEntry | undefined {
  return entries.find((candidate) => candidate.key === key || candidate.file?.key === key)
}

/** Doesn't quote the value: a key that Warren doesn't know may well hold a secret. */
function unknownKey(key: string, source: Source): string {
  const section = Object.entries(schema).find(([name]) => name === key)?.[1]
  if (section !== undefined) {
    return `${key} from ${source}: must be a section with the keys ${Object.keys(section).join(', ')}`
  }
  const nearest = nearestName(
    key,
    entries.flatMap((entry) => [entry.key, entry.file?.key ?? []].flat()),
  )
  const shown = /^[\w.-]+$/.test(key) ? key : JSON.stringify(key)
  return `unknown key ${shown} in ${source}: ${nearest === undefined ? 'warren --help lists the keys as flags' : `did you mean ${nearest}?`}`
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
