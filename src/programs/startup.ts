/** What the programs have in common: what can fail before anything runs, and what they tell when they are up. */
import { type Environment, secretVariables } from '../adapters/config/environment.js'
import type { LoadedSettings } from '../adapters/config/load-settings.js'
import type { ManagementServer } from '../adapters/http/management-server.js'
import type { WinstonLogger } from '../adapters/logging/winston-logger.js'
import { announceReady } from '../adapters/signals/service-manager.js'
import { FileCertificateStore } from '../adapters/tls/file-certificate-store.js'
import { CertificateError } from '../application/ports/certificate-store.js'
import type { BoundAddress } from '../application/ports/listener.js'
import type { Logger } from '../application/ports/logger.js'
import type { SettingsSource } from '../application/ports/settings-source.js'
import type { Settings } from '../application/settings.js'
import { reasonOf } from '../application/upstream/upstream-errors.js'
import type { BugCount } from './bugs.js'
import { EXIT_CONFIGURATION, EXIT_UNAVAILABLE } from './exit-codes.js'

/** What there is of Warren before it's clear whether it's one process or several. */
export interface Groundwork {
  readonly loaded: LoadedSettings
  readonly logger: WinstonLogger
  readonly certificates: FileCertificateStore
  /** Reads the configuration again. */
  readonly source: SettingsSource
  readonly bugs: BugCount
}

/**
 * The environment as it was at the start, for SIGHUP too. Its secrets are taken out of `process.env`, which ends up in diagnostic
 * reports and in whatever is started from here.
 */
export const environment = (() => {
  const all = { ...process.env }
  for (const name of secretVariables) delete process.env[name]
  return (): Environment => all
})()

/** Certificates that can't be used are a wrong configuration: they end the program. */
export function loadCertificates(settings: Settings): FileCertificateStore {
  try {
    return new FileCertificateStore(settings)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    process.stderr.write(`warren: ${error.message}\n`)
    process.exit(EXIT_CONFIGURATION)
  }
}

/** Has the management server listen, where the settings want one. Ends the program when the address can't be had. */
export async function startManagement(
  create: () => Promise<ManagementServer>,
  { enabled, address, port }: Settings['management'],
  logger: Logger,
): Promise<void> {
  if (!enabled) return
  const server = await create()
  const bound = await server.listen(address, port).catch(cannotListen(logger, { address, port }))
  const host = bound.address.includes(':') ? `[${bound.address}]` : bound.address
  logger.info('management server listening', { ...bound, url: `http://${host}:${bound.port}/` })
}

/** For an address that can't be had: says so, and ends the program. */
export function cannotListen(logger: Logger, { address, port }: BoundAddress): (error: unknown) => never {
  return (error) => {
    // Of several ports it's the one in the error.
    const taken = (error as { port?: number }).port ?? port
    logger.error(`cannot listen on ${address}:${taken}`, { reason: reasonOf(error) })
    process.exit(EXIT_UNAVAILABLE)
  }
}

/** Tells whoever has started Warren that clients are served now, where that is wanted. */
export async function tellReady(logger: Logger): Promise<void> {
  await announceReady(process.env).catch((error: unknown) =>
    logger.warn('service manager not told that Warren is ready', { error }),
  )
}
