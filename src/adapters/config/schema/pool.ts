/** The section `pool`: how clients share upstream connections, and what becomes of messages while the broker is away. */
import type { JournalSync, PublishGuarantee } from '../../../application/settings.js'
import type { TextList } from '../text-list.js'
import type { Section } from './entry.js'
import {
  ANY_DURATION,
  LARGEST_SHORT,
  MEBIBYTE,
  MOST_BYTES_IN_ALL,
  TIME_LIMIT,
  choice,
  list,
  most,
  seconds,
  size,
  trueOrFalse,
  wholeNumber,
} from './kinds.js'

export interface PoolValues {
  max_client_connections: number
  max_upstream_connections: number
  max_channels: number
  separate_roles: boolean
  idle_timeout: number
  cleanup_interval: number
  publish_buffer_size: number
  publish_buffer_bytes: number
  publish_buffer_dir: string
  publish_buffer_sync: JournalSync
  replay_logins: TextList
  reconnect_wait: number
  publish_guarantee: PublishGuarantee
  quarantine_time: number
}

const MOST_MESSAGES = 2 ** 31 - 1

export const pool: Section<PoolValues> = {
  max_client_connections: most(
    0,
    'Most clients; others are closed right after they connect. Can be changed while Warren runs.',
  ),
  max_upstream_connections: most(
    0,
    'Most upstream connections, those that are being reconnected included; clients that need another get 503.',
  ),
  max_channels: wholeNumber(
    LARGEST_SHORT,
    { minimum: 1, maximum: LARGEST_SHORT },
    "Most channels on one upstream connection; the broker's channel_max caps it too.",
  ),
  separate_roles: trueOrFalse(
    true,
    'Whether publishers and consumers get upstream connections of their own, so that an alarm at the broker stops only the former.',
  ),
  idle_timeout: seconds(
    5,
    ANY_DURATION,
    'How long an upstream connection may be without channels before the sweep closes it.',
  ),
  cleanup_interval: seconds(30, TIME_LIMIT, 'How often the sweep looks for idle upstream connections.'),
  publish_buffer_size: wholeNumber(
    0,
    { minimum: 0, maximum: MOST_MESSAGES },
    'Most messages that a pool keeps for its broker: those that wait while it is away, and those that were sent and are not confirmed; 0 keeps none. As many again of each user are set aside when the broker refuses them.',
  ),
  publish_buffer_bytes: size(
    256 * MEBIBYTE,
    { minimum: 1, maximum: MOST_BYTES_IN_ALL },
    'The same bound as pool.publish_buffer_size, in bytes.',
  ),
  publish_buffer_dir: {
    doc: 'A directory in which kept messages outlive a crash or restart of Warren; empty keeps them in memory alone. One process can use it.',
    format: 'path',
    default: '',
    allowed: 'a path',
    placeholder: 'path',
  },
  publish_buffer_sync: choice<JournalSync>(
    'always',
    ['always', 'interval', 'never'],
    'When the disk is made to hold kept messages: before their publishers hear that they are kept, once a second, or when the system likes.',
    'when',
  ),
  replay_logins: list(
    'replay_logins',
    'USER:PASSWORD, or several, with % and the characters , : percent-encoded',
    'Logins at the broker of users whose messages are in pool.publish_buffer_dir when Warren starts: they are published before any client comes. Those in tls.external_logins and in upstream.url count too; messages of all others wait for the next login of their user.',
  ),
  reconnect_wait: seconds(
    10,
    TIME_LIMIT,
    "How long clients of a pool with a publish buffer wait for their broker's return with what needs its answer.",
  ),
  publish_guarantee: choice<PublishGuarantee>(
    'forwarded',
    ['forwarded', 'confirmed'],
    'With a publish buffer: whether messages of clients that ask for no confirms are only forwarded, or kept until the broker has confirmed them.',
    'guarantee',
  ),
  quarantine_time: seconds(
    60,
    ANY_DURATION,
    'How long clients that made the broker close a shared upstream connection are kept apart from others, by address, user and virtual host; 0 is not at all.',
  ),
}
