/** Waits for something that another process brings about. */

const INTERVAL_MS = 25
/** What takes milliseconds takes seconds on a machine that has a hundred other things to do; nobody waits so long otherwise. */
const PATIENCE_MS = 30_000

/**
 * Calls `check` until it no longer throws; throws its last error when that takes longer than `limitMs`; with `progress`, when that has said the same
 * for so long, however long it takes in all. A machine that stands still for a while takes nothing of the time: there are as many checks as
 * the time has room for.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  limitMs = PATIENCE_MS,
  progress: () => unknown = () => undefined,
): Promise<T> {
  const fewest = limitMs / INTERVAL_MS / 2
  let seen = progress()
  let end = Date.now() + limitMs
  let checks = 0
  for (;;) {
    try {
      return await check()
    } catch (error) {
      const now = progress()
      if (now !== seen) {
        end = Date.now() + limitMs
        checks = 0
      }
      seen = now
      checks++
      if (Date.now() > end && checks > fewest) throw error
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
    }
  }
}
