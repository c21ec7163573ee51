/** What the sink has to remember about a channel. */
import type { TagWindow } from '../wire/tag-window.js'
import type { DeliveryStream } from './delivery-stream.js'
import type { Echo } from './echo.js'

export class SinkChannel {
  confirming = false
  /** Complete messages since the channel was opened. */
  published = 0
  confirmed = 0
  /** Body octets that the message being received still lacks. */
  bodyLeft = 0
  /** Has something to send once the chunk has been scanned: a confirm or deliveries. */
  pending = false

  prefetch = 0
  consumerTag = ''
  stream: DeliveryStream | undefined
  unacked: TagWindow | undefined
  nextDeliveryTag = 1
  /** Deliveries that acks have made room for. */
  credit = 0

  /** Who gets a copy of the message being received. */
  echo: Echo | undefined

  constructor(readonly number: number) {}
}
