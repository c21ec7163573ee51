/** What passes through Warren, counted. */
import { injectable } from 'inversify'

/** Plain counters that only grow, for what happens too often to tell anybody of it. Bytes and frames are added chunk by chunk. */
@injectable()
export class Traffic {
  /** From clients, to clients. */
  bytesIn = 0
  bytesOut = 0
  framesIn = 0
  framesOut = 0
  /** From the broker, to the broker. */
  upstreamBytesIn = 0
  upstreamBytesOut = 0
  upstreamFramesIn = 0
  /** Messages that clients have begun to publish. */
  publishes = 0
  /** Messages of the broker: for consumers, for Basic.Get, and published ones that come back. */
  deliveries = 0
  gets = 0
  returns = 0
  /** Clients that were let in by the limit on connections. */
  accepted = 0
  /** Upstream channels that were handed to a further owner instead of being opened. */
  recycledChannels = 0
}
