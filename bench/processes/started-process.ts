/** A process that the benchmark started, talks to in lines of JSON, and ends by its id whatever happens. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const STOP_TIMEOUT_MS = 5000
const OUTPUT_LINES_KEPT = 10

export interface Message {
  event: string
  message?: string
}

const running = new Set<StartedProcess>()

export class StartedProcess {
  readonly pid: number
  private readonly child: ChildProcess
  private readonly exited: Promise<void>
  private readonly messages: Message[] = []
  private readonly output: string[] = []
  private hasExited = false
  private wake: () => void = () => undefined

  /** `logFile`: takes all output, for a process that has no messages for us. */
  constructor(
    private readonly name: string,
    command: string,
    args: string[],
    private readonly logFile?: string,
  ) {
    const output = logFile ? openSync(logFile, 'w') : 'pipe'
    this.child = spawn(command, args, { stdio: ['pipe', output, output] })
    if (typeof output === 'number') closeSync(output)
    this.pid = this.child.pid ?? 0
    running.add(this)
    this.exited = new Promise((resolve) => {
      const ended = (): void => {
        this.hasExited = true
        running.delete(this)
        this.wake()
        resolve()
      }
      this.child.on('error', (error) => {
        this.output.push(error.message)
        ended()
      })
      this.child.on('close', ended)
    })
    this.child.stdin?.on('error', () => undefined)
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.receive(line))
    }
  }

  get alive(): boolean {
    return !this.hasExited
  }

  /** The last lines that weren't messages. */
  get lastOutput(): string {
    const logged = this.logFile ? readFileSync(this.logFile, 'utf8').trimEnd().split('\n') : []
    return [...logged, ...this.output].slice(-OUTPUT_LINES_KEPT).join('\n')
  }

  send(line: string): void {
    this.child.stdin?.write(`${line}\n`)
  }

  /** The next message that says `event`; an `error` message and the process's end are failures. */
  async next<T extends object>(event: string, timeoutMs: number): Promise<T> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const message = this.messages.shift()
      if (message?.event === 'error') throw new Error(`${this.name}: ${message.message ?? 'failed'}`)
      if (message?.event === event) return message as unknown as T
      if (message) continue
      if (this.hasExited) throw new Error(`${this.name} has ended: ${this.lastOutput || 'no output'}`)
      if (Date.now() >= deadline) throw new Error(`${this.name}: no '${event}' within ${timeoutMs / 1000} s`)
      await this.something(deadline - Date.now())
    }
  }

  /** Closes stdin and gives the process time to leave by itself. */
  async finish(): Promise<void> {
    this.child.stdin?.end()
    await this.stop(undefined)
  }

  async stop(signal: NodeJS.Signals | undefined = 'SIGTERM'): Promise<void> {
    if (this.hasExited) return
    if (signal) this.child.kill(signal)
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.exited
    clearTimeout(timer)
  }

  kill(): void {
    if (!this.hasExited) this.child.kill('SIGKILL')
  }

  private receive(line: string): void {
    const message = parse(line)
    if (message) this.messages.push(message)
    else this.output.push(line)
    if (this.output.length > OUTPUT_LINES_KEPT) this.output.shift()
    this.wake()
  }

  private something(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Runs a TypeScript file of this project. */
export function startScript(name: string, path: string, args: string[]): StartedProcess {
  return new StartedProcess(name, process.execPath, ['--import', 'tsx', path, ...args])
}

export async function stopAllProcesses(): Promise<void> {
  await Promise.all([...running].map((one) => one.stop()))
}

/** For the very end, when nothing can be waited for any more. */
export function killAllProcesses(): void {
  for (const one of running) one.kill()
}

/** Our own messages carry an `event`; a proxy's log lines, JSON or not, don't. */
function parse(line: string): Message | undefined {
  if (!line.startsWith('{"event":')) return undefined
  try {
    return JSON.parse(line) as Message
  } catch {
    return undefined
  }
}
