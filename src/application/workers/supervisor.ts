/** Keeps the workers running, gives them their clients, and counts these: the limit is decided here, once for all. */
import { backoff } from '../../domain/policy/backoff.js'
import type { Limits } from '../operations/limits.js'
import type { Outcome } from '../operations/operations.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { LogFields, Logger } from '../ports/logger.js'
import type { Random } from '../ports/random.js'
import type { FromWorker, HeldConnection, Question, WorkerProcesses } from '../ports/worker-processes.js'
import type { Settings } from '../settings.js'
import { reasonOf } from '../upstream/upstream-errors.js'
import { WorkerChanges } from './worker-changes.js'
import { RollingRestart } from './rolling-restart.js'
import { LAST_WAIT_MS, Worker, type WorkerView } from './worker.js'
import { WorkerPulse } from './worker-pulse.js'

/** A worker that was ready for so long has got over what had ended it before. */
const RECOVERED_MS = 30_000
/** A worker that takes longer to start is stuck; meeting a broker that isn't there takes 2 s, a journal's lock 15, its messages 10. */
const START_LIMIT_MS = 45_000

/** What the supervisor counts. */
export interface SupervisorMetrics {
  /** A client was sent away by the limit. */
  clientRefused(reason: 'client_limit'): void
  /** A worker has ended without being asked to. */
  workerCrashed(): void
}

/** What a worker had counted in its life. */
export interface Farewell {
  readonly number: number
  readonly summary: unknown
  readonly metrics: unknown
}

/** What {@link Supervisor} is made with. */
export interface SupervisorNeeds {
  readonly count: number
  readonly processes: WorkerProcesses
  readonly limits: Limits
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  readonly metrics: SupervisorMetrics
}

/** A worker has ended before it was ready; `code` is what the program should end with. */
export class WorkerNotStarted extends Error {
  override readonly name = 'WorkerNotStarted'
  readonly code: number | null

  constructor(number: number, code: number | null) {
    super(`worker ${number} did not start`)
    this.code = code
  }
}

/** A client that no worker can take now. */
interface Waiting {
  readonly connection: HeldConnection
  readonly isTls: boolean
  readonly timer: Timer
}

/** Who accepts clients in the place of the workers, and answers for all of them together. */
export class Supervisor {
  readonly #needs: SupervisorNeeds
  readonly #workers: readonly Worker[]
  /** Accepted while there is no worker that could take them. */
  readonly #waiting: Waiting[] = []
  readonly #restarts = new Map<Worker, Timer>()
  #isAccepting = false
  #isEnding = false
  #lastGiven = 0
  #shutdown: Promise<{ isClean: boolean }> | undefined
  /** Whether all that ended in the shutdown said that nothing was cut off. */
  #areExitsClean = true
  readonly #changes: WorkerChanges
  readonly #rollingRestart: RollingRestart
  readonly #pulse: WorkerPulse
  #started: { resolve: () => void; reject: (error: Error) => void } | undefined
  /** Hears what a worker had counted when it ended in order. */
  onFarewell: (farewell: Farewell) => void = () => undefined
  /** Hears that a worker's process is gone; its farewell may not have come. */
  onGone: (number: number) => void = () => undefined
  /** Hears that a worker is ready. */
  onReady: (number: number) => void = () => undefined
  /** Hears of a shutdown as soon as anybody asks for it. */
  onShutDown: (report: Promise<{ isClean: boolean }>) => void = () => undefined

