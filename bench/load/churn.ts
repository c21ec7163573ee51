/** Short sessions: connect, open a channel, publish one message, close, and again. */
import { connect } from 'node:net'
import { type FrameHandler, FrameScanner } from '../wire/frame-scanner.js'
import { publish } from '../wire/encoding.js'
import { Method, methodName } from '../wire/method.js'
import { generate, type Load } from './generator.js'
import { channelClose, channelOpen, CLOSE, open, PROTOCOL_HEADER, startOk, TUNE_OK } from './handshake.js'
import { CHANNEL, closeReason } from './load-connection.js'
import type { LoadSettings } from './settings.js'

/** What a session answers to each method; no answer to Connection.Close-Ok, the end. */
type Script = Map<number, Buffer>

const readBuffer = Buffer.allocUnsafe(65536)

function prepare(settings: LoadSettings): Promise<Load> {
  const message = publish(CHANNEL, '', 'bench.nowhere', Buffer.alloc(settings.body, 'x'))
  const script: Script = new Map([
    [Method.ConnectionStart, startOk(settings.user, settings.password)],
    [Method.ConnectionTune, Buffer.concat([TUNE_OK, open(settings.vhost)])],
    [Method.ConnectionOpenOk, channelOpen(CHANNEL)],
    [Method.ChannelOpenOk, Buffer.concat([message, settings.closeChannels ? channelClose(CHANNEL) : CLOSE])],
    [Method.ChannelCloseOk, CLOSE],
  ])
  return Promise.resolve({ run: () => runSessions(settings, script) })
}

async function runSessions(settings: LoadSettings, script: Script): Promise<void> {
  let left = settings.total
  const inTurn = async (): Promise<void> => {
    while (left > 0) {
      left--
      await session(settings, script)
    }
  }
  await Promise.all(Array.from({ length: settings.connections }, inTurn))
}

/** Resolves when Close-Ok has come and the socket is closed. */
function session({ host, port }: LoadSettings, script: Script): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = false
    const handler: FrameHandler = {
      onMethod: (id, _channel, bytes, at) => {
        const answer = script.get(id)
        if (answer) return void socket.write(answer)
        done = id === Method.ConnectionCloseOk
        if (!done) reject(new Error(unexpected(id, bytes, at)))
        socket.destroy()
      },
      onHeader: () => undefined,
      onBody: () => undefined,
    }
    const scanner = new FrameScanner(handler)
    const onread = {
      buffer: readBuffer,
      callback: (length: number, bytes: Uint8Array) => {
        scanner.push(bytes as Buffer, length)
        return true
      },
    }
    const socket = connect({ host, port, noDelay: true, onread })
    socket.write(PROTOCOL_HEADER)
    socket.on('error', reject)
    socket.on('close', () => {
      if (done) resolve()
      else reject(new Error('the connection was closed in the middle of a session'))
    })
  })
}

function unexpected(id: number, bytes: Buffer, at: number): string {
  if (id !== Method.ConnectionClose && id !== Method.ChannelClose)
    return `unexpected method ${methodName(id)}`
  return `closed by the other side (${methodName(id)}): ${closeReason(bytes, at)}`
}

await generate(prepare)
