import type { Clock, Timer } from '../../src/application/ports/clock.js'

interface PendingTimer {
  due: number
  readonly interval: number | undefined
  readonly callback: () => void
}

/** A clock that stands still until {@link advance} moves it. It starts at 0. */
export class FakeClock implements Clock {
  private elapsed = 0
  /** In the order in which they were started, or started again by their interval. */
  private timers: PendingTimer[] = []

  /** Timers that will still fire: 0 when everything was cleaned up. */
  get pendingTimers(): number {
    return this.timers.length
  }

  now(): number {
    return this.elapsed
  }

  /** 2001-09-09T01:46:40Z is when it starts. */
  wallTime(): number {
    return 1_000_000_000_000 + this.elapsed
  }

  after(milliseconds: number, callback: () => void): Timer {
    return this.start({ due: this.elapsed + delay(milliseconds), interval: undefined, callback })
  }

  every(milliseconds: number, callback: () => void): Timer {
    const interval = delay(milliseconds)
    return this.start({ due: this.elapsed + interval, interval, callback })
  }

  /** Moves the time on by `milliseconds`, and fires what comes due on the way, each at its time and in order, with what the callbacks start. */
  advance(milliseconds: number): void {
    const end = this.elapsed + milliseconds
    for (let next = this.nextUntil(end); next !== undefined; next = this.nextUntil(end)) {
      this.elapsed = Math.max(this.elapsed, next.due)
      this.remove(next)
      if (next.interval !== undefined) {
        next.due += next.interval
        this.timers.push(next)
      }
      next.callback()
    }
    this.elapsed = Math.max(this.elapsed, end)
  }

  private start(timer: PendingTimer): Timer {
    this.timers.push(timer)
    return { cancel: () => this.remove(timer) }
  }

  private remove(timer: PendingTimer): void {
    this.timers = this.timers.filter((other) => other !== timer)
  }

  private nextUntil(end: number): PendingTimer | undefined {
    let next: PendingTimer | undefined
    for (const timer of this.timers) {
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer
    }
    return next
  }
}

/** Node's rule: a timer fires 1 ms later at the earliest. */
function delay(milliseconds: number): number {
  return Math.max(1, milliseconds)
}
