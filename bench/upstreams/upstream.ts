/** The broker behind the targets. */
import type { SinkStats } from '../sink/sink-connection.js'

export type UpstreamName = 'sink' | 'rabbitmq'

export interface Upstream {
  readonly name: UpstreamName
  readonly port: number
  readonly user: string
  readonly password: string
  /** Nanoseconds of CPU so far. */
  cpuTime(): number
  /** What has arrived so far, where the broker can tell. */
  stats?(): Promise<SinkStats>
  stop(): Promise<void>
}
