/** Reading the configuration again, when there are several workers. */
import type { Reload, ReloadReport } from '../operations/reload.js'
import type { Reloading } from '../ports/management.js'
import type { Supervisor } from './supervisor.js'

/** Has the supervisor read and validate everything, and then every worker apply it. */
export class WorkersReload implements Reloading {
  readonly #supervisor: Pick<Supervisor, 'askAll'>
  readonly #reload: Reload
  readonly #files: () => unknown

  /** `files`: what the supervisor has read last, for the workers to read the same. */
  constructor(supervisor: Pick<Supervisor, 'askAll'>, reload: Reload, files: () => unknown) {
    this.#supervisor = supervisor
    this.#reload = reload
    this.#files = files
  }

  async run(): Promise<ReloadReport | string> {
    const own = this.#reload.run()
    if (typeof own === 'string') return own
    const answers = await this.#supervisor.askAll('reload', this.#files())
    const refused = answers.flatMap(({ number, answer }) =>
      (typeof answer === 'string' ? [answer] : (answer as ReloadReport).refused)
        // What the supervisor has refused, all workers refuse.
        .filter((reason) => !own.refused.includes(reason))
        .map((reason) => `worker ${number}: ${reason}`),
    )
    return { ...own, refused: [...own.refused, ...refused] }
  }
}
