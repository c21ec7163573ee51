/** The messages that one channel in confirm mode has forwarded and the broker hasn't confirmed. */
import { ConfirmWindow } from './confirm-window.js'

/** A message that was forwarded. */
export interface UnconfirmedMessage {
  /** The frames of Basic.Publish, header and bodies. */
  readonly bytes: Uint8Array
  /** On the clock's scale; Infinity when the message doesn't expire. */
  readonly expiresAt: number
}

/** Keeps each message until its confirm, so that it can be sent again if the connection is lost before. */
export class UnconfirmedMessages {
  readonly #window = new ConfirmWindow<UnconfirmedMessage>()
  #bytes = 0

  get count(): number {
    return this.#window.count
  }

  /** Bytes of the messages, their frames included. */
  get bytes(): number {
    return this.#bytes
  }

  /** A message is on its way; returns its sequence number, from 1. */
  add(message: UnconfirmedMessage): number {
    this.#bytes += message.bytes.length
    return this.#window.add(message)
  }

  /**
   * The broker has answered for this message, or for all up to it. Returns those that leave, in order: none
   * for a number that it had answered for already or that was never given.
   */
  settle(tag: number, multiple: boolean): UnconfirmedMessage[] {
    const settled = this.#window.settle(tag, multiple)
    for (const { bytes } of settled) this.#bytes -= bytes.length
    return settled
  }

  /** Gives all away, in order, as they must be sent elsewhere. The numbering goes on after them. */
  takeAll(): { readonly seq: number; readonly message: UnconfirmedMessage }[] {
    this.#bytes = 0
    return this.#window.takeAll().map(({ tag, entry }) => ({ seq: tag, message: entry }))
  }
}
