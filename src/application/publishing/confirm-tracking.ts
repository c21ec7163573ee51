/** The confirms of one publishing channel whose messages Warren keeps until the broker has confirmed them. */
import { type UnconfirmedMessage, UnconfirmedMessages } from '../../domain/publish/unconfirmed-messages.js'
import type { PublishRoom } from './publish-room.js'
import type { UpstreamConnection } from '../upstream/upstream-connection.js'

/** A message that the broker hasn't confirmed. `sequence` is its number among the client's confirms; 0 when the client asked for none. */
export interface NumberedMessage extends UnconfirmedMessage {
  readonly sequence: number
}

/** The one who counts what is kept for all channels of a pool. */
export interface ConfirmKeeper {
  /** How much may be kept. */
  readonly room: PublishRoom
  /** When a message that is published now expires, on the clock's scale. */
  expiryOf(message: Uint8Array): number
  /** A message of so many bytes is kept until its confirm. */
  onSent(bytes: number): void
  /** So many messages aren't kept any more. */
  onLeft(messages: number, bytes: number): void
  /** The broker has refused a message whose client doesn't ask what became of it. */
  onNacked(message: UnconfirmedMessage): void
}

/**
 * Numbers: the broker counts what was published on an upstream channel since Confirm.Select, the client what
 * it published on its own channel since its Confirm.Select. They're the same until the channel is bound anew,
 * or if Warren asked for confirms before the client did.
 */
export class ConfirmTracking {
  readonly #keeper: ConfirmKeeper
  #unconfirmed = new UnconfirmedMessages()
  /** What the broker's number is ahead of the client's. */
  #ahead = 0
  /** The broker's number of the last message. */
  #last = 0
  /** How many messages the client has published since it asked for confirms. */
  #published = 0
  #isClientAsking: boolean

  /** `isClientAsking`: the client wants confirms itself. Otherwise it never sees one. */
  constructor(isClientAsking: boolean, keeper: ConfirmKeeper) {
    this.#isClientAsking = isClientAsking
    this.#keeper = keeper
  }

  /** Where its messages are counted: with the pool that the channel belonged to when it began. */
  get room(): PublishRoom {
    return this.#keeper.room
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
    this.forget()
    this.#unconfirmed = new UnconfirmedMessages()
    this.#last = 0
    this.#ahead = -this.#published
  }

  /** A whole message goes to the broker. */
  publish(bytes: Uint8Array, upstream: UpstreamConnection): void {
    this.#published++
    this.#last = this.#unconfirmed.add({ bytes, expiresAt: this.#keeper.expiryOf(bytes) })
    this.#keeper.onSent(bytes.length)
    upstream.send(bytes)
  }

  /** A message is kept elsewhere until the broker is back. Returns its number for the client, 0 when the client asked for none. */
  publishLater(): number {
    this.#published++
    return this.#isClientAsking ? this.#published : 0
  }

  /**
   * The broker has settled `tag`, or all up to it. Returns the number by which the client knows it; 0 when it's not for the client.
   * When the broker has refused them, and the client doesn't ask, the keeper gets the messages.
   */
  settle(tag: number, multiple: boolean, isRefused: boolean): number {
    const before = this.#unconfirmed.bytes
    const settled = this.#unconfirmed.settle(tag, multiple)
    if (settled.length > 0) this.#keeper.onLeft(settled.length, before - this.#unconfirmed.bytes)
    if (isRefused && !this.#isClientAsking) for (const message of settled) this.#keeper.onNacked(message)
    return this.#isClientAsking ? Math.max(0, tag - this.#ahead) : 0
  }

  /** The upstream channel is gone: what the broker hasn't confirmed, in order. */
  takeAll(): NumberedMessage[] {
    const { count, bytes } = this.#unconfirmed
    const all = this.#unconfirmed.takeAll().map(({ seq, message }) => ({
      ...message,
      sequence: this.#isClientAsking ? Math.max(0, seq - this.#ahead) : 0,
    }))
    if (count > 0) this.#keeper.onLeft(count, bytes)
    return all
  }

  /** The channel is over: nothing of it is kept any more. */
  forget(): void {
    this.takeAll()
  }
}
