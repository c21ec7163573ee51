/** How long to wait before trying again what has just failed. */

const BACKOFF_FIRST_MS = 500
const BACKOFF_LIMIT_MS = 30_000
/** Attempts of many pools, and of many Warrens, shouldn't meet: each waits up to this share longer or shorter. */
const JITTER = 0.2

/** Milliseconds before the attempt that follows `failures` failed ones (0 after a loss). `random` is in [0, 1). */
export function backoff(failures: number, random: number): number {
  const base = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures, 16), BACKOFF_LIMIT_MS)
  return Math.min(base * (1 - JITTER + 2 * JITTER * random), BACKOFF_LIMIT_MS)
}
