import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { eventually } from '../support/eventually.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess, runToExit } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

const EXIT_CONFIGURATION = 78
const EXIT_UNAVAILABLE = 69

describe('the program', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker

  before(async () => {
    broker = await sharedBroker()
  })

  it('stops with one line and EX_CONFIG when the configuration is wrong', async () => {
    const { code, stderr, stdout } = await runToExit(['--pool-max-channels', '70000'])
    expect(code).to.equal(EXIT_CONFIGURATION)
    expect(stderr.trim().split('\n')).to.have.length(1)
    expect(stderr).to.match(/^warren: pool\.max_channels = "70000" from .*--pool-max-channels.*65535/)
    expect(stdout).to.equal('')
  })

  it('names the nearest flag for an unknown one', async () => {
    const { code, stderr } = await runToExit(['--listen-prot', '5000'])
    expect(code).to.equal(EXIT_CONFIGURATION)
    expect(stderr).to.contain('--listen-port')
  })

  it('stops with EX_UNAVAILABLE and says why when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const { code, stdout } = await runToExit([
      '--listen-address',
      '127.0.0.1',
      '--listen-port',
      String(port),
      `amqp://127.0.0.1:${broker.port}`,
    ])
    other.close()
    expect(code).to.equal(EXIT_UNAVAILABLE)
    expect(stdout).to.contain(`cannot listen on 127.0.0.1:${port}`).and.to.contain('EADDRINUSE')
  })

  it('stops with EX_UNAVAILABLE and says why when its journal cannot be', async () => {
    const file = fileURLToPath(import.meta.url)
    const { code, stdout } = await runToExit([
      ...['--listen-address', '127.0.0.1', '--listen-port', '0', '--pool-publish-buffer-size', '10'],
      ...['--pool-publish-buffer-dir', file, `amqp://127.0.0.1:${broker.port}`],
    ])
    expect(code).to.equal(EXIT_UNAVAILABLE)
    expect(stdout).to.contain(`the journal in ${file} can't be read`).and.to.contain('ENOTDIR')
  })

  it('answers --version, --help and --check without starting', async () => {
    expect((await runToExit(['--version'])).stdout).to.match(/^\d+\.\d+\.\d+\n$/)
    expect((await runToExit(['--help'])).stdout).to.contain('warren [options] [amqp://host:port]')
    expect(await runToExit(['--check'])).to.include({ code: 0, stdout: 'configuration ok\n' })
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`lets its clients finish on ${signal}, then ends with 0`, async () => {
      const warren = await WarrenProcess.start(broker.port, ['--shutdown-grace', '25'])
      const client = await WireClient.connect(warren.port)
      await client.openChannel(1)
      await client.declareQueue(1)
      warren.signal(signal)
      await eventually(async () => {
        const late = await WireClient.dial(warren.port).catch((error: NodeJS.ErrnoException) => error)
        if (late instanceof WireClient) late.reset()
        expect(late).to.be.instanceOf(Error).with.property('code', 'ECONNREFUSED')
      })
      await client.declareQueue(1)
      await client.close()
      expect((await warren.exited).code).to.equal(0)
    })

  for (const program of ['main', 'ctl'])
    it(`${program}.js takes it that nobody reads its help to the end`, async () => {
      const child = spawn(process.execPath, [`dist/${program}.js`, '--help'], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      child.stdout.destroy()
      let stderr = ''
      child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
      const [code] = (await once(child, 'close')) as [number]
      expect([code, stderr]).to.deep.equal([0, ''])
    })

  it('sends Connection.Close 320 to clients that stay, closes upstream in order, and ends with 0', async () => {
    const warren = await WarrenProcess.start(broker.port, ['--shutdown-grace', '0.2'])
    const client = await WireClient.connect(warren.port)
    await client.openChannel(1)
    await client.declareQueue(1)
    warren.signal('SIGTERM')
    const close = await client.expectMethod('connection.close')
    expect(close.code).to.equal(320)
    client.method(0, 'connection.close-ok', {})
    await client.closed
    expect((await warren.exited).code).to.equal(0)
    expect(warren.lines('shut down')[0]).to.include({ closedClients: 1, cutOff: 0 })
    await eventually(async () => expect(await broker.connections()).to.have.length(0))
  })

  it('does not wait for connections that never spoke, nor beyond the grace for those still in the handshake', async () => {
    const warren = await WarrenProcess.start(broker.port, ['--shutdown-grace', '0.5'])
    const silent = await WireClient.dial(warren.port)
    const early = await WireClient.dial(warren.port)
    early.sendProtocolHeader()
    await early.receiveStart()
    warren.signal('SIGTERM')
    expect((await warren.exited).code).to.equal(0)
    expect(warren.lines('shut down')[0]).to.include({ closedClients: 0, cutOff: 0 })
    await silent.closed
    await early.closed
  })

  it('ends with 1 when a client had to be cut off', async () => {
    const warren = await WarrenProcess.start(broker.port, [
      '--shutdown-grace',
      '0.1',
      '--shutdown-timeout',
      '1',
    ])
    const client = await WireClient.connect(warren.port)
    warren.signal('SIGTERM')
    expect((await warren.exited).code).to.equal(1)
    client.reset()
  })

  it('ends at once on a second signal', async () => {
    const warren = await WarrenProcess.start(broker.port, ['--shutdown-grace', '30'])
    const client = await WireClient.connect(warren.port)
    warren.signal('SIGTERM')
    // Before that the system may make one of the two.
    await eventually(() => expect(warren.lines('shutting down')).to.have.length(1))
    warren.signal('SIGTERM')
    expect((await warren.exited).code).to.equal(1)
    client.reset()
  })

  it('says what a client spoke that is not AMQP 0-9-1, and answers with the version it speaks', async () => {
    const warren = await WarrenProcess.start(broker.port)
    for (const [bytes, looksLike] of [
      ['GET / HTTP/1.1\r\n\r\n', 'HTTP'],
      ['AMQP\0\x01\0\0', 'AMQP 1.0'],
      ['\x16\x03\x01\x02\0\x01\0\x01', 'TLS on the plain port'],
    ] as const) {
      const client = await WireClient.dial(warren.port)
      client.send(Buffer.from(bytes, 'latin1'))
      expect((await client.nextBytes(8)).toString('latin1')).to.equal('AMQP\0\0\x09\x01')
      await client.closed
      // The log may be read later than the socket's end.
      await eventually(() =>
        expect(warren.lines('not an AMQP 0-9-1 client').at(-1)).to.include({ looksLike }),
      )
    }
    await warren.stop()
  })
})
