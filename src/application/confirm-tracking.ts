/** The confirms of one publishing channel whose messages Warren keeps until the broker has confirmed them. */
import { UnconfirmedMessages } from '../domain/publish/unconfirmed-messages.js'
import type { UpstreamConnection } from './upstream-connection.js'

/** A message that the broker hasn't confirmed. `sequence` is its number among the client's confirms; 0 when the client asked for none. */
export interface KeptMessage {
  readonly bytes: Uint8Array
  readonly sequence: number
}

/**
 * Numbers: the broker counts what was published on an upstream channel since Confirm.Select, the client what it published on its own
 * channel since its Confirm.Select. They're the same until the channel is bound anew, or if Warren asked for confirms before the client did.
 */
export class ConfirmTracking {
  #unconfirmed = new UnconfirmedMessages()
  /** What the broker's number is ahead of the client's. */
  #ahead = 0
  /** The broker's number of the last message. */
  #last = 0
  /** How many messages the client has published since it asked for confirms. */
  #published = 0
  #isClientAsking: boolean

  /** `isClientAsking`: the client wants confirms itself. Otherwise it never sees one. */
  constructor(isClientAsking: boolean) {
    this.#isClientAsking = isClientAsking
  }

  /** Messages that wait for a confirm. */
  get count(): number {
    return this.#unconfirmed.count
  }

  /** Whether the client wants confirms. */
  get isClientAsking(): boolean {
    return this.#isClientAsking
  }

  /** The client asks for confirms on a channel on which Warren has asked before. */
  askForClient(): void {
    if (this.#isClientAsking) return
    this.#isClientAsking = true
    this.#ahead = this.#last
    this.#published = 0
  }

  /** Another upstream channel, on which the broker counts from 1 again. */
  rebind(): void {
    this.#unconfirmed = new UnconfirmedMessages()
    this.#last = 0
    this.#ahead = -this.#published
  }

  /** A whole message goes to the broker. */
  publish(bytes: Uint8Array, upstream: UpstreamConnection): void {
    this.#published++
    this.#last = this.#unconfirmed.add(bytes)
    upstream.send(bytes)
  }

  /** A message is kept elsewhere until the broker is back. Returns its number for the client, 0 when the client asked for none. */
  publishLater(): number {
    this.#published++
    return this.#isClientAsking ? this.#published : 0
  }

  /** The broker has settled `tag`, or all up to it. Returns the number by which the client knows it; 0 when it's not for the client. */
  settle(tag: number, multiple: boolean): number {
    this.#unconfirmed.settle(tag, multiple)
    return this.#isClientAsking ? Math.max(0, tag - this.#ahead) : 0
  }

  /** The upstream channel is gone: what the broker hasn't confirmed, in order. */
  takeAll(): KeptMessage[] {
    return this.#unconfirmed.takeAll().map(({ seq, bytes }) => ({
      bytes,
      sequence: this.#isClientAsking ? Math.max(0, seq - this.#ahead) : 0,
    }))
  }
}
