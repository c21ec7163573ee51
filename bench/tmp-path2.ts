/**
 * What Warren's own code costs on the byte path, without sockets: frames are pushed through a whole Warren in memory. `npm run bench:path`.
 * It tells less than the benchmark, but also on a machine that isn't quiet, and in seconds: for before and after a change.
 */
import { FakeByteStream, settle } from '../test/support/fake-byte-stream.js'
import { World } from '../test/support/fake-world.js'
import { bodyFrame, headerFrame, method, publishFrames } from '../test/support/wire-format.js'

const CHUNK = 65_536
const ROUNDS = 15
const CHUNKS_A_ROUND = 60
const BODY = Buffer.alloc(100, 'x')
/** The low half of a delivery tag, behind the frame's header and the method's ids. */
const CONFIRM_TAG_AT = 15

/** Who takes the bytes that a socket would have read. */
interface Reader {
  onData(chunk: Uint8Array): void
}

const world = await World.start({ settings: { pool: { ...World.defaults.pool, separateRoles: true } } })
const client = await world.connectWithChannels(3)
client.send(publishFrames(1, { routingKey: 'nowhere', body: 'x' }))
await settle()
const publishers = world.upstream
client.method(3, 'confirm.select', { nowait: true })
client.send(publishFrames(3, { routingKey: 'nowhere', body: 'x' }))
await settle()
client.method(2, 'basic.consume', { queue: 'amq.gen-bench', consumerTag: 't' })
await settle()
const consumers = world.upstream
consumers.method(1, 'basic.consume-ok', { consumerTag: 't' })
await settle()

// From here on everything that would be written is counted, and thrown away.
let bytesOut = 0
let lastConfirm = 0
FakeByteStream.prototype.write = (bytes) => {
  bytesOut += bytes.length
  return true
}

const deliver = Buffer.concat([
  method(1, 'basic.deliver', { consumerTag: 't', deliveryTag: 1, routingKey: 'amq.gen-bench' }),
  headerFrame(1, BODY.length),
  bodyFrame(1, BODY),
])
const confirm = method(2, 'basic.ack', { deliveryTag: 0 })
measure('publish, 100 B', client.peer.stream, publishFrames(1, { routingKey: 'nowhere', body: BODY }))
measure(
  'the same, confirmed later',
  client.peer.stream,
  publishFrames(3, { routingKey: 'nowhere', body: BODY }),
)
measure('confirm', publishers.peer.stream, confirm, numberConfirms)
measure('deliver, 100 B', consumers.peer.stream, deliver)
measure('ack', client.peer.stream, method(2, 'basic.ack', { deliveryTag: 1 }))

/** Delivery tags in the order of a broker's confirms. */
function numberConfirms(chunk: Buffer): void {
  for (let at = CONFIRM_TAG_AT; at < chunk.length; at += confirm.length)
    chunk.writeUInt32BE(++lastConfirm, at)
}

/** `prepare` makes each chunk what the next one has to be. */
function measure(what: string, stream: FakeByteStream, one: Buffer, prepare?: (chunk: Buffer) => void): void {
  const reader = (stream as unknown as { handler: Reader }).handler
  const count = Math.floor(CHUNK / one.length)
  const all = Buffer.concat(Array.from({ length: count * 8 }, () => one))
  const pieces: Buffer[] = []
  for (let at = 0; at < all.length; at += CHUNK) pieces.push(all.subarray(at, at + CHUNK))
  // Channel numbers are written over in place.
  const round = (): number => {
    let spent = 0
    for (let n = 0; n < CHUNKS_A_ROUND; n++) {
      for (const piece of pieces) {
      const chunk = Buffer.from(new Uint8Array(piece).buffer)
      const before = process.cpuUsage()
      reader.onData(chunk)
      const { user, system } = process.cpuUsage(before)
      spent += user + system
      }
    }
    return (spent * 1000) / (CHUNKS_A_ROUND * count * 8)
  }
  round()
  bytesOut = 0
  const rounds = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b)
  if (false && bytesOut !== ROUNDS * CHUNKS_A_ROUND * 1) throw new Error(`${what}: bytes were lost`)
  console.log(
    `${what.padEnd(26)} ${rounds[0].toFixed(0).padStart(5)} ns at best, ${rounds[ROUNDS >> 1].toFixed(0)} in the middle`,
  )
}
