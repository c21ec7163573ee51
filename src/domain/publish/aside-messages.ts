/** Messages that the broker refuses: kept apart, so that they don't hold up the others, until an operator decides what becomes of them. */
import type { BufferLimits } from './publish-buffer.js'

/** A message that was set aside. */
export interface AsideMessage {
  /** From 1, rising in the order in which messages were set aside. */
  readonly id: number
  /** Whose it is. */
  readonly user: string
  readonly virtualHost: string
  /** The frames of Basic.Publish, header and bodies. */
  readonly bytes: Uint8Array
  /** Why, in the broker's words. */
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly refusedAt: number
  /** Undefined when the message doesn't expire. */
  readonly expiresAtEpochMs: number | undefined
  /** Whether its publisher was told of the refusal. */
  readonly wasTold: boolean
  /** Where it's kept in the journal; undefined without one. */
  readonly record: number | undefined
}

interface Share {
  messages: number
  bytes: number
}

/** In order, and bounded for each user and virtual host, so that nobody's messages take the room of others'. */
export class AsideMessages {
  readonly #limits: BufferLimits
  readonly #messages = new Map<number, AsideMessage>()
  readonly #shares = new Map<string, Share>()
  #bytes = 0
  #lastId = 0

  constructor(limits: BufferLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#messages.size
  }

  /** Bytes of the messages, their frames included. */
  get bytes(): number {
    return this.#bytes
  }

  /** All of them, in order; a list made for the caller. */
  get all(): readonly AsideMessage[] {
    return [...this.#messages.values()]
  }

  get(id: number): AsideMessage | undefined {
    return this.#messages.get(id)
  }

  /** Whether another message of this owner and size may be set aside. */
  hasRoomFor({ user, virtualHost, bytes }: Pick<AsideMessage, 'user' | 'virtualHost' | 'bytes'>): boolean {
    const share = this.#shares.get(shareOf(user, virtualHost)) ?? { messages: 0, bytes: 0 }
    const { maxMessages, maxBytes } = this.#limits
    return share.messages < maxMessages && share.bytes + bytes.length <= maxBytes
  }

  /** Sets a message aside, whether there's room or not: who asks first can say what was lost. Returns its id. */
  add(message: Omit<AsideMessage, 'id'>): number {
    const id = ++this.#lastId
    this.#messages.set(id, { ...message, id })
    this.#count(message, 1)
    return id
  }

  /** Takes a message out; undefined when there's none with this id. */
  take(id: number): AsideMessage | undefined {
    const message = this.#messages.get(id)
    if (message === undefined) return undefined
    this.#messages.delete(id)
    this.#count(message, -1)
    return message
  }

  #count({ user, virtualHost, bytes }: Omit<AsideMessage, 'id'>, sign: 1 | -1): void {
    const name = shareOf(user, virtualHost)
    const share = this.#shares.get(name) ?? { messages: 0, bytes: 0 }
    share.messages += sign
    share.bytes += sign * bytes.length
    this.#bytes += sign * bytes.length
    if (share.messages > 0) this.#shares.set(name, share)
    else this.#shares.delete(name)
  }
}

function shareOf(user: string, virtualHost: string): string {
  return JSON.stringify([user, virtualHost])
}
