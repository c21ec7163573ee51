import { expect } from 'chai'
import { Limits } from '../../../../src/application/operations/limits.js'
import { Supervisor, WorkerNotStarted } from '../../../../src/application/workers/supervisor.js'
import { settle } from '../../../support/fake-byte-stream.js'
import { FakeClock } from '../../../support/fake-clock.js'
import { FakeConnection, type FakeWorker, FakeWorkers } from '../../../support/fake-workers.js'
import { World } from '../../../support/fake-world.js'
import { RecordingLogger } from '../../../support/recording-logger.js'

const NOTHING_BUFFERED = { buffered: { messages: 0 } }

describe('Supervisor', () => {
  let clock: FakeClock
  let logger: RecordingLogger
  let processes: FakeWorkers
  let limits: Limits
  let supervisor: Supervisor
  let crashes: number
  let refused: number

  function create(count: number, limit = 0): void {
    clock = new FakeClock()
    logger = new RecordingLogger()
    processes = new FakeWorkers()
    const settings = {
      ...World.defaults,
      pool: { ...World.defaults.pool, maxClientConnections: limit },
    }
    limits = new Limits(settings, clock, logger)
    crashes = refused = 0
    supervisor = new Supervisor({
      count,
      processes,
      limits,
      settings,
      clock,
      logger,
      random: () => 0.5,
      metrics: { clientRefused: () => refused++, workerCrashed: () => crashes++ },
    })
  }

  async function start(count: number, limit = 0): Promise<void> {
    create(count, limit)
    const started = supervisor.start()
    for (let n = 1; n <= count; n++) processes.get(n).says({ kind: 'ready' })
    await started
  }

  function connect(times = 1): FakeConnection[] {
    return Array.from({ length: times }, () => {
      const connection = new FakeConnection()
      supervisor.admit(connection, false)
      return connection
    })
  }

  const clientsOf = (): number[] => supervisor.workers.map(({ clients }) => clients)
  const worker = (number: number): FakeWorker => processes.get(number)

  it('accepts once all workers are ready', async () => {
    create(2)
    const started = supervisor.start()
    worker(1).says({ kind: 'ready' })
    await settle()
    expect(supervisor.isAccepting).to.equal(false)
    worker(2).says({ kind: 'ready' })
    await started
    expect(supervisor.isAccepting).to.equal(true)
  })

  it('does not start when a worker ends instead, and says with what', async () => {
    create(2)
    const started = supervisor.start()
    worker(2).exits(78)
    const error = await started.catch((reason: unknown) => reason)
    expect(error).to.be.instanceOf(WorkerNotStarted).with.property('code', 78)
  })

  it('gives each client to the worker that has the fewest, and spreads short sessions', async () => {
    await start(3)
    connect(7)
    expect(clientsOf().sort()).to.deep.equal([2, 2, 3])
    const before = clientsOf()
    worker(1).says({ kind: 'closed', count: 2 })
    const late = connect(2)
    expect(worker(1).got.slice(-2)).to.deep.equal(late)
    expect(clientsOf()).to.deep.equal(before)
    for (const number of [1, 2, 3]) worker(number).says({ kind: 'closed', count: clientsOf()[number - 1] })
    for (let n = 0; n < 6; n++) {
      connect()
      const [at] = clientsOf().flatMap((clients, index) => (clients === 0 ? [] : [index]))
      worker(at + 1).says({ kind: 'closed', count: 1 })
    }
    expect(processes.all.map(({ got }) => got.length).reduce((sum, got) => sum + got)).to.equal(15)
    for (const { got } of processes.all) expect(got.length).to.be.within(4, 7)
  })

  it('keeps to the limit over all workers, and gives places back', async () => {
    await start(2, 3)
    expect(connect(5).filter(({ isClosed }) => isClosed)).to.have.length(2)
    expect(refused).to.equal(2)
    expect(logger.messages('warn')).to.deep.equal([
      'connection limit reached: further clients are closed at once',
    ])
    worker(1).says({ kind: 'closed', count: 1 })
    expect(limits.clients.active).to.equal(2)
    expect(connect(2).map(({ isClosed }) => isClosed)).to.deep.equal([false, true])
  })

  it('starts a worker again that crashed: after 500 ms, then twice as long each time', async () => {
    await start(2, 10)
    connect(4)
    worker(1).exits(null, 'SIGSEGV')
    expect(crashes).to.equal(1)
    expect(limits.clients.active).to.equal(2)
    expect(supervisor.workers[0]).to.include({ state: 'down', pid: null, clients: 0 })
    for (const wait of [500, 1000, 2000, 4000]) {
      const { length } = processes.all
      clock.advance(wait - 1)
      expect(processes.all).to.have.length(length)
      clock.advance(1)
      expect(processes.all).to.have.length(length + 1)
      worker(1).exits(1)
    }
    clock.advance(8000)
    worker(1).says({ kind: 'ready' })
    clock.advance(30_000)
    worker(1).exits(1)
    clock.advance(500)
    expect(supervisor.workers[0]).to.include({ state: 'starting' })
  })

  it('gives to others what had not left for a worker that crashed', async () => {
    await start(2)
    worker(1).isPipeStuck = true
    const all = connect(6)
    worker(1).exits(null, 'SIGKILL')
    expect(clientsOf()).to.deep.equal([0, 6])
    expect(worker(2).got).to.have.members(all)
    expect(limits.clients.active).to.equal(6)
  })

  it('holds clients while no worker is there, and for no longer than a handshake may take', async () => {
    await start(2, 10)
    worker(1).exits(1)
    worker(2).exits(1)
    const [early] = connect()
    clock.advance(9999)
    worker(1).says({ kind: 'ready' })
    expect(worker(1).got).to.deep.equal([early])
    worker(1).exits(1)
    const [late] = connect()
    clock.advance(10_000)
    expect(late.isClosed).to.equal(true)
    expect(limits.clients.active).to.equal(0)
  })

  it('ends a worker that does not get ready', () => {
    create(1)
    void supervisor.start()
    clock.advance(45_000)
    expect(worker(1).isKilled).to.equal(true)
  })

  describe('when a worker hangs', () => {
    /** The next question, and the time that an answer may take. */
    const UNANSWERED_MS = 7000
    async function pass(milliseconds: number): Promise<void> {
      for (let gone = 0; gone < milliseconds; gone += 500) {
        clock.advance(500)
        await settle()
      }
    }

    it('gives it no further clients, until it answers again', async () => {
      await start(2)
      worker(1).isHung = true
      await pass(UNANSWERED_MS)
      connect(2)
      expect(clientsOf()).to.deep.equal([0, 2])
      expect(supervisor.workers[0].state).to.equal('silent')
      expect(logger.messages('warn')).to.deep.equal(['worker does not answer: it gets no further clients'])
      worker(1).isHung = false
      await pass(UNANSWERED_MS)
      connect(2)
      expect(clientsOf()).to.deep.equal([2, 2])
      expect(logger.messages('info')).to.include('worker answers again')
      expect(crashes).to.equal(0)
    })

    it('tells it all the same what it is to do once it goes on', async () => {
      await start(1)
      worker(1).isHung = true
      await pass(UNANSWERED_MS)
      supervisor.tellAll('level', 'debug')
      expect(worker(1).sent).to.deep.include({ kind: 'ask', id: 2, question: 'level', about: 'debug' })
    })

    it('holds clients while all of them hang', async () => {
      await start(1)
      worker(1).isHung = true
      await pass(UNANSWERED_MS)
      const [connection] = connect()
      expect(worker(1).got).to.deep.equal([])
      worker(1).isHung = false
      await pass(UNANSWERED_MS)
      expect(worker(1).got).to.deep.equal([connection])
    })

    it('ends and replaces it after half a minute', async () => {
      await start(2)
      worker(1).isHung = true
      await pass(29_000)
      expect(worker(1).isKilled).to.equal(false)
      await pass(15_000)
      expect(worker(1).isKilled).to.equal(true)
      expect(logger.messages('error')).to.deep.equal(['worker does not answer: it is ended'])
      worker(1).exits(null, 'SIGKILL')
      await pass(500)
      worker(1).says({ kind: 'ready' })
      await pass(60_000)
      expect(supervisor.workers.map(({ state }) => state)).to.deep.equal(['ready', 'ready'])
    })
  })

  it('leaves out who does not answer', async () => {
    await start(3)
    const asked = supervisor.askAll('clients')
    worker(1).answers(['a'])
    worker(2).exits(1)
    clock.advance(2000)
    expect(await asked).to.deep.equal([{ number: 1, answer: ['a'] }])
    expect(logger.messages('warn')).to.have.length(2)
  })

  describe('restarting the workers', () => {
    async function begin(): Promise<void> {
      const restarting = supervisor.restartWorkers()
      for (const { number } of [...processes.all]) {
        await settle()
        worker(number).answers(NOTHING_BUFFERED)
      }
      expect(await restarting).to.deep.equal({ done: { workers: processes.all.length } })
      await settle()
    }

    it('replaces one after the other, each when its clients have gone', async () => {
      await start(2)
      connect(2)
      const [first, second] = [worker(1), worker(2)]
      await begin()
      first.answers(NOTHING_BUFFERED)
      await settle()
      expect(supervisor.workers.map(({ state }) => state)).to.deep.equal(['retiring', 'ready'])
      connect(3)
      expect(clientsOf()).to.deep.equal([1, 4])
      expect(first.isDraining).to.equal(false)
      first.says({ kind: 'closed', count: 1 })
      await settle()
      expect(first.sent.at(-1)).to.deep.equal({ kind: 'drain', grace: 0 })
      first.exits(0)
      await settle()
      expect(second.isDraining).to.equal(false)
      worker(1).says({ kind: 'ready' })
      await settle()
      second.answers(NOTHING_BUFFERED)
      await settle()
      expect(supervisor.workers.map(({ state }) => state)).to.deep.equal(['ready', 'retiring'])
      clock.advance(World.defaults.shutdown.grace * 1000)
      await settle()
      expect(second.isDraining).to.equal(true)
      second.exits(1)
      await settle()
      worker(2).says({ kind: 'ready' })
      await settle()
      expect(crashes).to.equal(0)
      expect(logger.messages('info')).to.include('workers restarted')
      expect(supervisor.workers.map(({ starts }) => starts)).to.deep.equal([2, 2])
    })

    it('is refused while it goes on, while a worker is down, and where messages would be lost', async () => {
      await start(1)
      const first = supervisor.restartWorkers()
      await settle()
      expect(await supervisor.restartWorkers()).to.include({ refused: 'conflict' })
      worker(1).answers({ buffered: { messages: 3 } })
      expect(await first)
        .to.have.property('reason')
        .that.contains('3 messages in its publish buffer')
      worker(1).exits(1)
      expect(await supervisor.restartWorkers()).to.have.property('reason', 'worker 1 is down')
    })

    it('stops at a worker that does not come back', async () => {
      await start(2)
      await begin()
      worker(1).answers(NOTHING_BUFFERED)
      await settle()
      worker(1).exits(0)
      await settle()
      worker(1).exits(78)
      await settle()
      expect(logger.messages('warn')).to.include('restarting workers stopped')
      expect(worker(2).isDraining).to.equal(false)
    })
  })

  describe('shutting down', () => {
    it('drains all workers at the same time, and is clean when all of them are', async () => {
      await start(2)
      connect(2)
      const ending = supervisor.shutDown()
      expect([worker(1), worker(2)].map(({ isDraining }) => isDraining)).to.deep.equal([true, true])
      expect(connect()[0].isClosed).to.equal(true)
      worker(1).exits(0)
      worker(2).exits(0)
      expect(await ending).to.deep.equal({ isClean: true })
      expect(clock.pendingTimers).to.equal(0)
    })

    it('is not clean when one of them had to cut something off', async () => {
      await start(2)
      const ending = supervisor.shutDown()
      worker(1).exits(0)
      worker(2).exits(1)
      expect(await ending).to.deep.equal({ isClean: false })
      expect(crashes).to.equal(0)
    })

    it('ends who is not gone in time', async () => {
      await start(2)
      const ending = supervisor.shutDown()
      worker(1).exits(0)
      clock.advance(32_000)
      await settle()
      expect(worker(2).isKilled).to.equal(true)
      worker(2).exits(null, 'SIGKILL')
      expect(await ending).to.deep.equal({ isClean: false })
    })

    it('starts nobody again', async () => {
      await start(2)
      worker(1).exits(1)
      const ending = supervisor.shutDown()
      worker(2).exits(0)
      await ending
      clock.advance(60_000)
      expect(processes.all).to.have.length(2)
    })
  })
})
