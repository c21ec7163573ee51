/** The configuration, read again while Warren runs. */
import type { SettingsSource } from '../../application/ports/settings-source.js'
import type { Settings } from '../../application/settings.js'
import { changedKeys, withChanges } from './changes.js'
import type { LoadedSettings } from './load-settings.js'

/** A SettingsSource that asks `load` again, and knows which of the changes are in effect. */
export class RereadableSettings implements SettingsSource {
  readonly #load: () => LoadedSettings
  /** What is in effect: what a reload couldn't apply still differs from it at the next one. */
  #current: LoadedSettings
  #next: LoadedSettings

  /** `current`: what `load` gave at the start. */
  constructor(current: LoadedSettings, load: () => LoadedSettings) {
    this.#load = load
    this.#current = current
    this.#next = current
  }

  read(): { settings: Settings; changed: readonly string[] } {
    this.#next = this.#load()
    return { settings: this.#next.settings, changed: changedKeys(this.#current, this.#next) }
  }

  accept(keys: readonly string[]): void {
    this.#current = withChanges(this.#current, this.#next, keys)
  }
}
