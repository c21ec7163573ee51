/** What signals do to `warren`, and how it ends. */
import { leaveEndingsToProgram } from '../adapters/signals/early-signals.js'
import { onControlSignal, onShutdownSignal } from '../adapters/signals/process-signals.js'
import type { Limits } from '../application/operations/limits.js'
import type { Logger } from '../application/ports/logger.js'
import { EXIT_FAILURE, EXIT_OK } from './exit-codes.js'

/** What signals are about. */
export interface Obedience {
  readonly limits: Limits
  readonly logger: Logger
  /** At SIGHUP. */
  readonly reload: () => unknown
  /** At the first SIGTERM or SIGINT. */
  readonly shutDown: () => unknown
  /** At the second. */
  readonly exit: (code: number) => never
}

/** Obeys signals from now on. To be called once. */
export function obeySignals({ limits, logger, reload, shutDown, exit }: Obedience): void {
  onControlSignal(process, {
    raiseLimit: () => limits.onSignal('up'),
    lowerLimit: () => limits.onSignal('down'),
    reload,
  })
  onShutdownSignal(process, shutDown, (signal) => {
    logger.warn('second signal: exiting at once', { signal })
    exit(EXIT_FAILURE)
  })
  leaveEndingsToProgram()
}

/** Ends the program once the shutdown that has begun is over; `isClean` says whether nothing was lost by it. */
export function exitAfter(
  isClean: Promise<boolean>,
  { logger, exit }: Pick<Obedience, 'logger' | 'exit'>,
): void {
  void isClean.then(
    (clean) => exit(clean ? EXIT_OK : EXIT_FAILURE),
    (error: unknown) => {
      logger.error('shutting down failed', { error })
      exit(EXIT_FAILURE)
    },
  )
}
