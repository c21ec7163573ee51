/**
 * Messages without a pool: an earlier run has left them in the journal, or an operator has them tried again
 * while their user isn't there.
 */
import { inject, injectable, optional } from 'inversify'
import { identifiers } from '../identifiers.js'
import type { Journal, JournalPool } from '../ports/journal.js'
import type { Logger } from '../ports/logger.js'
import type { Leftover } from './kept-messages.js'
import type { RefusedMessages } from './refused-messages.js'

/** The messages of one user in one virtual host, in order. */
export interface LeftoverGroup {
  readonly owner: JournalPool
  readonly messages: readonly Leftover[]
}

/** They wait here until the broker has accepted a login of their user in their virtual host. */
@injectable()
export class Leftovers {
  readonly #journal: Journal | undefined
  readonly #refused: RefusedMessages
  readonly #logger: Logger
  readonly #groups = new Map<string, { readonly owner: JournalPool; readonly messages: Leftover[] }>()
  /** Hears of each that is added. */
  onAdded: () => void = () => undefined

  constructor(
    @inject(identifiers.Journal) @optional() journal: Journal | undefined,
    @inject(identifiers.RefusedMessages) refused: RefusedMessages,
    @inject(identifiers.Logger) logger: Logger,
  ) {
    this.#journal = journal
    this.#refused = refused
    this.#logger = logger
  }

  /** Reads what an earlier run has left. */
  recover(): void {
    const records = this.#journal?.recover() ?? []
    const aside = records.filter((record) => record.aside !== undefined)
    this.#refused.recover(aside)
    if (aside.length > 0)
      this.#logger.warn('messages that the broker has refused to an earlier run are set aside', {
        messages: aside.length,
      })
    for (const { id, pool, bytes, expiresAtEpochMs, aside } of records)
      if (aside === undefined) this.add(pool, { bytes, expiresAtEpochMs, record: id })
  }

  /** Keeps another one, behind those that there are. */
  add(owner: JournalPool, message: Leftover): void {
    const name = nameOf(owner)
    const group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, { owner, messages: [message] })
    else group.messages.push(message)
    this.onAdded()
  }

  /** Gives away those of one user in one virtual host. */
  take(owner: JournalPool): readonly Leftover[] {
    const name = nameOf(owner)
    const messages = this.#groups.get(name)?.messages ?? []
    this.#groups.delete(name)
    return messages
  }

  /** Those of each user in each virtual host. */
  get groups(): readonly LeftoverGroup[] {
    return [...this.#groups.values()]
  }

  /** How many of one user wait in one virtual host. */
  countOf(owner: JournalPool): number {
    return this.#groups.get(nameOf(owner))?.messages.length ?? 0
  }

  /** How many there are. */
  get messages(): number {
    return this.#sum(() => 1)
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#sum(({ bytes }) => bytes.length)
  }

  #sum(of: (message: Leftover) => number): number {
    let sum = 0
    for (const { messages } of this.#groups.values()) for (const message of messages) sum += of(message)
    return sum
  }
}

/** Different for each user in each virtual host. */
export function nameOf({ user, virtualHost }: JournalPool): string {
  return JSON.stringify([user, virtualHost])
}
