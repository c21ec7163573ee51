/** Time, as the application has it. */

/** A timer that was started by a {@link Clock}. */
export interface Timer {
  /** Stops the timer; calling it again, or after it fired, does nothing. */
  cancel(): void
}

/** The only source of time: everything that waits can be tested without waiting. */
export interface Clock {
  /** Milliseconds on a scale that never jumps; only differences have a meaning. */
  now(): number
  /** Milliseconds since 1970, for what outlives the process and for people to read; it may jump. */
  wallTime(): number
  /** Calls `callback` once after `milliseconds`. */
  after(milliseconds: number, callback: () => void): Timer
  /** Calls `callback` every `milliseconds` until cancelled. */
  every(milliseconds: number, callback: () => void): Timer
}
