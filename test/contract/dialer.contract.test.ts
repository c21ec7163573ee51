/** What every Dialer promises, held against the real one over loopback and the tests' own. */
import { lookup } from 'node:dns'
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { type Lookup, NetDialer } from '../../src/adapters/net/net-dialer.js'
import { FileCertificateStore } from '../../src/adapters/tls/file-certificate-store.js'
import { TlsDialer } from '../../src/adapters/tls/tls-dialer.js'
import type { ByteStream } from '../../src/application/ports/byte-stream.js'
import type { Dialer, Endpoint } from '../../src/application/ports/dialer.js'
import { Secret } from '../../src/domain/secret.js'
import { TestAuthority, textOf } from '../support/certificates.js'
import { eventually } from '../support/eventually.js'
import { settle } from '../support/fake-byte-stream.js'
import { FakeClock } from '../support/fake-clock.js'
import { FakeDialer } from '../support/fake-dialer.js'
import { World } from '../support/fake-world.js'

interface Subject {
  readonly dialer: Dialer
  /** Somebody listens there, and sends back what it gets. */
  readonly echo: Endpoint
  /** The host is there, but nobody listens. */
  readonly closed: Endpoint
  /** Neither accepts nor refuses. */
  silent(): Promise<Endpoint>
  /** What the lookup of {@link RABBIT} brings from now on; no addresses: there is no such name. */
  name(addresses: readonly string[]): void
  /** Lets at least `milliseconds` pass. */
  pass(milliseconds: number): Promise<void>
  dispose(): Promise<void>
}

/** A limit that nothing here comes near. */
const AMPLE_MS = 30_000
/** A name that has the addresses which a test gives it. */
const RABBIT = 'rabbit.invalid'
const UNKNOWN: Endpoint = { host: 'no-such-host.invalid', port: 5672 }

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const authority = new TestAuthority()
const certificate = authority.server()

async function netSubject(tls?: true): Promise<Subject> {
  const sockets: Socket[] = []
  const onSocket = (socket: Socket): void => {
    sockets.push(socket)
    socket.on('error', () => undefined).pipe(socket)
  }
  const secret = { cert: textOf(certificate.cert), key: textOf(certificate.key) }
  const server = tls === true ? createTlsServer(secret, onSocket) : createServer(onSocket)
  const scheme = tls === true ? { tls } : {}
  const echo = { host: '127.0.0.1', port: await listen(server), ...scheme }
  const gone = createServer()
  const closed = { host: '127.0.0.1', port: await listen(gone), ...scheme }
  await new Promise((resolve) => gone.close(resolve))
  const upstreamTls = {
    ...World.defaults.upstreamTls,
    ca: new Secret(authority.cert),
    serverName: 'localhost',
  }
  const settings = { ...World.defaults, upstreamTls }
  let worker: Worker | undefined
  let addresses: readonly string[] = []
  const lookUp: Lookup = (host, options, callback) => {
    if (host !== RABBIT) return lookup(host, options, callback)
    const missing = addresses.length === 0 ? new Error(`getaddrinfo ENOTFOUND ${host}`) : null
    const found = addresses.map((address) => ({ address, family: isIP(address) }))
    setImmediate(() => callback(missing, found))
  }
  return {
    dialer: new TlsDialer(new NetDialer(lookUp), new FileCertificateStore(settings)),
    name: (given) => (addresses = given),
    echo,
    closed,
    silent: async () => {
      worker = new Worker(FULL_LISTENER, { eval: true })
      const port = await new Promise<number>((resolve) => worker!.once('message', resolve))
      return { host: '127.0.0.1', port, ...scheme }
    },
    pass: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    dispose: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await worker?.terminate()
    },
  }
}

/**
 * A listener whose thread has fallen asleep, and whose queue of connections is full: the system then leaves further
 * ones without an answer.
 */
const FULL_LISTENER = `
  const { createServer, connect } = require('node:net')
  const { parentPort } = require('node:worker_threads')
  const server = createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    const { port } = server.address()
    // Connecting is begun at once, and done by the system while this thread sleeps.
    for (let i = 0; i < 8; i++) connect(port, '127.0.0.1').on('error', () => undefined)
    setImmediate(() => {
      parentPort.postMessage(port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
    })
  })
`

function fakeSubject(): Promise<Subject> {
  const clock = new FakeClock()
  const dialer = new FakeDialer(clock)
  const [echo, closed, silent] = [5672, 5673, 5674].map((port) => ({ host: '127.0.0.1', port }))
  dialer.listen(echo, (peer) => (peer.onData = (bytes) => peer.send(bytes)))
  dialer.refuse(closed)
  dialer.silence(silent)
  return Promise.resolve({
    dialer,
    name: (addresses) => dialer.name(RABBIT, addresses),
    echo,
    closed,
    silent: () => Promise.resolve(silent),
    pass: async (milliseconds) => {
      clock.advance(milliseconds)
      await settle()
    },
    dispose: () => Promise.resolve(),
  })
}

/** What a stream sends back. */
function echoOf(stream: ByteStream, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = ''
    stream.setHandler({
      onData: (chunk) => {
        heard += Buffer.from(chunk).toString()
        if (heard.length >= text.length) resolve(heard)
      },
      onDrain: () => undefined,
      onClose: () => reject(new Error(`closed after '${heard}'`)),
    })
    stream.write(Buffer.from(text))
  })
}

