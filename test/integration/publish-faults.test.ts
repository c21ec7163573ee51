import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { takeAll } from '../support/queue-contents.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { numbered } from '../support/sessions.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient, type Args, type Message, type WireOptions } from '../support/wire-client.js'

const QUEUE = 'faults'

describe('publishers whose broker is cut off', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let proxy: FaultProxy
  let warren: WarrenProcess
  const clients: WireClient[] = []

  before(async () => {
    broker = await sharedBroker()
    await broker.addUser('faulty', 'secret', { vhosts: ['/'] })
  })
  after(() => broker.eval('rabbit_auth_backend_internal:delete_user(<<"faulty">>, <<"test">>)'))

  beforeEach(async () => {
    proxy = await FaultProxy.start(broker.port)
    const client = await WireClient.connect(broker.port)
    await client.openChannel(1)
    await client.declareQueue(1, QUEUE, {})
    await client.close()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.reset()
    await warren.stop()
    await proxy.stop()
    await broker.deleteAllQueues()
  })

  const start = async (...args: string[]): Promise<void> => {
    warren = await WarrenProcess.start(proxy.port, ['--pool-publish-buffer-size', '5000', ...args])
  }

  const connect = async (options: WireOptions = {}): Promise<WireClient> => {
    const client = await WireClient.connect(warren.port, options)
    clients.push(client)
    await client.openChannel(1)
    return client
  }

  const publish = (client: WireClient, body: string, message: Message = {}): void =>
    client.publish(1, { routingKey: QUEUE, body, ...message })

  /** A client in confirm mode, one of whose messages is in the queue. */
  const confirming = async (options: WireOptions = {}): Promise<WireClient> => {
    const client = await connect(options)
    client.method(1, 'confirm.select')
    await client.expectMethod('confirm.select-ok')
    publish(client, 'before')
    await client.expectMethod('basic.ack')
    return client
  }

  /** Resolves once the client has been told of all its messages up to `last`: numbers that were refused. */
  const toldOfAll = async (client: WireClient, last: number): Promise<number[]> => {
    const refused: number[] = []
    const open = new Set(Array.from({ length: last - 1 }, (_, at) => at + 2))
    while (open.size > 0) {
      const { name, args } = await client.nextMethod(90_000)
      expect(name).to.be.oneOf(['basic.ack', 'basic.nack'])
      const { deliveryTag, multiple } = args as Args<'basic.ack'>
      const tag = Number(deliveryTag)
      expect([...open]).to.include(tag)
      if (name === 'basic.nack') refused.push(tag)
      for (let number = multiple ? 2 : tag; number <= tag; number++) open.delete(number)
    }
    return refused
  }

  const lines = (message: string): Record<string, unknown>[] => [...warren.lines(message)]
  const SET_ASIDE = 'message set aside: the broker refuses it'

  /** The broker can't be reached any more, and Warren has noticed. */
  const cut = async (): Promise<void> => {
    proxy.door = 'resets'
    proxy.resetAll()
    await eventually(() => expect(lines('upstream connection lost')).not.to.have.length(0))
  }

  const heal = (): void => {
    proxy.door = 'open'
    proxy.faults = {}
  }

  it('go on when all connections are closed by an operator', async () => {
    await start()
    const client = await confirming()
    await broker.closeAllConnections('maintenance')
    for (const body of numbered('m', 50)) publish(client, body)
    expect(await toldOfAll(client, 51)).to.deep.equal([])
    expect(new Set(await takeAll(broker.port, QUEUE))).to.deep.equal(
      new Set(['before', ...numbered('m', 50)]),
    )
  })

  it('go on when the network is cut without a word, and only missing heartbeats tell', async () => {
    await start('--upstream-heartbeat', '1')
    const client = await confirming()
    for (const connection of proxy.connections) connection.faults = { isBlackhole: true }
    for (const body of numbered('m', 50)) publish(client, body)
    expect(await toldOfAll(client, 51)).to.deep.equal([])
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['before', ...numbered('m', 50)])
    expect(String(lines('upstream connection lost')[0]['reason'])).to.contain('silent')
  })

  it('lose nothing, nor their order, when the drain is broken off twice', async () => {
    await start()
    const client = await confirming()
    await cut()
    const bodies = numbered('m', 2000)
    for (const body of bodies) publish(client, body)
    let breaks = 0
    proxy.onConnection = (connection) => {
      // The handshake is smaller than this, the drain is larger.
      connection.onBytesUp = () => {
        if (breaks < 2 && connection.bytesUp > 20_000 * (breaks + 1)) {
          breaks++
          connection.reset()
        }
      }
    }
    heal()
    proxy.faults = { bytesPerSecond: 200_000 }
    expect(await toldOfAll(client, 2001)).to.deep.equal([])
    expect(breaks).to.equal(2)
    expect([...new Set(await takeAll(broker.port, QUEUE))]).to.deep.equal(['before', ...bodies])
    await eventually(() => expect(lines('publish buffer drained')).to.have.length(1))
  })

  it('don’t notice that bytes come late and in little pieces', async () => {
    await start('--pool-publish-guarantee', 'confirmed')
    proxy.faults = { chunkBytes: 5, delayMs: 5 }
    const client = await connect()
    for (const body of numbered('m', 20)) publish(client, body)
    client.method(0, 'connection.close', { code: 200, text: 'bye' })
    await client.expectMethod('connection.close-ok')
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(numbered('m', 20))
  })

  it('are kept when the broker takes connections but never answers', async () => {
    await start('--upstream-connect-timeout', '1')
    const client = await confirming()
    proxy.door = 'silent'
    proxy.resetAll()
    for (const body of numbered('m', 10)) publish(client, body)
    await eventually(() => expect(lines('reconnecting failed')).not.to.have.length(0), 90_000)
    expect(String(lines('reconnecting failed')[0]['reason'])).to.contain('did not answer')
    heal()
    expect(await toldOfAll(client, 11)).to.deep.equal([])
    expect(new Set(await takeAll(broker.port, QUEUE))).to.deep.equal(
      new Set(['before', ...numbered('m', 10)]),
    )
  })

  it('are told when there’s no more room; what was kept is published', async () => {
    await start('--pool-publish-buffer-size', '10')
    const client = await confirming()
    await cut()
    for (const body of numbered('m', 15)) publish(client, body)
    const close = await client.expectMethod('connection.close')
    expect(close.code).to.equal(503)
    expect(close.text).to.match(/publish buffer full/)
    const late = await WireClient.dial(warren.port)
    clients.push(late)
    await late.authenticate()
    late.tuneOk()
    late.open()
    expect(await late.expectMethod('connection.close')).to.deep.include({
      code: 503,
      text: 'upstream unreachable: the publish buffer is full',
    })
    heal()
    await eventually(() => expect(lines('publish buffer drained')).to.have.length(1), 90_000)
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['before', ...numbered('m', 10)])
  })

  it('are told which messages the broker refuses, and get the others through', async () => {
    await start()
    const client = await confirming()
    client.method(1, 'exchange.declare', { exchange: 'gone', type: 'fanout' })
    await client.expectMethod('exchange.declare-ok')
    await cut()
    publish(client, 'one')
    publish(client, 'lost', { exchange: 'gone' })
    publish(client, 'two')
    const direct = await WireClient.connect(broker.port)
    clients.push(direct)
    await direct.openChannel(1)
    direct.method(1, 'exchange.delete', { exchange: 'gone' })
    await direct.expectMethod('exchange.delete-ok')
    heal()
    expect(await toldOfAll(client, 4)).to.deep.equal([3])
    const bodies = await takeAll(broker.port, QUEUE)
    expect([...new Set(bodies)]).to.deep.equal(['before', 'one', 'two'])
    expect(lines(SET_ASIDE)).to.have.length(1)
    expect(lines(SET_ASIDE)[0]).to.include({ exchange: 'gone', routingKey: QUEUE, size: 4 })
    expect(String(lines(SET_ASIDE)[0]['reason'])).to.contain('NOT_FOUND')
  })

  it('have what the broker has refused published when an operator has mended what was wrong', async () => {
    await start()
    const ask = async (method: string, path: string): Promise<Record<string, unknown>> => {
      const response = await fetch(`http://127.0.0.1:${warren.managementPort}${path}`, { method })
      return (await response.json()) as Record<string, unknown>
    }
    const client = await connect()
    client.method(1, 'exchange.declare', { exchange: 'gone', type: 'fanout' })
    await client.expectMethod('exchange.declare-ok')
    const direct = await WireClient.connect(broker.port)
    clients.push(direct)
    await direct.openChannel(1)
    direct.method(1, 'exchange.delete', { exchange: 'gone' })
    await direct.expectMethod('exchange.delete-ok')
    await cut()
    // It goes with the connection that declared it: whoever publishes now hasn't asked the broker for anything.
    const publisher = await connect()
    for (const body of numbered('m', 3)) publish(publisher, body, { exchange: 'gone' })
    heal()
    await eventually(async () => expect((await ask('GET', '/aside'))['total']).to.equal(3), 90_000)
    const { aside } = (await ask('GET', '/aside')) as { aside: Record<string, unknown>[] }
    expect(aside.map(({ id }) => id)).to.deep.equal(['1', '2', '3'])
    for (const message of aside)
      expect(message).to.include({
        ...{ exchange: 'gone', routing_key: QUEUE, size: 2, publisher_told: false, expired: false },
        reason: "404 NOT_FOUND - no exchange 'gone' in vhost '/'",
      })

    direct.method(1, 'exchange.declare', { exchange: 'gone', type: 'fanout' })
    await direct.expectMethod('exchange.declare-ok')
    direct.method(1, 'queue.bind', { queue: QUEUE, exchange: 'gone', routingKey: '' })
    await direct.expectMethod('queue.bind-ok')
    expect(await ask('DELETE', '/aside/2')).to.include({ status: 'success', dropped: 1 })
    expect(await ask('POST', '/aside/all/retry')).to.include({ status: 'success', retried: 2 })
    await eventually(async () => {
      const { messages } = (await broker.queues()).find(({ name }) => name === QUEUE)!
      expect(messages).to.equal(2)
    })
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['m0', 'm2'])
    const { aside: left } = (await ask('GET', '/summary')) as { aside: unknown }
    expect(left).to.deep.equal({ messages: 0, bytes: 0 })
    direct.method(1, 'exchange.delete', { exchange: 'gone' })
    await direct.expectMethod('exchange.delete-ok')
  })

  for (const [what, limit] of [
    ['their user', '{user, <<"faulty">>}'],
    ['their virtual host', 'vhost'],
  ])
    it(`stay while ${what} has as many connections as it may, and are served when one is free`, async () => {
      await start()
      const client = await confirming({ user: 'faulty', password: 'secret' })
      await cut()
      publish(client, 'patient')
      const set = (most: string): string =>
        limit === 'vhost'
          ? `rabbit_vhost_limit:set(<<"/">>, [{<<"max-connections">>, ${most}}], <<"test">>)`
          : `rabbit_auth_backend_internal:set_user_limits(<<"faulty">>, #{<<"max-connections">> => ${most}}, <<"test">>)`
      await broker.eval(set('0'))
      try {
        heal()
        const reason = (): string => String(lines('reconnecting failed').at(-1)?.['reason'])
        await eventually(
          () => expect(reason()).to.match(/^530 NOT_ALLOWED - .* limit \(0\) is reached$/),
          90_000,
        )
      } finally {
        await broker.eval(set('-1'))
      }
      expect(await toldOfAll(client, 2)).to.deep.equal([])
      expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['before', 'patient'])
    })

  it('are told when they may no longer write', async () => {
    await start()
    const client = await confirming({ user: 'faulty', password: 'secret' })
    await cut()
    publish(client, 'forbidden')
    const none = '<<"">>, <<"">>, <<"">>'
    await broker.eval(
      `rabbit_auth_backend_internal:set_permissions(<<"faulty">>, <<"/">>, ${none}, <<"test">>)`,
    )
    heal()
    expect(await toldOfAll(client, 2)).to.deep.equal([2])
    await eventually(() => expect(String(lines(SET_ASIDE)[0]['reason'])).to.contain('ACCESS_REFUSED'))
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['before'])
  })

  it('are told of messages that have expired meanwhile', async () => {
    await start()
    const client = await confirming()
    await cut()
    publish(client, 'short', { properties: { expiration: '1' } })
    publish(client, 'long', { properties: { expiration: '600000' } })
    heal()
    expect(await toldOfAll(client, 3)).to.deep.equal([2])
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['before', 'long'])
  })

  it('get in only with what the broker has accepted before', async () => {
    await start()
    await confirming()
    await cut()
    for (const [user, password] of [
      ['guest', 'wrong'],
      ['faulty', 'secret'],
    ]) {
      const stranger = await WireClient.dial(warren.port)
      clients.push(stranger)
      stranger.sendProtocolHeader()
      await stranger.receiveStart()
      stranger.startOk({ user, password })
      const close = await stranger.expectMethod('connection.close')
      expect(close.code).to.equal(503)
      expect(close.text).to.match(/^upstream unreachable: /)
    }
    const known = await connect()
    publish(known, 'during')
    heal()
    await eventually(() => expect(lines('publish buffer drained')).to.have.length(1), 90_000)
    const stranger = await WireClient.dial(warren.port)
    clients.push(stranger)
    stranger.sendProtocolHeader()
    await stranger.receiveStart()
    stranger.startOk({ password: 'wrong' })
    expect((await stranger.expectMethod('connection.close')).code).to.equal(403)
    expect(await takeAll(broker.port, QUEUE)).to.deep.equal(['before', 'during'])
  })

  it('are told when they ask for what only the broker knows, and it stays away', async () => {
    await start('--pool-reconnect-wait', '1')
    await confirming()
    await cut()
    const client = await connect()
    client.method(1, 'queue.declare', { queue: QUEUE, passive: true })
    const close = await client.expectMethod('connection.close')
    expect(close.code).to.equal(503)
    expect(close.text).to.contain('the broker did not come back within 1 s')
  })
})