  constructor(needs: SupervisorNeeds) {
    this.#needs = needs
    this.#workers = Array.from({ length: needs.count }, (_, at) => new Worker(at + 1, needs.clock))
    this.#changes = new WorkerChanges(needs.clock)
    this.#pulse = new WorkerPulse({
      workers: this.#workers,
      clock: needs.clock,
      logger: needs.logger,
      onAnswering: () => this.#giveWaiting(),
    })
    this.#rollingRestart = new RollingRestart({
      workers: this.#workers,
      changes: this.#changes,
      settings: needs.settings,
      logger: needs.logger,
      start: (worker) => this.#start(worker),
      isEnding: () => this.#isEnding,
    })
  }

  /** Starts all workers; resolves when they're ready. Rejects with {@link WorkerNotStarted} when one of them ends instead. */
  async start(): Promise<void> {
    for (const worker of this.#workers) this.#start(worker)
    await new Promise<void>((resolve, reject) => (this.#started = { resolve, reject })).finally(
      () => (this.#started = undefined),
    )
    this.#isAccepting = !this.#isEnding
  }

  get isAccepting(): boolean {
    return this.#isAccepting
  }

  /** All workers, in the order of their numbers. */
  get workers(): readonly WorkerView[] {
    return this.#workers.map((worker) => worker.view())
  }

  /** Somebody has connected. Over the limit the connection is closed before anything is made for it. */
  admit(connection: HeldConnection, isTls: boolean): void {
    const { limits, metrics } = this.#needs
    if (this.#isEnding) return connection.close()
    if (limits.admitClient()) return this.#give(connection, isTls)
    connection.close()
    metrics.clientRefused('client_limit')
  }

  /** Asks one worker. Rejects when there's no such worker, or no answer. */
  ask(number: number, question: Question, about?: unknown): Promise<unknown> {
    const worker = this.#workers[number - 1] as Worker | undefined
    return worker === undefined
      ? Promise.reject(new Error(`there is no worker ${number}`))
      : worker.ask(question, about)
  }

  /** Asks all workers that run; one that doesn't answer is left out. */
  async askAll(
    question: Question,
    about?: unknown,
  ): Promise<readonly { readonly number: number; readonly answer: unknown }[]> {
    const running = this.#workers.filter(({ state }) => state !== 'starting' && state !== 'down')
    const answers = await Promise.allSettled(running.map((worker) => worker.ask(question, about)))
    return answers.flatMap((answer, at) => {
      const { number } = running[at]
      if (answer.status === 'fulfilled') return [{ number, answer: answer.value }]
      this.#needs.logger.warn('a worker did not answer', { question, reason: reasonOf(answer.reason) })
      return []
    })
  }

  /** Tells all workers that run; nobody waits for them. */
  tellAll(question: Question, about?: unknown): void {
    void this.askAll(question, about)
  }

  /** See {@link RollingRestart}. */
  restartWorkers(): Promise<Outcome<{ workers: number }>> {
    return this.#rollingRestart.begin()
  }

  /**
   * Lets all workers end in order, at the same time; resolves when they're gone. Asked again while that's
   * under way, it resolves with the first.
   */
  shutDown(): Promise<{ isClean: boolean }> {
    if (this.#shutdown === undefined) {
      this.#shutdown = this.#shutDown()
      this.onShutDown(this.#shutdown)
    }
    return this.#shutdown
  }

  /** Ends all workers at once. */
  kill(): void {
    this.#isEnding = true
    this.#pulse.stop()
    for (const worker of this.#workers) worker.kill()
  }

  #start(worker: Worker): void {
    const { processes, clock, logger } = this.#needs
    let startLimit: Timer | undefined = undefined
    const process = processes.start(worker.number, {
      onMessage: (message) => {
        if (message.kind === 'ready') startLimit?.cancel()
        this.#onMessage(worker, message)
      },
      onExit: (code, signal) => {
        startLimit?.cancel()
        this.#onExit(worker, code, signal)
      },
    })
    startLimit = clock.after(START_LIMIT_MS, () => {
      logger.error('worker not ready in time: it is ended', { worker: worker.number, pid: process.pid })
      process.kill()
    })
    worker.begin(process)
  }

  #onMessage(worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        if (worker.state === 'starting') this.#onReady(worker)
        break
      case 'closed':
        worker.onClosed(message.count)
        this.#needs.limits.onClientsLeft(message.count)
        break
      case 'farewell':
        this.onFarewell({ number: worker.number, summary: message.summary, metrics: message.metrics })
        break
      default:
        worker.onAnswer(message)
    }
    this.#changes.tell()
  }

  #onReady(worker: Worker): void {
    worker.becomeReady()
    this.#needs.logger.info('worker ready', { worker: worker.number, pid: worker.pid })
    this.onReady(worker.number)
    if (this.#workers.every(({ state }) => state === 'ready' || state === 'silent')) this.#started?.resolve()
    this.#giveWaiting()
  }

  /** There is a worker again for those who wait for one. */
  #giveWaiting(): void {
    for (const { connection, isTls, timer } of this.#waiting.splice(0)) {
      timer.cancel()
      this.#give(connection, isTls)
    }
  }

  #onExit(worker: Worker, code: number | null, signal: string | null): void {
    const { logger, limits } = this.#needs
    const { state, readyFor, pid } = worker
    const { kept, lost } = worker.end()
    limits.onClientsLeft(lost)
    this.onGone(worker.number)
    const fields = { worker: worker.number, pid, code, signal, clients: lost }
    if (this.#isEnding ? code === 0 : state === 'retiring') logger.info('worker ended', fields)
    else if (this.#isEnding) {
      this.#areExitsClean = false
      logger.warn('worker ended', fields)
    } else this.#onCrash(worker, code, readyFor, fields)
    if (this.#isEnding) for (const { connection } of kept) this.#turnAway(connection)
    else for (const { connection, isTls } of kept) this.#give(connection, isTls)
    this.#changes.tell()
  }

  /** Starts the worker again after a while; during the start of Warren itself it gives that up instead. */
  #onCrash(worker: Worker, code: number | null, readyFor: number, fields: LogFields): void {
    const { logger, metrics, clock, random } = this.#needs
    metrics.workerCrashed()
    if (readyFor >= RECOVERED_MS) worker.failures = 0
    const wait = backoff(worker.failures++, random())
    logger.error('worker crashed: it is started again', { ...fields, inMs: Math.round(wait) })
    if (this.#started !== undefined) return this.#started.reject(new WorkerNotStarted(worker.number, code))
    const restart = clock.after(wait, () => {
      this.#restarts.delete(worker)
      this.#start(worker)
    })
    this.#restarts.set(worker, restart)
  }

  /** To the worker with the fewest clients; among equals to the one that has waited longest, so that short sessions are spread too. */
  #give(connection: HeldConnection, isTls: boolean): void {
    const count = this.#workers.length
    let chosen: Worker | undefined
    for (let step = 1; step <= count; step++) {
      const worker = this.#workers[(this.#lastGiven + step) % count]
      if (worker.state === 'ready' && (chosen === undefined || worker.clients < chosen.clients))
        chosen = worker
    }
    if (chosen === undefined) return this.#wait(connection, isTls)
    this.#lastGiven = chosen.number - 1
    chosen.hand(connection, isTls)
  }

  /** No worker is there; the next one takes it, if it comes in time. */
  #wait(connection: HeldConnection, isTls: boolean): void {
    const { clock, settings } = this.#needs
    const { maxPending, handshakeTimeout } = settings.client
    if (maxPending > 0 && this.#waiting.length >= maxPending) return this.#turnAway(connection)
    const timer = clock.after(handshakeTimeout * 1000, () => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      this.#turnAway(connection)
    })
    const waiting = { connection, isTls, timer }
    this.#waiting.push(waiting)
  }

  #turnAway(connection: HeldConnection): void {
    connection.close()
    this.#needs.limits.onClientsLeft(1)
  }

  async #shutDown(): Promise<{ isClean: boolean }> {
    const { settings, logger, limits } = this.#needs
    const { grace, timeout } = settings.shutdown
    this.#isAccepting = false
    this.#isEnding = true
    for (const timer of this.#restarts.values()) timer.cancel()
    for (const { connection, timer } of this.#waiting.splice(0)) {
      timer.cancel()
      this.#turnAway(connection)
    }
    logger.info('shutting down', {
      workers: this.#workers.length,
      clients: limits.clients.active,
      grace,
      timeout,
    })
    const running = this.#workers.filter(({ state }) => state !== 'down')
    for (const worker of running) worker.send({ kind: 'drain' })
    this.#changes.tell()
    this.#pulse.stop()
    const areGone = (): boolean => running.every(({ state }) => state === 'down')
    await this.#changes.until(areGone, timeout * 1000 + LAST_WAIT_MS)
    for (const worker of running)
      if (worker.state !== 'down') {
        this.#areExitsClean = false
        logger.warn('worker not gone in time: it is ended', { worker: worker.number, pid: worker.pid })
        worker.kill()
      }
    await this.#changes.until(areGone)
    const isClean = this.#areExitsClean
    logger.info('shut down', { isClean })
    return { isClean }
  }
}
