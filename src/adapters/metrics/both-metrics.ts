/** What is counted for operators to scrape, told to the program that runs Warren as well. */
import type {
  KeptMessageEvent,
  Metrics,
  MetricsSink,
  RefusalReason,
  Refusals,
} from '../../application/ports/metrics.js'
import type { PrometheusMetrics } from './prometheus-metrics.js'

export class BothMetrics implements Metrics {
  /** What `/metrics` shows. */
  readonly scraped: PrometheusMetrics
  readonly #other: MetricsSink

  constructor(scraped: PrometheusMetrics, other: MetricsSink) {
    this.scraped = scraped
    this.#other = other
  }

  clientRefused(reason: RefusalReason): void {
    this.scraped.clientRefused(reason)
    this.#other.clientRefused(reason)
  }

  get refusals(): Refusals {
    return this.scraped.refusals
  }

  clientClosed(code: number): void {
    this.scraped.clientClosed(code)
    this.#other.clientClosed(code)
  }

  handshakeDone(seconds: number): void {
    this.scraped.handshakeDone(seconds)
    this.#other.handshakeDone(seconds)
  }

  dialled(seconds: number, isConnected: boolean): void {
    this.scraped.dialled(seconds, isConnected)
    this.#other.dialled(seconds, isConnected)
  }

  upstreamLost(): void {
    this.scraped.upstreamLost()
    this.#other.upstreamLost()
  }

  reconnectTried(isConnected: boolean): void {
    this.scraped.reconnectTried(isConnected)
    this.#other.reconnectTried(isConnected)
  }

  keptMessages(event: KeptMessageEvent, count: number): void {
    this.scraped.keptMessages(event, count)
    this.#other.keptMessages(event, count)
  }

  unexpectedError(): void {
    this.scraped.unexpectedError()
    this.#other.unexpectedError()
  }
}
