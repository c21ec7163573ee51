/**
 * What a client channel has asked for and the broker hasn't dealt with yet: it tells who is to blame when the
 * broker closes a shared connection.
 */
import * as id from '../amqp/method-ids.js'

const PUBLISH = 1
const ACK = 2
const REJECT = 4
const NACK = 8
/** What a client says of deliveries. */
const ACKS = ACK | REJECT | NACK
/** A request that wants no answer although there is one. */
const UNANSWERED = 32
/** Requests that the broker never answers, as bits; a channel needs to know only whether there was one. */
const SILENT = new Map([
  [id.BASIC_PUBLISH, PUBLISH],
  [id.BASIC_ACK, ACK],
  [id.BASIC_REJECT, REJECT],
  [id.BASIC_NACK, NACK],
  [id.BASIC_RECOVER_ASYNC, 16],
])
/** Answers whose number doesn't follow that of their request. */
const REQUEST_OF = new Map([
  [id.BASIC_GET_EMPTY, id.BASIC_GET],
  [id.EXCHANGE_UNBIND_OK, id.EXCHANGE_UNBIND],
])
/** So many requests may be unanswered; those that want no answer count as such until a later one is answered. */
const MANY = 128

/** The request that an answer belongs to. */
function requestOf(answer: number): number {
  return REQUEST_OF.get(answer) ?? answer - 1
}

/** The broker deals with a channel's requests in order, so an answer speaks for everything before it too. */
export class PendingRequests {
  /** What was sent since the last request that has an answer, and what before. */
  #silent = 0
  #silentBefore = 0
  #hasEverAcked = false
  #asked: number[] | undefined

  /** A Basic.Publish is on its way. */
  published(): void {
    this.#silent |= PUBLISH
  }

  /** A Basic.Ack is on its way. */
  acknowledged(): void {
    this.#silent |= ACK
    this.#hasEverAcked = true
  }

  /** A request is on its way. `isUnanswered`: the broker doesn't answer this one, although it does others of its kind. */
  sent(methodId: number, isUnanswered = false): void {
    const bit = isUnanswered ? UNANSWERED : SILENT.get(methodId)
    if (bit !== undefined) {
      this.#silent |= bit
      if ((bit & ACKS) !== 0) this.#hasEverAcked = true
      return
    }
    this.#silentBefore |= this.#silent
    this.#silent = 0
    this.#asked ??= []
    this.#asked.push(methodId)
  }

  /** An answer has come. */
  answered(methodId: number): void {
    const asked = this.#asked
    if (asked === undefined) return
    const at = asked.indexOf(requestOf(methodId))
    if (at >= 0) asked.splice(0, at + 1)
    if (asked.length === 0) this.#silentBefore = 0
  }

  /** The upstream channel is gone, and with it whatever was under way there. */
  forget(): void {
    this.#silent = this.#silentBefore = 0
    this.#asked = undefined
  }

  /** Whether the broker has dealt with everything, as far as its answers tell. */
  get isEmpty(): boolean {
    return (this.#silent | this.#silentBefore) === 0 && !this.includes(0)
  }

  /** Whether there are so many that the broker should answer one before the next goes: each of them takes room. */
  get isFull(): boolean {
    return (this.#asked?.length ?? 0) >= MANY
  }

  /** Whether the broker may not have dealt with what the client has said of deliveries: Basic.Ack, Nack, Reject. */
  get hasAcks(): boolean {
    return ((this.#silent | this.#silentBefore) & ACKS) !== 0
  }

  /** Whether something that gets no answer, and isn't a message, may not have been dealt with: confirms don't speak for that. */
  get hasUnconfirmable(): boolean {
    return ((this.#silent | this.#silentBefore) & ~PUBLISH) !== 0
  }

  /** Whether the client has ever said anything of deliveries. */
  get hasEverAcked(): boolean {
    return this.#hasEverAcked
  }

  /** How many requests of this kind wait for their answer, if no others do; otherwise -1. */
  countIfOnly(methodId: number): number {
    const asked = this.#asked ?? []
    return asked.every((other) => other === methodId) ? asked.length : -1
  }

  /** Whether a request of this kind may not have been dealt with; 0 means any that should have an answer. */
  includes(methodId: number): boolean {
    if (methodId === 0) return (this.#asked?.length ?? 0) > 0
    const bit = SILENT.get(methodId)
    if (bit !== undefined) return ((this.#silent | this.#silentBefore) & bit) !== 0
    return this.#asked?.includes(methodId) === true
  }
}
