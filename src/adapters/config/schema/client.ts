/** The section `client`: what one client may do, and cost. */
import type { SchemaEntry, Section } from './entry.js'
import {
  LARGEST_SHORT,
  MEBIBYTE,
  MOST_BYTES,
  MOST_BYTES_IN_ALL,
  TIME_LIMIT,
  heartbeat,
  most,
  seconds,
  size,
  wholeNumber,
} from './kinds.js'

export interface ClientValues {
  handshake_timeout: number
  max_buffer_bytes: number
  max_message_bytes: number
  max_unfinished_bytes: number
  max_unfinished_bytes_total: number
  max_table_depth: number
  max_pending: number
  max_per_address: number
  max_per_user: number
  max_per_vhost: number
  channel_max: number
  frame_max: number
  heartbeat: number
}

/** Streams count what waits only from a megabyte on, and a burst to a healthy client may be as large. */
const LEAST_BUFFER = 4 * MEBIBYTE
/** RabbitMQ 4.1 allows frames of 8192 bytes before tuning; a lower cap would take that back. */
const LEAST_FRAME_MAX = 8192

export const client: Section<ClientValues> = {
  handshake_timeout: seconds(10, TIME_LIMIT, 'Limit from the accepted connection to Connection.Open-Ok.'),
  max_buffer_bytes: bytes(
    64 * MEBIBYTE,
    "Most bytes that may wait for a client which doesn't read; past it the client is closed.",
    LEAST_BUFFER,
  ),
  max_message_bytes: bytes(128 * MEBIBYTE, 'Largest message body that a client may publish.'),
  max_unfinished_bytes: bytes(
    256 * MEBIBYTE,
    "Most bytes of one client's messages that haven't wholly arrived; past it the client is closed.",
  ),
  max_unfinished_bytes_total: size(
    1024 * MEBIBYTE,
    { minimum: 1, maximum: MOST_BYTES_IN_ALL },
    "Most bytes of all clients' messages that haven't wholly arrived: the client that asks for more is closed.",
  ),
  max_table_depth: wholeNumber(
    32,
    { minimum: 1, maximum: 1000 },
    'How deep tables in arguments and headers may nest; RabbitMQ has no limit of its own.',
  ),
  max_pending: most(10_000, 'Most clients that are in their handshake; others are closed at once.'),
  max_per_address: most(0, 'Most clients from one address; others are closed at once.'),
  max_per_user: most(0, 'Most clients of one user; others are refused with 530.'),
  max_per_vhost: most(0, 'Most clients in one virtual host; others are refused with 530.'),
  channel_max: wholeNumber(
    0,
    { minimum: 0, maximum: LARGEST_SHORT },
    "Cap on the channel_max offered to clients; 0 leaves the broker's own.",
  ),
  frame_max: size(
    0,
    { minimum: LEAST_FRAME_MAX, maximum: MOST_BYTES, zero: true },
    "Cap on the frame_max offered to clients; 0 leaves the broker's own.",
  ),
  heartbeat: heartbeat("Cap on the heartbeat offered to clients; 0 leaves the broker's own."),
}

function bytes(value: number, doc: string, minimum = 1): SchemaEntry<number> {
  return size(value, { minimum, maximum: MOST_BYTES }, doc)
}
