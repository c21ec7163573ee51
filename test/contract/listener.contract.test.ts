/** What every Listener promises, held against the real one over loopback and the tests' own. */
import { once } from 'node:events'
import { type Server, type Socket, connect, createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect } from 'chai'
import { NetListener, bind } from '../../src/adapters/net/net-listener.js'
import type { ReceptionOptions } from '../../src/adapters/net/reception.js'
import { TrustedProxies } from '../../src/adapters/net/trusted-proxies.js'
import { FileCertificateStore } from '../../src/adapters/tls/file-certificate-store.js'
import { TlsEntrance } from '../../src/adapters/tls/tls-entrance.js'
import { HandedListener } from '../../src/adapters/workers/handed-sockets.js'
import type { ByteStream } from '../../src/application/ports/byte-stream.js'
import type { Doorkeeper, Listener } from '../../src/application/ports/listener.js'
import { Secret } from '../../src/domain/secret.js'
import { TestAuthority, textOf } from '../support/certificates.js'
import { settle } from '../support/fake-byte-stream.js'
import { FakeListener } from '../support/fake-listener.js'
import { World } from '../support/fake-world.js'

/** A client that has connected. */
interface Connected {
  send(text: string): void
  received(): string
  isClosed(): boolean
}

interface Subject {
  readonly listener: Listener
  /** Another listener on the same machine. */
  readonly other: Listener
  /** Connects to `listener`; rejects when it isn't accepted. */
  connect(port: number): Promise<Connected>
  until(condition: () => boolean): Promise<void>
  dispose(): void
}

/** How a client gets from a TCP connection to where it can be heard. */
interface Way {
  readonly options?: () => ReceptionOptions
  readonly connect?: (socket: Socket) => Promise<Socket>
}

const authority = new TestAuthority()
const certificate = authority.server()

const tls: Way = {
  options: () => ({
    entrance: new TlsEntrance(
      new FileCertificateStore({
        ...World.defaults,
        tls: {
          ...World.defaults.tls,
          enabled: true,
          certificates: [{ cert: new Secret(certificate.cert), key: new Secret(certificate.key) }],
        },
      }),
    ),
  }),
  connect: async (socket) => {
    const secure = connectTls({ socket, servername: 'localhost', ca: textOf(authority.cert) })
    // A listener that wants nobody doesn't shake hands.
    await Promise.race([once(secure, 'secureConnect'), once(secure, 'close')]).catch(() => undefined)
    return secure
  },
}

let sources = 40_000
const proxied: Way = {
  options: () => ({ proxies: new TrustedProxies(['127.0.0.0/8']) }),
  connect: (socket) => {
    socket.write(`PROXY TCP4 192.0.2.1 192.0.2.2 ${++sources} 5673\r\n`)
    return Promise.resolve(socket)
  },
}

const proxiedTls: Way = {
  options: () => ({ ...proxied.options!(), ...tls.options!() }),
  connect: async (socket) => tls.connect!(await proxied.connect!(socket)),
}

/** A worker's listener, and what its supervisor does for it: accepting, and handing over. */
class AcceptedForIt implements Listener {
  readonly #handed: HandedListener
  #server: Server | undefined

  constructor(options?: ReceptionOptions) {
    this.#handed = new HandedListener(options)
  }

