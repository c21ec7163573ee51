/** Waits for something that another process brings about. */

const INTERVAL_MS = 25

/** Calls `check` until it no longer throws; throws its last error when that takes longer than `limitMs`. */
export async function eventually<T>(check: () => T | Promise<T>, limitMs = 5000): Promise<T> {
  const end = Date.now() + limitMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
    }
  }
}
