/** One request on an upstream connection of its own, to see whether the broker closes the connection or the channel over it. */
import { readClose } from '../../domain/amqp/close-error.js'
import * as id from '../../domain/amqp/method-ids.js'
import { FRAME_HEADER_SIZE, type Frame, METHOD_IDS_SIZE, readLong } from '../../domain/amqp/frame.js'
import { methodFrame } from '../../domain/amqp/method-layout.js'
import * as method from '../../domain/amqp/methods.js'
import { type AmqpError, CONNECTION_FORCED } from '../../domain/amqp/reply-codes.js'
import { onChannel } from '../common-frames.js'
import { InternalChannel } from './internal-channel.js'
import type { UpstreamConnection, UpstreamObserver } from './upstream-connection.js'
import { UpstreamUnreachable } from './upstream-errors.js'

/** Behind the frame's header, the ids and two reserved octets. */
const QUEUE_NAME_AT = FRAME_HEADER_SIZE + METHOD_IDS_SIZE + 2

/**
 * Sends `request`, a method frame, over `upstream`, which nobody else uses, and closes it. Resolves with the error by which the broker
 * closed the connection or the channel, or undefined if both live on. Rejects with UpstreamUnreachable when that can't be said.
 */
export async function tryAlone(
  upstream: UpstreamConnection,
  request: Uint8Array,
): Promise<AmqpError | undefined> {
  try {
    return await new Promise((resolve, reject) => {
      const trial = new TrialChannel(resolve, reject)
      upstream.observer = trial
      const binding = upstream.bind(trial)
      if (binding === undefined) return reject(new UpstreamUnreachable('the broker grants no channel'))
      const isForConnection = methodIdOf(request) >>> 16 === method.CONNECTION_CLASS
      upstream.send(onChannel(request, isForConnection ? 0 : binding.upstreamChannel))
      if (makesNamelessQueue(request)) upstream.send(deleteCurrentQueue(binding.upstreamChannel))
      upstream.endBinding(binding)
    })
  } finally {
    await upstream.close()
  }
}

/** Hears which of the two the broker closes first, if any. */
class TrialChannel extends InternalChannel implements UpstreamObserver {
  readonly #resolve: (error: AmqpError | undefined) => void
  readonly #reject: (error: Error) => void

  constructor(resolve: (error: AmqpError | undefined) => void, reject: (error: Error) => void) {
    super()
    this.#resolve = resolve
    this.#reject = reject
  }

  override onBrokerClose(close?: Frame): boolean {
    if (close !== undefined) this.#resolve(readClose(close))
    return false
  }

  override onCloseOk(): boolean {
    this.#resolve(undefined)
    return false
  }

  onUpstreamLost(_upstream: UpstreamConnection, error: AmqpError): void {
    if (error.code === CONNECTION_FORCED) this.#reject(new UpstreamUnreachable(error.text))
    else this.#resolve(error)
  }

  onUpstreamRetired(): void {}

  onUpstreamRoom(): void {}

  onUpstreamBlocked(): void {}
}

function methodIdOf(request: Uint8Array): number {
  return readLong(request, FRAME_HEADER_SIZE)
}

/** A queue that the broker names is a further one with every declaration. */
function makesNamelessQueue(request: Uint8Array): boolean {
  return methodIdOf(request) === id.QUEUE_DECLARE && request[QUEUE_NAME_AT] === 0
}

function deleteCurrentQueue(channel: number): Uint8Array {
  return methodFrame(method.QueueDelete, channel, {
    queue: '',
    ifUnused: false,
    ifEmpty: false,
    noWait: true,
  })
}
