/** One worker as its supervisor sees it, through crashes and restarts. */
import type { Clock, Timer } from '../ports/clock.js'
import type {
  FromWorker,
  HeldConnection,
  Question,
  ToWorker,
  WorkerProcess,
} from '../ports/worker-processes.js'

/**
 * `silent`: it doesn't answer, and gets no further clients. `retiring`: its clients may finish, it gets no further ones. `down`: it has ended, and is
 * started again after a while.
 */
export type WorkerState = 'starting' | 'ready' | 'silent' | 'retiring' | 'down'

/** A worker as operators see it. */
export interface WorkerView {
  readonly id: string
  /** Null while there is no process. */
  readonly pid: number | null
  readonly state: WorkerState
  readonly clients: number
  /** How often the process was started, the first time included. */
  readonly starts: number
  readonly ageSeconds: number
}

/** Beyond its own limit for the shutdown a worker gets this long to be gone. */
export const LAST_WAIT_MS = 2000
/** How long an answer may take. */
const ANSWER_MS = 2000

interface OnTheWay {
  readonly connection: HeldConnection
  readonly isTls: boolean
}

interface Asked {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: Timer
}

/** One worker's place: the process that fills it now, and those that follow it under the same number. */
export class Worker {
  readonly number: number
  readonly #clock: Clock
  #process: WorkerProcess | undefined
  #startedAt: number
  #readyAt: number | undefined
  #starts = 0
  /** Handed over, and not reported as closed. */
  #clients = 0
  /** Handed over, and perhaps not sent yet; the oldest first. */
  #onTheWay: OnTheWay[] = []
  readonly #asked = new Map<number, Asked>()
  #lastQuestion = 0
  state: WorkerState = 'down'
  /** When it was asked for the first time what it hasn't answered, while it's silent. */
  silentSince = 0
  /** Ends in a row that nobody had asked for. */
  failures = 0

  constructor(number: number, clock: Clock) {
    this.number = number
    this.#clock = clock
    this.#startedAt = clock.now()
  }

  get id(): string {
    return `w${this.number}`
  }

  get clients(): number {
    return this.#clients
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Milliseconds since the process was ready; 0 if it never was. */
  get readyFor(): number {
    return this.#readyAt === undefined ? 0 : this.#clock.now() - this.#readyAt
  }

  view(): WorkerView {
    const { id, state, clients } = this
    const age = Math.round(this.#clock.now() - this.#startedAt) / 1000
    return { id, pid: this.pid ?? null, state, clients, starts: this.#starts, ageSeconds: age }
  }

  /** `process` fills the place from now on. */
  begin(process: WorkerProcess): void {
    this.#process = process
    this.#startedAt = this.#clock.now()
    this.#readyAt = undefined
    this.#starts++
    this.state = 'starting'
  }

  becomeReady(): void {
    this.#readyAt = this.#clock.now()
    this.state = 'ready'
  }

  hand(connection: HeldConnection, isTls: boolean): void {
    this.#clients++
    this.#process?.hand(connection, isTls)
    while (this.#onTheWay.length > 0 && this.#onTheWay[0].connection.hasLeft) this.#onTheWay.shift()
    if (!connection.hasLeft) this.#onTheWay.push({ connection, isTls })
  }

  /** So many of its clients are gone. */
  onClosed(count: number): void {
    this.#clients -= count
  }

  send(message: ToWorker): void {
    this.#process?.send(message)
  }

  /** Ends the process at once. */
  kill(): void {
    this.#process?.kill()
  }

  /** Rejects when the process ends, refuses, or doesn't answer in time. */
  ask(question: Question, about?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#process === undefined) return reject(new Error(`worker ${this.number} is down`))
      const id = ++this.#lastQuestion
      const timer = this.#clock.after(ANSWER_MS, () => {
        this.#asked.delete(id)
        reject(new Error(`worker ${this.number} doesn't answer within ${ANSWER_MS / 1000} s`))
      })
      this.#asked.set(id, { resolve, reject, timer })
      this.#process.send({ kind: 'ask', id, question, about: about ?? null })
    })
  }

  onAnswer(message: Extract<FromWorker, { kind: 'answer' | 'failure' }>): void {
    const asked = this.#asked.get(message.id)
    if (asked === undefined) return
    this.#asked.delete(message.id)
    asked.timer.cancel()
    if (message.kind === 'answer') asked.resolve(message.answer)
    else asked.reject(new Error(message.reason))
  }

  /** The process has ended. Returns the connections that never left for it, and how many are gone with it. */
  end(): { readonly kept: readonly OnTheWay[]; readonly lost: number } {
    const kept = this.#onTheWay.filter(({ connection }) => !connection.hasLeft)
    const lost = this.#clients - kept.length
    this.#process = undefined
    this.#clients = 0
    this.#onTheWay = []
    this.state = 'down'
    for (const { reject, timer } of this.#asked.values()) {
      timer.cancel()
      reject(new Error(`worker ${this.number} has ended`))
    }
    this.#asked.clear()
    return { kept, lost }
  }
}
