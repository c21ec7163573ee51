import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

describe('limits', function () {
  this.timeout(60_000)
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
        reason: 'connection limit must be positive',
      }),
    )
    warren.signal('SIGTERM')
    const { code, stderr } = await warren.exited
    expect(code).to.equal(0)
    expect(stderr).to.equal('')
  })
})
