import { expect } from 'chai'
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { NetByteStream } from '../../src/adapters/net/net-byte-stream.js'
import { eventually } from '../support/eventually.js'

const MIB = 1024 * 1024

/** A stream that isn't read yet, and its peer. */
async function pair(): Promise<{ stream: NetByteStream; peer: Socket }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  peer.on('error', () => undefined)
  const [socket] = (await once(server, 'connection')) as [Socket]
  server.close()
  return { stream: new NetByteStream(socket), peer }
}

function workFor(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

describe('NetByteStream among others', () => {
  it('leaves the turn to the others when its handler has been busy with it for long, and loses nothing', async () => {
    const [busy, other] = await Promise.all([pair(), pair()])
    const sent = Buffer.alloc(4 * MIB)
    for (let at = 0; at < sent.length; at += 4) sent.writeUInt32BE(at, at)
    const chunks: Uint8Array[] = []
    let before = -1
    // All that the system takes is there before anybody reads.
    busy.peer.write(sent)
    other.peer.write('x')
    busy.stream.setHandler({
      onData: (chunk) => {
        chunks.push(chunk)
        workFor(5)
      },
      onDrain: () => undefined,
      onClose: () => undefined,
    })
    other.stream.setHandler({
      onData: () => (before = chunks.length),
      onDrain: () => undefined,
      onClose: () => undefined,
    })
    await eventually(() => expect(Buffer.concat(chunks).equals(sent)).to.equal(true))
    // The system hands over up to 32 chunks of 64 KiB before it looks at anybody else.
    expect(before).to.be.at.most(1)
    for (const { stream } of [busy, other]) stream.destroy()
  })

  it('stays paused over the end of the turn', async () => {
    const { stream, peer } = await pair()
    let count = 0
    stream.setHandler({
      onData: () => {
        count++
        workFor(5)
        stream.pause()
      },
      onDrain: () => undefined,
      onClose: () => undefined,
    })
    peer.write(Buffer.alloc(MIB))
    await eventually(() => expect(count).to.equal(1))
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const afterwards = count
    stream.resume()
    await eventually(() => expect(count).to.be.greaterThan(afterwards))
    expect(afterwards).to.equal(1)
    stream.destroy()
  })
})
