/** Worker processes that the test plays itself. */
import type {
  FromWorker,
  HeldConnection,
  ToWorker,
  WorkerEvents,
  WorkerProcess,
  WorkerProcesses,
} from '../../src/application/ports/worker-processes.js'

export class FakeConnection implements HeldConnection {
  hasLeft = false
  isClosed = false

  close(): void {
    this.isClosed = this.hasLeft = true
  }
}

export class FakeWorker implements WorkerProcess {
  readonly sent: ToWorker[] = []
  readonly got: FakeConnection[] = []
  /** Connections stay in the supervisor, as they do while the pipe is busy. */
  isPipeStuck = false
  isKilled = false
  /** It answers nothing, not even whether it's there. */
  isHung = false

  constructor(
    readonly number: number,
    readonly pid: number,
    private readonly events: WorkerEvents,
  ) {}

  hand(connection: HeldConnection): void {
    this.got.push(connection as FakeConnection)
    ;(connection as FakeConnection).hasLeft = !this.isPipeStuck
  }

  send(message: ToWorker): void {
    if (message.kind !== 'ask' || message.question !== 'pulse') this.sent.push(message)
    else if (!this.isHung) queueMicrotask(() => this.says({ kind: 'answer', id: message.id, answer: null }))
  }

  kill(): void {
    this.isKilled = true
  }

  says(message: FromWorker): void {
    this.events.onMessage(message)
  }

  exits(code: number | null, signal: string | null = null): void {
    this.events.onExit(code, signal)
  }

  /** Answers what it was asked last. */
  answers(answer: unknown): void {
    const asked = this.sent.findLast((message) => message.kind === 'ask')
    if (asked?.kind !== 'ask') throw new Error('nothing was asked')
    this.says({ kind: 'answer', id: asked.id, answer })
  }

  get isDraining(): boolean {
    return this.sent.some(({ kind }) => kind === 'drain')
  }
}

export class FakeWorkers implements WorkerProcesses {
  /** All that were ever started, in order. */
  readonly all: FakeWorker[] = []

  start(number: number, events: WorkerEvents): WorkerProcess {
    const worker = new FakeWorker(number, 1000 + this.all.length, events)
    this.all.push(worker)
    return worker
  }

  /** The process that has the number now. */
  get(number: number): FakeWorker {
    return this.all.findLast((worker) => worker.number === number)!
  }
}
