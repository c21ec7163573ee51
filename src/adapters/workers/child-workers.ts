/** Workers as child processes: messages and sockets go over the channel that Node has between the two. */
import { type ChildProcess, fork } from 'node:child_process'
import type {
  FromWorker,
  HeldConnection,
  ToWorker,
  WorkerEvents,
  WorkerProcess,
  WorkerProcesses,
} from '../../application/ports/worker-processes.js'
import type { FileSnapshot } from '../config/file-snapshot.js'
import type { ConnectionMessage } from './handed-sockets.js'
import { HeldSocket } from './socket-gate.js'
import type { StartMessage } from './start-message.js'

/** What all workers of a Warren start with. */
export type CommonStart = Omit<StartMessage, 'kind' | 'number' | 'reloaded'>

/** Starts `program` for each worker. */
export class ChildWorkers implements WorkerProcesses {
  readonly #program: string
  readonly #common: CommonStart
  /** What the configuration's files held at the last reload: what starts later begins with that. */
  reloaded: FileSnapshot | undefined

  constructor(program: string, common: CommonStart) {
    this.#program = program
    this.#common = common
  }

  start(number: number, events: WorkerEvents): WorkerProcess {
    // The argument is for whoever looks at a list of processes.
    const child = fork(this.#program, [`worker-${number}`], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const message: StartMessage = { kind: 'start', number, ...this.#common, reloaded: this.reloaded }
    child.send(message, ignore)
    return new ChildWorker(child, events)
  }
}

class ChildWorker implements WorkerProcess {
  readonly #child: ChildProcess

  constructor(child: ChildProcess, events: WorkerEvents) {
    this.#child = child
    child.on('message', (message) => events.onMessage(message as FromWorker))
    let isOver = false
    const end = (code: number | null, signal: string | null): void => {
      if (isOver) return
      isOver = true
      events.onExit(code, signal)
    }
    // Last words may come after the exit; the pipe is closed behind them.
    let exit: readonly [number | null, string | null] | undefined
    child.on('exit', (code, signal) => {
      exit = [code, signal]
      if (!child.connected) end(code, signal)
    })
    child.on('disconnect', () => {
      if (exit === undefined) child.kill('SIGKILL')
      else end(...exit)
    })
    // It couldn't be started at all.
    child.on('error', () => {
      if (child.pid === undefined) end(null, null)
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  hand(connection: HeldConnection, isTls: boolean): void {
    if (!(connection instanceof HeldSocket)) return
    const message: ConnectionMessage = { kind: 'connection', isTls }
    this.#child.send(message, connection.socket, {}, ignore)
  }

  send(message: ToWorker): void {
    this.#child.send(message, ignore)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** What can't be sent is for a process that is gone; its end is heard of. */
function ignore(): void {}
