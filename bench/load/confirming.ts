/** A publisher with confirms that keeps a window of messages unconfirmed. */
import { methodFrame, publish, repeated, u8 } from '../wire/encoding.js'
import { Method } from '../wire/method.js'
import { TagWindow } from '../wire/tag-window.js'
import { CHANNEL, LoadConnection } from './load-connection.js'
import { type LoadSettings, shares } from './settings.js'

const SELECT = methodFrame(CHANNEL, Method.ConfirmSelect, u8(0))

/** Connections that are ready to publish; what is returned publishes all, and resolves when everything has been confirmed. */
export async function confirmingPublishers(settings: LoadSettings): Promise<() => Promise<void>> {
  const message = publish(CHANNEL, '', 'bench.nowhere', Buffer.alloc(settings.body, 'x'))
  const connections = await LoadConnection.openAll(settings)
  await Promise.all(connections.map((connection) => connection.call(SELECT, Method.ConfirmSelectOk)))
  const batch = repeated(message, settings.window)
  const counts = shares(settings)
  return async () => {
    await Promise.all(connections.map((one, i) => publishConfirmed(one, counts[i], batch, settings.window)))
  }
}

/** Resolves when all `count` messages have been confirmed. */
function publishConfirmed(
  connection: LoadConnection,
  count: number,
  batch: Buffer,
  window: number,
): Promise<void> {
  const { socket } = connection
  const messageSize = batch.length / window
  const tags = new TagWindow(window)
  let unsent = count
  let unconfirmed = count
  let confirmed = 0

  return new Promise((resolve, reject) => {
    const send = (room: number): void => {
      const messages = Math.min(room, unsent)
      if (messages === 0) return
      unsent -= messages
      socket.write(batch.subarray(0, messages * messageSize))
    }
    connection.onMethod = (id, _channel, bytes, at) => {
      if (id === Method.BasicAck) confirmed += tags.settle(bytes.readUInt32BE(at + 4), bytes[at + 8] === 1)
      else if (id === Method.BasicNack) reject(new Error('the broker refused a message'))
      else connection.reply(id, bytes, at)
    }
    connection.onChunkEnd = () => {
      if (confirmed === 0) return
      unconfirmed -= confirmed
      send(confirmed)
      confirmed = 0
      if (unconfirmed === 0) resolve()
    }
    send(window)
  })
}
