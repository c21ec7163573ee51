/** The channel over which a backlog drains: what the broker says there is about its messages alone. */
import { readClose } from '../../domain/amqp/close-error.js'
import { confirmTag, isRefusal } from '../../domain/amqp/confirm.js'
import { isMultiple } from '../../domain/amqp/single-arguments.js'
import type { Frame } from '../../domain/amqp/frame.js'
import { InternalChannel } from '../upstream/internal-channel.js'

/** Whose messages are on their way. */
export interface DrainChannelHost {
  /** The broker has confirmed the message with this number on the channel, or refused it; with `multiple` all up to it. */
  onDrainConfirm(deliveryTag: number, multiple: boolean, isRefused: boolean): void
  /** The broker has closed the channel; `reason` has its words. */
  onDrainClosed(reason: string): void
}

/** Tells the drain what the broker says on its channel. */
export class DrainChannel extends InternalChannel {
  readonly #host: DrainChannelHost

  constructor(host: DrainChannelHost) {
    super()
    this.#host = host
  }

  override onConfirm(frame?: Frame): boolean {
    if (frame !== undefined) this.#host.onDrainConfirm(confirmTag(frame), isMultiple(frame), isRefusal(frame))
    return false
  }

  override onBrokerClose(close?: Frame): boolean {
    if (close === undefined) return false
    const { code, text } = readClose(close)
    this.#host.onDrainClosed(`${code} ${text}`)
    return false
  }
}
