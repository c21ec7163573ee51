import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess, runToExit } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const CTL = fileURLToPath(new URL('../../dist/ctl.js', import.meta.url))

interface Result {
  code: number
  stdout: string
  stderr: string
}

describe('management', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
  })
  afterEach(() => warren?.stop())

  const start = async (...args: string[]): Promise<void> => {
    warren = await WarrenProcess.start(broker.port, args)
  }

  /** What warrenctl says, with the words as they're typed. */
  function ctl(words: string, env: NodeJS.ProcessEnv = {}): Promise<Result> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [CTL, ...words.split(' ')],
        { env: { PATH: process.env['PATH'], WARREN_PORT: String(warren.managementPort), ...env } },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : (error.code as unknown as number), stdout, stderr }),
      )
    })
  }

  async function http(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`http://127.0.0.1:${warren.managementPort}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }

  it('shows and changes the limit by HTTP, by warrenctl and by signals, and remembers who did it', async () => {
    await start('--pool-max-client-connections', '1000')
    const client = await WireClient.connect(warren.port)
    expect((await http('PUT', '/limit', { limit: 2000 })).body).to.deep.equal({
      status: 'success',
      new_limit: 2000,
      message: 'Connection limit updated to 2000',
    })
    expect(await ctl('increase 500')).to.deep.equal({
      code: 0,
      stdout: 'Connection limit increased from 2000 to 2500\n',
      stderr: '',
    })
    warren.signal('SIGUSR1')
    await eventually(async () => expect((await ctl('status')).stdout).to.contain('Current Limit: 2600\n'))
    expect((await ctl('stats')).stdout).to.equal(
      'Active Connections: 1\nMax Connections: 2600\nUsage Percentage: 0.04%\nAvailable Slots: 2599\n',
    )
    const { changes } = JSON.parse((await ctl('--json history')).stdout) as { changes: { who: string }[] }
    expect(changes.map(({ who }) => who)).to.deep.equal(['http', 'cli', 'signal'])
    expect(await ctl('decrease 2600')).to.include({
      code: 1,
      stderr: 'Error: connection limit must be positive: it is 2600, and cannot go down by 2600\n',
    })
    expect((await ctl('limit none')).stdout).to.equal('Connection limit of 2600 lifted\n')
    await client.close()
  })

  it('lists and kills a client', async () => {
    await start()
    const client = await WireClient.connect(warren.port, {
      clientProperties: { connection_name: 'invoices' },
    })
    await client.openChannel(1)
    await client.declareQueue(1)
    expect((await ctl('clients')).stdout).to.match(
      /^ID +REMOTE +NAME +USER[^]*\nc1 +127\.0\.0\.1:\d+ +invoices +guest +\/ +p1 +open +1 /,
    )
    expect((await ctl('upstreams')).stdout).to.match(/\nu\d+ +p1 +guest +\/ +open /)
    expect((await ctl('pools')).stdout).to.match(/\np1 +guest +\/ +open +1 +1 +1 +0\n/)
    expect((await ctl('kill c1')).stdout).to.equal('Client c1 closed\n')
    expect(await client.expectMethod('connection.close')).to.include({ code: 320 })
    client.reset()
    expect(await ctl('kill c99')).to.include({ code: 1, stderr: 'Error: there is no client c99\n' })
    expect((await ctl('top --once')).stdout).to.match(/^Warren .*\n\nclients /)
  })

  it('tells health and readiness, and the metrics in the form of Prometheus', async () => {
    await start()
    expect(await ctl('health')).to.include({
      code: 0,
      stdout: 'Status: healthy\nService: warren\nReady: yes\n',
    })
    const response = await fetch(`http://127.0.0.1:${warren.managementPort}/metrics`)
    expect(response.headers.get('content-type')).to.match(/^text\/plain; version=0\.0\.4/)
    const text = await response.text()
    for (const series of [
      'warren_clients{state="open"} 0',
      'warren_accepting 1',
      'process_cpu_seconds_total',
    ])
      expect(text).to.contain(series)
  })

  it('says in one line that there is no server', async () => {
    await start()
    await warren.stop()
    const { code, stdout, stderr } = await ctl('status')
    expect({ code, stdout }).to.deep.equal({ code: 69, stdout: '' })
    expect(stderr).to.equal(
      `Error: Failed to connect to management server: connection refused (http://127.0.0.1:${warren.managementPort})\n`,
    )
    expect((await ctl('frobnicate')).code).to.equal(2)
  })

  it('reads its configuration again on SIGHUP, and says what needs a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'warren-reload-'))
    const file = join(folder, 'warren.toml')
    writeFileSync(file, '[pool]\nmax_client_connections = 10\n')
    await start('--config', file)
    writeFileSync(file, '[pool]\nmax_client_connections = 20\nmax_channels = 5\n')
    warren.signal('SIGHUP')
    await eventually(() =>
      expect(warren.lines('configuration reloaded')[0]).to.deep.include({
        applied: ['pool.max_client_connections'],
        needsRestart: ['pool.max_channels'],
      }),
    )
    expect((await http('GET', '/limit')).body).to.deep.equal({ current_limit: 20, active_connections: 0 })
    writeFileSync(file, 'rubbish')
    warren.signal('SIGHUP')
    await eventually(() => expect(warren.lines('configuration not reloaded')).to.have.length(1))
    rmSync(folder, { recursive: true })
  })

  it('refuses on SIGHUP what cannot be now, applies the rest, and tries again at the next SIGHUP', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'warren-reload-'))
    const file = join(folder, 'warren.toml')
    const write = (limit: number, rest = ''): void => {
      writeFileSync(file, `[pool]\nmax_client_connections = ${limit}\n${rest}`)
    }
    const limit = async (): Promise<unknown> => (await http('GET', '/limit')).body
    write(10)
    await start('--config', file)
    const clients = [await WireClient.connect(warren.port), await WireClient.connect(warren.port)]
    write(1, 'max_upstream_connections = 7\nmax_channels = 50\n')
    const refusals = (): unknown[] => warren.lines('configuration reloaded, but for what was refused')
    const refusal = {
      level: 'warn',
      applied: ['pool.max_upstream_connections'],
      needsRestart: ['pool.max_channels'],
      refused: ['pool.max_client_connections: cannot set limit to 1 when 2 connections are active'],
    }
    warren.signal('SIGHUP')
    await eventually(() => expect(refusals()).to.have.length(1))
    expect(refusals()[0]).to.deep.include(refusal)
    expect(await limit()).to.deep.equal({ current_limit: 10, active_connections: 2 })
    // Neither what was refused nor what needs a restart is forgotten.
    warren.signal('SIGHUP')
    await eventually(() => expect(refusals()).to.have.length(2))
    expect(refusals()[1]).to.deep.include({ ...refusal, applied: [] })
    clients.pop()!.reset()
    await eventually(async () =>
      expect(await limit()).to.deep.equal({ current_limit: 10, active_connections: 1 }),
    )
    warren.signal('SIGHUP')
    await eventually(async () =>
      expect(await limit()).to.deep.equal({ current_limit: 1, active_connections: 1 }),
    )
    // From then on the limit is that of whoever changed it last.
    await http('PUT', '/limit', { limit: 5 })
    warren.signal('SIGHUP')
    await eventually(() => expect(warren.lines('configuration reloaded')).to.have.length(2))
    expect(warren.lines('configuration reloaded')[1]).to.deep.include({
      applied: [],
      needsRestart: ['pool.max_channels'],
      refused: [],
    })
    expect(await limit()).to.deep.equal({ current_limit: 5, active_connections: 1 })
    clients[0].reset()
    rmSync(folder, { recursive: true })
  })

  it('drains as SIGTERM does', async () => {
    await start()
    expect((await ctl('drain')).stdout).to.equal('Draining: 0 clients with 5 s to finish\n')
    expect((await warren.exited).code).to.equal(0)
  })

  it('needs a token on an address that others can reach', async () => {
    const { code, stderr } = await runToExit(['--management-address', '0.0.0.0'])
    expect(code).to.equal(78)
    expect(stderr.trim().split('\n')).to.have.length(1)
    await start('--management-token', 'let-me-change', '--management-read-token', 'let-me-look')
    expect(await ctl('status')).to.include({ code: 1, stderr: 'Error: a bearer token is needed\n' })
    expect((await ctl('status --token let-me-look')).code).to.equal(0)
    expect(await ctl('limit 5', { WARREN_TOKEN: 'let-me-look' })).to.include({ code: 1 })
    expect((await ctl('limit 5', { WARREN_TOKEN: 'let-me-change' })).code).to.equal(0)
  })
})
