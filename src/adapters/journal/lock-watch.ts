/** Waits for a lock whose holder may be gone, where only time tells. */
import type { Clock } from '../../application/ports/clock.js'
import type { Logger } from '../../application/ports/logger.js'
import { DirectoryInUse, LEASE_MS } from './directory-lock.js'

/** How often a lock is looked at that may be stale. */
const POLL_MS = 500

/**
 * What `open` gives, which takes the lock of `directory`, or a stale one with the beat that it's told. While it throws {@link DirectoryInUse} with a beat that
 * stays the same it's tried again, for {@link LEASE_MS}: then the lock is stale. Rejects with whatever else it throws, and when the beat changes: who renews a lock lives.
 */
export async function whenLockIsFree<T>(
  open: (staleBeat: string | undefined) => T,
  directory: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<T> {
  let watched: { readonly beat: string; readonly since: number } | undefined
  for (;;) {
    try {
      const isStale = watched !== undefined && clock.now() - watched.since >= LEASE_MS
      return open(isStale ? watched?.beat : undefined)
    } catch (error) {
      const beat = error instanceof DirectoryInUse ? error.beat : undefined
      if (beat === undefined || (watched !== undefined && watched.beat !== beat)) throw error
      if (watched === undefined)
        logger.warn('the journal may be in use: waiting whether its lock is renewed', {
          directory,
          atMost: `${LEASE_MS / 1000} s`,
        })
      watched ??= { beat, since: clock.now() }
    }
    await new Promise<void>((resolve) => clock.after(POLL_MS, resolve))
  }
}
