/** Publishing with confirms beside a consumer that has stopped reading: does it cost the others anything? */
import { Method } from '../wire/method.js'
import { confirmingPublishers } from './confirming.js'
import { generate, type Load } from './generator.js'
import { LoadConnection } from './load-connection.js'
import { basicConsume, basicQos, queueDeclare, queueDelete } from './queue-requests.js'
import { fill } from './queue-filling.js'
import type { LoadSettings } from './settings.js'

/** Together more than any socket takes, and less than Warren keeps for one client. */
const STALLED = { messages: 300, size: 100_000 }

async function prepare(settings: LoadSettings): Promise<Load> {
  const queue = `bench.stalled.${process.pid}.${STALLED.size}`
  const broker = await LoadConnection.open(settings, settings.brokerPort)
  await broker.call(queueDeclare(queue), Method.QueueDeclareOk)
  if (settings.fill) await fill(broker, queue, STALLED.messages, STALLED.size)
  const stalled = await LoadConnection.open(settings)
  await stalled.call(basicQos(STALLED.messages), Method.BasicQosOk)
  await stalled.call(basicConsume(queue, { noAck: false }), Method.BasicConsumeOk)
  stalled.socket.pause()
  return {
    run: await confirmingPublishers(settings),
    cleanUp: async () => {
      stalled.destroy()
      await broker.call(queueDelete(queue), Method.QueueDeleteOk)
    },
  }
}

await generate(prepare)
