/** The command line that all load generators share. */
import { parseArgs } from 'node:util'

export interface LoadSettings {
  host: string
  port: number
  user: string
  password: string
  vhost: string
  /** Connections; for `churn`, sessions at a time. */
  connections: number
  /** Channels of each connection, for `publish`. */
  channels: number
  body: number
  /** Operations of all connections together. */
  total: number
  window: number
  prefetch: number
  /** Messages per second, for `latency`. */
  rate: number
  /** Where queues are declared and filled, past the proxy. */
  brokerPort: number
  /** Put messages into the queues first: a real broker has none of its own. */
  fill: boolean
  /** Close the channel before the connection, for `churn`. */
  closeChannels: boolean
  /** Speak TLS, and take any certificate. */
  tls: boolean
  /** Be ready, then wait for a line on stdin before starting, and for another before leaving. */
  wait: boolean
  /** Seconds after which the load gives up. */
  deadline: number
}

export function loadSettings(): LoadSettings {
  const { values } = parseArgs({
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '5672' },
      user: { type: 'string', default: 'guest' },
      password: { type: 'string', default: 'guest' },
      vhost: { type: 'string', default: '/' },
      connections: { type: 'string', default: '4' },
      channels: { type: 'string', default: '1' },
      body: { type: 'string', default: '100' },
      total: { type: 'string', default: '100000' },
      window: { type: 'string', default: '100' },
      prefetch: { type: 'string', default: '100' },
      rate: { type: 'string', default: '1000' },
      'broker-port': { type: 'string' },
      fill: { type: 'boolean', default: false },
      'close-channels': { type: 'boolean', default: false },
      tls: { type: 'boolean', default: false },
      wait: { type: 'boolean', default: false },
      deadline: { type: 'string', default: '120' },
    },
  })
  return {
    host: values.host,
    port: Number(values.port),
    user: values.user,
    password: values.password,
    vhost: values.vhost,
    connections: Number(values.connections),
    channels: Number(values.channels),
    body: Number(values.body),
    total: Number(values.total),
    window: Number(values.window),
    prefetch: Number(values.prefetch),
    rate: Number(values.rate),
    brokerPort: Number(values['broker-port'] ?? values.port),
    fill: values.fill,
    closeChannels: values['close-channels'],
    tls: values.tls,
    wait: values.wait,
    deadline: Number(values.deadline),
  }
}

/** `total` in as many nearly equal parts as there are connections. */
export function shares(settings: LoadSettings): number[] {
  const { total, connections } = settings
  return Array.from({ length: connections }, (_, i) => Math.floor((total + i) / connections))
}
