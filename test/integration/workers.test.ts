import { expect } from 'chai'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestAuthority } from '../support/certificates.js'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess, runToExit } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

interface WorkerRow {
  id: string
  pid: number
  state: string
  clients: number
  starts: number
}

const authority = new TestAuthority()
const server = authority.server()

describe('workers', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess
  const clients: WireClient[] = []

  before(async () => {
    broker = await sharedBroker()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.reset()
    await warren.stop()
  })

  async function start(workers: number, ...args: string[]): Promise<void> {
    warren = await WarrenProcess.start(broker.port, ['--workers', String(workers), ...args])
  }

  async function ask<T = Record<string, unknown>>(path: string, method = 'GET'): Promise<T> {
    const answer = await fetch(`http://127.0.0.1:${warren.managementPort}${path}`, { method })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${answer.status} ${text}`)
    return (path === '/metrics' ? text : JSON.parse(text)) as T
  }

  const workersNow = async (): Promise<WorkerRow[]> =>
    (await ask<{ workers: WorkerRow[] }>('/workers')).workers
  const activeNow = async (): Promise<number> =>
    (await ask<{ active_connections: number }>('/stats')).active_connections

  async function connect(): Promise<WireClient> {
    const client = await WireClient.connect(warren.port)
    clients.push(client)
    return client
  }

  /** Starts the handshake; undefined when the connection was closed instead. */
  async function enters(): Promise<WireClient | undefined> {
    const client = await WireClient.dial(warren.port)
    client.sendProtocolHeader()
    const isIn = await Promise.race([
      client.receiveStart().then(
        () => true,
        () => false,
      ),
      client.closed.then(() => false),
    ])
    if (isIn) clients.push(client)
    return isIn ? client : undefined
  }

  it('let in exactly 50 of 200 clients that come at once, spread evenly', async () => {
    await start(3, '--pool-max-client-connections', '50')
    const all = await Promise.all(Array.from({ length: 200 }, () => enters()))
    expect(all.filter((client) => client !== undefined)).to.have.length(50)
    expect(await activeNow()).to.equal(50)
    expect((await workersNow()).map(({ clients }) => clients).sort()).to.deep.equal([16, 17, 17])
    const { refusals } = await ask<{ refusals: Record<string, number> }>('/summary')
    expect(refusals['client_limit']).to.equal(150)
    for (const client of clients.splice(0)) client.reset()
    await eventually(async () => expect(await activeNow()).to.equal(0))
  })

  it('serve clients as one Warren: lists, sums and metrics are of all of them', async () => {
    await start(2)
    for (let n = 0; n < 4; n++) {
      const client = await connect()
      await client.openChannel(1)
      await client.declareQueue(1)
    }
    const list = await ask<{ total: number; clients: { id: string; pool: string }[] }>('/clients?sort=id')
    expect(list.clients.map(({ id }) => id)).to.deep.equal(['w1-c1', 'w1-c2', 'w2-c1', 'w2-c2'])
    expect(list.clients[3].pool).to.equal('w2-p1')
    const summary = await ask<{ clients: { open: number }; client_channels: number }>('/summary')
    expect(summary).to.deep.include({ client_channels: 4 })
    expect(summary.clients.open).to.equal(4)
    const metrics = await ask<string>('/metrics')
    expect(metrics).to.contain('warren_clients{state="open"} 4\n')
    expect(metrics).to.contain('warren_clients_accepted_total 4\n')
    expect(metrics).to.contain('warren_workers{state="ready"} 2\n')
    expect(metrics).to.match(/^warren_handshake_duration_seconds_count 4$/m)
    expect(await ask('/readyz')).to.deep.include({ status: 'ready', reasons: [] })

    const killed = await ask('/clients/w2-c2', 'DELETE')
    expect(killed).to.include({ client: 'w2-c2' })
    const itsPort = String(killed['remote_address']).split(':')[1]
    const victim = clients.find(({ socket }) => socket.localPort === Number(itsPort))!
    expect((await victim.expectMethod('connection.close')).code).to.equal(320)
    victim.reset()
    await eventually(async () => expect(await activeNow()).to.equal(3))
    for (const missing of ['/clients/w2-c2', '/clients/w7-c1', '/clients/c1'])
      await ask(missing, 'DELETE').then(
        () => expect.fail('it is gone'),
        (error: Error) => expect(error.message).to.match(/^404 /),
      )
  })

  it('that crash take nobody else with them, and are replaced', async () => {
    await start(3)
    for (let n = 0; n < 9; n++) await connect()
    const before = await workersNow()
    expect(before.map(({ clients }) => clients)).to.deep.equal([3, 3, 3])
    process.kill(before[1].pid, 'SIGKILL')
    const gone = new Set<WireClient>()
    for (const client of clients) void client.closed.then(() => gone.add(client))
    await eventually(async () => {
      const [, second] = await workersNow()
      expect(second).to.include({ state: 'ready', starts: 2, clients: 0 })
    })
    await eventually(() => expect(gone.size).to.equal(3))
    expect(await activeNow()).to.equal(6)
    for (const client of clients) {
      if (gone.has(client)) continue
      await client.openChannel(1)
      await client.declareQueue(1)
    }
    await eventually(() =>
      expect(warren.lines('worker crashed: it is started again')[0]).to.include({
        worker: 2,
        signal: 'SIGKILL',
        clients: 3,
      }),
    )
    // The new one has the fewest clients.
    await connect()
    expect((await workersNow())[1].clients).to.equal(1)
    expect(await ask<string>('/metrics')).to.contain('warren_worker_crashes_total 1\n')
    const pids = (await workersNow()).map(({ pid }) => pid)
    await warren.stop()
    // Without their supervisor they end.
    for (const pid of pids) await eventually(() => expect(() => process.kill(pid, 0)).to.throw('ESRCH'))
  })

  it('are replaced one by one while clients come and go, and nobody is refused or cut off', async () => {
    await start(2, '--shutdown-grace', '25')
    const before = await workersNow()
    const idle = await connect()
    let isOver = false
    let served = 0
    const churn = async (): Promise<void> => {
      while (!isOver) {
        const client = await WireClient.connect(warren.port)
        await client.openChannel(1)
        await client.declareQueue(1)
        await client.close()
        served++
      }
    }
    const crowd = Array.from({ length: 8 }, () => churn())
    await eventually(() => expect(served).to.be.above(50))
    expect(await ask('/workers/restart', 'POST')).to.include({ workers: 2 })
    // One that is in the middle of something finishes it, and goes.
    await idle.openChannel(1)
    await idle.close()
    // A client that fails says so at once.
    const failure = Promise.all(crowd).then(() => new Promise<never>(() => undefined))
    await Promise.race([
      failure,
      eventually(() => expect(warren.lines('workers restarted')).to.have.length(1), 90_000),
    ])
    const total = served
    await eventually(() => expect(served).to.be.above(total + 50))
    isOver = true
    await Promise.all(crowd)
    const after = await workersNow()
    expect(after.map(({ starts }) => starts)).to.deep.equal([2, 2])
    for (const { pid } of before) expect(after.map((worker) => worker.pid)).not.to.include(pid)
    await eventually(async () => expect(await activeNow()).to.equal(0))
    const metrics = await ask<string>('/metrics')
    const accepted = Number(/^warren_clients_accepted_total (\d+)$/m.exec(metrics)![1])
    expect(accepted).to.equal(served + 1)
  })

  it('let their clients finish on SIGTERM, with TLS and without, then end with 0', async () => {
    await start(
      2,
      '--shutdown-grace',
      '25',
      '--tls-enabled',
      'true',
      '--tls-port',
      '0',
      '--tls-cert',
      server.cert,
      '--tls-key',
      server.key,
    )
    const plain = [await connect(), await connect()]
    const secure = await WireClient.connect(warren.tlsPort, { tls: { ca: readFileSync(authority.cert) } })
    clients.push(secure)
    for (const client of clients) await client.openChannel(1)
    expect((await workersNow()).map(({ clients }) => clients).sort()).to.deep.equal([1, 2])
    const pids = (await workersNow()).map(({ pid }) => pid)
    warren.signal('SIGTERM')
    await eventually(async () => {
      const late = await WireClient.dial(warren.port).catch((error: NodeJS.ErrnoException) => error)
      if (late instanceof WireClient) late.reset()
      expect(late).to.be.instanceOf(Error).with.property('code', 'ECONNREFUSED')
    })
    for (const client of [...plain, secure]) {
      await client.declareQueue(1)
      await client.close()
    }
    expect((await warren.exited).code).to.equal(0)
    for (const pid of pids) await eventually(() => expect(() => process.kill(pid, 0)).to.throw('ESRCH'))
  })

  it('read the PROXY header of those clients that a balancer sends, and end with 1 when one had to be cut off', async () => {
    const times = ['--shutdown-grace', '0.1', '--shutdown-timeout', '0.5']
    await start(2, '--listen-proxy-protocol-from', '127.0.0.1', ...times)
    const client = await WireClient.dial(warren.port)
    clients.push(client)
    client.send(Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.8 4711 5672\r\n'))
    await client.authenticate()
    client.tuneOk()
    client.open()
    await client.expectMethod('connection.open-ok')
    const list = await ask<{ clients: { remote_address: string }[] }>('/clients')
    expect(list.clients[0].remote_address).to.equal('192.0.2.7:4711')
    warren.signal('SIGINT')
    expect((await warren.exited).code).to.equal(1)
  })

  it('share what signals and SIGHUP change, and end at once on a second signal', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'warren-workers-')), 'warren.toml')
    writeFileSync(file, 'workers = 2\n[pool]\nmax_client_connections = 150\n[shutdown]\ngrace = 20\n')
    warren = await WarrenProcess.start(broker.port, ['--config', file])
    warren.signal('SIGUSR1')
    await eventually(async () => expect(await ask('/limit')).to.include({ current_limit: 250 }))
    writeFileSync(file, 'workers = 2\n[pool]\nmax_client_connections = 70\n[client]\nchannel_max = 7\n')
    warren.signal('SIGHUP')
    await eventually(async () => expect(await ask('/limit')).to.include({ current_limit: 70 }))
    await eventually(() => expect(warren.lines('configuration reloaded')).to.have.length(3))
    // Whoever is started later has the same.
    process.kill((await workersNow())[0].pid, 'SIGKILL')
    await eventually(async () => expect((await workersNow())[0]).to.include({ state: 'ready', starts: 2 }))
    for (let n = 0; n < 2; n++) expect((await connect()).offered.channelMax).to.equal(7)
    const pids = (await workersNow()).map(({ pid }) => pid)
    warren.signal('SIGTERM')
    await eventually(() => expect(warren.lines('shutting down')).not.to.have.length(0))
    warren.signal('SIGTERM')
    expect((await warren.exited).code).to.equal(1)
    for (const pid of pids) await eventually(() => expect(() => process.kill(pid, 0)).to.throw('ESRCH'))
  })

  it('are refused where the upstream limit leaves some of them without a connection', async () => {
    const { code, stderr } = await runToExit([
      '--check',
      '--workers',
      '4',
      '--pool-max-upstream-connections',
      '3',
    ])
    expect(code).to.equal(78)
    expect(stderr).to.contain('pool.max_upstream_connections = 3 from flag').and.to.contain('at least 4')
    expect(await runToExit(['--check', '--workers', 'auto'])).to.include({ code: 0 })
  })
})