const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
  NetDialer: () => netSubject(),
  'TlsDialer with TLS': () => netSubject(true),
  FakeDialer: fakeSubject,
}

for (const [name, create] of Object.entries(subjects)) {
  describe(`Dialer: ${name}`, () => {
    let subject: Subject
    let dialer: Dialer

    beforeEach(async () => {
      subject = await create()
      dialer = subject.dialer
    })

    afterEach(() => subject.dispose())

    const reasonFor = (endpoint: Endpoint, timeoutMs = AMPLE_MS): Promise<string> =>
      dialer.dial(endpoint, timeoutMs).then(
        () => 'connected',
        (error: unknown) => (error as Error).message,
      )

    it('connects, and gives a stream both ways', async () => {
      const stream = await dialer.dial(subject.echo, AMPLE_MS)
      expect(await echoOf(stream, 'hello')).to.equal('hello')
      stream.destroy()
    })

    it("gives a stream that says the broker's address", async () => {
      const stream = await dialer.dial(subject.echo, AMPLE_MS)
      expect(stream.remoteAddress).to.equal(`127.0.0.1:${subject.echo.port}`)
      stream.destroy()
    })

    it('makes a connection of its own for each call', async () => {
      const streams = await Promise.all([1, 2, 3].map(() => dialer.dial(subject.echo, AMPLE_MS)))
      expect(await Promise.all(streams.map((stream, at) => echoOf(stream, `n${at}`)))).to.deep.equal([
        'n0',
        'n1',
        'n2',
      ])
      for (const stream of streams) stream.destroy()
    })

    it('has forgotten the time limit once connected', async () => {
      // Enough for a TLS handshake of both ends on a busy machine.
      const stream = await dialer.dial(subject.echo, 1000)
      await subject.pass(1050)
      expect(await echoOf(stream, 'still here')).to.equal('still here')
      stream.destroy()
    })

    it('says that nobody listens, and where', async () => {
      const reason = await reasonFor(subject.closed)
      expect(reason).to.match(/refused/i)
      expect(reason).to.contain(`127.0.0.1:${subject.closed.port}`)
    })

    it('says that nobody answered in time, in how long, and where', async () => {
      const silent = await subject.silent()
      const dialling = reasonFor(silent, 200)
      await subject.pass(250)
      expect(await dialling).to.equal(`connect timeout after 0.2 s to 127.0.0.1:${silent.port}`)
    })

    it('does not give up before the time limit', async () => {
      let reason: string | undefined
      void reasonFor(await subject.silent(), 300).then((text) => (reason = text))
      await subject.pass(150)
      expect(reason).to.equal(undefined)
      await subject.pass(200)
      await eventually(() => expect(reason).to.match(/timeout/))
    })

    it('says that it does not know the host, and its name', async () => {
      const reason = await reasonFor(UNKNOWN)
      expect(reason).to.contain(UNKNOWN.host)
      // The second where the machine has no name server.
      expect(reason).to.match(/ENOTFOUND|EAI_AGAIN/)
    })

    const addressesOf = async (host: string): Promise<(string | undefined)[]> =>
      (await dialer.resolve({ host, port: 5672 })).map((endpoint) => endpoint.address)

    it('gives every address of a name, each once, with the name and the port beside it', async () => {
      subject.name(['127.0.0.1', '2001:db8::1', '127.0.0.2'])
      expect(await dialer.resolve({ host: RABBIT, port: 5700 })).to.deep.equal([
        { host: RABBIT, port: 5700, address: '127.0.0.1' },
        { host: RABBIT, port: 5700, address: '2001:db8::1' },
        { host: RABBIT, port: 5700, address: '127.0.0.2' },
      ])
      subject.name(['127.0.0.1', '127.0.0.1'])
      expect(await addressesOf(RABBIT)).to.deep.equal(['127.0.0.1'])
    })

    it('looks a name up again each time', async () => {
      subject.name(['127.0.0.1'])
      await addressesOf(RABBIT)
      subject.name(['127.0.0.2'])
      expect(await addressesOf(RABBIT)).to.deep.equal(['127.0.0.2'])
    })

    it('gives an address back as it is', async () => {
      for (const host of ['127.0.0.1', '::1']) {
        const endpoint = { host, port: 5672 }
        expect(await dialer.resolve(endpoint)).to.deep.equal([endpoint])
      }
    })

    it('says which name has no address', async () => {
      subject.name([])
      const reason = await addressesOf(RABBIT).catch((error: unknown) => (error as Error).message)
      expect(reason).to.equal(`getaddrinfo ENOTFOUND ${RABBIT}`)
    })

    it('connects to the address that was chosen, and names name and address when that fails', async () => {
      subject.name(['127.0.0.1'])
      const [there] = await dialer.resolve({ ...subject.echo, host: RABBIT })
      const stream = await dialer.dial(there, AMPLE_MS)
      expect(await echoOf(stream, 'hello')).to.equal('hello')
      stream.destroy()
      const [nobody] = await dialer.resolve({ ...subject.closed, host: RABBIT })
      const reason = await reasonFor(nobody)
      expect(reason).to.contain(`127.0.0.1:${subject.closed.port}`)
      expect(reason).to.contain(RABBIT)
    })

    it('goes on to dial after a failure', async () => {
      await reasonFor(subject.closed)
      const stream = await dialer.dial(subject.echo, AMPLE_MS)
      expect(await echoOf(stream, 'again')).to.equal('again')
      stream.destroy()
    })
  })
}
