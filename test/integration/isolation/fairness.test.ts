import { expect } from 'chai'
import { once } from 'node:events'
import type { RabbitMqBroker } from '../../support/rabbitmq-broker.js'
import { sharedBroker } from '../../support/shared-broker.js'
import { WarrenProcess } from '../../support/warren-process.js'
import { heartbeatFrame, method, WireClient } from '../../support/wire-client.js'

/** What costs Warren work, and doesn't reach the broker, whose own connections may be full. */
const FLOODS: [what: string, frames: Buffer][] = [
  ['heartbeats', heartbeatFrame()],
  [
    'channels that it opens and closes',
    Buffer.concat([method(2, 'channel.open'), method(2, 'channel.close')]),
  ],
]
const VISITS = 20

describe('a client that floods without an end', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
    warren = await WarrenProcess.start(broker.port)
  })
  after(() => warren.stop())

  for (const [what, frames] of FLOODS)
    it(`with ${what} keeps nobody from coming, publishing with confirms, and going`, async () => {
      const flooder = await WireClient.connect(warren.port)
      flooder.socket.removeAllListeners('data').resume()
      const chunk = Buffer.concat(Array.from({ length: Math.ceil(65_536 / frames.length) }, () => frames))
      let isOver = false
      const flood = (async (): Promise<number> => {
        let sent = 0
        for (; !isOver; sent += chunk.length)
          if (!flooder.socket.write(chunk)) await once(flooder.socket, 'drain')
        return sent
      })()
      for (let visit = 0; visit < VISITS; visit++) {
        const client = await WireClient.connect(warren.port)
        await client.openChannel(1)
        client.method(1, 'confirm.select')
        await client.expectMethod('confirm.select-ok')
        client.publish(1, { routingKey: 'nowhere', body: 'x' })
        await client.expectMethod('basic.ack')
        await client.close()
      }
      isOver = true
      expect(await flood, 'bytes of the flood').to.be.greaterThan(chunk.length * VISITS)
      flooder.reset()
    })
})
