/** EXTERNAL before Warren and before RabbitMQ's own plugin for it: a client can't tell one from the other. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { type KeyPairFiles, TestAuthority } from '../support/certificates.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient, type WireOptions } from '../support/wire-client.js'

const authority = new TestAuthority()
const ofShop = authority.issue({ commonName: 'shop-1' })
const ofTill = authority.issue({ commonName: 'till' })

const trust: ConnectionOptions = { ca: readFileSync(authority.cert) }
const show = ({ cert, key }: KeyPairFiles): ConnectionOptions => ({
  ...trust,
  cert: readFileSync(cert),
  key: readFileSync(key),
})

/** What a client gets to see that asks for EXTERNAL. */
interface Answer {
  readonly offered: readonly string[]
  /** Behind Start-Ok: the methods that come, and how it ends. */
  readonly behind: readonly unknown[]
}

describe("EXTERNAL, compared with RabbitMQ's own plugin,", function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    const pair = authority.server({ commonName: 'both' })
    broker = await RabbitMqBroker.start({
      tls: { ...pair, ca: authority.cert, clients: 'optional' },
      plugins: ['rabbitmq_auth_mechanism_ssl'],
      config: `auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = EXTERNAL
ssl_cert_login_from = common_name`,
    })
    await broker.addUser('shop-1', 'sesame', { vhosts: ['/'] })
    warren = await WarrenProcess.start(broker.port, [
      ...['--tls-enabled', 'true', '--tls-port', '0', '--tls-cert', pair.cert, '--tls-key', pair.key],
      ...['--tls-ca', authority.cert, '--tls-client-certificates', 'optional'],
      ...['--tls-external-logins', 'shop-1=shop-1:sesame'],
    ])
  })
  after(async () => {
    await warren?.stop()
    await broker?.stop()
  })

  async function ask(port: number, tls: ConnectionOptions | undefined, more: WireOptions): Promise<Answer> {
    const client = await WireClient.dial(port, '127.0.0.1', tls)
    client.sendProtocolHeader()
    await client.receiveStart()
    const offered = client.mechanisms
    client.startOk({ mechanism: 'EXTERNAL', response: '', ...more })
    const behind: unknown[] = []
    for (;;) {
      const next = await client.nextMethod().catch((error: unknown) => {
        if (client.isEnded) return undefined
        throw error
      })
      if (next === undefined) break
      behind.push(next)
      if (next.name === 'connection.tune') {
        client.socket.destroy()
        break
      }
      if (next.name === 'connection.close') client.method(0, 'connection.close-ok')
    }
    // RabbitMQ resets some of those that it leaves in silence.
    await client.closed
    // In RabbitMQ's order it is the plugin that counts, and in Warren's it's Warren's own.
    return { offered: offered.toSorted(), behind }
  }

  const clients: [string, ConnectionOptions | undefined][] = [
    ['whose certificate has the name of a user', show(ofShop)],
    ['whose certificate has another name', show(ofTill)],
    ['without a certificate', trust],
    ['without TLS', undefined],
  ]
  const ways: WireOptions[] = [{}, { capabilities: {} }, { response: 'guest' }]
  for (const [who, tls] of clients)
    it(`answers a client ${who} as RabbitMQ does, whatever it announces and says`, async () => {
      const all = (plainPort: number, tlsPort: number): Promise<Answer[]> =>
        Promise.all(ways.map((options) => ask(tls === undefined ? plainPort : tlsPort, tls, options)))
      const [direct, through] = await Promise.all([
        all(broker.port, broker.tlsPort),
        all(warren.port, warren.tlsPort),
      ])
      expect(through).to.deep.equal(direct)
    })
})
