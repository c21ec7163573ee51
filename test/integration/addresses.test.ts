import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { eventually } from '../support/eventually.js'
import { freePort } from '../support/free-port.js'
import type { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { sharedBroker } from '../support/shared-broker.js'
import { WarrenProcess } from '../support/warren-process.js'
import { WireClient } from '../support/wire-client.js'

/** A node of the broker as Warren sees it: something that listens. */
class Node {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  accepted = 0

  private constructor(onConnection: (socket: Socket, node: Node) => void) {
    this.#server = createServer((socket) => {
      this.accepted++
      this.keep(socket)
      onConnection(socket, this)
    })
  }

  /** Leads to the broker on `brokerPort`. */
  static relay(brokerPort: number, port = 0): Promise<Node> {
    const relay = new Node((socket, node) => {
      const broker = connect(brokerPort, '127.0.0.1')
      node.keep(broker)
      socket.pipe(broker).pipe(socket)
    })
    return relay.#listen(port)
  }

  /** Accepts connections, and never says a word. */
  static mute(): Promise<Node> {
    return new Node((socket) => socket.resume()).#listen(0)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #listen(port: number): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }
}

describe('several addresses of the broker', function () {
  this.timeout(180_000)
  let broker: RabbitMqBroker
  let warren: WarrenProcess
  const nodes: Node[] = []

  before(async () => {
    broker = await sharedBroker()
  })
  afterEach(async () => {
    await warren.stop()
    for (const node of nodes.splice(0)) await node.stop()
  })

  const node = async (starting: Promise<Node>): Promise<Node> => {
    const started = await starting
    nodes.push(started)
    return started
  }

  /** Clients that are at work, each on an upstream connection of its own. */
  const work = async (count: number): Promise<WireClient[]> => {
    const clients = []
    for (let at = 0; at < count; at++) {
      const client = await WireClient.connect(warren.port)
      await client.openChannel(1)
      await client.declareQueue(1)
      clients.push(client)
    }
    return clients
  }

  /** Which nodes upstream connections have gone to, from the log, which may come later than what it tells of. */
  const nodesInUse = (count: number): Promise<unknown[]> =>
    eventually(() => {
      const names = warren.lines('upstream connection opened').map((line) => line['node'])
      expect(names).to.have.length(count)
      return names
    })

  it('serves clients although two of three are dead', async () => {
    const [nobody, mute] = [await freePort(), await node(Node.mute())]
    warren = await WarrenProcess.start(
      `amqp://127.0.0.1:${nobody},amqp://127.0.0.1:${mute.port},amqp://127.0.0.1:${broker.port}`,
      // A third of the time for each: the broker too may be the first one.
      ['--pool-max-channels', '1', '--upstream-connect-timeout', '6'],
    )
    const clients = await work(4)
    expect(new Set(await nodesInUse(4))).to.deep.equal(new Set([`127.0.0.1:${broker.port}`]))
    const failed = warren.lines('broker node failed').map((line) => line['node'])
    expect(failed).to.have.members([`127.0.0.1:${nobody}`, `127.0.0.1:${mute.port}`])
    for (const client of clients) await client.close()
  })

  it('spreads upstream connections over those that live', async () => {
    const relay = await node(Node.relay(broker.port))
    warren = await WarrenProcess.start(`amqp://127.0.0.1:${broker.port},127.0.0.1:${relay.port}`, [
      '--pool-max-channels',
      '1',
    ])
    const clients = await work(4)
    const used = await nodesInUse(4)
    const [direct, relayed] = [broker.port, relay.port].map(
      (port) => used.filter((name) => name === `127.0.0.1:${port}`).length,
    )
    expect([direct, relayed]).to.deep.equal([2, 2])
    expect(relay.accepted).to.be.at.least(2)
    for (const client of clients) await client.close()
  })

  it('goes on with the others when the node of an upstream connection dies', async () => {
    const relays = [await node(Node.relay(broker.port)), await node(Node.relay(broker.port))]
    warren = await WarrenProcess.start(`amqp://${relays.map(({ port }) => `127.0.0.1:${port}`).join()}`)
    const [client] = await work(1)
    const [first] = await nodesInUse(1)
    const used = relays.find(({ port }) => first === `127.0.0.1:${port}`)!
    const told = client.expectMethod('connection.close')
    nodes.splice(nodes.indexOf(used), 1)
    await used.stop()
    expect((await told).code).to.equal(320)
    client.reset()
    const [later] = await work(1)
    expect((await nodesInUse(2))[1]).to.equal(`127.0.0.1:${nodes[0].port}`)
    await later.close()
  })

  it('finds a broker by a name with several addresses', async () => {
    // The broker listens on one of them only, where localhost is ::1 too.
    warren = await WarrenProcess.start(`amqp://localhost:${broker.port}`)
    const [client] = await work(1)
    expect(await nodesInUse(1)).to.deep.equal([`localhost:${broker.port} (127.0.0.1)`])
    await client.close()
  })

  const refusal = async (): Promise<string> => {
    const client = await WireClient.dial(warren.port)
    client.sendProtocolHeader()
    await client.receiveStart()
    client.startOk()
    const close = await client.expectMethod('connection.close')
    client.reset()
    expect(close.code).to.equal(503)
    return close.text
  }

  it('tells clients of all that are down, and when the next try is, and serves them once one is back', async () => {
    const ports = [await freePort(), await freePort()]
    warren = await WarrenProcess.start(`amqp://127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}`)
    const text = await refusal()
    for (const port of ports) expect(text).to.contain(`connect ECONNREFUSED 127.0.0.1:${port}`)
    expect(text).to.match(/^upstream unreachable: .*; (next try in [\d.]+ s|trying again now)$/)
    await node(Node.relay(broker.port, ports[1]))
    const [client] = await eventually(() => work(1), 90_000)
    expect(await nodesInUse(1)).to.deep.equal([`127.0.0.1:${ports[1]}`])
    await eventually(() => expect(warren.lines('broker answers again')).to.have.length(1))
    await client.close()
  })

  it('does not hold up clients that come after it is known that the broker accepts but never answers', async () => {
    const mute = await node(Node.mute())
    warren = await WarrenProcess.start(mute.port, ['--upstream-connect-timeout', '1'])
    // The start has asked, and waited in vain.
    const dialled = mute.accepted
    const texts = await Promise.all(Array.from({ length: 30 }, refusal))
    for (const text of texts) expect(text).to.contain('the broker did not answer the login on 127.0.0.1')
    expect(mute.accepted - dialled).to.be.at.most(5)
  })
})
