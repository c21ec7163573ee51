/** Warren as its users run it: a process of `dist/main.js`, started and ended by the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** Several workers take long on a busy machine. */
const START_TIMEOUT_MS = 60_000

/** One line of Warren's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly message: string; readonly level: string }

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** Runs the program until it ends by itself. */
export async function runToExit(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Exit> {
  const { child, exit } = launch(args, env)
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
  const ended = await exit
  clearTimeout(timer)
  return ended
}

export class WarrenProcess {
  readonly log: LogLine[]
  readonly port: number
  /** Of the management server. */
  readonly managementPort: number
  readonly #child: ChildProcess
  readonly #exit: Promise<Exit>

  private constructor(child: ChildProcess, exit: Promise<Exit>, log: LogLine[], port: number) {
    this.#child = child
    this.#exit = exit
    this.log = log
    this.port = port
    this.managementPort = this.lines('management server listening')[0]?.['port'] as number
  }

  /**
   * Starts Warren on a free port in front of `broker`, a port on 127.0.0.1 or an upstream URL; undefined leaves the URL to the environment. Resolves
   * when it accepts clients.
   */
  static async start(
    broker: number | string | undefined,
    args: string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<WarrenProcess> {
    const url = typeof broker === 'number' ? `amqp://127.0.0.1:${broker}` : broker
    const all = ['--listen-address', '127.0.0.1', '--listen-port', '0', '--log-format', 'json', ...args]
    const { child, exit } = launch(url === undefined ? all : [...all, url], env)
    const log: LogLine[] = []
    const port = await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        reject(new Error(`Warren didn't listen within ${START_TIMEOUT_MS} ms`))
      }, START_TIMEOUT_MS)
      createInterface(child.stdout!).on('line', (text) => {
        const line = JSON.parse(text) as LogLine
        log.push(line)
        if (line.message !== 'listening') return
        clearTimeout(timer)
        resolve(line['port'] as number)
      })
      void exit.then(({ code, stderr }) => reject(new Error(`Warren ended with ${code}: ${stderr}`)))
    })
    return new WarrenProcess(child, exit, log, port)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Of the listener with TLS, where there is one. */
  get tlsPort(): number {
    return this.lines('listening')[0]['tlsPort'] as number
  }

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`
  }

  /** The log lines with this message. */
  lines(message: string): LogLine[] {
    return this.log.filter((line) => line.message === message)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves when the process has ended. */
  get exited(): Promise<Exit> {
    return this.#exit
  }

  /** Ends the process at once, whatever state it's in. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}

function launch(args: string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; exit: Promise<Exit> } {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const exit = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr }
  })
  return { child, exit }
}
