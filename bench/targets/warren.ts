/** Warren as it is built in dist/, with its defaults. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { KeyPairFiles } from '../../test/support/certificates.js'
import { freePort, listening } from '../processes/ports.js'
import { scratchFile } from '../processes/scratch-folder.js'
import { StartedProcess } from '../processes/started-process.js'
import { proxyTarget, type Target } from './target.js'

const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const START_TIMEOUT_MS = 15_000

/** The management endpoint takes the port that is this much higher. */
const MANAGEMENT_OFFSET = 1000

export function isWarrenBuilt(): boolean {
  return existsSync(PROGRAM)
}

/** With `certificate` it takes TLS too, on a port of its own. */
export async function startWarren(
  brokerPort: number,
  extraArguments: string[],
  certificate?: KeyPairFiles,
): Promise<Target> {
  const port = await freePort(MANAGEMENT_OFFSET)
  const tlsPort = certificate && (await freePort())
  const tls = certificate && [
    ...['--tls-enabled', 'true', '--tls-port', String(tlsPort)],
    ...['--tls-cert', certificate.cert, '--tls-key', certificate.key],
  ]
  const args = [
    ...['--listen-port', String(port)],
    ...(tls ?? []),
    ...extraArguments,
    `amqp://127.0.0.1:${brokerPort}`,
  ]
  const warren = new StartedProcess('warren', process.execPath, [PROGRAM, ...args], scratchFile('warren.log'))
  await listening('warren', warren, port, START_TIMEOUT_MS)
  return proxyTarget('warren', port, warren, tlsPort)
}
