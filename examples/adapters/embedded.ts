/** Warren inside a program of yours, with a log, metrics, a transport and sources of secrets and credentials of your own. */
import type { Writable } from 'node:stream'
import {
  type Addresses,
  createWarren,
  type Endpoint,
  FileJournal,
  loadSettings,
  type Settings,
  SystemClock,
  type Warren,
} from 'warren'
import { CountingMetrics } from './counting-metrics.js'
import { MountedCredentials } from './mounted-credentials.js'
import { SyslogLogger } from './syslog-logger.js'
import { TunnelDialer } from './tunnel-dialer.js'

/** What the program has around Warren. */
export interface Surroundings {
  readonly log: Writable
  readonly proxy: Endpoint
  /** Reads a secret by its name. */
  readonly vault: (name: string) => Promise<string>
  /** Where the passwords of the broker's users are mounted. */
  readonly passwords: string
}

export interface Embedded {
  readonly warren: Warren
  readonly metrics: CountingMetrics
  readonly addresses: Addresses
}

/** Starts Warren with options as on its command line. */
export async function startEmbedded(
  options: readonly string[],
  { log, proxy, vault, passwords }: Surroundings,
): Promise<Embedded> {
  // Secrets may come from anywhere; to the settings this looks like the environment.
  const env = { AMQP_MANAGEMENT_TOKEN: await vault('warren/management-token') }
  const { settings } = loadSettings({ argv: options, env, cwd: process.cwd() })
  const metrics = new CountingMetrics()
  const logger = SyslogLogger.create(log, settings.log.level)
  const warren = createWarren(settings, {
    logger,
    metrics,
    dialer: new TunnelDialer(proxy),
    credentials: new MountedCredentials(passwords),
    ...journalOf(settings, logger),
  })
  return { warren, metrics, addresses: await warren.start() }
}

/** What outlives the program, where the options say so: for those who published it, `credentials` knows the passwords at the next start. */
function journalOf({ pool }: Settings, logger: SyslogLogger): { journal?: FileJournal } {
  const { publishBufferDir: directory } = pool
  if (directory === undefined) return {}
  return { journal: FileJournal.open({ directory, sync: 'always' }, { clock: new SystemClock(), logger }) }
}
