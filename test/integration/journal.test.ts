import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { runToExit, WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'
import { eventually } from '../support/eventually.js'

const QUEUE = 'kept'
const MESSAGES = 200

describe('a journal', function () {
  this.timeout(120_000)
  let broker: RabbitMqBroker
  let directory: string
  let warren: WarrenProcess

  const options = (): string[] => [
    '--pool-publish-buffer-size',
    '10000',
    '--pool-publish-buffer-dir',
    directory,
  ]

  before(async () => {
    directory = join(mkdtempSync(join(tmpdir(), 'warren-journal-')), 'journal')
    broker = await RabbitMqBroker.start()
    warren = await WarrenProcess.start(broker.port, options())
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    await client.declareQueue(1, QUEUE, { durable: true })
    await client.close()
  })
  after(async () => {
    await warren.stop()
    await broker.stop()
    rmSync(join(directory, '..'), { recursive: true })
  })

  /** Bodies in the queue, in order, which is then empty. */
  const contents = async (): Promise<string[]> => {
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    const bodies: string[] = []
    for (;;) {
      const message = await client.get(1, QUEUE).catch(() => undefined)
      if (message === undefined) break
      bodies.push(message.body.toString())
    }
    client.reset()
    return bodies
  }

  it('brings through a kill of Warren, in order, what clients had published while the broker was away', async () => {
    await broker.stopApp()
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    const sent = Array.from({ length: MESSAGES }, (_, at) => `message ${at}`)
    for (const body of sent) client.publish(1, { routingKey: QUEUE, body, properties: { deliveryMode: 2 } })
    // Its answer says that Warren has taken everything before it.
    await client.closeChannel(1)
    await warren.stop()

    await broker.startApp()
    warren = await WarrenProcess.start(broker.port, options())
    expect(
      warren.lines('messages of an earlier run wait in the journal for the next login of their users'),
    ).to.have.length(1)
    const next = await WireClient.connect(warren.port)
    await next.openChannel(1)
    next.publish(1, { routingKey: QUEUE, body: 'afterwards' })
    await next.close()
    let arrived: string[] = []
    await eventually(async () => {
      arrived = [...arrived, ...(await contents())]
      expect(arrived).to.have.length(MESSAGES + 1)
    })
    expect(arrived).to.deep.equal([...sent, 'afterwards'])
  })

  it('belongs to one Warren: a second one does not start, and says why', async () => {
    const { code, stdout, stderr } = await runToExit([
      ...options(),
      ...['--listen-port', '0', '--log-format', 'json'],
      `amqp://127.0.0.1:${broker.port}`,
    ])
    expect(code).to.equal(69)
    expect(stdout + stderr)
      .to.contain(directory)
      .and.to.match(/in use|another/)
  })
})
