import { type ChannelModel, connect } from 'amqplib'
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import type { TLSSocket } from 'node:tls'
import { TestAuthority } from '../support/certificates.js'
import { eventually } from '../support/eventually.js'
import { type BrokerChannel, type BrokerConsumer, RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

/** So that an upstream connection that nobody uses is closed soon. */
const QUICK_SWEEPS = ['--pool-idle-timeout', '0.1', '--pool-cleanup-interval', '0.05']
const CLIENTS = 10
const MESSAGES = 20

/** What each side of Warren speaks. `mutual`: TLS, and Warren's client, or Warren as a client, shows a certificate too. */
type Side = 'plain' | 'TLS' | 'mutual TLS'

const authority = new TestAuthority()
const forWarren = authority.server({ commonName: 'warren' })
const forBroker = authority.server({ commonName: 'rabbit' })
const ofClient = authority.issue({ commonName: 'client' })
const ofWarren = authority.issue({ commonName: 'warren as a client' })
const ca = readFileSync(authority.cert)

function argumentsFor(clientSide: Side, brokerSide: Side): string[] {
  const args: string[] = []
  if (clientSide !== 'plain') {
    args.push('--listen-enabled', 'false', '--tls-enabled', 'true', '--tls-port', '0')
    args.push('--tls-cert', forWarren.cert, '--tls-key', forWarren.key)
  }
  if (clientSide === 'mutual TLS') args.push('--tls-ca', authority.cert)
  if (brokerSide !== 'plain') args.push('--upstream-tls-ca', authority.cert)
  if (brokerSide === 'mutual TLS')
    args.push('--upstream-tls-client-cert', ofWarren.cert, '--upstream-tls-client-key', ofWarren.key)
  return args
}

const combinations: [Side, Side][] = [
  ['plain', 'plain'],
  ['TLS', 'plain'],
  ['plain', 'TLS'],
  ['TLS', 'TLS'],
  ['mutual TLS', 'mutual TLS'],
]

describe('TLS on both sides', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let vhosts = 0

  before(async () => {
    broker = await RabbitMqBroker.start({ tls: { ...forBroker, ca: authority.cert, clients: 'optional' } })
  })
  after(() => broker.stop())

  for (const [clientSide, brokerSide] of combinations)
    describe(`${clientSide} to clients, ${brokerSide} to the broker`, () => {
      let warren: WarrenProcess
      const opened: (ChannelModel | WireClient)[] = []

      /** Each test has one of its own, and so a pool of its own. */
      let vhost = ''

      const url = (): string =>
        brokerSide === 'plain' ? `amqp://127.0.0.1:${broker.port}` : `amqps://localhost:${broker.tlsPort}`

      before(async () => {
        warren = await WarrenProcess.start(url(), argumentsFor(clientSide, brokerSide))
      })
      after(() => warren.stop())
      const closeAll = async (): Promise<void> => {
        await Promise.all(opened.splice(0).map((connection) => connection.close().catch(() => undefined)))
      }
      beforeEach(async () => {
        vhost = `v${++vhosts}`
        await broker.addVhost(vhost)
      })
      afterEach(async () => {
        await closeAll()
        await broker.deleteVhost(vhost)
      })

      const trust = {
        ca,
        servername: 'localhost',
        ...(clientSide === 'mutual TLS'
          ? { cert: readFileSync(ofClient.cert), key: readFileSync(ofClient.key) }
          : {}),
      }

      async function client({ port } = warren): Promise<ChannelModel> {
        const scheme = clientSide === 'plain' ? 'amqp' : 'amqps'
        const connection = await connect(`${scheme}://guest:guest@127.0.0.1:${port}/${vhost}`, trust)
        opened.push(connection)
        return connection
      }

      async function wireClient(): Promise<WireClient> {
        const tls = clientSide === 'plain' ? undefined : trust
        const connection = await WireClient.connect(warren.port, { tls, vhost })
        opened.push(connection)
        return connection
      }

      async function upstreams(): Promise<string[]> {
        const all = await broker.upstreams()
        return all.filter((connection) => connection.vhost === vhost).map(({ pid }) => pid)
      }

      async function channels(): Promise<BrokerChannel[]> {
        return (await broker.channels()).filter((channel) => channel.vhost === vhost)
      }

      async function consumers(): Promise<BrokerConsumer[]> {
        return (await broker.consumers()).filter((consumer) => consumer.vhost === vhost)
      }

      it('shows the right certificate, and the broker sees the connection as it should be', async () => {
        const connection = await wireClient()
        await connection.openChannel(1)
        connection.publish(1, { routingKey: 'nowhere', body: 'x' })
        if (clientSide !== 'plain') {
          const socket = connection.socket as TLSSocket
          expect(socket.getPeerCertificate().subject.CN).to.equal('warren')
        }
        const items = 'ssl,peer_cert_subject'
        const info = await eventually(async () => {
          expect(await upstreams()).to.have.length(1)
          return broker.eval(`rabbit_networking:connection_info_all([${items}])`)
        })
        expect(info).to.contain(brokerSide === 'plain' ? '{ssl,false}' : '{ssl,true}')
        if (brokerSide === 'mutual TLS') expect(info).to.contain('warren as a client')
      })

      it('carries three clients over one upstream connection, on channels of their own', async () => {
        const clients = await Promise.all([client(), client(), client()])
        for (const number of [1, 2])
          for (const connection of clients) {
            const channel = await connection.createConfirmChannel()
            channel.publish('', 'nowhere', Buffer.from(`${number}`))
            await channel.waitForConfirms()
          }
        expect(await upstreams()).to.have.length(1)
        expect(await channels()).to.have.length(6)
      })

      it('reuses the channel of a publisher that has left', async () => {
        const pids = new Set<string>()
        for (let n = 0; n < 5; n++) {
          const connection = await wireClient()
          await connection.openChannel(1)
          connection.publish(1, { routingKey: 'nowhere', body: 'x' })
          await connection.close()
          for (const { pid } of await channels()) pids.add(pid)
        }
        expect(pids.size).to.equal(1)
      })

      it('closes the channel of a consumer that has left, and the next consumer gets its own messages', async () => {
        const first = await client()
        const channel = await first.createChannel()
        await channel.assertQueue('q')
        await channel.consume('q', () => undefined)
        const [former] = await consumers()
        await first.close()
        await eventually(async () => expect(await consumers()).to.have.length(0))
        const second = await (await client()).createChannel()
        const received: string[] = []
        await second.consume('q', (message) => received.push(message!.content.toString()))
        second.sendToQueue('q', Buffer.from('for the second'))
        await eventually(() => expect(received).to.deep.equal(['for the second']))
        expect((await consumers()).map((consumer) => consumer.channel)).not.to.include(former.channel)
      })

      it('maps the same channel number of two clients to channels of their own', async () => {
        const clients = [await wireClient(), await wireClient()]
        for (const [at, connection] of clients.entries()) {
          await connection.openChannel(1)
          await connection.declareQueue(1, `q${at}`, {})
        }
        clients.forEach((connection, at) =>
          connection.publish(1, { routingKey: `q${at}`, body: `from ${at}` }),
        )
        for (const [at, connection] of clients.entries())
          await eventually(async () =>
            expect((await connection.get(1, `q${at}`)).body.toString()).to.equal(`from ${at}`),
          )
        const used = await channels()
        // Each publishes over one and gets over another.
        expect(new Set(used.map(({ connection, number }) => `${connection} ${number}`)).size).to.equal(4)
      })

      it('closes an upstream connection that nobody uses, and opens another one for the next client', async () => {
        const quick = await WarrenProcess.start(url(), [
          ...argumentsFor(clientSide, brokerSide),
          ...QUICK_SWEEPS,
        ])
        const publish = async (): Promise<ChannelModel> => {
          const connection = await client(quick)
          const channel = await connection.createConfirmChannel()
          channel.publish('', 'nowhere', Buffer.from('x'))
          await channel.waitForConfirms()
          return connection
        }
        try {
          const connection = await publish()
          const before = await upstreams()
          await connection.close()
          await eventually(async () => expect(await upstreams()).to.have.length(0))
          await publish()
          expect(await upstreams())
            .to.have.length(1)
            .and.not.include(before[0])
        } finally {
          await closeAll()
          await quick.stop()
        }
      })

      it('carries messages from end to end, from empty ones to large ones', async () => {
        const publisher = await (await client()).createConfirmChannel()
        const consumer = await (await client()).createChannel()
        await consumer.assertQueue('q')
        const sent = [0, 1, 100, 4096, 131_072, 1_000_000, 5_000_000].map((size) =>
          Buffer.alloc(size, size % 251),
        )
        const received: Buffer[] = []
        await consumer.consume('q', (message) => {
          received.push(message!.content)
          consumer.ack(message!)
        })
        for (const body of sent) publisher.sendToQueue('q', body)
        await publisher.waitForConfirms()
        await eventually(() => expect(received).to.have.length(sent.length))
        expect(received.every((body, at) => body.equals(sent[at]))).to.equal(true)
      })

      it(`delivers everything that ${CLIENTS} clients publish and ${CLIENTS} others consume at the same time`, async () => {
        const received: string[] = []
        const setUp = await (await client()).createChannel()
        await setUp.assertQueue('q')
        const consumers = Array.from({ length: CLIENTS }, async () => {
          const channel = await (await client()).createChannel()
          await channel.prefetch(5)
          await channel.consume('q', (message) => {
            received.push(message!.content.toString())
            channel.ack(message!)
          })
        })
        const publishers = Array.from({ length: CLIENTS }, async (_, at) => {
          const channel = await (await client()).createConfirmChannel()
          for (let n = 0; n < MESSAGES; n++) channel.sendToQueue('q', Buffer.from(`${at}:${n}`))
          await channel.waitForConfirms()
        })
        await Promise.all([...consumers, ...publishers])
        await eventually(() => expect(received).to.have.length(CLIENTS * MESSAGES))
        expect(new Set(received).size).to.equal(CLIENTS * MESSAGES)
      })
    })
})
