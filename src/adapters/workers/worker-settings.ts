/** What a worker knows of the configuration: what the supervisor has read, for the part that is this worker's. */
import type { SettingsSource } from '../../application/ports/settings-source.js'
import type { Settings } from '../../application/settings.js'
import { shareOf } from '../../domain/policy/shares.js'
import { type FileSnapshot, readFrom } from '../config/file-snapshot.js'
import { type LoadedSettings, loadSettings } from '../config/load-settings.js'
import { RereadableSettings } from '../config/rereadable-settings.js'
import { workerJournal } from '../journal/worker-journals.js'
import type { StartMessage } from './start-message.js'

/** Keys that the supervisor applies for all workers together. */
const SUPERVISORS_KEYS: readonly string[] = ['pool.max_client_connections']

/** A SettingsSource for a worker, whose files are handed to it. */
export class WorkerSettings implements SettingsSource {
  /** As they were at the start. */
  readonly initial: Settings
  readonly #source: RereadableSettings
  readonly #start: StartMessage
  /** What the files hold, as the supervisor has read them last. */
  files: FileSnapshot

  constructor(start: StartMessage) {
    const loaded = load(start, start.files)
    this.initial = partOf(loaded.settings, start)
    this.#source = new RereadableSettings(loaded, () => load(start, this.files))
    this.#start = start
    this.files = start.files
  }

  read(): { settings: Settings; changed: readonly string[] } {
    const { settings, changed } = this.#source.read()
    return {
      settings: partOf(settings, this.#start),
      changed: changed.filter((key) => !SUPERVISORS_KEYS.includes(key)),
    }
  }

  accept(keys: readonly string[]): void {
    this.#source.accept(keys)
  }
}

/** The configuration of all with what `files` hold. */
export function load({ argv, env, cwd }: StartMessage, files: FileSnapshot): LoadedSettings {
  return loadSettings({ argv, env, cwd, readFile: readFrom(files) })
}

function partOf(settings: Settings, { number, count }: StartMessage): Settings {
  const { pool, management } = settings
  const { publishBufferDir: directory, maxUpstreamConnections } = pool
  return {
    ...settings,
    // The supervisor limits clients, and is there for operators.
    management: { ...management, enabled: false },
    pool: {
      ...pool,
      maxClientConnections: 0,
      maxUpstreamConnections: shareOf(maxUpstreamConnections, number, count),
      publishBufferDir: directory === undefined ? undefined : workerJournal(directory, number),
    },
  }
}
