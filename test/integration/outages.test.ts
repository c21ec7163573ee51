import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

describe('a broker that goes and comes back', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await RabbitMqBroker.start()
    warren = await WarrenProcess.start(broker.port)
  })
  after(async () => {
    await warren.stop()
    await broker.stop()
  })

  async function connected(): Promise<WireClient> {
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    await client.declareQueue(1)
    return client
  }

  it('tells its clients with its own words when it is stopped, and serves new ones once it is back', async () => {
    const clients = [await connected(), await connected(), await WireClient.connect(warren.port)]
    const told = clients.map((client) => client.expectMethod('connection.close'))
    const stopping = broker.stopApp()
    for (const close of await Promise.all(told)) {
      expect(close.code).to.equal(320)
      expect(close.text).to.equal(
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
      )
    }
    for (const client of clients) {
      client.method(0, 'connection.close-ok', {})
      await client.closed
    }
    await stopping

    const late = await WireClient.connect(warren.port).catch((error: Error) => error)
    expect(late).to.be.instanceOf(Error)

    await broker.startApp()
    await eventually(async () => (await connected()).close(), 90_000)
  })

  it('closes the sockets of clients that do not answer', async () => {
    const client = await connected()
    await broker.closeAllConnections('maintenance')
    const close = await client.expectMethod('connection.close')
    expect(close.code).to.equal(320)
    expect(close.text).to.contain('maintenance')
    await client.closed
    await eventually(async () => (await connected()).close())
  })

  it('tells its clients within 5 s when it is killed, and Warren finds it again', async () => {
    const client = await connected()
    const told = client.expectMethod('connection.close', 5000)
    await broker.kill()
    const close = await told
    expect(close.code).to.equal(320)
    expect(close.text).to.match(/^CONNECTION_FORCED - upstream connection lost: /)
    client.reset()

    const refused = await WireClient.dial(warren.port)
    refused.sendProtocolHeader()
    await refused.receiveStart()
    refused.startOk()
    const refusal = await refused.expectMethod('connection.close')
    expect(refusal.code).to.equal(503)
    expect(refusal.text).to.match(/^upstream unreachable: .*ECONNREFUSED/)
    refused.reset()

    await broker.restart()
    await eventually(async () => (await connected()).close(), 90_000)
    await eventually(() => expect(warren.lines('pool reconnected')).to.have.length.at.least(1))
  })
})
