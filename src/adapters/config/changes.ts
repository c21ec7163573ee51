/** In what two readings of the configuration differ. */
import { isDeepStrictEqual } from 'node:util'
import { LoadedSettings } from './load-settings.js'
import { type ConfigurationKey, entries, valueAt } from './schema.js'

/** The keys whose values differ. */
export function changedKeys(before: LoadedSettings, after: LoadedSettings): ConfigurationKey[] {
  // A list is equal to another with the same entries.
  return entries
    .map(({ key }) => key)
    .filter((key) => !isDeepStrictEqual(valueAt(before.values, key), valueAt(after.values, key)))
}

/** What `before` is once the values that `after` has for `keys` are in effect. */
export function withChanges(
  before: LoadedSettings,
  after: LoadedSettings,
  keys: readonly string[],
): LoadedSettings {
  const { action, sources, settings, warnings } = before
  const values = structuredClone(before.values)
  for (const key of keys) {
    const [name, section] = key.split('.').reverse()
    const all = values as unknown as Record<string, Record<string, unknown>>
    const target: Record<string, unknown> = section === undefined ? all : all[section]
    target[name] = valueAt(after.values, key)
  }
  return new LoadedSettings(action, values, sources, settings, warnings)
}
