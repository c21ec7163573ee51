/** Warren as the demonstration runs it: the built program, on this machine's loopback address alone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { Failure, within } from './failure.js'
import { choosePorts } from './ports.js'
import { mayStart, remember } from './started.js'

const ADDRESS = '127.0.0.1'
const START_LIMIT_MS = 20_000
const OUTPUT_LINES_KEPT = 10

interface LogLine {
  readonly level: string
  readonly message: string
  readonly reason?: string
}

export class Warren {
  private readonly output: string[] = []
  private opened = 0
  private ready: () => void = () => undefined
  /** Called with what Warren warns of. */
  onTrouble: (text: string) => void = () => undefined

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    readonly managementPort: number,
    private readonly exited: Promise<unknown>,
  ) {}

  /** Resolves when it accepts clients. */
  static async start(broker: URL): Promise<Warren> {
    await mayStart()
    const { port, management: managementPort } = await choosePorts(process.env, freePort)
    const upstream = `${broker.protocol}//${broker.host}`
    const listen = ['--listen-address', ADDRESS, '--listen-port', String(port)]
    const management = ['--management-port', String(managementPort)]
    const log = ['--log-format', 'json', '--log-level', 'info']
    const env = { ...process.env }
    // It may hold credentials, and clients bring their own.
    delete env.AMQP_UPSTREAM_URL
    const child = spawn(process.execPath, ['dist/main.js', ...listen, ...management, ...log, upstream], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const warren = new Warren(child, port, managementPort, once(child, 'exit'))
    remember({ stop: () => warren.stop(), kill: () => child.kill('SIGKILL') })
    const listening = new Promise<void>((resolve) => (warren.ready = resolve))
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => warren.read(line))
    await within(START_LIMIT_MS, "Warren's start", Promise.race([listening, warren.ended()]))
    return warren
  }

  /** How many connections to the broker it has opened so far, as its log tells. */
  get upstreamConnectionsOpened(): number {
    return this.opened
  }

  /** Where people can watch it. */
  get statusPage(): string {
    return `http://${ADDRESS}:${this.managementPort}/`
  }

  /** The broker's URL as Warren's clients write it. */
  urlFor(broker: URL): URL {
    const url = new URL(broker)
    url.protocol = 'amqp:'
    url.hostname = ADDRESS
    url.port = String(this.port)
    return url
  }

  /** Rejects when the process has ended by itself. */
  async ended(): Promise<never> {
    await this.exited
    const how = this.child.signalCode ?? `exit code ${this.child.exitCode}`
    throw new Failure([`Warren has ended (${how}).`, ...this.output].join('\n'))
  }

  private async stop(): Promise<void> {
    this.child.kill('SIGTERM')
    await this.exited
  }

  private read(line: string): void {
    const entry = parse(line)
    if (!entry) this.output.push(line)
    else if (entry.message === 'listening') this.ready()
    else if (entry.message === 'upstream connection opened') this.opened++
    else if (entry.level === 'warn' || entry.level === 'error') {
      const text = entry.message + (entry.reason ? `: ${entry.reason}` : '')
      this.output.push(text)
      this.onTrouble(text)
    }
    this.output.splice(0, this.output.length - OUTPUT_LINES_KEPT)
  }
}

function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

/** The port if nobody listens on it; for 0, any that is free. */
async function freePort(port: number): Promise<number | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(port, ADDRESS, () => {
      const found = (server.address() as AddressInfo).port
      server.close(() => resolve(found))
    })
  })
}
