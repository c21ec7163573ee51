/** The example of docs/adapters.md, run: a Warren with adapters from outside carries messages of a real client. */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import amqplib from 'amqplib'
import { expect } from 'chai'
import { type Embedded, startEmbedded } from '../../examples/adapters/embedded.js'
import { SyslogLogger } from '../../examples/adapters/syslog-logger.js'
import { sharedBroker } from '../support/shared-broker.js'

const TOKEN = 'from-the-vault'

describe('Warren with adapters of another program', function () {
  this.timeout(60_000)
  const tunnels: string[] = []
  const sockets = new Set<Socket>()
  const log = new PassThrough()
  let lines = ''
  let proxy: Server
  let embedded: Embedded

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
    // Only the proxy knows this name.
    const options = [
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
    })
  })

  after(() => {
    proxy.close()
    for (const socket of sockets) socket.destroy()
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
    expect(metrics.entered).to.equal(1)
    expect(metrics.slowestHandshakeSeconds).to.be.above(0)
    const ask = async (token: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${addresses.management?.port}/metrics`, {
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await ask('something-else')).status).to.equal(401)
    expect(await (await ask(TOKEN)).text()).to.contain('warren_handshake_duration_seconds_count 1')

    expect(await embedded.warren.shutDown()).to.include({ cutOff: 0 })
    expect(lines).to.match(/^<30>1 \S+Z \S+ warren \d+ - - listening .*port=\d+/m)
    expect(lines).not.to.contain(TOKEN)
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
