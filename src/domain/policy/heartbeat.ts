/** Heartbeat timing of one connection (AMQP 0-9-1, 4.2.7): send at half the interval, give up after two silent ones. */

export const HEARTBEAT_NOTHING = 0
export const HEARTBEAT_SEND = 1
export const HEARTBEAT_DEAD = 2

/** What a tick asks for: nothing, a heartbeat to be sent, or the end, as the other side is silent. */
export type HeartbeatAction = typeof HEARTBEAT_NOTHING | typeof HEARTBEAT_SEND | typeof HEARTBEAT_DEAD

/**
 * Judges one connection at every tick. What was read and written since the last tick is told as yes or no,
 * so that the byte path needs no clock.
 */
export class Heartbeat {
  readonly #intervalMs: number
  #lastRead: number
  #lastWrite: number

  /** `seconds` is the negotiated interval; 0 turns heartbeats off. */
  constructor(seconds: number, now: number) {
    this.#intervalMs = seconds * 1000
    this.#lastRead = now
    this.#lastWrite = now
  }

  /** What is due at `now`. After {@link HEARTBEAT_SEND} the caller sends a heartbeat. */
  tick(now: number, wasRead: boolean, wasWritten: boolean): HeartbeatAction {
    if (wasRead) this.#lastRead = now
    if (wasWritten) this.#lastWrite = now
    if (this.#intervalMs === 0) return HEARTBEAT_NOTHING
    if (now - this.#lastRead >= this.#intervalMs * 2) return HEARTBEAT_DEAD
    if (now - this.#lastWrite >= this.#intervalMs / 2) {
      this.#lastWrite = now
      return HEARTBEAT_SEND
    }
    return HEARTBEAT_NOTHING
  }
}

/** How often connections with heartbeats must be judged so that an interval of one second is kept. */
export const HEARTBEAT_TICK_MS = 250
