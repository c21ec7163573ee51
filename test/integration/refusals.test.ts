import { connect as amqplibConnect } from 'amqplib'
import { expect } from 'chai'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient, type WireOptions } from '../support/wire-client.js'

/** Everything that the server says until it ends the connection or `last` has come, as text. */
async function conversation(port: number, options: WireOptions): Promise<string[]> {
  const client = await WireClient.dial(port)
  const said: string[] = []
  client.sendProtocolHeader()
  await client.receiveStart()
  client.startOk(options)
  try {
    for (;;) {
      const method = await client.nextMethod()
      said.push(`${method.name} ${JSON.stringify(method.args)}`)
      if (method.name === 'connection.tune') {
        client.offered = method.args as typeof client.offered
        client.tuneOk(options)
        client.open(options.vhost)
      } else if (method.name === 'connection.close') {
        client.method(0, 'connection.close-ok', {})
        await client.closed
        said.push('closed')
        return said
      } else return said
    }
  } catch {
    return [...said, 'closed without a word']
  } finally {
    client.reset()
  }
}

describe('refusals', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess

  before(async () => {
    broker = await sharedBroker()
    await broker.addUser('nowhere', 'secret')
    warren = await WarrenProcess.start(broker.port)
  })
  after(() => warren.stop())

  const withoutFailureClose = { capabilities: {} }
  const cases: [string, WireOptions][] = [
    ['a wrong password', { password: 'wrong' }],
    ['a wrong password by AMQPLAIN', { password: 'wrong', mechanism: 'AMQPLAIN' }],
    ['a wrong password of a client that cannot be told', { password: 'wrong', ...withoutFailureClose }],
    ['an unknown virtual host', { vhost: 'no-such-vhost' }],
    ['a virtual host without permission', { user: 'nowhere', password: 'secret' }],
    ['an unknown mechanism', { mechanism: 'X-FANCY', response: 'x' }],
    ['a malformed PLAIN response', { mechanism: 'PLAIN', response: 'no separators' }],
    ['a malformed AMQPLAIN response', { mechanism: 'AMQPLAIN', response: '\x05LOGINS' }],
  ]
  for (const [what, options] of cases)
    it(`${what}: reaches the client as RabbitMQ says it`, async () => {
      const [direct, through] = await Promise.all([
        conversation(broker.port, options),
        conversation(warren.port, options),
      ])
      expect(through).to.deep.equal(direct)
    })

  // RabbitMQ 3.10 closes the socket after 3 s without a word; Warren says what is wrong, as the AMQP specification asks.
  for (const [what, options, text] of [
    [
      'a frame_max under the minimum',
      { frameMax: 100 },
      'negotiated frame_max = 100 is lower than the minimum allowed value (4096)',
    ],
    [
      'a frame_max above the offer',
      { frameMax: 200_000 },
      'negotiated frame_max = 200000 is higher than the maximum allowed value (131072)',
    ],
    [
      'no limit of channels',
      { channelMax: 0 },
      'negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
    ],
  ] as const)
    it(`${what} gets 530 in answer to Tune-Ok`, async () => {
      const [, close, end] = await conversation(warren.port, options)
      expect(JSON.parse(close.slice('connection.close '.length))).to.include({
        code: 530,
        text: `NOT_ALLOWED - ${text}`,
      })
      expect(end).to.equal('closed')
    })

  it("a library shows the broker's words: amqplib and a wrong password", async () => {
    const url = (port: number): string => `amqp://guest:wrong@127.0.0.1:${port}`
    const failure = async (port: number): Promise<string> =>
      amqplibConnect(url(port)).then(
        () => 'connected',
        (error: Error) => error.message,
      )
    expect(await failure(warren.port)).to.equal(await failure(broker.port))
  })

  it('lets clients in that use AMQPLAIN', async () => {
    const client = await WireClient.connect(warren.port, { mechanism: 'AMQPLAIN' })
    await client.openChannel(1)
    await client.declareQueue(1)
    await client.close()
  })

  it("shows the broker's own server properties, and Warren under a key of its own", async () => {
    const [direct, through] = [await WireClient.connect(broker.port), await WireClient.connect(warren.port)]
    const { warren: own, ...others } = through.serverProperties
    expect(others).to.deep.equal(direct.serverProperties)
    expect(own).to.include.keys('product', 'version')
    expect(through.offered).to.deep.equal(direct.offered)
    await direct.close()
    await through.close()
  })

  describe('without a broker that answers', () => {
    let silent: Server
    const accepted = new Set<Socket>()
    before((done) => {
      silent = createServer((socket) => accepted.add(socket.on('error', () => undefined))).listen(
        0,
        '127.0.0.1',
        done,
      )
    })
    after(() => {
      accepted.forEach((socket) => socket.destroy())
      silent.close()
    })

    it('503 with the reason within 10 s when the broker accepts but never speaks', async () => {
      const lonely = await WarrenProcess.start((silent.address() as AddressInfo).port)
      const client = await WireClient.dial(lonely.port)
      client.sendProtocolHeader()
      await client.receiveStart()
      client.startOk()
      // By Warren's clock; a client that isn't told within 10 s is closed without a word.
      const { code, text } = await client.expectMethod('connection.close')
      expect(code).to.equal(503)
      expect(text).to.equal('upstream unreachable: the broker did not answer within 9 s')
      client.reset()
      await lonely.stop()
    })

    it('503 with the reason at once when nothing listens', async () => {
      const lonely = await WarrenProcess.start(1)
      expect(lonely.lines('broker unreachable: clients are told so until it answers')).to.have.length(1)
      const [said] = await conversation(lonely.port, {})
      expect(said).to.match(/connection.close .*503.*upstream unreachable: connect ECONNREFUSED 127.0.0.1:1/)
      await lonely.stop()
    })
  })
})
