/** The prefetch of a channel that doesn't consume yet: the broker hears of it before the first consumer. */
import type { Frame } from '../domain/amqp/frame.js'
import { onChannel } from './common-frames.js'

/** In RabbitMQ one for each consumer and one for all of a channel hold at the same time; each is the last that was asked for. */
export class KeptPrefetch {
  #each: Uint8Array | undefined
  #all: Uint8Array | undefined
  /** Answers to come that the client has had already. */
  #hiddenAnswers = 0

  get isKept(): boolean {
    return this.#each !== undefined || this.#all !== undefined
  }

  /** A well-formed Basic.Qos, which the client has been answered. */
  keep({ bytes, start, end, payloadEnd }: Frame): void {
    const request = bytes.slice(start, end)
    const isForAll = (bytes[payloadEnd - 1] & 1) !== 0
    if (isForAll) this.#all = request
    else this.#each = request
  }

  /** What the broker is to be sent on `channel`, once. */
  take(channel: number): Uint8Array[] {
    const requests = [this.#each, this.#all].filter((request) => request !== undefined)
    this.#each = this.#all = undefined
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
