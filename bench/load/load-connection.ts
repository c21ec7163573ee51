/** A client connection made for load: one channel, pre-encoded frames, and replies that are only looked at by number. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type FrameHandler, FrameScanner } from '../wire/frame-scanner.js'
import { Method, methodName } from '../wire/method.js'
import { channelOpen, CLOSE, flow, open, PROTOCOL_HEADER, startOk, TUNE_OK } from './handshake.js'
import type { LoadSettings } from './settings.js'

export const CHANNEL = 1

/** All sockets of the process read into this one: what is read is handled before the next read. */
const readBuffer = Buffer.allocUnsafe(65536)

export class LoadConnection implements FrameHandler {
  readonly socket: Socket
  readonly scanner = new FrameScanner(this)

  /** What the workload itself wants to see; replies that are waited for don't come here. */
  onMethod: FrameHandler['onMethod'] = (id, _channel, bytes, at) => this.reply(id, bytes, at)
  onHeader: FrameHandler['onHeader'] = () => undefined
  onBody: FrameHandler['onBody'] = () => undefined

  /** All frames of one read have been handled. */
  onChunkEnd: () => void = () => undefined

  private awaited = 0
  private resolve: (() => void) | undefined

  private constructor({ host, tls }: LoadSettings, port: number) {
    const read = (length: number, bytes: Uint8Array): boolean => {
      this.scanner.push(bytes as Buffer, length)
      this.onChunkEnd()
      return true
    }
    if (tls) {
      this.socket = connectTls({ host, port, rejectUnauthorized: false }).setNoDelay(true)
      this.socket.on('data', (bytes: Buffer) => read(bytes.length, bytes))
    } else {
      this.socket = connect({ host, port, noDelay: true, onread: { buffer: readBuffer, callback: read } })
    }
    // Nothing is waited for while a load runs: what goes wrong is thrown, and ends the generator.
    this.socket.on('close', () => {
      throw new Error('the connection was closed')
    })
  }

  /** Connects and opens its channels. */
  static async open(settings: LoadSettings, port = settings.port): Promise<LoadConnection> {
    const connection = new LoadConnection(settings, port)
    await connection.call(PROTOCOL_HEADER, Method.ConnectionStart)
    await connection.call(startOk(settings.user, settings.password), Method.ConnectionTune)
    connection.socket.write(TUNE_OK)
    await connection.call(open(settings.vhost), Method.ConnectionOpenOk)
    for (let channel = CHANNEL; channel < CHANNEL + settings.channels; channel++)
      await connection.call(channelOpen(channel), Method.ChannelOpenOk)
    return connection
  }

  static openAll(settings: LoadSettings): Promise<LoadConnection[]> {
    return Promise.all(Array.from({ length: settings.connections }, () => LoadConnection.open(settings)))
  }

  /** Sends a request and waits for this reply to it. */
  call(request: Buffer, replyId: number): Promise<void> {
    return new Promise((resolve) => {
      this.awaited = replyId
      this.resolve = resolve
      this.socket.write(request)
    })
  }

  /** Resolves when all that was published has been processed. */
  barrier(channel = CHANNEL): Promise<void> {
    return this.call(flow(channel), Method.ChannelFlowOk)
  }

  /** Sends something big, and waits until the kernel has taken it. */
  send(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(bytes, () => resolve())
    })
  }

  async close(): Promise<void> {
    await this.call(CLOSE, Method.ConnectionCloseOk)
    this.destroy()
  }

  /** Leaves without a word. */
  destroy(): void {
    this.socket.removeAllListeners('close')
    this.socket.destroy()
  }

  /** Takes the reply that is waited for, and what the other side closes or cancels on its own. */
  reply(id: number, bytes: Buffer, at: number): void {
    if (id === this.awaited) {
      this.awaited = 0
      this.resolve?.()
    } else if (id === Method.ConnectionClose || id === Method.ChannelClose) {
      throw new Error(`closed by the other side (${methodName(id)}): ${closeReason(bytes, at)}`)
    }
  }
}

/** Reply code and text of Connection.Close or Channel.Close. */
export function closeReason(bytes: Buffer, at: number): string {
  return `${bytes.readUInt16BE(at)} ${bytes.toString('utf8', at + 3, at + 3 + bytes[at + 2])}`
}
