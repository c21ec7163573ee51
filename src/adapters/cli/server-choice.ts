/** Which Warren a command is for, and with which token. */
import { ManagementClient, Misuse } from './management-client.js'
import type { Terminal } from './terminal.js'

const USUAL_LISTEN_PORT = 5673
/** What separates the management port from listen.port, where nobody has chosen it. */
const MANAGEMENT_OFFSET = 1000
const LARGEST_PORT = 65_535

/** The flags that name the server. */
export interface ServerOptions {
  url?: string
  port?: string
  token?: string
}

/** The client for the server that is meant. What a flag says comes before the environment. Throws {@link Misuse}. */
export function connect({ url, port, token }: ServerOptions, env: Terminal['env']): ManagementClient {
  // Kubernetes sets WARREN_PORT=tcp://… for a service of that name.
  const portByName = env['WARREN_PORT']?.startsWith('tcp:') === true ? undefined : env['WARREN_PORT']
  const chosenPort =
    port ?? portByName ?? env['AMQP_MANAGEMENT_PORT'] ?? String(USUAL_LISTEN_PORT + MANAGEMENT_OFFSET)
  if (!/^\d{1,5}$/.test(chosenPort) || Number(chosenPort) < 1 || Number(chosenPort) > LARGEST_PORT)
    throw new Misuse(`the port must be from 1 to ${LARGEST_PORT}, not ${chosenPort}`)
  const usual = `http://127.0.0.1:${chosenPort}`
  const chosenUrl = url ?? (port === undefined ? env['WARREN_URL'] : undefined) ?? usual
  const chosenToken = token ?? env['WARREN_TOKEN'] ?? env['AMQP_MANAGEMENT_TOKEN']
  return new ManagementClient(chosenUrl, chosenToken === '' ? undefined : chosenToken)
}

/** `manager 5673 status` is `status` of the Warren whose clients connect on 5673: as `--port` says it. Throws {@link Misuse} without a port. */
export function withoutManager(argv: readonly string[]): string[] {
  const at = argv.indexOf('manager')
  if (at < 0) return [...argv]
  const port = argv[at + 1] ?? ''
  if (!/^\d{1,5}$/.test(port))
    throw new Misuse('manager needs the port on which clients connect: warrenctl manager 5673 status')
  return [...argv.slice(0, at), '--port', String(Number(port) + MANAGEMENT_OFFSET), ...argv.slice(at + 2)]
}
