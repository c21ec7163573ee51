/** What every ByteStream promises, held against the real one over loopback and the tests' own. */
import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import { NetByteStream } from '../../src/adapters/net/net-byte-stream.js'
import type { ByteStream, ByteStreamHandler } from '../../src/application/ports/byte-stream.js'
import { TestAuthority, textOf } from '../support/certificates.js'
import { FakeByteStream, settle } from '../support/fake-byte-stream.js'

/** The other end of the stream under test. */
interface Peer {
  send(bytes: Uint8Array): void
  /** Ends its side in order; it can still read. */
  end(): void
  /** Breaks the connection. */
  reset(): void
  stopReading(): void
  startReading(): void
  /** What it has read, as it came. */
  chunks(): Buffer[]
  /** Whether it has seen the stream's end, orderly or not. */
  sawEnd(): boolean
  /** Whether it was cut off. */
  sawReset(): boolean
  /** Whether some of what it sent can't leave, because nobody reads it. */
  feelsPressure(): boolean
}

interface Subject {
  readonly stream: ByteStream
  readonly peer: Peer
  /** Waits for something that must come. */
  until(condition: () => boolean): Promise<void>
  /** Lets pass what may come, but mustn't. */
  pass(): Promise<void>
  dispose(): void
}

/** Two ends of a TCP connection: ours, and the peer's. */
async function netPair(): Promise<Pair> {
  const server: Server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  const other = await accepted
  return { socket, other, beneath: other, dispose: () => server.close() }
}

interface Pair {
  readonly socket: Socket
  readonly other: Socket
  /** The TCP connection of the peer. */
  readonly beneath: Socket
  readonly dispose: () => void
}

const authority = new TestAuthority()
const certificate = authority.server()
const secret = { cert: textOf(certificate.cert), key: textOf(certificate.key) }

/** The same with TLS on it, of which we are the client. */
async function tlsPair(): Promise<Pair> {
  const pair = await netPair()
  const server = createTlsServer({ ...secret, allowHalfOpen: true })
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  server.emit('connection', pair.other)
  const socket = connectTls({ socket: pair.socket, servername: 'localhost', ca: textOf(authority.cert) })
  // What the server sends behind its handshake is no part of any test.
  await Promise.all([once(socket, 'secureConnect'), once(socket, 'session')])
  const [other] = await accepted
  return { ...pair, socket, other }
}

/** The same, and we are the server. */
async function tlsServerPair(): Promise<Pair> {
  const pair = await netPair()
  const server = createTlsServer(secret)
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  server.emit('connection', pair.socket)
  const trust = { servername: 'localhost', ca: textOf(authority.cert), allowHalfOpen: true }
  const other = connectTls({ socket: pair.other, ...trust })
  await Promise.all([once(other, 'secureConnect'), once(other, 'session')])
  const [socket] = await accepted
  return { ...pair, socket, other }
}

