import type { CertificateNames } from '../../src/domain/external-identity.js'
import type { ByteStream, ByteStreamHandler } from '../../src/application/ports/byte-stream.js'

/** Things that happened on any fake stream: while it grows, something is going on. */
let happenings = 0
const QUIET_MICROTASKS = 100

/** Lets everything that fakes and promises have under way happen. Microtasks only: no time passes. */
export async function settle(): Promise<void> {
  for (let before = -1; before !== happenings;) {
    before = happenings
    for (let turn = 0; turn < QUIET_MICROTASKS; turn++) await Promise.resolve()
  }
}

/** From this many waiting bytes on, `write` asks its caller to wait, as the real stream does. */
export const FAKE_HIGH_WATER_MARK = 1024 * 1024

/** A {@link ByteStream} in memory; a test holds its other end, the {@link FakePeer}. Everything arrives by microtask. */
export class FakeByteStream implements ByteStream {
  readonly peer: FakePeer
  private handler: ByteStreamHandler | undefined
  private isEnding = false
  private isClosed = false
  private closeReason: Error | undefined
  private isCloseTold = false
  private isFlushDue = false
  private mustDrain = false
  private waiting: Uint8Array[] = []
  private backlog = 0
  private stalled = false
  /** What the peer has sent; undefined is its end. */
  private incoming: (Uint8Array | undefined)[] = []
  private paused = false
  private isReadDue = false

  constructor(
    readonly remoteAddress = '192.0.2.1:40000',
    readonly certificateNames?: CertificateNames,
  ) {
    this.peer = new FakePeer(this)
  }

  get bufferedBytes(): number {
    return this.waiting.reduce((sum, bytes) => sum + bytes.length, this.backlog)
  }

  setHandler(handler: ByteStreamHandler): void {
    this.handler = handler
    this.readSoon()
    if (this.isClosed) this.tellClosedSoon()
  }

  write(bytes: Uint8Array): boolean {
    if (this.isEnding || this.isClosed) return true
    this.waiting.push(bytes)
    this.flushSoon()
    if (this.bufferedBytes < FAKE_HIGH_WATER_MARK) return true
    this.mustDrain = true
    return false
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.readSoon()
  }

  end(): void {
    if (this.isEnding || this.isClosed) return
    this.isEnding = true
    this.flushSoon()
    this.resume()
  }

  destroy(): void {
    this.close(undefined)
  }

  // ---- for the peer ----------------------------------------------------------------------------------------------

  get isPaused(): boolean {
    return this.paused
  }

  get isGone(): boolean {
    return this.isClosed
  }

