/** Entries of the kinds that several keys have: each fills in what all of its kind have in common. */
import type { TextList } from '../text-list.js'
import type { Range, SchemaEntry } from './entry.js'

/** AMQP's channel numbers, and TCP's ports. */
export const LARGEST_SHORT = 65_535
export const MEBIBYTE = 1024 * 1024
/** As many descriptors as a process can have on Linux. */
export const MOST_CONNECTIONS = 2 ** 20
/** 2 GiB for one client: more is a slip of the keyboard. */
export const MOST_BYTES = 2 ** 31 - 1
/** A tebibyte for the whole of Warren. */
export const MOST_BYTES_IN_ALL = 1024 * 1024 * MEBIBYTE

/** In seconds: the longest timer that Node has is 2^31 - 1 ms; it fires a longer one at once. */
const LONGEST_TIMER = 2_147_483

/** Any number of seconds that a timer can have. */
export const ANY_DURATION: Range = { minimum: 0, maximum: LONGEST_TIMER }
/** In seconds. A limit of 0 would refuse everything; timers count in milliseconds. */
export const TIME_LIMIT: Range = { minimum: 0.001, maximum: LONGEST_TIMER }

export function wholeNumber(
  value: number,
  range: Range,
  doc: string,
  placeholder = 'number',
): SchemaEntry<number> {
  const allowed = `a whole number from ${range.minimum} to ${range.maximum}`
  return {
    doc,
    format: 'whole_number',
    default: value,
    allowed: range.zero === true ? `0 or ${allowed}` : allowed,
    placeholder,
    range,
  }
}

export function wholeNumberOrAuto(
  value: number | 'auto',
  range: Range,
  doc: string,
  placeholder: string,
): SchemaEntry<number | 'auto'> {
  const allowed = `auto or a whole number from ${range.minimum} to ${range.maximum}`
  return { doc, format: 'whole_number_or_auto', default: value, allowed, placeholder, range }
}

/** A TCP port on which Warren listens. */
export function port(value: number, doc: string): SchemaEntry<number> {
  const range = { minimum: 0, maximum: LARGEST_SHORT }
  return wholeNumber(value, range, `${doc}; 0 lets the system choose one.`, 'port')
}

/** A whole number of bytes, also with a unit. */
export function size(value: number, range: Range, doc: string): SchemaEntry<number> {
  const entry = wholeNumber(value, range, doc, 'bytes')
  return { ...entry, format: 'size', allowed: `${entry.allowed}, units such as KiB, MiB, GB allowed` }
}

/** A limit on how many connections there are; 0 is none. */
export function most(value: number, doc: string): SchemaEntry<number> {
  return wholeNumber(value, { minimum: 0, maximum: MOST_CONNECTIONS }, `${doc} 0 is no limit.`)
}

export function trueOrFalse(value: boolean, doc: string): SchemaEntry<boolean> {
  return {
    doc,
    format: 'true_or_false',
    default: value,
    allowed: 'true or false',
    placeholder: 'true|false',
  }
}

export function seconds(value: number, range: Range, doc: string): SchemaEntry<number> {
  return {
    doc,
    format: 'seconds',
    default: value,
    allowed: `seconds from ${range.minimum} to ${range.maximum}, fractions and units (ms, s, m, h, d) allowed`,
    placeholder: 'seconds',
    range,
  }
}

/** AMQP's heartbeat is a short that counts seconds. */
export function heartbeat(doc: string): SchemaEntry<number> {
  const entry = wholeNumber(0, { minimum: 0, maximum: LARGEST_SHORT }, doc, 'seconds')
  return { ...entry, format: 'whole_seconds', allowed: `whole seconds from 0 to ${LARGEST_SHORT}` }
}

export function choice<T extends string>(
  value: T,
  choices: readonly T[],
  doc: string,
  placeholder: string,
): SchemaEntry<T> {
  const allowed = `one of ${choices.join(', ')}`
  return { doc, format: 'choice', default: value, allowed, placeholder, choices }
}

/** Where Warren listens. */
export function address(value: string, doc: string): SchemaEntry<string> {
  const allowed = 'an IP address (without brackets) or a host name'
  return { doc, format: 'host', default: value, allowed, placeholder: 'address' }
}

/** A certificate or key, or none; what isn't a path may well be a key, also where a certificate belongs. */
export function pem(doc: string, alias?: `AMQP_${string}`): SchemaEntry<string> {
  return {
    doc,
    format: 'pem',
    default: '',
    allowed: 'the path of a PEM file, or PEM, or base64 of PEM',
    placeholder: 'pem',
    secret: 'unless-path',
    ...(alias === undefined ? {} : { alias }),
  }
}

/** A word that nobody gets to see, or none. */
export function token(doc: string): SchemaEntry<string> {
  const allowed = 'empty, or 8 to 256 printable ASCII characters without spaces'
  return { doc, format: 'token', default: '', allowed, placeholder: 'token', secret: 'all' }
}

/** Several values in one text or in a list, none by default. */
export function list(
  format: 'networks' | 'external_logins' | 'replay_logins',
  allowed: string,
  doc: string,
): SchemaEntry<TextList> {
  const isLogins = format !== 'networks'
  return {
    doc: `${doc} Separated by commas, or in a list in the file.`,
    format,
    default: '',
    allowed,
    placeholder: isLogins ? 'logins' : 'networks',
    ...(isLogins ? { secret: 'all' } : {}),
  }
}
