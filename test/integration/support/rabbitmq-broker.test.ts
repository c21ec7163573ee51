/** The broker fixture itself: what it reports, that it comes back, and that it leaves nothing behind. */
import amqp, { type ChannelModel } from 'amqplib'
import { expect } from 'chai'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { eventually } from '../../support/eventually.js'
import { RabbitMqBroker } from '../../support/rabbitmq-broker.js'

describe('RabbitMqBroker', function () {
  this.timeout(180_000)

  let broker: RabbitMqBroker

  before(async () => {
    broker = await RabbitMqBroker.start({ config: 'heartbeat = 33' })
  })

  after(() => broker.stop())
  // A connection that was closed is listed for a moment yet.
  beforeEach(() => broker.quiet())

  /** A client and the error with which its connection gets closed. */
  async function connectClient(
    url = broker.url,
    name = 'client',
  ): Promise<{ client: ChannelModel; closed: Promise<Error> }> {
    const client = await amqp.connect(url, { clientProperties: { connection_name: name } })
    client.on('error', () => undefined)
    const closed = new Promise<Error>((resolve) => client.once('close', resolve))
    return { client, closed }
  }

  it('takes additional configuration', async () => {
    expect(await broker.eval('application:get_env(rabbit, heartbeat)')).to.equal('{ok,33}')
  })

  it('reports connections, channels, consumers and queues', async () => {
    const { client } = await connectClient()
    const channel = await client.createChannel()
    await channel.assertQueue('seen')
    for (const body of ['one', 'two', 'three']) channel.sendToQueue('seen', Buffer.from(body))
    await channel.prefetch(1)
    const delivered = new Promise((resolve) => void channel.consume('seen', resolve, { consumerTag: 'tag' }))
    await delivered

    const [connection] = await broker.connections()
    expect(connection).to.include({ user: 'guest', vhost: '/', channels: 1, state: 'running' })
    expect(connection.clientProperties).to.include({ product: 'amqplib', connection_name: 'client' })
    const [reported] = await broker.channels()
    expect(reported).to.include({ connection: connection.pid, number: 1, consumers: 1, unacked: 1 })
    expect(await broker.consumers()).to.deep.equal([
      { vhost: '/', queue: 'seen', channel: reported.pid, tag: 'tag', ackRequired: true, prefetch: 1 },
    ])
    // Eventually: the broker lets the question overtake the messages that wait for their queue, and so may the consumer.
    await eventually(async () =>
      expect(await broker.queues()).to.deep.equal([
        { vhost: '/', name: 'seen', messages: 3, ready: 2, unacked: 1, consumers: 1 },
      ]),
    )

    await broker.purgeAll()
    expect(await broker.queues()).to.deep.include({
      ...{ vhost: '/', name: 'seen', messages: 1, ready: 0, unacked: 1, consumers: 1 },
    })
    await broker.deleteAllQueues()
    expect(await broker.queues()).to.deep.equal([])
    await client.close()
  })

  it('adds users and vhosts', async () => {
    await broker.addVhost('green/house')
    await broker.addUser('alice', 'secret', { vhosts: ['green/house'] })
    const { client } = await connectClient(
      `amqp://alice:secret@127.0.0.1:${broker.port}/${encodeURIComponent('green/house')}`,
    )
    const [connection] = await broker.connections()
    expect(connection).to.include({ user: 'alice', vhost: 'green/house' })
    await client.close()
  })

  it('closes one connection and all connections', async () => {
    const first = await connectClient(broker.url, 'first')
    const second = await connectClient(broker.url, 'second')
    const victim = (await broker.connections()).find(
      (one) => one.clientProperties.connection_name === 'first',
    )
    await broker.closeConnection(victim!.pid, 'only you')
    expect((await first.closed).message).to.include('only you')
    await broker.closeAllConnections('all of you')
    expect((await second.closed).message).to.include('all of you')
  })

  it('closes its clients on stop_app and takes new ones after start_app', async () => {
    const { closed } = await connectClient()
    await broker.stopApp()
    expect((await closed).message).to.include('CONNECTION_FORCED')
    await broker.startApp()
    const { client } = await connectClient()
    await client.close()
  })

  it('keeps port and durable queues when it is killed and started again', async () => {
    const { client, closed } = await connectClient()
    await (await client.createChannel()).assertQueue('durable')
    // RabbitMQ answers before its disk has it.
    await broker.eval('mnesia:sync_log()')
    const before = broker.pid
    await broker.kill()
    await closed
    expect(broker.pid).to.equal(undefined)
    await broker.restart()
    expect(broker.pid).to.not.equal(before)
    expect((await broker.queues()).map(({ name }) => name)).to.deep.equal(['durable'])
  })

  it('runs rabbitmqctl against its own node', async () => {
    expect(await broker.ctl('list_queues', 'name')).to.include('durable')
  })

  it('knows the CPU time of the Erlang VM', () => {
    expect(broker.cpuTime()).to.be.within(0.1, 60)
  })

  it('leaves no process and no file after stop', async () => {
    const pids = broker.pids
    expect(pids).to.have.length(2)
    await broker.stop()
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).to.deep.equal([])
    expect(processesWith(broker.nodeName)).to.deep.equal([])
    expect(existsSync(broker.directory)).to.equal(false)
  })
})

function processesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)
      } catch {
        return false
      }
    })
}
