/** Programs as they shouldn't be. */
import { mutateSession } from '../fuzz/mutations.js'
import { Prng } from '../fuzz/prng.js'
import { readRecordings } from '../fuzz/recordings.js'
import { headerFrame, method, PROTOCOL_HEADER, publishFrames, WireClient } from '../support/wire-client.js'
import { repeating, type Actor, type Soak } from './actor.js'

/** Mutated sessions can do what ends a shared connection by the broker's own rules (docs/reliability.md): they share theirs with each other alone. */
export const RUDE_USER = 'rude'

const MEGABYTE = 1024 * 1024
const recordings = readRecordings()

async function dies({ port }: Soak): Promise<void> {
  const client = await WireClient.connect(port)
  for (let channel = 1; channel <= 20; channel++) await client.openChannel(channel)
  client.method(1, 'tx.select')
  await client.expectMethod('tx.select-ok')
  client.publish(1, { routingKey: 'soak.nowhere', body: 'never committed' })
  await client.declareQueue(2, '', { exclusive: true })
  client.method(3, 'basic.consume', { queue: 'soak.absent' })
  client.reset()
  await client.closed
}

async function diesWithinMessage({ port }: Soak): Promise<void> {
  const client = await WireClient.connect(port)
  await client.openChannel(1)
  const message = publishFrames(1, { routingKey: 'soak.work', body: Buffer.alloc(50_000, 'half') })
  client.send(message.subarray(0, message.length / 2))
  await client.end()
}

/** Lets pile up what it has asked for. */
async function neverReads({ port }: Soak): Promise<void> {
  const client = await WireClient.connect(port)
  await client.openChannel(1)
  await client.declareQueue(1, 'soak.unread', { autoDelete: true, arguments: { 'x-max-length': 40 } })
  client.socket.pause()
  for (let n = 0; n < 40; n++)
    client.publish(1, { routingKey: 'soak.unread', body: Buffer.alloc(MEGABYTE / 2, 'x') })
  client.method(1, 'basic.consume', { queue: 'soak.unread', noAck: true })
  await new Promise((resolve) => setTimeout(resolve, 8000))
  client.reset()
  await client.closed
}

async function saysNothing({ port }: Soak): Promise<void> {
  const client = await WireClient.dial(port)
  await client.closed
}

async function stopsInHandshake({ port }: Soak): Promise<void> {
  const client = await WireClient.dial(port)
  client.sendProtocolHeader()
  await client.receiveStart()
  client.startOk({ password: 'wrong' })
  await client.closed
}

async function speaksSomethingElse({ port }: Soak): Promise<void> {
  const client = await WireClient.dial(port)
  client.send(Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'))
  client.socket.resume()
  await client.end()
}

async function breaksRules({ port, count }: Soak): Promise<void> {
  const violations = [
    method(9, 'basic.publish'),
    headerFrame(1, 5),
    method(1, 'basic.deliver'),
    method(1, 'basic.publish', { immediate: true }),
    method(1, 'basic.qos', { prefetchSize: 5 }),
    method(1, 'channel.open'),
    Buffer.from([1, 0, 1, 0xff, 0xff, 0xff, 0xff]),
  ]
  for (const bytes of violations) {
    const client = await WireClient.connect(port)
    await client.openChannel(1)
    client.send(bytes)
    for (let next; next?.name !== 'connection.close';) next = await client.nextMethod()
    client.method(0, 'connection.close-ok')
    await client.end()
    count('violations refused')
  }
}

let seed = 0

/** A session out of the fuzzer, at the user's own risk. */
async function mutated({ port }: Soak): Promise<void> {
  const prng = new Prng(++seed)
  const [, ...frames] = mutateSession(prng, recordings, prng.once(2) ? 'rough' : 'gentle')
  const client = await WireClient.dial(port)
  const startOk = method(0, 'connection.start-ok', {
    mechanism: 'PLAIN',
    response: Buffer.from(`\0${RUDE_USER}\0${RUDE_USER}`),
    locale: 'en_US',
  })
  client.socket.on('data', () => undefined)
  for (const bytes of [PROTOCOL_HEADER, startOk, ...frames]) {
    if (client.socket.destroyed) break
    client.send(bytes)
    if (prng.once(6)) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const timer = setTimeout(() => client.reset(), prng.below(2000))
  await client.closed
  clearTimeout(timer)
}

export const rude: readonly Actor[] = [
  repeating('rude: dies with everything open', 1, 100, dies, true),
  repeating('rude: dies within a message', 1, 100, diesWithinMessage, true),
  repeating('rude: never reads', 1, 1000, neverReads, true),
  repeating('rude: says nothing', 3, 100, saysNothing, true),
  repeating('rude: wrong password', 2, 100, stopsInHandshake, true),
  repeating('rude: speaks something else', 1, 200, speaksSomethingElse, true),
  repeating('rude: breaks rules', 1, 200, breaksRules, true),
  repeating('rude: mutated session', 3, 50, mutated, true),
]
