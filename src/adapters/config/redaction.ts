/** What of a configuration value may be shown to people. */
import { isPlainPath } from './plain-path.js'
import type { ConfigurationEntry } from './schema.js'
import { redactUrl } from './upstream-url.js'

const HIDDEN = '***'
const MOST_SHOWN = 100

/** The value without what nobody gets to see; of the same type, unless all of it is hidden. */
export function redacted(entry: ConfigurationEntry, value: unknown): unknown {
  if (entry.secret === undefined || value === '') return value
  if (Array.isArray(value)) return value.map((item: unknown) => redacted(entry, item))
  if (typeof value !== 'string' || entry.secret === 'all') return HIDDEN
  if (entry.secret === 'credentials') return redactUrl(value)
  return value.split(',').every(isPlainPath) ? value : HIDDEN
}

/** A value that was given and is wrong, on one short line. */
export function shown(entry: ConfigurationEntry, value: unknown): string {
  if (entry.secret === 'all' || entry.secret === 'unless-path') return HIDDEN
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) {
    const item = (one: unknown): string => (Array.isArray(one) ? '(a list)' : shown(entry, one))
    return entry.secret === 'credentials' ? `[${value.map(item).join(', ')}]` : '(a list)'
  }
  if (typeof value !== 'string') return '(not text or a number)'
  // A URL that was put under the wrong key hides its password too.
  const isUrl = entry.secret === 'credentials' || value.includes('@') || value.includes('://')
  const text = isUrl ? redactUrl(value) : value
  return JSON.stringify(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text)
}