  async listen(
    address: string,
    port: number,
    doorkeeper: Doorkeeper,
  ): Promise<{ address: string; port: number }> {
    const server = createServer((socket) => this.#handed.receive(socket))
    const bound = await bind(server, address, port)
    this.#server = server
    return this.#handed.listen(bound.address, bound.port, doorkeeper)
  }

  close(): Promise<void> {
    this.#server?.close()
    this.#server = undefined
    return this.#handed.close()
  }
}

function netSubject(
  { options, connect: enter }: Way = {},
  Kind: typeof NetListener | typeof AcceptedForIt = NetListener,
): Subject {
  const sockets: Socket[] = []
  return {
    listener: new Kind(options?.()),
    other: new Kind(),
    connect: async (port) => {
      const tcp = connect(port, '127.0.0.1')
      sockets.push(tcp)
      await new Promise<void>((resolve, reject) => tcp.once('connect', resolve).once('error', reject))
      const socket = enter === undefined ? tcp : await enter(tcp)
      socket.on('error', () => undefined)
      let received = ''
      socket.on('data', (chunk: Buffer) => (received += chunk.toString()))
      return {
        send: (text) => void socket.write(text),
        received: () => received,
        isClosed: () => socket.closed,
      }
    },
    until: async (condition) => {
      const end = performance.now() + 30_000
      while (!condition()) {
        if (performance.now() > end) throw new Error(`waited in vain until ${condition.toString()}`)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
    dispose: () => sockets.forEach((socket) => socket.destroy()),
  }
}

function fakeSubject(): Subject {
  const ports = new Set<number>()
  const listener = new FakeListener(ports)
  return {
    listener,
    other: new FakeListener(ports),
    connect: async () => {
      const peer = listener.connect()
      await settle()
      return {
        send: (text) => peer.send(Buffer.from(text)),
        received: () => peer.received.toString(),
        isClosed: () => peer.sees !== 'open',
      }
    },
    until: async (condition) => {
      await settle()
      if (!condition()) throw new Error(`waited in vain until ${condition.toString()}`)
    },
    dispose: () => undefined,
  }
}

const HOST = '127.0.0.1'

const subjects: Readonly<Record<string, () => Subject>> = {
  NetListener: () => netSubject(),
  'NetListener with TLS': () => netSubject(tls),
  'NetListener behind a proxy': () => netSubject(proxied),
  'NetListener with TLS behind a proxy': () => netSubject(proxiedTls),
  HandedListener: () => netSubject({}, AcceptedForIt),
  'HandedListener with TLS': () => netSubject(tls, AcceptedForIt),
  'HandedListener with TLS behind a proxy': () => netSubject(proxiedTls, AcceptedForIt),
  FakeListener: fakeSubject,
}

for (const [name, create] of Object.entries(subjects)) {
  describe(`Listener: ${name}`, () => {
    let subject: Subject
    let listener: Listener
    let accepted: ByteStream[]
    let heard: string[]
    /** Where each came from, before there was a stream. */
    let arrivals: string[]
    let failures: (string | undefined)[]

    /** Answers each client with what it said. */
    const accept = (stream: ByteStream): void => {
      const at = accepted.push(stream) - 1
      heard[at] = ''
      stream.setHandler({
        onData: (chunk) => {
          heard[at] += Buffer.from(chunk).toString()
          stream.write(chunk)
        },
        onDrain: () => undefined,
        onClose: () => undefined,
      })
    }

    const doorkeeper: Doorkeeper = {
      admits: () => true,
      onArrival: (remoteAddress) => {
        arrivals.push(remoteAddress)
        return { onStream: accept, onFailure: (reason) => failures.push(reason) }
      },
      onLost: (_, reason) => failures.push(reason),
    }

    beforeEach(() => {
      subject = create()
      listener = subject.listener
      accepted = []
      heard = []
      arrivals = []
      failures = []
    })

    afterEach(async () => {
      for (const stream of accepted) stream.destroy()
      subject.dispose()
      await subject.listener.close()
      await subject.other.close()
    })

    const reasonFor = (address: string, port: number): Promise<string> =>
      subject.other.listen(address, port, doorkeeper).then(
        () => 'listening',
        (error: unknown) => (error as Error).message,
      )

    it('says which port the system has chosen', async () => {
      const { address, port } = await listener.listen(HOST, 0, doorkeeper)
      expect(address).to.equal(HOST)
      expect(port).to.be.within(1024, 65_535)
    })

    it('says the port that was asked for', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      await listener.close()
      expect(await subject.other.listen(HOST, port, doorkeeper)).to.deep.equal({ address: HOST, port })
    })

    it('hands over a stream for each client, both ways', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      const clients = [await subject.connect(port), await subject.connect(port)]
      clients.forEach((client, at) => client.send(`client ${at}`))
      await subject.until(() => clients.every((client, at) => client.received() === `client ${at}`))
      expect(heard).to.deep.equal(['client 0', 'client 1'])
      expect(new Set(accepted.map((stream) => stream.remoteAddress)).size).to.equal(2)
    })

    it('loses nothing of what a client sends before anybody listens to its stream', async () => {
      let stream: ByteStream | undefined
      const { port } = await listener.listen(HOST, 0, {
        ...doorkeeper,
        onArrival: () => ({ onStream: (accepted) => (stream = accepted), onFailure: () => undefined }),
      })
      const client = await subject.connect(port)
      client.send('early')
      await subject.until(() => stream !== undefined)
      accept(stream!)
      await subject.until(() => client.received() === 'early')
    })

    it('says that the port is taken, and which', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      expect(await reasonFor(HOST, port)).to.match(new RegExp(`EADDRINUSE.*${HOST}:${port}`))
    })

    it('can listen after it was told that the port is taken', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      await reasonFor(HOST, port)
      const second = await subject.other.listen(HOST, 0, doorkeeper)
      expect(second.port).not.to.equal(port)
    })

    it('says that an address is not of this machine, and which', async () => {
      expect(await reasonFor('192.0.2.7', 5673)).to.match(/EADDRNOTAVAIL.*192\.0\.2\.7:5673/)
    })

    it('accepts nobody after close, and gives the port free', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      await listener.close()
      const reason = await subject.connect(port).then(
        () => 'connected',
        (error: unknown) => (error as Error).message,
      )
      expect(reason).to.match(/ECONNREFUSED/)
      expect(accepted).to.have.length(0)
      expect(await reasonFor(HOST, port)).to.equal('listening')
    })

