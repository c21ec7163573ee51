/** Time as the machine has it. */
import { performance } from 'node:perf_hooks'
import type { Clock, Timer } from '../../application/ports/clock.js'

/** Node fires a longer timer at once. */
const longestDelay = 2 ** 31 - 1

/** The real time. Its timers keep the process alive until they have fired or were cancelled; delays are from 1 ms to 24.8 days, others are taken as the nearest of these. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now()
  }

  wallTime(): number {
    return Date.now()
  }

  after(milliseconds: number, callback: () => void): Timer {
    const handle = setTimeout(callback, Math.min(milliseconds, longestDelay))
    return { cancel: () => clearTimeout(handle) }
  }

  every(milliseconds: number, callback: () => void): Timer {
    const handle = setInterval(callback, Math.min(milliseconds, longestDelay))
    return { cancel: () => clearInterval(handle) }
  }
}
