/** Waits for something to become true of the workers. */
import type { Clock, Timer } from '../ports/clock.js'

/** Conditions are looked at again with every {@link tell}. */
export class WorkerChanges {
  readonly #clock: Clock
  readonly #watchers = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when `condition` holds, or after `milliseconds`. */
  until(condition: () => boolean, milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      if (condition()) return resolve()
      let timer: Timer | undefined = undefined
      const end = (): void => {
        timer?.cancel()
        this.#watchers.delete(look)
        resolve()
      }
      const look = (): void => {
        if (condition()) end()
      }
      this.#watchers.add(look)
      if (milliseconds !== undefined) timer = this.#clock.after(milliseconds, end)
    })
  }

  /** Something has changed: all who wait look again. */
  tell(): void {
    for (const look of [...this.#watchers]) look()
  }
}
