/** Replaces the workers one after the other: those that aren't being replaced take the new clients meanwhile. */
import type { Outcome } from '../operations/operations.js'
import type { Logger } from '../ports/logger.js'
import type { Settings } from '../settings.js'
import { reasonOf } from '../upstream/upstream-errors.js'
import type { WorkerChanges } from './worker-changes.js'
import { LAST_WAIT_MS, type Worker } from './worker.js'

/** What the workers' supervisor does for it. */
export interface RollingRestartNeeds {
  readonly workers: readonly Worker[]
  readonly changes: WorkerChanges
  readonly settings: Settings
  readonly logger: Logger
  /** Starts the process of a worker that is down. */
  readonly start: (worker: Worker) => void
  /** Whether all workers are ending anyway. */
  readonly isEnding: () => boolean
}

/** One at a time, of all workers. */
export class RollingRestart {
  readonly #needs: RollingRestartNeeds
  #isUnderWay = false

  constructor(needs: RollingRestartNeeds) {
    this.#needs = needs
  }

  /** Begins, unless a worker can't be spared or its messages would be lost; goes on by itself. */
  async begin(): Promise<Outcome<{ workers: number }>> {
    const { workers, logger, isEnding } = this.#needs
    if (isEnding()) return conflict('Warren is shutting down')
    if (this.#isUnderWay) return conflict('the workers are being restarted already')
    this.#isUnderWay = true
    const reason = await this.#whyNot().catch(reasonOf)
    if (reason !== undefined) {
      this.#isUnderWay = false
      return conflict(reason)
    }
    logger.info('restarting workers one by one', { workers: workers.length })
    void this.#replaceAll().finally(() => (this.#isUnderWay = false))
    return { done: { workers: workers.length } }
  }

  async #whyNot(): Promise<string | undefined> {
    const { workers } = this.#needs
    const absent = workers.find(({ state }) => state !== 'ready')
    if (absent !== undefined) return this.#whyKept(absent)
    for (const worker of workers) {
      const reason = await this.#whyKept(worker)
      if (reason !== undefined) return reason
    }
    return undefined
  }

  /** Messages that are in its memory alone would be lost. */
  async #whyKept(worker: Worker): Promise<string | undefined> {
    if (worker.state !== 'ready') return `worker ${worker.number} is ${worker.state}`
    if (this.#needs.settings.pool.publishBufferDir !== undefined) return undefined
    const { buffered } = (await worker.ask('summary')) as { buffered: { messages: number } }
    return buffered.messages === 0
      ? undefined
      : `worker ${worker.number} has ${buffered.messages} messages in its publish buffer, and no pool.publish_buffer_dir to keep them in`
  }

  async #replaceAll(): Promise<void> {
    const { workers, logger } = this.#needs
    for (const worker of workers) {
      const reason = await this.#replace(worker)
      if (this.#needs.isEnding()) return
      if (reason !== undefined)
        return logger.warn('restarting workers stopped', { worker: worker.number, reason })
    }
    logger.info('workers restarted', { workers: workers.length })
  }

  /** Returns why it has failed, if it has. */
  async #replace(worker: Worker): Promise<string | undefined> {
    const { changes, start, isEnding } = this.#needs
    if (isEnding()) return undefined
    const reason = await this.#whyKept(worker).catch(reasonOf)
    if (reason !== undefined) return reason
    await this.#retire(worker)
    if (isEnding()) return undefined
    start(worker)
    await changes.until(() => worker.state !== 'starting' || isEnding())
    return stateOf(worker) === 'ready' ? undefined : 'the new worker did not start'
  }

  /** Resolves when the process is gone. Its clients may finish for `shutdown.grace` seconds, then they're sent Connection.Close. */
  async #retire(worker: Worker): Promise<void> {
    const { settings, logger, changes, isEnding } = this.#needs
    const { grace, timeout } = settings.shutdown
    worker.state = 'retiring'
    logger.info('worker retiring', { worker: worker.number, pid: worker.pid, clients: worker.clients, grace })
    const hasNobody = (): boolean => worker.clients === 0 || worker.state === 'down' || isEnding()
    await changes.until(hasNobody, grace * 1000)
    if (isEnding() || stateOf(worker) === 'down') return
    worker.send({ kind: 'drain', grace: 0 })
    await changes.until(() => worker.state === 'down', timeout * 1000 + LAST_WAIT_MS)
    if (stateOf(worker) !== 'down') worker.kill()
    await changes.until(() => worker.state === 'down')
  }
}

/** As it is now; the compiler takes it to be what it was before the wait. */
function stateOf(worker: Worker): Worker['state'] {
  return worker.state
}

function conflict(reason: string): { refused: 'conflict'; reason: string } {
  return { refused: 'conflict', reason }
}
