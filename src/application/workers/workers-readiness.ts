/** Whether Warren can serve clients, when there are several workers. */
import type { Certificates } from '../operations/certificates.js'
import type { ReadinessCheck } from '../ports/management.js'
import type { Supervisor } from './supervisor.js'

type Asking = Pick<Supervisor, 'askAll' | 'isAccepting' | 'workers'>

/** Ready as long as one worker is. */
export class WorkersReadiness implements ReadinessCheck {
  readonly #supervisor: Asking
  readonly #certificates: Certificates

  constructor(supervisor: Asking, certificates: Certificates) {
    this.#supervisor = supervisor
    this.#certificates = certificates
  }

  async reasons(): Promise<string[]> {
    if (!this.#supervisor.isAccepting) return ['clients are not accepted']
    const { troubles, isAnyReady } = await this.#look()
    return isAnyReady ? [] : troubles
  }

  async warnings(): Promise<string[]> {
    const [{ troubles, isAnyReady }, theirs] = await Promise.all([
      this.#look(),
      this.#supervisor.askAll('warnings'),
    ])
    const ofWorkers = theirs.flatMap(({ number, answer }) =>
      (answer as string[]).map((warning) => `worker ${number}: ${warning}`),
    )
    return [...(isAnyReady ? troubles : []), ...ofWorkers, ...this.#certificates.warnings()]
  }

  /** A worker that is asked again at once has its answer at hand. */
  async #look(): Promise<{ troubles: string[]; isAnyReady: boolean }> {
    const answers = new Map(
      (await this.#supervisor.askAll('readiness')).map(({ number, answer }) => [number, answer as string[]]),
    )
    let isAnyReady = false
    const troubles = this.#supervisor.workers.flatMap(({ state }, at) => {
      const reasons = answers.get(at + 1)
      const about = (reason: string): string => `worker ${at + 1}: ${reason}`
      if (state !== 'ready') return [about(state)]
      if (reasons === undefined) return [about('no answer')]
      isAnyReady ||= reasons.length === 0
      return reasons.map(about)
    })
    return { troubles, isAnyReady }
  }
}
