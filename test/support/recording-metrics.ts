import type { Metrics, RefusalReason } from '../../src/application/ports/metrics.js'

/** Metrics that a test can look at: how often each thing happened, by name, and by `name:label` where there is a label. */
export class RecordingMetrics implements Metrics {
  readonly counts = new Map<string, number>()
  readonly durations = new Map<string, number[]>()
  readonly refusals: Partial<Record<RefusalReason, number>> = {}

  /** How often it happened. */
  count(name: string): number {
    return this.counts.get(name) ?? 0
  }

  clientRefused(reason: RefusalReason): void {
    this.add(`clientRefused:${reason}`)
    this.refusals[reason] = (this.refusals[reason] ?? 0) + 1
  }

  clientClosed(code: number): void {
    this.add(`clientClosed:${code}`)
  }

  handshakeDone(seconds: number): void {
    this.time('handshakeDone', seconds)
  }

  dialled(seconds: number, isConnected: boolean): void {
    this.time(`dialled:${isConnected ? 'connected' : 'failed'}`, seconds)
  }

  upstreamLost(): void {
    this.add('upstreamLost')
  }

  reconnectTried(isConnected: boolean): void {
    this.add(`reconnectTried:${isConnected ? 'connected' : 'failed'}`)
  }

  keptMessages(event: string, count: number): void {
    this.add(`keptMessages:${event}`, count)
  }

  unexpectedError(): void {
    this.add('unexpectedError')
  }

  private add(name: string, count = 1): void {
    this.counts.set(name, this.count(name) + count)
  }

  private time(name: string, seconds: number): void {
    this.add(name)
    this.durations.set(name, [...(this.durations.get(name) ?? []), seconds])
  }
}