async function netSubject(connected: Promise<Pair>): Promise<Subject> {
  const { socket, other, beneath, dispose } = await connected
  const chunks: Buffer[] = []
  let sawEnd = false
  let sawReset = false
  other.on('data', (chunk: Buffer) => chunks.push(chunk))
  other.on('end', () => (sawEnd = true))
  other.on('close', () => (sawEnd = true))
  other.on('error', () => (sawReset = true))
  return {
    stream: new NetByteStream(socket),
    peer: {
      send: (bytes) => void other.write(bytes),
      end: () => void other.end(),
      // Not resetAndDestroy: beneath TLS it ends in order first.
      reset: () =>
        (beneath as unknown as { _handle: { reset(done: () => void): void } })._handle.reset(() => undefined),
      stopReading: () => void other.pause(),
      startReading: () => void other.resume(),
      chunks: () => chunks,
      sawEnd: () => sawEnd,
      sawReset: () => sawReset,
      feelsPressure: () => other.writableLength > 0,
    },
    until: async (condition) => {
      const end = performance.now() + 30_000
      while (!condition()) {
        if (performance.now() > end) throw new Error(`waited in vain until ${condition.toString()}`)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
    pass: () => new Promise((resolve) => setTimeout(resolve, 30)),
    dispose: () => {
      socket.destroy()
      other.destroy()
      dispose()
    },
  }
}

function fakeSubject(): Promise<Subject> {
  const stream = new FakeByteStream('127.0.0.1:40000')
  const { peer } = stream
  return Promise.resolve({
    stream,
    peer: {
      send: (bytes) => peer.send(bytes),
      end: () => peer.end(),
      reset: () => peer.reset(),
      stopReading: () => peer.stall(0),
      startReading: () => peer.drain(),
      chunks: () => peer.chunks,
      sawEnd: () => peer.sees !== 'open',
      sawReset: () => peer.sees === 'destroyed',
      feelsPressure: () => peer.unreadBytes > 0,
    },
    until: async (condition) => {
      await settle()
      if (!condition()) throw new Error(`waited in vain until ${condition.toString()}`)
    },
    pass: settle,
    dispose: () => undefined,
  })
}

/** Keeps what it hears. */
class Ear implements ByteStreamHandler {
  readonly chunks: Uint8Array[] = []
  /** `data`, `drain`, `close` or `close: <reason>`, in order; neighbouring `data` as one. */
  readonly events: string[] = []
  /** Done within a call. */
  onNextData: () => void = () => undefined
  /** While set, no call may come. */
  isBusy = false
  calledWhileBusy = false

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get length(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  get isClosed(): boolean {
    return this.events.some((event) => event.startsWith('close'))
  }

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    if (this.events.at(-1) !== 'data') this.hear('data')
    const act = this.onNextData
    this.onNextData = () => undefined
    act()
  }

  onDrain(): void {
    this.hear('drain')
  }

  onClose(reason: Error | undefined): void {
    this.hear(reason === undefined ? 'close' : `close: ${reason.message}`)
  }

  private hear(event: string): void {
    this.events.push(event)
    if (this.isBusy) this.calledWhileBusy = true
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

const MIB = 1024 * 1024
const PATTERN = Buffer.alloc(MIB)
for (let at = 0; at < MIB; at += 4) PATTERN.writeUInt32BE(at, at)

/** Up to 1 MiB of different bytes all along, so that a wrong order shows; a copy. */
function pattern(size: number): Buffer {
  return Buffer.from(PATTERN.subarray(0, size))
}

/** Writes far more in one turn than the system keeps for a peer that doesn't read; returns what was written. */
function fill(stream: ByteStream): Buffer {
  const written: Buffer[] = []
  let answer = true
  for (let round = 0; round < 32; round++) {
    const piece = pattern(MIB)
    piece[0] = round
    written.push(Buffer.from(piece))
    answer = stream.write(piece)
  }
  if (answer) throw new Error('the stream took 32 MiB in one turn without asking to wait')
  return Buffer.concat(written)
}

const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
  NetByteStream: () => netSubject(netPair()),
  'NetByteStream with TLS, as the client': () => netSubject(tlsPair()),
  'NetByteStream with TLS, as the server': () => netSubject(tlsServerPair()),
  FakeByteStream: fakeSubject,
}

for (const [name, create] of Object.entries(subjects)) {
  describe(`ByteStream: ${name}`, () => {
    let subject: Subject
    let stream: ByteStream
    let peer: Peer
    let ear: Ear

    beforeEach(async () => {
      subject = await create()
      stream = subject.stream
      peer = subject.peer
      ear = new Ear()
    })

    afterEach(() => subject.dispose())

    const received = (): Buffer => Buffer.concat(peer.chunks())
    const arrived = (): number => peer.chunks().reduce((sum, chunk) => sum + chunk.length, 0)

    it('says where the peer is, as address:port', () => {
      expect(stream.remoteAddress).to.match(/^127\.0\.0\.1:\d+$/)
    })

    describe('reading', () => {
      it('hands over what the peer sends, in order', async () => {
        stream.setHandler(ear)
        const sent = pattern(300_000)
        for (let at = 0; at < sent.length; at += 70_000) peer.send(sent.subarray(at, at + 70_000))
        await subject.until(() => ear.length === sent.length)
        expect(ear.bytes.equals(sent)).to.equal(true)
      })

      it('keeps what came before the handler was named', async () => {
        peer.send(bytes('early'))
        await subject.pass()
        stream.setHandler(ear)
        peer.send(bytes(' and late'))
        await subject.until(() => ear.length === 14)
        expect(ear.bytes.toString()).to.equal('early and late')
      })

      it('tells a handler that is named after the end what came before it, and then the end', async () => {
        peer.send(bytes('last words'))
        peer.end()
        await subject.pass()
        stream.setHandler(ear)
        await subject.until(() => ear.isClosed)
        expect(ear.bytes.toString()).to.equal('last words')
        expect(ear.events).to.deep.equal(['data', 'close'])
      })

      it('tells everything to the handler that was named last', async () => {
        const second = new Ear()
        stream.setHandler(ear)
        peer.send(bytes('one'))
        await subject.until(() => ear.length === 3)
        stream.setHandler(second)
        peer.send(bytes('two'))
        await subject.until(() => second.length === 3)
        peer.end()
        await subject.until(() => second.isClosed)
        expect(ear.events).to.deep.equal(['data'])
      })

      it('leaves each chunk to the handler for good', async () => {
        stream.setHandler(ear)
        peer.send(bytes('first'))
        await subject.until(() => ear.length === 5)
        const [first] = ear.chunks
        first.fill(0x2e)
        peer.send(bytes('second'))
        await subject.until(() => ear.length === 11)
        expect(Buffer.from(first).toString()).to.equal('.....')
        expect(Buffer.from(ear.chunks[1]).toString()).to.equal('second')
      })
    })

    describe('pausing', () => {
      it('hands over nothing while paused, and all of it, in order, after resume', async () => {
        stream.setHandler(ear)
        stream.pause()
        peer.send(bytes('a'))
        await subject.pass()
        peer.send(bytes('b'))
        await subject.pass()
        expect(ear.events).to.deep.equal([])
        stream.resume()
        await subject.until(() => ear.length === 2)
        expect(ear.bytes.toString()).to.equal('ab')
      })

      it('stops at once when paused by the handler', async () => {
        stream.setHandler(ear)
        ear.onNextData = () => stream.pause()
        const sent = pattern(400_000)
        for (let at = 0; at < sent.length; at += 100_000) peer.send(sent.subarray(at, at + 100_000))
        await subject.until(() => ear.chunks.length > 0)
        await subject.pass()
        expect(ear.chunks).to.have.length(1)
        stream.resume()
        await subject.until(() => ear.length === sent.length)
        expect(ear.bytes.equals(sent)).to.equal(true)
      })

      it('can begin before the handler is named', async () => {
        stream.pause()
        stream.setHandler(ear)
        peer.send(bytes('later'))
        await subject.pass()
        expect(ear.events).to.deep.equal([])
        stream.resume()
        await subject.until(() => ear.length === 5)
      })

      it('goes on when another handler is named', async () => {
        const second = new Ear()
        stream.setHandler(ear)
        stream.pause()
        stream.setHandler(second)
        peer.send(bytes('later'))
        await subject.pass()
        expect(second.events).to.deep.equal([])
        stream.resume()
        await subject.until(() => second.length === 5)
      })

      it('takes a second pause, and a second resume', async () => {
        stream.setHandler(ear)
        stream.pause()
        stream.pause()
        stream.resume()
        stream.resume()
        peer.send(bytes('x'))
        await subject.until(() => ear.length === 1)
      })

      it('lets the peer feel it', async () => {
        stream.setHandler(ear)
        stream.pause()
        const size = 32 * MIB
        peer.send(Buffer.alloc(size))
        await subject.pass()
        expect(peer.feelsPressure()).to.equal(true)
        stream.resume()
        await subject.until(() => ear.length === size)
        expect(peer.feelsPressure()).to.equal(false)
      })

      it('does not keep us from writing', async () => {
        stream.setHandler(ear)
        stream.pause()
        stream.write(bytes('still here'))
        await subject.until(() => arrived() === 10)
      })
    })

    describe('writing', () => {
      beforeEach(() => stream.setHandler(ear))

      it('sends in order, whatever the sizes', async () => {
        const sent = pattern(500_000)
        for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 7) % 60_001)
          stream.write(Uint8Array.from(sent.subarray(at, at + size)))
        await subject.until(() => arrived() === sent.length)
        expect(received().equals(sent)).to.equal(true)
      })

      it('sends what is written in one turn together, at the end of the turn', async () => {
        for (const piece of ['one ', 'two ', 'three']) expect(stream.write(bytes(piece))).to.equal(true)
        expect(stream.bufferedBytes).to.equal(13)
        await subject.until(() => arrived() === 13)
        expect(peer.chunks().map(String)).to.deep.equal(['one two three'])
        expect(stream.bufferedBytes).to.equal(0)
      })

      it('sends what is written in later turns after that', async () => {
        for (const piece of ['one ', 'two ', 'three']) {
          stream.write(bytes(piece))
          await subject.pass()
        }
        expect(received().toString()).to.equal('one two three')
      })

      it('answers true as long as the peer reads, and then never drains', async () => {
        for (let round = 0; round < 8; round++) {
          expect(stream.write(pattern(200_000))).to.equal(true)
          await subject.pass()
        }
        await subject.until(() => arrived() === 1_600_000)
        expect(ear.events).to.deep.equal([])
      })

      it('answers false to a peer that does not read, and drains once it does', async () => {
        peer.stopReading()
        const written = fill(stream)
        await subject.pass()
        expect(stream.bufferedBytes).to.be.greaterThan(0)
        expect(ear.events).to.deep.equal([])
        peer.startReading()
        await subject.until(() => ear.events.length > 0)
        expect(ear.events).to.deep.equal(['drain'])
        expect(stream.bufferedBytes).to.equal(0)
        await subject.until(() => arrived() === written.length)
        expect(received().equals(written)).to.equal(true)
      })

      it('takes more after it answered false, and drains once for all of it', async () => {
        peer.stopReading()
        const written = fill(stream)
        expect(stream.write(bytes('more'))).to.equal(false)
        expect(stream.write(bytes(' and more'))).to.equal(false)
        peer.startReading()
        await subject.until(() => arrived() === written.length + 13)
        await subject.pass()
        expect(received().subarray(written.length).toString()).to.equal('more and more')
        expect(ear.events).to.deep.equal(['drain'])
      })

      it('drains again after the next time it answered false', async () => {
        for (let round = 1; round <= 2; round++) {
          peer.stopReading()
          fill(stream)
          peer.startReading()
          await subject.until(() => ear.events.length === round)
        }
        expect(ear.events).to.deep.equal(['drain', 'drain'])
      })
    })

    describe('ending', () => {
      it('sends what waits before it ends', async () => {
        stream.setHandler(ear)
        stream.write(bytes('good'))
        stream.write(bytes('bye'))
        stream.end()
        await subject.until(() => peer.sawEnd())
        expect(received().toString()).to.equal('goodbye')
      })

      it('sends what waits even when the peer reads late', async () => {
        stream.setHandler(ear)
        peer.stopReading()
        const written = fill(stream)
        stream.end()
        await subject.pass()
        peer.startReading()
        await subject.until(() => peer.sawEnd())
        expect(received().equals(written)).to.equal(true)
      })

      it('still reads what the peer sends, until the peer ends too', async () => {
        stream.setHandler(ear)
        stream.end()
        await subject.until(() => peer.sawEnd())
        peer.send(bytes('one more thing'))
        await subject.until(() => ear.length === 14)
        expect(ear.isClosed).to.equal(false)
        peer.end()
        await subject.until(() => ear.isClosed)
        expect(ear.events).to.deep.equal(['data', 'close'])
        expect(peer.sawReset()).to.equal(false)
      })

      it('reads on although it was paused', async () => {
        stream.setHandler(ear)
        stream.pause()
        peer.send(bytes('waits'))
        await subject.pass()
        stream.end()
        await subject.until(() => ear.length === 5 && peer.sawEnd())
        peer.end()
        await subject.until(() => ear.isClosed)
        expect(ear.events).to.deep.equal(['data', 'close'])
        expect(peer.sawReset()).to.equal(false)
      })

      it('leaves it to the caller to cut off a peer that does not end', async () => {
        stream.setHandler(ear)
        stream.end()
        await subject.until(() => peer.sawEnd())
        await subject.pass()
        expect(ear.isClosed).to.equal(false)
        stream.destroy()
        await subject.until(() => ear.isClosed)
        expect(ear.events).to.deep.equal(['close'])
      })

      it('loses nothing of what it sent when the peer was still sending and nobody read', async () => {
        stream.setHandler(ear)
        stream.pause()
        peer.stopReading()
        peer.send(pattern(100_000))
        await subject.pass()
        stream.write(bytes('goodbye'))
        stream.end()
        await subject.pass()
        peer.startReading()
        await subject.until(() => peer.sawEnd())
        expect(received().toString()).to.equal('goodbye')
      })

      it('is told to the handler when the peer ends in order, after all that the peer sent', async () => {
        stream.setHandler(ear)
        peer.send(bytes('last words'))
        peer.end()
        await subject.until(() => ear.isClosed)
        expect(ear.events).to.deep.equal(['data', 'close'])
      })

      it('sends what waits also when the peer ended first', async () => {
        stream.setHandler(ear)
        peer.stopReading()
        const written = fill(stream)
        peer.end()
        await subject.pass()
        expect(ear.isClosed).to.equal(false)
        peer.startReading()
        await subject.until(() => ear.isClosed && peer.sawEnd())
        expect(received().equals(written)).to.equal(true)
        expect(ear.events.at(-1)).to.equal('close')
      })

      it('is told with the reason when the connection breaks', async () => {
        stream.setHandler(ear)
        peer.reset()
        await subject.until(() => ear.isClosed)
        expect(ear.events).to.deep.equal(['close: read ECONNRESET'])
      })

      it('ignores what is written afterwards', async () => {
        stream.setHandler(ear)
        stream.write(bytes('before'))
        stream.end()
        stream.write(bytes('after'))
        stream.end()
        await subject.until(() => peer.sawEnd())
        expect(stream.write(bytes('after'))).to.equal(true)
        peer.end()
        await subject.until(() => ear.isClosed)
        stream.write(bytes('after'))
        stream.end()
        await subject.pass()
        expect(received().toString()).to.equal('before')
        expect(ear.events).to.deep.equal(['close'])
      })
    })

    describe('destroying', () => {
      it('closes at once and loses what waits', async () => {
        stream.setHandler(ear)
        peer.stopReading()
        const written = fill(stream)
        stream.destroy()
        await subject.until(() => ear.isClosed)
        peer.startReading()
        await subject.until(() => peer.sawEnd())
        expect(arrived()).to.be.lessThan(written.length)
        expect(ear.events).to.deep.equal(['close'])
      })

      it('hands over nothing more, not even what has arrived', async () => {
        stream.setHandler(ear)
        ear.onNextData = () => stream.destroy()
        for (let round = 0; round < 4; round++) peer.send(pattern(100_000))
        await subject.until(() => ear.isClosed)
        await subject.pass()
        expect(ear.chunks).to.have.length(1)
        expect(ear.events).to.deep.equal(['data', 'close'])
      })

      it('ends a stream that is ending but can not get rid of what waits', async () => {
        stream.setHandler(ear)
        peer.stopReading()
        fill(stream)
        stream.end()
        await subject.pass()
        expect(ear.isClosed).to.equal(false)
        stream.destroy()
        await subject.until(() => ear.isClosed)
      })

      it('ends a paused stream', async () => {
        stream.setHandler(ear)
        stream.pause()
        peer.send(bytes('never read'))
        await subject.pass()
        stream.destroy()
        await subject.until(() => ear.isClosed)
        expect(ear.events).to.deep.equal(['close'])
      })

      it('is told once, however often and however else it is asked for', async () => {
        stream.setHandler(ear)
        stream.destroy()
        stream.destroy()
        stream.end()
        peer.end()
        await subject.until(() => ear.isClosed)
        stream.destroy()
        stream.write(bytes('ignored'))
        stream.pause()
        stream.resume()
        await subject.pass()
        expect(ear.events).to.deep.equal(['close'])
        expect(arrived()).to.equal(0)
      })

      it('is told to a handler that is named afterwards', async () => {
        stream.destroy()
        await subject.pass()
        ear.isBusy = true
        stream.setHandler(ear)
        ear.isBusy = false
        await subject.until(() => ear.isClosed)
        await subject.pass()
        expect(ear.events).to.deep.equal(['close'])
        expect(ear.calledWhileBusy).to.equal(false)
      })

      it('loses what was written in the same turn', async () => {
        stream.setHandler(ear)
        stream.write(bytes('never mind'))
        stream.destroy()
        await subject.until(() => ear.isClosed && peer.sawEnd())
        expect(arrived()).to.equal(0)
      })
    })

    it('never calls the handler from inside a call', async () => {
      peer.send(bytes('waiting'))
      await subject.pass()
      const calls: (() => unknown)[] = [
        () => stream.setHandler(ear),
        () => stream.pause(),
        () => stream.resume(),
        () => stream.write(bytes('x')),
        () => stream.end(),
        () => stream.destroy(),
      ]
      for (const call of calls) {
        ear.isBusy = true
        call()
        ear.isBusy = false
      }
      await subject.until(() => ear.isClosed)
      expect(ear.calledWhileBusy).to.equal(false)
    })
  })
}
