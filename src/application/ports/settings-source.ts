/** How the settings are read again. */
import type { Settings } from '../settings.js'

/** Where the settings come from: they can be read again while Warren runs. */
export interface SettingsSource {
  /** Reads them again; `changed` names the keys that differ from what is in effect. Throws an Error whose message is fit for people. */
  read(): { readonly settings: Settings; readonly changed: readonly string[] }
  /** What was read last for these keys is in effect now. */
  accept(keys: readonly string[]): void
}
