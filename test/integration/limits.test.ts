import { expect } from 'chai'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../support/eventually.js'
import { LimitChurn } from '../support/limit-churn.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

describe('limits', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
  })
  afterEach(() => warren.stop())

  /** Starts the handshake; false when the connection was closed instead. */
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
    return isIn ? client : undefined
  }

  it('let in exactly 50 of 200 clients that come at once, and close 150', async () => {
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '50'])
    const clients = await Promise.all(Array.from({ length: 200 }, () => enters()))
    const inside = clients.filter((client) => client !== undefined)
    expect(inside).to.have.length(50)
    for (const client of inside) client.reset()
  })

  it('close a connection over the limit at once, and answer the one before it', async () => {
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '2'])
    const first = await WireClient.connect(warren.port)
    const under = await enters()
    expect(under).not.to.equal(undefined)
    const over = await WireClient.dial(warren.port)
    await over.closed
    expect(over.unread).to.equal(0)
    under!.reset()
    await first.close()
  })

  it('let everybody in at 0', async () => {
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '0'])
    const clients = await Promise.all(Array.from({ length: 300 }, () => enters()))
    expect(clients.filter((client) => client !== undefined)).to.have.length(300)
    for (const client of clients) client!.reset()
  })

  for (const limit of ['2', '0'])
    it(`on upstream connections are of no concern while there is room: what fails is the dial (${limit})`, async () => {
      warren = await WarrenProcess.start('amqp://127.0.0.1:1', ['--pool-max-upstream-connections', limit])
      for (const user of ['one', 'two', 'three', 'four']) {
        const client = await WireClient.dial(warren.port)
        client.sendProtocolHeader()
        await client.receiveStart()
        client.startOk({ user, password: 'secret' })
        const close = await client.expectMethod('connection.close')
        expect(close.code).to.equal(503)
        expect(close.text).to.match(/^upstream unreachable: /)
        client.reset()
      }
    })

  it('give a place back after every kind of disconnect', async () => {
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '1'])
    const ways: Record<string, (client: WireClient) => Promise<unknown> | void> = {
      goodbye: (client) => client.close(),
      reset: (client) => client.reset(),
      'a protocol error': async (client) => {
        client.method(0, 'connection.open-ok', {})
        await client.expectMethod('connection.close')
        client.method(0, 'connection.close-ok', {})
        await client.closed
      },
    }
    for (const leave of Object.values(ways)) {
      const client = await eventually(() => WireClient.connect(warren.port))
      expect(await enters()).to.equal(undefined)
      await leave(client)
    }
    await eventually(() => WireClient.connect(warren.port))
  })

  it('refuse with 503 who needs an upstream connection too many', async () => {
    await broker.addUser('limited', 'secret', { vhosts: ['/'] })
    warren = await WarrenProcess.start(broker.port, ['--pool-max-upstream-connections', '1'])
    const first = await WireClient.connect(warren.port)
    const refused = await WireClient.dial(warren.port)
    refused.sendProtocolHeader()
    await refused.receiveStart()
    refused.startOk({ user: 'limited', password: 'secret' })
    const close = await refused.expectMethod('connection.close')
    expect(close).to.include({ code: 503, text: 'upstream connection limit reached' })
    await first.close()
  })

  it('changed 1,000 times while clients come and go lose no connection, and never let one too many in', async function () {
    // Each change waits for its answer, beside a crowd that takes what the machine has: on a busy one that takes more than a minute.
    this.timeout(240_000)
    const CHANGES = 1000
    const ROUNDS = 10
    const KEEPERS = 10
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '30'])
    const ask = async (method: string, path: string, body?: object): Promise<Response> =>
      fetch(`http://127.0.0.1:${warren.managementPort}${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
    const stats = async (): Promise<{ active: number; max: number }> => {
      const answer = (await (await ask('GET', '/stats')).json()) as Record<string, number>
      return { active: answer.active_connections, max: answer.max_connections }
    }
    const crowd = new LimitChurn(warren.port)
    const keepers: WireClient[] = []
    for (let n = 0; n < KEEPERS; n++) keepers.push((await crowd.enter())!)

    /** Who was in before the question and after the answer was in between. */
    const look = async (): Promise<void> => {
      const before = [...crowd.inside]
      const { active, max } = await stats()
      const throughout = before.filter((client) => crowd.inside.has(client)).length
      expect(active).to.be.within(throughout, max)
    }
    let accepted = 0
    const change = async (): Promise<void> => {
      const amount = 1 + Math.floor(Math.random() * 12)
      const ways = [
        () => ask('PUT', '/limit', { limit: 8 + Math.floor(Math.random() * 24) }),
        () => ask('POST', '/limit/increase', { amount }),
        () => ask('POST', '/limit/decrease', { amount }),
      ]
      const response = await ways[Math.floor(Math.random() * ways.length)]()
      const answer = (await response.json()) as { error?: string }
      if (response.status === 200) accepted++
      else
        expect(answer.error).to.match(
          /^cannot set limit to \d+ when \d+ connections are active$|^connection limit must be/,
        )
    }
    /** With nobody coming or going the count is exact: there is room for so many, and not for one more. */
    const count = async (): Promise<void> => {
      await eventually(async () => expect((await stats()).active).to.equal(KEEPERS))
      await ask('PUT', '/limit', { limit: KEEPERS + 7 })
      accepted++
      const { refused } = crowd
      const comers = await Promise.all(Array.from({ length: 25 }, () => crowd.enter()))
      expect(comers.filter((client) => client !== undefined)).to.have.length(7)
      expect(crowd.refused - refused).to.equal(18)
      expect(await stats()).to.deep.equal({ active: KEEPERS + 7, max: KEEPERS + 7 })
      for (const client of comers) {
        if (client === undefined) continue
        crowd.inside.delete(client)
        client.reset()
      }
    }

    for (let round = 1; round <= ROUNDS; round++) {
      crowd.start(20)
      while (accepted < (round * CHANGES) / ROUNDS) {
        await Promise.all([change(), change(), look()])
        // An upward walk would end where nobody is refused any more.
        if (accepted % 25 === 0)
          await ask('PUT', '/limit', { limit: 20 }).then(({ ok }) => (accepted += Number(ok)))
      }
      await crowd.stop()
      await count()
    }
    expect(crowd.lost).to.deep.equal([])
    expect(crowd.served).to.be.above(100)
    expect(crowd.refused).to.be.above(18 * ROUNDS)
    for (const keeper of keepers) {
      await keeper.openChannel(2)
      crowd.inside.delete(keeper)
      await keeper.close()
    }
    await eventually(async () => expect((await stats()).active).to.equal(0))
    const { changes } = (await (await ask('GET', '/limit/history')).json()) as {
      changes: { old: number; new: number }[]
    }
    expect(changes).to.have.length(CHANGES)
    // No change was made on a limit that another had changed meanwhile.
    changes.slice(1).forEach((each, at) => expect(each.old).to.equal(changes[at].new))
  })

  it('go up by 100 on SIGUSR1 and down on SIGUSR2, and open no inspector', async () => {
    warren = await WarrenProcess.start(broker.port, ['--pool-max-client-connections', '150'])
    warren.signal('SIGUSR1')
    await eventually(() =>
      expect(warren.lines('connection limit changed').at(-1)).to.include({
        old: 150,
        new: 250,
        who: 'signal',
      }),
    )
    warren.signal('SIGUSR2')
    await eventually(() =>
      expect(warren.lines('connection limit changed').at(-1)).to.include({ old: 250, new: 150 }),
    )
    warren.signal('SIGUSR2')
    await eventually(() => expect(warren.lines('connection limit changed').at(-1)).to.include({ new: 50 }))
    warren.signal('SIGUSR2')
    await eventually(() =>
      expect(warren.lines('connection limit not changed').at(-1)).to.include({
        reason: 'connection limit must be positive: it is 50, and cannot go down by 100',
      }),
    )
    warren.signal('SIGTERM')
    const { code, stderr } = await warren.exited
    expect(code).to.equal(0)
    expect(stderr).to.equal('')
  })

  it('leave no inspector open that SIGUSR1 has opened before anything of Warren was loaded', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'warren-inspector-'))
    const file = join(folder, 'url')
    const before = `import { open, url } from 'node:inspector'; import { writeFileSync } from 'node:fs'; open(0, '127.0.0.1'); writeFileSync('${file}', url())`
    warren = await WarrenProcess.start(broker.port, [], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(before)}`,
    })
    const { host } = new URL(readFileSync(file, 'utf8'))
    rmSync(folder, { recursive: true })
    await fetch(`http://${host}/json`).then(
      () => expect.fail('the inspector answers'),
      ({ cause }: { cause: NodeJS.ErrnoException }) => expect(cause.code).to.equal('ECONNREFUSED'),
    )
  })
})
