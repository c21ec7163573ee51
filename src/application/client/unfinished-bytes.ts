/** Bytes of frames and messages that haven't wholly arrived and are kept until they have: counted over all clients, and bounded. */
import { inject, injectable } from 'inversify'
import { type AmqpError, RESOURCE_ERROR, connectionError } from '../../domain/amqp/reply-codes.js'
import { identifiers } from '../identifiers.js'
import type { Settings } from '../settings.js'

/** What all clients hold together. */
@injectable()
export class UnfinishedBytes {
  readonly #limit: number
  readonly #limitPerClient: number
  #total = 0

  constructor(@inject(identifiers.Settings) { client }: Settings) {
    this.#limit = client.maxUnfinishedBytesTotal
    this.#limitPerClient = client.maxUnfinishedBytes
  }

  get total(): number {
    return this.#total
  }

  /** One client's share changes from `before` to `now`. Returns why the client can't be served any longer, if it asks for too much. */
  change(before: number, now: number): AmqpError | undefined {
    this.#total += now - before
    if (now <= before) return undefined
    if (now > this.#limitPerClient)
      return tooMuch(
        `${now} bytes of unfinished messages`,
        'client.max_unfinished_bytes',
        this.#limitPerClient,
      )
    if (this.#total > this.#limit)
      return tooMuch(
        `${this.#total} bytes of unfinished messages of all clients`,
        'client.max_unfinished_bytes_total',
        this.#limit,
      )
    return undefined
  }
}

function tooMuch(what: string, key: string, limit: number): AmqpError {
  return connectionError(RESOURCE_ERROR, `RESOURCE_ERROR - ${what}, more than ${key} (${limit})`)
}
