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
  const [origin, chosenPort] = choosePort(port, env)
  if (!/^\d{1,5}$/.test(chosenPort) || Number(chosenPort) < 1 || Number(chosenPort) > LARGEST_PORT)
    throw new Misuse(`${origin} must be from 1 to ${LARGEST_PORT}, not ${chosenPort}`)
  const usual = `http://127.0.0.1:${chosenPort}`
  const chosenUrl = url ?? (port === undefined ? env['WARREN_URL'] : undefined) ?? usual
  const chosenToken = token ?? env['WARREN_TOKEN'] ?? env['AMQP_MANAGEMENT_TOKEN']
  return new ManagementClient(chosenUrl, chosenToken === '' ? undefined : chosenToken)
}

/** The management port as a flag or the environment has it, and what it's called there. */
function choosePort(port: string | undefined, env: Terminal['env']): [origin: string, port: string] {
  if (port !== undefined) return ['the port', port]
  // Empty counts as not set, as in Warren itself.
  const { WARREN_PORT = '', AMQP_MANAGEMENT_PORT = '', AMQP_LISTEN_PORT = '' } = env
  // Kubernetes sets WARREN_PORT=tcp://… for a service of that name.
  if (WARREN_PORT !== '' && !WARREN_PORT.startsWith('tcp:')) return ['WARREN_PORT', WARREN_PORT]
  if (AMQP_MANAGEMENT_PORT !== '' && AMQP_MANAGEMENT_PORT !== 'auto')
    return ['AMQP_MANAGEMENT_PORT', AMQP_MANAGEMENT_PORT]
  const listenPort = /^\d{1,5}$/.test(AMQP_LISTEN_PORT) ? Number(AMQP_LISTEN_PORT) : USUAL_LISTEN_PORT
  return ['the port', String(listenPort + MANAGEMENT_OFFSET)]
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
