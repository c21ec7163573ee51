import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missingClient } from '../../../scripts/client-packages.mjs'
import { ClientProgram } from '../../support/client-program.js'
import { eventually } from '../../support/eventually.js'
import { takeAll } from '../../support/queue-contents.js'
import { RabbitMqBroker } from '../../support/rabbitmq-broker.js'
import { WarrenProcess } from '../../support/warren-process.js'
import { WireClient } from '../../support/wire-client.js'

const QUEUE = 'orders'
/** Sessions of all programs together that must have come and gone before, during and after the outage. */
const SESSIONS = 200
const LIMIT_MS = 200_000

describe('PHP requests that connect, publish one message and leave, while the broker crashes and starts again', function () {
  this.timeout(240_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess
  let directory: string

  before(async () => {
    broker = await RabbitMqBroker.start()
  })
  after(() => broker.stop())
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'warren-php-'))
    const keeping = ['--pool-publish-buffer-size', '100000', '--pool-publish-guarantee', 'confirmed']
    warren = await WarrenProcess.start(broker.port, keeping)
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    await client.declareQueue(1, QUEUE, { durable: true })
    // The broker writes down what it was told to declare a moment after it has said so.
    await broker.eval('mnesia:sync_log()')
    await client.close()
  })
  afterEach(async () => {
    // Programs that still run must not wait for the limit.
    writeFileSync(join(directory, 'stop'), '')
    await warren.stop()
    await broker.deleteAllQueues()
    rmSync(directory, { recursive: true })
  })

  for (const client of ['php-amqp', 'php-amqplib'] as const)
    it(`all succeed, and all messages arrive, in each publisher's order (${client})`, async function () {
      const missing = missingClient(client)
      if (missing !== undefined) {
        console.log(`      skipped: ${missing}`)
        this.skip()
      }
      const names = ['one', 'two']
      const programs = names.map((name) =>
        ClientProgram.start(`${client}/outage.php`, [warren.port, QUEUE, name, join(directory, 'stop')], {
          limitMs: LIMIT_MS,
        }),
      )
      const counts = Promise.all(
        programs.map(async (program) => JSON.parse((await program.succeeds()).at(-1)!) as number),
      )
      const gone = (): number => warren.lines('client disconnected').length
      const more = async (): Promise<void> => {
        const before = gone()
        await eventually(() => expect(gone()).to.be.least(before + SESSIONS), 90_000)
      }
      const outage = async (): Promise<void> => {
        await more()
        await broker.kill()
        await eventually(() => expect(warren.lines('upstream connection lost')).not.to.have.length(0))
        await more()
        await broker.restart()
        await eventually(() => expect(warren.lines('publish buffer drained')).not.to.have.length(0), 90_000)
        await more()
        writeFileSync(join(directory, 'stop'), '')
      }
      // A request that fails is seen at once.
      await Promise.race([outage(), counts.then(() => undefined)])
      const published = await counts

      const bodies = await takeAll(broker.port, QUEUE)
      for (const [at, name] of names.entries()) {
        const arrived = new Set(bodies.filter((body) => body.startsWith(`${name}:`)))
        expect([...arrived]).to.deep.equal(Array.from({ length: published[at] }, (_, n) => `${name}:${n}`))
      }
      const reasons = new Set(warren.lines('client disconnected').map((line) => line['reason']))
      expect([...reasons]).to.deep.equal(['Connection.Close'])
    })
})
