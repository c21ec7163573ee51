/** Programs that use a client of another language: run as processes, ended with the test run at the latest. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemCommand } from '../../scripts/client-packages.mjs'

const PROGRAMS = new URL('../integration/clients/programs/', import.meta.url)
const LIMIT_MS = 150_000

const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** The path of a program beside the tests of the clients. */
export function programPath(name: string): string {
  return fileURLToPath(new URL(name, PROGRAMS))
}

/** A client program that runs. */
export class ClientProgram {
  readonly #lines: string[] = []
  readonly #waiting = new Set<() => void>()
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  #errors = ''

  private constructor(child: ChildProcess, limitMs: number) {
    this.#child = child
    running.add(child)
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs)
    createInterface(child.stdout!).on('line', (line) => {
      this.#lines.push(line)
      this.#wake()
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-16_384)
      this.#wake()
    })
    this.#ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#errors += error.message
        resolve(127)
      })
      child.on('close', resolve)
    })
    void this.#ended.then(() => {
      clearTimeout(limit)
      running.delete(child)
      this.#wake()
    })
  }

  /** Starts a command; the interpreter for a name that ends in .php or .py, which stands among the programs. */
  static start(
    command: string,
    args: (string | number)[],
    options: { limitMs?: number; input?: string } = {},
  ): ClientProgram {
    const interpreter = { php: 'php', py: 'python3' }[command.split('.')[1]]
    const all = interpreter === undefined ? args : [programPath(command), ...args]
    const child = spawn(systemCommand(interpreter ?? command), all.map(String), {
      cwd: fileURLToPath(PROGRAMS),
      env: {
        PATH: process.env['PATH'],
        LANG: 'C.UTF-8',
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONUNBUFFERED: '1',
      },
      stdio: 'pipe',
    })
    // A program that fails early doesn't read its input.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
    return new ClientProgram(child, options.limitMs ?? LIMIT_MS)
  }

  /** Resolves when a line of either output has this text. */
  async says(text: string): Promise<void> {
    while (!this.#lines.some((line) => line.includes(text)) && !this.#errors.includes(text)) {
      if (!running.has(this.#child)) throw new Error(`It ended without saying '${text}':\n${this.#output()}`)
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  /** Resolves with the lines that it printed, when it has ended with exit code 0; rejects with all it said otherwise. */
  async succeeds(): Promise<string[]> {
    const code = await this.#ended
    if (code !== 0) throw new Error(`It ended with ${code ?? 'a signal'}:\n${this.#output()}`)
    return this.#lines
  }

  /** Asks it to end as a process supervisor does, and resolves when it has. */
  async terminate(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
  }

  #output(): string {
    return [...this.#lines, this.#errors].join('\n')
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}
