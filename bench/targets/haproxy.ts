/** HAProxy in TCP mode with one thread: the least that a proxy can cost. */
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import type { KeyPairFiles } from '../../test/support/certificates.js'
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

/** With `certificate` it terminates TLS too, on a port of its own. */
export async function startHaproxy(brokerPort: number, certificate?: KeyPairFiles): Promise<Target> {
  const port = await freePort()
  const file = scratchFile('haproxy.cfg')
  const tlsPort = certificate && (await freePort())
  const binds = [`bind 127.0.0.1:${port}`]
  if (certificate !== undefined) {
    const pem = scratchFile('haproxy.pem')
    await writeFile(
      pem,
      (await readFile(certificate.cert, 'utf8')) + (await readFile(certificate.key, 'utf8')),
    )
    binds.push(`bind 127.0.0.1:${tlsPort} ssl crt ${pem}`)
  }
  await writeFile(file, configuration(binds, brokerPort))
  // -db: stays in the foreground as one process.
  const haproxy = new StartedProcess('haproxy', 'haproxy', ['-db', '-f', file], scratchFile('haproxy.log'))
  await listening('haproxy', haproxy, port, START_TIMEOUT_MS)
  return proxyTarget('haproxy', port, haproxy, tlsPort)
}

function configuration(binds: string[], brokerPort: number): string {
  return `global
  nbthread 1
  maxconn 9000

defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h

listen amqp
  ${binds.join('\n  ')}
  server broker 127.0.0.1:${brokerPort}
`
}