  /** Bytes of the peer that nobody has taken yet. */
  get unreadBytes(): number {
    return this.incoming.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0)
  }

  /** The peer reads no more, as if `backlog` bytes waited for it already. */
  stall(backlog: number): void {
    this.stalled = true
    this.backlog = backlog
  }

  /** The peer reads again. */
  drain(): void {
    this.stalled = false
    this.backlog = 0
    this.flushSoon()
  }

  /** The peer sent bytes, or (undefined) its end. */
  arrive(bytes: Uint8Array | undefined): void {
    if (this.isClosed) return
    this.incoming.push(bytes)
    this.readSoon()
  }

  /** Ends both directions at once. */
  close(reason: Error | undefined): void {
    if (this.isClosed) return
    this.isClosed = this.isEnding = true
    this.closeReason = reason
    this.incoming = []
    this.waiting = []
    this.backlog = 0
    queueMicrotask(() => {
      happenings++
      this.peer.seeEnd('destroyed')
    })
    this.tellClosedSoon()
  }

  // ---- what happens by itself ------------------------------------------------------------------------------------

  private flushSoon(): void {
    if (this.isFlushDue) return
    this.isFlushDue = true
    queueMicrotask(() => {
      this.isFlushDue = false
      if (!this.isClosed && !this.stalled) this.flush()
    })
  }

  private flush(): void {
    happenings++
    // Copied only now: whoever writes into bytes that the stream owns is found out.
    const bytes = Buffer.concat(this.waiting)
    this.waiting = []
    if (bytes.length > 0) this.peer.seeData(bytes)
    if (this.isEnding) {
      this.peer.seeEnd('ended')
      this.closeIfBothEnded()
    }
    if (!this.mustDrain || this.isClosed) return
    this.mustDrain = false
    this.handler?.onDrain()
  }

  private readSoon(): void {
    if (this.isReadDue || this.incoming.length === 0) return
    this.isReadDue = true
    queueMicrotask(() => {
      this.isReadDue = false
      if (this.paused || this.isClosed || this.handler === undefined || this.incoming.length === 0) return
      this.read(this.handler)
      this.readSoon()
    })
  }

  private read(handler: ByteStreamHandler): void {
    happenings++
    const bytes = this.incoming.shift()
    if (bytes !== undefined) {
      handler.onData(bytes)
      return
    }
    this.peer.hasEnded = true
    // As TCP streams do by default: when the peer has ended, so do we, once all is sent.
    this.end()
    this.closeIfBothEnded()
  }

  private closeIfBothEnded(): void {
    if (this.isClosed || !this.peer.hasEnded || this.peer.sees !== 'ended') return
    this.isClosed = true
    this.tellClosedSoon()
  }

  private tellClosedSoon(): void {
    queueMicrotask(() => {
      if (!this.isClosed || this.isCloseTold || this.handler === undefined) return
      happenings++
      this.isCloseTold = true
      this.handler.onClose(this.closeReason)
    })
  }
}

/** The other end of a {@link FakeByteStream}: what a client or a broker holds of the connection. */
export class FakePeer {
  /** What came out of the stream so far, as it came. */
  readonly chunks: Buffer[] = []
  /** `ended`: the stream has ended its side, after all that it had to send. `destroyed`: it was cut off. */
  sees: 'open' | 'ended' | 'destroyed' = 'open'
  /** The stream has read our end. */
  hasEnded = false
  /** Hears of bytes that come out of the stream. */
  onData: (bytes: Buffer) => void = () => undefined
  /** Hears, once, that no more bytes will come. */
  onEnd: () => void = () => undefined

  constructor(readonly stream: FakeByteStream) {}

  /** Everything that came out of the stream. */
  get received(): Buffer {
    return Buffer.concat(this.chunks)
  }

  /** Whether nothing is left of the connection on the stream's side. */
  get isGone(): boolean {
    return this.stream.isGone
  }

  /** Whether the stream's owner wants nothing for now. */
  get isPaused(): boolean {
    return this.stream.isPaused
  }

  /** Bytes that we sent and the stream's owner hasn't taken. */
  get unreadBytes(): number {
    return this.stream.unreadBytes
  }

  /** Sends a copy of `bytes`, in one piece. */
  send(bytes: Uint8Array): void {
    this.stream.arrive(Uint8Array.from(bytes))
  }

  /** Sends an orderly end. */
  end(): void {
    this.stream.arrive(undefined)
  }

  /** Breaks the connection; what is under way is lost. */
  reset(error: Error = new Error('read ECONNRESET')): void {
    this.stream.close(error)
  }

  /** Reads no more, as if `backlog` bytes waited already; by default so many that the next `write` returns false. */
  stall(backlog = FAKE_HIGH_WATER_MARK): void {
    this.stream.stall(backlog)
  }

  /** Reads again, and all that waits at once. */
  drain(): void {
    this.stream.drain()
  }

  seeData(bytes: Buffer): void {
    this.chunks.push(bytes)
    this.onData(bytes)
  }

  seeEnd(how: 'ended' | 'destroyed'): void {
    if (this.sees !== 'open') return
    this.sees = how
    this.onEnd()
  }
}
