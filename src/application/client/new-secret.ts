/**
 * A client's new secret (Connection.Update-Secret), which the broker judges apart: on a shared connection it
 * would be applied to the neighbours' channels too.
 */
import type { Frame } from '../../domain/amqp/frame.js'
import { argumentsOf } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import type { PoolClient } from '../upstream/pool-client.js'
import type { PoolDirectory } from '../upstream/pool-directory.js'
import { UpstreamRefused, upstreamFailure } from '../upstream/upstream-errors.js'
import type { Agreement } from './client-handshake.js'

export class NewSecret {
  readonly #request: Uint8Array
  readonly #secret: Uint8Array

  /** `request`: a well-formed Connection.Update-Secret. */
  constructor(request: Frame) {
    this.#request = request.bytes.slice(request.start, request.end)
    this.#secret = argumentsOf(method.ConnectionUpdateSecret, request).newSecret
  }

  /**
   * Resolves with what is agreed from now on, which is `agreement` itself when the broker takes the secret,
   * but no login with it. Rejects with UpstreamRefused or UpstreamUnreachable.
   */
  async judge(
    client: PoolClient,
    address: string,
    agreement: Agreement,
    directory: PoolDirectory,
  ): Promise<Agreement> {
    const { mechanism, virtualHost, pool } = agreement
    const credentials = agreement.credentials.withPassword(this.#secret)
    try {
      const entry = await directory.admit(client, credentials, mechanism, virtualHost, address)
      return { ...agreement, credentials, ...entry }
    } catch (error) {
      const failure = upstreamFailure(error)
      // RabbitMQ's own user database takes any new secret, and goes on as if there had been none: whoever logs in with it is refused, who is in
      // stays. So the broker has the last word, asked by somebody who is in with the former secret.
      if (!(failure instanceof UpstreamRefused)) throw failure
      if ((await pool.tryAlone(this.#request).catch(() => failure)) !== undefined) throw failure
      return agreement
    }
  }
}
