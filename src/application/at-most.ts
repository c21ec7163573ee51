/** Waiting with a limit. */
import type { Clock } from './ports/clock.js'

/** Resolves when `work` does, or after `milliseconds`; rejects when `work` does before. */
export function atMost(clock: Clock, milliseconds: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(milliseconds, resolve)
    void work.then(() => resolve(), reject).finally(() => timer.cancel())
  })
}
