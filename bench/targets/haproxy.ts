/** HAProxy in TCP mode with one thread: the least that a proxy can cost. */
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { freePort, listening } from '../processes/ports.js'
import { scratchFile } from '../processes/scratch-folder.js'
import { StartedProcess } from '../processes/started-process.js'
import { proxyTarget, type Target } from './target.js'

const START_TIMEOUT_MS = 10_000

/** The installed version, or nothing. */
export function haproxyVersion(): string | undefined {
  try {
    return execFileSync('haproxy', ['-v'], { encoding: 'utf8' }).match(/version (\S+)/)?.[1]
  } catch {
    return undefined
  }
}

export async function startHaproxy(brokerPort: number): Promise<Target> {
  const port = await freePort()
  const file = scratchFile('haproxy.cfg')
  await writeFile(file, configuration(port, brokerPort))
  // -db: stays in the foreground as one process.
  const haproxy = new StartedProcess('haproxy', 'haproxy', ['-db', '-f', file], scratchFile('haproxy.log'))
  await listening('haproxy', haproxy, port, START_TIMEOUT_MS)
  return proxyTarget('haproxy', port, haproxy)
}

function configuration(port: number, brokerPort: number): string {
  return `global
  nbthread 1
  maxconn 12000

defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h

listen amqp
  bind 127.0.0.1:${port}
  server broker 127.0.0.1:${brokerPort}
`
}
