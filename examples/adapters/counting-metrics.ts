/** Metrics that the program itself can look at, beside what Prometheus gets. */
import { PrometheusMetrics, type RefusalReason } from 'warren'

export class CountingMetrics extends PrometheusMetrics {
  /** Clients that were sent away before they were in, by reason. */
  readonly refused = new Map<RefusalReason, number>()
  /** Clients that got in, and how long the slowest of them took. */
  entered = 0
  slowestHandshakeSeconds = 0

  override clientRefused(reason: RefusalReason): void {
    super.clientRefused(reason)
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }

  override handshakeDone(seconds: number): void {
    super.handshakeDone(seconds)
    this.entered++
    this.slowestHandshakeSeconds = Math.max(this.slowestHandshakeSeconds, seconds)
  }
}
