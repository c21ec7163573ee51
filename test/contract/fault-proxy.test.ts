import { expect } from 'chai'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { eventually } from '../support/eventually.js'
import { FaultProxy } from '../support/fault-proxy.js'

describe('The fault proxy of the tests', () => {
  let server: Server
  let proxy: FaultProxy
  let accepted: Socket[]
  const clients: Socket[] = []

  beforeEach(async () => {
    accepted = []
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined)
      accepted.push(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    proxy = await FaultProxy.start((server.address() as AddressInfo).port)
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await proxy.stop()
    server.close()
  })

  /** Both ends of a connection through the proxy. */
  const pair = async (): Promise<[client: Socket, server: Socket]> => {
    const client = connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true, noDelay: true })
    clients.push(client)
    client.on('error', () => undefined)
    await once(client, 'connect')
    const count = clients.length
    await eventually(() => expect(accepted).to.have.length(count))
    return [client, accepted.at(-1)!]
  }

  const collect = (socket: Socket): Buffer[] => {
    const chunks: Buffer[] = []
    socket.on('data', (bytes: Buffer) => chunks.push(bytes))
    return chunks
  }

  const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString()

  it('carries bytes and ends both ways, whole and in order', async () => {
    const [client, far] = await pair()
    const [there, back] = [collect(far), collect(client)]
    const body = 'x'.repeat(300_000)
    client.write('one')
    client.end(body)
    await once(far, 'end')
    expect(text(there)).to.equal(`one${body}`)
    far.end('two')
    await once(client, 'end')
    expect(text(back)).to.equal('two')
    await eventually(() => expect(proxy.connections.size).to.equal(0))
  })

  it('resets both sides', async () => {
    const [client, far] = await pair()
    const ends = [once(client, 'error'), once(far, 'error')]
    proxy.resetAll()
    for (const [error] of await Promise.all(ends))
      expect((error as { code: string }).code).to.equal('ECONNRESET')
  })

  it('loses everything in a blackhole without a word, and only there', async () => {
    const [client, far] = await pair()
    const [other, otherFar] = await pair()
    const [there, otherThere] = [collect(far), collect(otherFar)]
    const [connection] = proxy.connections
    connection.faults = { isBlackhole: true }
    client.write('lost')
    await eventually(() => expect(connection.bytesUp).to.equal(4))
    connection.faults = {}
    client.write('found')
    other.write('found')
    await eventually(() => expect([text(there), text(otherThere)]).to.deep.equal(['found', 'found']))
  })

  it('splits into small pieces', async () => {
    const [client, far] = await pair()
    const there = collect(far)
    proxy.faults = { chunkBytes: 7 }
    client.write('a text that is longer than that')
    await eventually(() => expect(text(there)).to.equal('a text that is longer than that'))
    expect(Math.max(...there.map((bytes) => bytes.length))).to.be.at.most(7)
  })

  it('delays and throttles without disorder, and lets go when it may', async () => {
    const [client, far] = await pair()
    const there = collect(far)
    proxy.faults = { delayMs: 20, bytesPerSecond: 1000 }
    for (let count = 0; count < 100; count++) client.write(`${count},`)
    await eventually(() => expect(text(there)).to.match(/^0,/))
    expect(text(there)).not.to.contain('99,')
    proxy.faults = {}
    await eventually(() => expect(text(there)).to.equal(`${[...Array(100).keys()].join(',')},`))
  })

  it('can refuse newcomers with a reset, or leave them waiting', async () => {
    proxy.door = 'resets'
    const refused = connect(proxy.port, '127.0.0.1')
    clients.push(refused)
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).to.equal('ECONNRESET')
    proxy.door = 'silent'
    const waiting = connect(proxy.port, '127.0.0.1')
    clients.push(waiting)
    await once(waiting, 'connect')
    waiting.write('hello?')
    expect(accepted).to.have.length(0)
  })
})
