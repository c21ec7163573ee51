/** What a load generator connects to: the broker itself or a proxy in front of it. */
import type { StartedProcess } from '../processes/started-process.js'
import type { UpstreamName } from '../upstreams/upstream.js'

export interface Target {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Where it takes TLS, if it does. */
  readonly tlsPort?: number
  /** The proxy's process; nobody stands between for `direct`. */
  readonly pid?: number
  /** The end of its log, when it's ours. */
  lastOutput?(): string
  stop(): Promise<void>
}

/** A proxy that the benchmark has started on this machine. */
export function proxyTarget(name: string, port: number, proxy: StartedProcess, tlsPort?: number): Target {
  return {
    name,
    host: '127.0.0.1',
    port,
    ...(tlsPort === undefined ? {} : { tlsPort }),
    pid: proxy.pid,
    lastOutput: () => proxy.lastOutput,
    stop: () => proxy.stop(),
  }
}

/** A proxy that the caller has started: `NAME=host:port,pid`, or `NAME@sink=…`. */
export interface ExtraTarget {
  readonly name: string
  readonly upstream?: UpstreamName
  readonly host: string
  readonly port: number
  readonly pid: number
}

export function parseExtraTarget(text: string): ExtraTarget {
  const match = /^([\w.-]+)(?:@(sink|rabbitmq))?=([^:,]+):(\d+),(\d+)$/.exec(text)
  if (!match) throw new Error(`'${text}' isn't NAME=host:port,pid`)
  const [, name, upstream, host, port, pid] = match
  const target = { name, host, port: Number(port), pid: Number(pid) }
  return upstream ? { ...target, upstream: upstream as UpstreamName } : target
}
