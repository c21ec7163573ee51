/** Warren as one process. */
import { identifiers } from '../application/identifiers.js'
import type { Certificates } from '../application/operations/certificates.js'
import type { Limits } from '../application/operations/limits.js'
import type { MinuteSummary } from '../application/operations/minute-summary.js'
import type { Reload } from '../application/operations/reload.js'
import type { Metrics } from '../application/ports/metrics.js'
import type { Proxy } from '../application/proxy.js'
import { createContainer, createManagementServer } from '../composition/container.js'
import { product } from '../product.js'
import { bringHomeStrays, openJournal } from './journals.js'
import { exitAfter, obeySignals } from './signals.js'
import { type Groundwork, cannotListen, startManagement, tellReady } from './startup.js'

/** Runs Warren in this process. */
export async function runAlone({ loaded, logger, certificates, source, bugs }: Groundwork): Promise<void> {
  const { settings } = loaded
  await bringHomeStrays(settings, 1, logger)
  const journal = await openJournal(settings, logger)
  const container = createContainer({ settings, logger, product, journal, certificates, source })
  bugs.countIn(container.get<Metrics>(identifiers.Metrics))
  container.get<Certificates>(identifiers.Certificates).announce()
  const proxy = container.get<Proxy>(identifiers.Proxy)
  const exit = (code: number): never => process.exit(code)
  proxy.onShutDown = (report) => {
    const isClean = report.then(({ cutOff, buffered }) => cutOff + buffered === 0)
    exitAfter(isClean, { logger, exit })
  }
  obeySignals({
    limits: container.get<Limits>(identifiers.Limits),
    logger,
    reload: () => container.get<Reload>(identifiers.Reload).run(),
    shutDown: () => void proxy.shutDown(),
    exit,
  })
  await startManagement(() => createManagementServer(container), settings.management, logger)
  await proxy.start().catch(cannotListen(logger, settings.listen))
  container.get<MinuteSummary>(identifiers.MinuteSummary).start()
  await tellReady(logger)
}