    it('lets accepted streams live on after close', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      const client = await subject.connect(port)
      await subject.until(() => accepted.length === 1)
      await listener.close()
      client.send('still here')
      await subject.until(() => client.received() === 'still here')
      expect(client.isClosed()).to.equal(false)
    })

    it('closes a connection at once that is not admitted, and hands over no stream for it', async () => {
      let free = 1
      const { port } = await listener.listen(HOST, 0, { ...doorkeeper, admits: () => free-- > 0 })
      const first = await subject.connect(port)
      const second = await subject.connect(port)
      await subject.until(() => second.isClosed())
      first.send('still here')
      await subject.until(() => first.received() === 'still here')
      expect(accepted).to.have.length(1)
    })

    it('says where a client comes from before there is a stream, and the stream says the same', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      await subject.connect(port)
      await subject.until(() => accepted.length === 1)
      expect(arrivals).to.deep.equal(accepted.map(({ remoteAddress }) => remoteAddress))
      expect(arrivals[0]).to.match(/^(\d+\.){3}\d+:\d+$/)
    })

    it('closes a connection whose arrival nobody wants', async () => {
      const { port } = await listener.listen(HOST, 0, { ...doorkeeper, onArrival: () => undefined })
      const client = await subject.connect(port).catch(() => undefined)
      if (client !== undefined) await subject.until(() => client.isClosed())
      expect(accepted).to.have.length(0)
    })

    it('does not wait in close for the clients to go', async () => {
      const { port } = await listener.listen(HOST, 0, doorkeeper)
      await subject.connect(port)
      await listener.close()
    })

    it('can be closed twice, and before it ever listened', async () => {
      await listener.close()
      const { port } = await subject.other.listen(HOST, 0, doorkeeper)
      await subject.other.close()
      await subject.other.close()
      expect(await reasonFor(HOST, port)).to.equal('listening')
    })
  })
}

describe('HandedListener', () => {
  it('says that somebody else accepts, and the address that it was told', async () => {
    const listener = new HandedListener()
    expect(listener.isHandedOver).to.equal(true)
    const doorkeeper: Doorkeeper = { admits: () => true, onArrival: () => undefined, onLost: () => undefined }
    const told = { address: '192.0.2.7', port: 5673 }
    expect(await listener.listen(told.address, told.port, doorkeeper)).to.deep.equal(told)
    await listener.close()
  })

  it('closes what is handed to it before it listens, and after it was closed', async () => {
    const listener = new HandedListener()
    let asked = 0
    const doorkeeper: Doorkeeper = {
      admits: () => ++asked > 0,
      onArrival: () => undefined,
      onLost: () => undefined,
    }
    const server = createServer((socket) => listener.receive(socket))
    const { port } = await bind(server, HOST, 0)
    const connectAndLose = async (): Promise<void> => {
      await once(connect(port, HOST).resume(), 'close')
    }
    await connectAndLose()
    await listener.listen(HOST, port, doorkeeper)
    await listener.close()
    await connectAndLose()
    server.close()
    expect(asked).to.equal(0)
  })
})
