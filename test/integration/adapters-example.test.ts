/** The example of docs/adapters.md, run: a Warren with adapters from outside carries messages of a real client, and those of an earlier run. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import amqplib from 'amqplib'
import { expect } from 'chai'
import { type Embedded, startEmbedded } from '../../examples/adapters/embedded.js'
import { startWarren } from '../../examples/adapters/smallest.js'
import { SyslogLogger } from '../../examples/adapters/syslog-logger.js'
import { SystemClock } from '../../src/adapters/clock/system-clock.js'
import { FileJournal } from '../../src/adapters/journal/file-journal.js'
import { eventually } from '../support/eventually.js'
import { takeAll } from '../support/queue-contents.js'
import { RecordingLogger } from '../support/recording-logger.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WireClient } from '../support/wire-client.js'
import { publishFrames } from '../support/wire-format.js'

const TOKEN = 'from-the-vault'
const KEPT = 'kept-by-the-example'

describe('Warren with adapters of another program', function () {
  this.timeout(180_000)
  const tunnels: string[] = []
  const sockets = new Set<Socket>()
  const log = new PassThrough()
  let lines = ''
  let proxy: Server
  let embedded: Embedded
  let folder: string

  /** Messages of a run that has ended before its broker came back. */
  const leave = (directory: string, user: string, ...bodies: string[]): void => {
    const journal = FileJournal.open(
      { directory, sync: 'never' },
      { clock: new SystemClock(), logger: new RecordingLogger() },
    )
    for (const body of bodies)
      journal.append({ user, virtualHost: '/' }, publishFrames(1, { routingKey: KEPT, body }), undefined)
    journal.close()
  }

  before(async () => {
    const broker = await sharedBroker()
    proxy = createServer().on('connect', ({ url }, client) => {
      tunnels.push(String(url))
      const onward = connect(Number(String(url).split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        client.pipe(onward).pipe(client)
      })
      for (const socket of [onward, client as Socket]) {
        sockets.add(socket)
        socket.on('error', () => socket.destroy())
      }
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    log.on('data', (chunk: Buffer) => (lines += chunk.toString()))
    const { port } = proxy.address() as AddressInfo
    folder = mkdtempSync(join(tmpdir(), 'warren-example-'))
    const [journal, passwords] = [join(folder, 'journal'), join(folder, 'passwords')]
    leave(journal, 'guest', 'one', 'two')
    leave(journal, '../passwords/guest', 'not mine')
    mkdirSync(passwords)
    writeFileSync(join(passwords, 'guest'), 'guest\n')
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    await client.declareQueue(1, KEPT, { durable: true })
    await client.close()
    // Only the proxy knows this name.
    const options = [
      '--pool-publish-buffer-size',
      '100',
      '--pool-publish-buffer-dir',
      journal,
      '--listen-address',
      '127.0.0.1',
      '--listen-port',
      '0',
      `amqp://broker.inside:${broker.port}`,
    ]
    embedded = await startEmbedded(options, {
      log,
      proxy: { host: '127.0.0.1', port },
      vault: (name) => Promise.resolve(name === 'warren/management-token' ? TOKEN : ''),
      passwords,
    })
  })

  after(async () => {
    rmSync(folder, { recursive: true })
    proxy.close()
    await (await sharedBroker()).deleteAllQueues()
    for (const socket of sockets) socket.destroy()
  })

  it('publishes by their credentials what an earlier run has left, before anybody comes', async () => {
    const broker = await sharedBroker()
    expect(await takeAll(broker.port, KEPT)).to.deep.equal(['one', 'two'])
    expect(lines).to.match(/^<28>1 .* its password is not known user='..\/passwords\/guest' .*messages=1/m)
  })

  it('reaches the broker by their transport, logs where they say, counts for them, and uses their secret', async () => {
    const { addresses, metrics } = embedded
    const connection = await amqplib.connect(`amqp://guest:guest@127.0.0.1:${addresses.plain?.port}`)
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    const arrived = new Promise<string>((resolve) => {
      void channel.consume(queue, (message) => resolve(String(message?.content)), { noAck: true })
    })
    channel.sendToQueue(queue, Buffer.from('through the tunnel'))
    expect(await arrived).to.equal('through the tunnel')
    await connection.close()

    const broker = await sharedBroker()
    expect(new Set(tunnels)).to.deep.equal(new Set([`broker.inside:${broker.port}`]))
    expect(metrics.counts.get('came in')).to.equal(1)
    expect(metrics.counts.get('broker reached')).to.be.above(0)
    expect(metrics.lastHandshakeSeconds).to.be.above(0)
    expect(embedded.warren.overview.summary().traffic.publishes).to.equal(1)
    const ask = async (token: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${addresses.management?.port}/metrics`, {
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await ask('something-else')).status).to.equal(401)
    expect(await (await ask(TOKEN)).text()).to.contain('warren_handshake_duration_seconds_count 1')

    expect(await embedded.warren.shutDown()).to.include({ cutOff: 0, buffered: 1 })
    expect(lines).to.match(/^<30>1 \S+Z \S+ warren \d+ - - listening .*port=\d+/m)
    expect(lines).not.to.contain(TOKEN)
  })

  it('needs no more than options to be there, and to go', async () => {
    const broker = await sharedBroker()
    const options = ['--listen-address', '127.0.0.1', '--listen-port', '0', '--log-level', 'error']
    const { warren, addresses } = await startWarren([...options, `amqp://127.0.0.1:${broker.port}`])
    const connection = await amqplib.connect(`amqp://guest:guest@127.0.0.1:${addresses.plain?.port}`)
    const channel = await connection.createChannel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    channel.sendToQueue(queue, Buffer.from('through the smallest'))
    const message = await eventually(async () => {
      const got = await channel.get(queue, { noAck: true })
      return got === false ? expect.fail('nothing yet') : got
    })
    expect(String(message.content)).to.equal('through the smallest')
    await connection.close()
    expect(await warren.shutDown()).to.include({ cutOff: 0, buffered: 0 })
  })

  it('keeps their log from stopping anything', () => {
    const stream = new PassThrough()
    const logger = SyslogLogger.create(stream, 'warn')
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    logger.child({ client: 'c1' }).warn('odd', { cycle, big: 1n, error: new Error('two\nlines') })
    logger.info('not severe enough')
    logger.setLevel('info')
    logger.info('severe enough')
    const written = String(stream.read()).trim().split('\n')
    stream.destroy(new Error('disk full'))
    logger.error('lost')
    expect(written).to.have.length(2)
    expect(written[0]).to.match(/^<28>1 .* odd client='c1' cycle=.* big=1n/)
    expect(written[1]).to.match(/^<30>1 .* severe enough$/)
  })
})
