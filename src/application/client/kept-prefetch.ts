/** The prefetch of a channel that doesn't consume yet: the broker hears of it before the first request that it may matter for. */
import type { Frame } from '../../domain/amqp/frame.js'
import { onChannel } from '../common-frames.js'

/**
 * RabbitMQ has one for each consumer and one for all of a channel. The former lifts the latter, but not the other way round: so the last
 * of each kind is kept, in the order in which they came.
 */
export class KeptPrefetch {
  #requests: Uint8Array[] = []
  /** Answers to come that the client has had already. */
  #hiddenAnswers = 0

  /** A well-formed Basic.Qos, which the client has been answered. */
  keep({ bytes, start, end }: Frame): void {
    const request = bytes.slice(start, end)
    this.#requests = this.#requests.filter((other) => isForAll(other) !== isForAll(request))
    this.#requests.push(request)
  }

  /** What the broker is to be sent on `channel`, once. */
  take(channel: number): Uint8Array[] {
    const requests = this.#requests
    if (requests.length === 0) return requests
    this.#requests = []
    this.#hiddenAnswers += requests.length
    return requests.map((request) => onChannel(request, channel))
  }

  /** Basic.Qos-Ok has come. Returns whether the client is to see it. */
  onAnswer(): boolean {
    if (this.#hiddenAnswers === 0) return true
    this.#hiddenAnswers--
    return false
  }
}

/** Of a Basic.Qos, whose last argument it is, in front of the frame's end octet. */
function isForAll(request: Uint8Array): boolean {
  return (request[request.length - 2] & 1) !== 0
}
