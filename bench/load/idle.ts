/** Clients that connect, open a channel, and then do nothing: what they cost is memory. */
import { generate, type Load, type LoadResult } from './generator.js'
import { LoadConnection } from './load-connection.js'
import type { LoadSettings } from './settings.js'

/** Time for the other side to come to rest before its memory is looked at. */
const REST_MS = 2000

/** Handshakes at a time. */
const AT_A_TIME = 50

function prepare(settings: LoadSettings): Promise<Load> {
  const clients: LoadConnection[] = []
  return Promise.resolve({
    run: () => openAll(settings, clients),
    cleanUp: async () => {
      for (const client of clients) client.destroy()
      await rest()
    },
  })
}

async function openAll(settings: LoadSettings, clients: LoadConnection[]): Promise<Partial<LoadResult>> {
  const before = performance.now()
  let left = settings.total
  const inTurn = async (): Promise<void> => {
    while (left > 0) {
      left--
      clients.push(await LoadConnection.open(settings))
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, inTurn))
  const seconds = (performance.now() - before) / 1000
  await rest()
  return { seconds }
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REST_MS))
}

await generate(prepare)
