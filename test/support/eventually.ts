/** Waits for something that another process brings about. */

const INTERVAL_MS = 25

/**
 * Calls `check` until it no longer throws; throws its last error when that takes longer than `limitMs`; with `progress`, when that has said the same
 * for so long, however long it takes in all.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  limitMs = 5000,
  progress: () => unknown = () => undefined,
): Promise<T> {
  let seen = progress()
  let end = Date.now() + limitMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      const now = progress()
      if (now !== seen) end = Date.now() + limitMs
      seen = now
      if (Date.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
    }
  }
}
