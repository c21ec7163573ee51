/** The section `upstream`: the broker, and how it is reached. */
import type { TextList } from '../text-list.js'
import type { Section } from './entry.js'
import { TIME_LIMIT, heartbeat, seconds } from './kinds.js'

export interface UpstreamValues {
  url: TextList
  connect_timeout: number
  heartbeat: number
}

export const upstream: Section<UpstreamValues> = {
  url: {
    doc: 'The broker. Clients bring credentials of their own; those that stand here only count as one of pool.replay_logins. The nodes of a cluster are separated by commas, or stand in a list in the file. Can be given as the one argument instead.',
    format: 'upstream_url',
    default: 'amqp://127.0.0.1:5672',
    allowed: 'amqp://host:port or amqps://host:port, or several',
    placeholder: 'url',
    secret: 'credentials',
  },
  connect_timeout: seconds(
    10,
    TIME_LIMIT,
    'Limit for the connection to the broker, and again for its handshake; while there are other addresses to try, each has a share of it, but not less than a second.',
  ),
  heartbeat: heartbeat('Heartbeat that Warren asks the broker for; 0 takes what the broker offers.'),
}
