/** Metrics that the program itself can look at, beside those of `/metrics`. */
import type { KeptMessageEvent, MetricsSink, RefusalReason } from 'warren'

export class CountingMetrics implements MetricsSink {
  /** How often each thing has happened, such as `refused: access_refused`. */
  readonly counts = new Map<string, number>()
  /** How long the client took that got in last. */
  lastHandshakeSeconds = 0

  clientRefused(reason: RefusalReason): void {
    this.#count(`refused: ${reason}`)
  }

  clientClosed(code: number): void {
    this.#count(`closed with ${code}`)
  }

  handshakeDone(seconds: number): void {
    this.#count('came in')
    this.lastHandshakeSeconds = seconds
  }

  dialled(_seconds: number, isConnected: boolean): void {
    this.#count(isConnected ? 'broker reached' : 'broker not reached')
  }

  upstreamLost(): void {
    this.#count('upstream connection lost')
  }

  reconnectTried(isConnected: boolean): void {
    this.#count(isConnected ? 'reconnected' : 'not reconnected')
  }

  keptMessages(event: KeptMessageEvent, count: number): void {
    this.#count(`kept messages: ${event}`, count)
  }

  unexpectedError(): void {
    this.#count('bugs')
  }

  #count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }
}
