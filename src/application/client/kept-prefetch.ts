/**
 * The prefetch of a channel: the broker hears of it before the first request that it may matter for, and
 * again when the channel has moved.
 */
import type { Frame } from '../../domain/amqp/frame.js'
import { isGlobalPrefetch } from '../../domain/amqp/single-arguments.js'
import { onChannel } from '../common-frames.js'

/** A Basic.Qos, and whether the upstream channel has had it. */
interface Request {
  readonly bytes: Uint8Array
  isSent: boolean
}

/**
 * RabbitMQ has one for each consumer and one for all of a channel. The former lifts the latter, but not the other way round: so the last
 * of each kind is kept, in the order in which they came.
 */
export class KeptPrefetch {
  #requests: Request[] = []
  #isSent = false
  #isGlobal = false
  /** Answers to come that the client has had already. */
  #hiddenAnswers = 0

  /** Whether the upstream channel has had a prefetch. */
  get isSent(): boolean {
    return this.#isSent
  }

  /** Whether what the client has asked for last limits all consumers of the channel together. */
  get isGlobal(): boolean {
    return this.#isGlobal
  }

  /** A well-formed Basic.Qos, which the client has been answered. */
  keep(frame: Frame): void {
    this.#remember(frame, false)
  }

  /** A well-formed Basic.Qos, which goes to the broker as it is. */
  pass(frame: Frame): void {
    this.#remember(frame, true)
    this.#isSent = true
  }

  /** What the broker is to be sent on `channel`, once. */
  take(channel: number): Uint8Array[] {
    const requests = this.#requests.filter(({ isSent }) => !isSent)
    for (const request of requests) request.isSent = true
    this.#hiddenAnswers += requests.length
    if (requests.length > 0) this.#isSent = true
    return requests.map(({ bytes }) => onChannel(bytes, channel))
  }

  /** The channel goes on with an upstream channel that knows nothing of it. */
  onMoved(): void {
    for (const request of this.#requests) request.isSent = false
    this.#isSent = false
    this.#hiddenAnswers = 0
  }

  /** Basic.Qos-Ok has come. Returns whether the client is to see it. */
  onAnswer(): boolean {
    if (this.#hiddenAnswers === 0) return true
    this.#hiddenAnswers--
    return false
  }

  #remember(frame: Frame, isSent: boolean): void {
    const { bytes, start, end } = frame
    this.#isGlobal = isGlobalPrefetch(frame)
    const request = { bytes: bytes.slice(start, end), isSent }
    this.#requests = this.#requests.filter((other) => isForAll(other.bytes) !== isForAll(request.bytes))
    this.#requests.push(request)
  }
}

/** Of a Basic.Qos, whose last argument it is, in front of the frame's end octet. */
function isForAll(request: Uint8Array): boolean {
  return (request[request.length - 2] & 1) !== 0
}
