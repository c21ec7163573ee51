/** Makes {@link Settings}, as the application has them, of the configuration as people write it. */
import { availableParallelism } from 'node:os'
import type { Settings } from '../../application/settings.js'
import { Secret } from '../../domain/secret.js'
import { parseReplayLogins } from './logins.js'
import { parseNetworks } from './networks.js'
import type { ConfigurationValues } from './schema.js'
import { tlsSettings, upstreamTlsSettings } from './tls-settings.js'
import { parseUpstreamUrl } from './upstream-url.js'

const LARGEST_PORT = 65_535
/** What port `auto` is, counted from listen.port. */
const MANAGEMENT_OFFSET = 1000

/** Where listen.port is chosen by the system, or leaves no room above it, the management port is chosen by the system. */
function managementPort({ management, listen }: ConfigurationValues): number {
  if (management.port !== 'auto') return management.port
  const port = listen.port + MANAGEMENT_OFFSET
  return listen.port === 0 || port > LARGEST_PORT ? 0 : port
}

/** How many processes share the port: `auto` is one for each core that this process may use. */
export function workersIn({ workers }: ConfigurationValues): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/** The settings that `values` stand for; they are valid. */
export function toSettings(values: ConfigurationValues): Settings {
  const { listen, upstream, pool, client, management, shutdown, log } = values
  const { endpoints, logins } = parseUpstreamUrl(upstream.url, values.upstream_tls.enabled)
  return {
    listen: {
      address: listen.address,
      enabled: listen.enabled,
      port: listen.port,
      proxyProtocolFrom: parseNetworks(listen.proxy_protocol_from),
    },
    tls: tlsSettings(values),
    upstreamTls: upstreamTlsSettings(values),
    upstream: {
      endpoints,
      logins,
      connectTimeout: upstream.connect_timeout,
      heartbeat: upstream.heartbeat,
    },
    pool: {
      maxClientConnections: pool.max_client_connections,
      maxUpstreamConnections: pool.max_upstream_connections,
      maxChannels: pool.max_channels,
      separateRoles: pool.separate_roles,
      idleTimeout: pool.idle_timeout,
      cleanupInterval: pool.cleanup_interval,
      publishBufferSize: pool.publish_buffer_size,
      publishBufferBytes: pool.publish_buffer_bytes,
      publishBufferDir: pool.publish_buffer_dir === '' ? undefined : pool.publish_buffer_dir,
      publishBufferSync: pool.publish_buffer_sync,
      replayLogins: parseReplayLogins(pool.replay_logins),
      reconnectWait: pool.reconnect_wait,
      publishGuarantee: pool.publish_guarantee,
      quarantineTime: pool.quarantine_time,
    },
    client: {
      handshakeTimeout: client.handshake_timeout,
      maxBufferBytes: client.max_buffer_bytes,
      maxMessageBytes: client.max_message_bytes,
      maxUnfinishedBytes: client.max_unfinished_bytes,
      maxUnfinishedBytesTotal: client.max_unfinished_bytes_total,
      maxTableDepth: client.max_table_depth,
      maxPending: client.max_pending,
      maxPerAddress: client.max_per_address,
      maxPerUser: client.max_per_user,
      maxPerVhost: client.max_per_vhost,
      channelMax: client.channel_max,
      frameMax: client.frame_max,
      heartbeat: client.heartbeat,
    },
    management: {
      enabled: management.enabled,
      address: management.address,
      port: managementPort(values),
      token: management.token === '' ? undefined : new Secret(management.token),
      readToken: management.read_token === '' ? undefined : new Secret(management.read_token),
    },
    shutdown: { grace: shutdown.grace, timeout: shutdown.timeout },
    log: { level: log.level, format: log.format },
  }
}
