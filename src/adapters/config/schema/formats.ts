/** How the values of each format are read from text, and judged. They are our own, since convict's would read 12abc as 12. */
import { isHost } from '../host.js'
import { parseExternalLogins, parseReplayLogins } from '../logins.js'
import { parseNetworks } from '../networks.js'
import { type TextList, isTextList } from '../text-list.js'
import { parseUpstreamUrl } from '../upstream-url.js'
import type { Range, SchemaEntry } from './entry.js'

/** By the name that {@link SchemaEntry.format} has. `validate` throws an Error that says what a value must be, without quoting it. */
export const formats = {
  pem: listOf(() => undefined),
  networks: listOf(parseNetworks),
  external_logins: listOf(parseExternalLogins),
  replay_logins: listOf(parseReplayLogins),
  upstream_url: listOf(parseUpstreamUrl),
  host: judgedBy((value) => typeof value === 'string' && isHost(value)),
  host_or_none: judgedBy((value) => value === '' || (typeof value === 'string' && isHost(value))),
  path: judgedBy((value) => typeof value === 'string' && !value.includes('\0')),
  token: judgedBy((value) => typeof value === 'string' && /^([\x21-\x7e]{8,256})?$/.test(value)),
  choice: judgedBy((value, { choices }) => choices?.includes(value as string) ?? false),
  true_or_false: judgedBy(
    (value) => typeof value === 'boolean',
    (text) => booleanWords.get(text.toLowerCase()) ?? text,
  ),
  whole_number: judgedBy(isWholeInRange, numberIn),
  whole_number_or_auto: judgedBy(
    (value, entry) => value === 'auto' || isWholeInRange(value, entry),
    numberIn,
  ),
  size: judgedBy(isWholeInRange, (text) => numberWithUnit(text, byteUnits)),
  seconds: judgedBy(isInRange, (text) => numberWithUnit(text, timeUnits)),
  whole_seconds: judgedBy(isWholeInRange, (text) => numberWithUnit(text, timeUnits)),
}

/** What convict needs of a format; `entry` is what the schema says about the key. */
interface Format {
  readonly coerce: (text: string) => unknown
  readonly validate: (value: unknown, entry: unknown) => void
}

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

/** What the environment and command lines use for true and false. */
const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'yes', 'on', '1'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', '0'].map((word) => [word, false] as const),
])

/** `coerce` makes a value of text, or leaves text that is none as it is, to be refused later. */
function judgedBy(
  isAllowed: (value: unknown, entry: SchemaEntry<unknown>) => boolean,
  coerce: Format['coerce'] = (text) => text,
): Format {
  return {
    coerce,
    validate: (value, given) => {
      const entry = given as SchemaEntry<unknown>
      if (!isAllowed(value, entry)) throw new Error(`must be ${entry.allowed}`)
    },
  }
}

/** One text, or several in a list; `parse` throws for what is wrong in them. */
function listOf(parse: (value: TextList) => unknown): Format {
  const isList = judgedBy(isTextList)
  return {
    ...isList,
    validate: (value, entry) => {
      isList.validate(value, entry)
      parse(value as TextList)
    },
  }
}

function isInRange(value: unknown, { range }: SchemaEntry<unknown>): boolean {
  const { minimum, maximum, zero } = range as Range
  return (
    typeof value === 'number' && ((value >= minimum && value <= maximum) || (zero === true && value === 0))
  )
}

function isWholeInRange(value: unknown, entry: SchemaEntry<unknown>): boolean {
  return Number.isInteger(value) && isInRange(value, entry)
}

/** The number that `text` is, or `text` itself. */
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
