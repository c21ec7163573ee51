/** Notices workers that hang: they get no further clients, and are ended when it lasts. */
import type { Clock, Timer } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Worker } from './worker.js'

/** How often each worker is asked whether it's there. */
const INTERVAL_MS = 5000
/** A worker that has been silent for so long doesn't come back by itself; a machine that is only busy lets it answer in between. */
const HOPELESS_MS = 30_000

/** What {@link WorkerPulse} is made with. */
export interface WorkerPulseNeeds {
  readonly workers: readonly Worker[]
  readonly clock: Clock
  readonly logger: Logger
  /** A worker that was silent can take clients again. */
  readonly onAnswering: () => void
}

/** Asks each worker every few seconds, from its making on. */
export class WorkerPulse {
  readonly #needs: WorkerPulseNeeds
  readonly #timer: Timer

  constructor(needs: WorkerPulseNeeds) {
    this.#needs = needs
    this.#timer = needs.clock.every(INTERVAL_MS, () =>
      needs.workers.forEach((worker) => void this.#feel(worker)),
    )
  }

  stop(): void {
    this.#timer.cancel()
  }

  async #feel(worker: Worker): Promise<void> {
    const { pid } = worker
    if (worker.state !== 'ready' && worker.state !== 'silent') return
    const askedAt = this.#needs.clock.now()
    const isThere = await worker.ask('pulse').then(
      () => true,
      () => false,
    )
    // Another process has its place by now, or it's on its way out: others look after that.
    if (worker.pid !== pid) return
    if (isThere) this.#onAnswer(worker)
    else this.#onSilence(worker, askedAt)
  }

  #onAnswer(worker: Worker): void {
    if (worker.state !== 'silent') return
    worker.state = 'ready'
    this.#needs.logger.info('worker answers again', { worker: worker.number, pid: worker.pid })
    this.#needs.onAnswering()
  }

  #onSilence(worker: Worker, askedAt: number): void {
    const { clock, logger } = this.#needs
    const fields = { worker: worker.number, pid: worker.pid, clients: worker.clients }
    if (worker.state === 'ready') {
      worker.state = 'silent'
      worker.silentSince = askedAt
      logger.warn('worker does not answer: it gets no further clients', fields)
    } else if (worker.state === 'silent' && clock.now() - worker.silentSince >= HOPELESS_MS) {
      logger.error('worker does not answer: it is ended', fields)
      // Said and done once; its end is heard of elsewhere.
      worker.silentSince = Infinity
      worker.kill()
    }
  }
}
