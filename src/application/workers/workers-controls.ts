/** What operators do to clients, connections, pools and messages, when there are several workers. */
import type { Operations, Outcome } from '../operations/operations.js'
import type { Controls } from '../ports/management.js'
import type { Limits } from '../operations/limits.js'
import type { Settings } from '../settings.js'
import { reasonOf } from '../upstream/upstream-errors.js'
import { located, prefixed } from './identity.js'
import type { Supervisor } from './supervisor.js'

/** An operation of one worker. */
export type WorkerOperation = Exclude<keyof Operations, 'drain'>

/** What a worker is asked to do. */
export interface WorkerOrder {
  readonly operation: WorkerOperation
  readonly id: string
}

type Done<Name extends WorkerOperation> = ReturnType<Operations[Name]> extends Outcome<infer D> ? D : never
type Asking = Pick<Supervisor, 'ask' | 'askAll' | 'shutDown'>

/** In the place of an id. */
const ALL = 'all'
/** The fields of an answer that name things. */
const NAMES = ['client', 'upstream', 'pool'] as const

/** Has an operation done by the worker that the id belongs to, or by all of them. */
export class WorkersControls implements Controls {
  readonly #supervisor: Asking
  readonly #limits: Limits
  readonly #settings: Settings

  constructor(supervisor: Asking, limits: Limits, settings: Settings) {
    this.#supervisor = supervisor
    this.#limits = limits
    this.#settings = settings
  }

  killClient(id: string): Promise<Outcome<Done<'killClient'>>> {
    return this.#order('killClient', id, 'client')
  }

  closeUpstream(id: string): Promise<Outcome<Done<'closeUpstream'>>> {
    return this.#order('closeUpstream', id, 'upstream connection')
  }

  pausePool(id: string): Promise<Outcome<Done<'pausePool'>>> {
    return this.#order('pausePool', id, 'pool')
  }

  resumePool(id: string): Promise<Outcome<Done<'resumePool'>>> {
    return this.#order('resumePool', id, 'pool')
  }

  reconnectPool(id: string): Promise<Outcome<Done<'reconnectPool'>>> {
    return this.#order('reconnectPool', id, 'pool')
  }

  async retryAside(id: string): Promise<Outcome<Done<'retryAside'>>> {
    if (id !== ALL) return this.#order('retryAside', id, 'message set aside')
    const all = await this.#orderAll('retryAside')
    return {
      done: {
        retried: sum(all, ({ retried }) => retried),
        waiting: sum(all, ({ waiting }) => waiting),
        expired: sum(all, ({ expired }) => expired),
      },
    }
  }

  async dropAside(id: string): Promise<Outcome<Done<'dropAside'>>> {
    if (id !== ALL) return this.#order('dropAside', id, 'message set aside')
    return { done: { dropped: sum(await this.#orderAll('dropAside'), ({ dropped }) => dropped) } }
  }

  drain(): { clients: number; grace: number } {
    void this.#supervisor.shutDown()
    return { clients: this.#limits.clients.active, grace: this.#settings.shutdown.grace }
  }

  async #order<Name extends WorkerOperation>(
    operation: Name,
    id: string,
    what: string,
  ): Promise<Outcome<Done<Name>>> {
    const place = located(id)
    if (place === undefined) return { refused: 'unknown', reason: `there is no ${what} ${id}` }
    const order: WorkerOrder = { operation, id: place.id }
    let outcome: Outcome<Record<string, unknown>>
    try {
      outcome = (await this.#supervisor.ask(place.number, 'operation', order)) as typeof outcome
    } catch (error) {
      return { refused: 'unknown', reason: `there is no ${what} ${id}: ${reasonOf(error)}` }
    }
    if ('refused' in outcome) return { ...outcome, reason: outcome.reason.replace(place.id, id) }
    const done = { ...outcome.done }
    for (const name of NAMES)
      if (typeof done[name] === 'string') done[name] = prefixed(place.number, done[name])
    return { done: done as Done<Name> }
  }

  async #orderAll<Name extends WorkerOperation>(operation: Name): Promise<Done<Name>[]> {
    const order: WorkerOrder = { operation, id: ALL }
    const answers = await this.#supervisor.askAll('operation', order)
    return answers.flatMap(({ answer }) => {
      const outcome = answer as Outcome<Done<Name>>
      return 'done' in outcome ? [outcome.done] : []
    })
  }
}

function sum<T>(all: readonly T[], read: (each: T) => number): number {
  return all.reduce((total, each) => total + read(each), 0)
}
