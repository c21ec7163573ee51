/** Makes of what real clients have sent something that no client would. */
import {
  frame,
  FrameType,
  headerFrame,
  method,
  methodFrame,
  type MethodName,
} from '../support/wire-format.js'
import type { Prng } from './prng.js'
import type { Recording } from './recordings.js'

/** Start-Ok, Tune-Ok, Open. */
const HANDSHAKE = 3
const HEADER_SIZE = 7
const QUEUES = [
  '',
  'fuzz.work',
  'fuzz.a',
  'fuzz.mine',
  'fuzz.x',
  'amq.rabbitmq.reply-to',
  'amq.gen-1',
  'fuzz.é',
]
const EXCHANGES = ['', 'amq.direct', 'amq.fanout', 'amq.topic', 'fuzz.e', 'fuzz.f', 'fuzz.absent']
const TYPES = ['direct', 'fanout', 'topic', 'headers', 'x-consistent-hash', 'x-odd']
const TAGS = ['', 'one', 'two', 'worker', 'é']
const KEYS = ['', 'a.b.c', '#', 'fuzz.work', 'fuzz.mine', 'amq.rabbitmq.reply-to.g1.x']
const ARGUMENTS = [
  'x-max-length',
  'x-queue-type',
  'x-max-age',
  'x-queue-master-locator',
  'x-stream-offset',
  'x-credit',
  'x-expires',
  'n',
]
/** Methods with the arguments that they can be invented with. */
const INVENTABLE: Partial<Record<MethodName, (prng: Prng) => Record<string, unknown>>> = {
  'queue.declare': (prng) => ({
    queue: prng.oneOf(QUEUES),
    passive: prng.once(5),
    exclusive: prng.once(2),
    autoDelete: prng.once(3),
    durable: prng.once(3),
    nowait: prng.once(3),
  }),
  'queue.delete': (prng) => ({ queue: prng.oneOf(QUEUES), nowait: prng.once(2), ifEmpty: prng.once(4) }),
  'queue.bind': (prng) => ({
    queue: prng.oneOf(QUEUES),
    exchange: prng.oneOf(EXCHANGES),
    routingKey: prng.oneOf(KEYS),
  }),
  'queue.unbind': (prng) => ({ queue: prng.oneOf(QUEUES), exchange: prng.oneOf(EXCHANGES) }),
  'queue.purge': (prng) => ({ queue: prng.oneOf(QUEUES), nowait: prng.once(3) }),
  'exchange.declare': (prng) => ({
    exchange: prng.oneOf(EXCHANGES),
    type: prng.oneOf(TYPES),
    passive: prng.once(4),
    nowait: prng.once(3),
  }),
  'exchange.delete': (prng) => ({ exchange: prng.oneOf(EXCHANGES), nowait: prng.once(3) }),
  'exchange.bind': (prng) => ({ destination: prng.oneOf(EXCHANGES), source: prng.oneOf(EXCHANGES) }),
  'basic.qos': (prng) => ({
    prefetchCount: prng.below(4),
    prefetchSize: prng.once(30) ? 1 : 0,
    global: prng.once(2),
  }),
  'basic.consume': (prng) => ({
    queue: prng.oneOf(QUEUES),
    consumerTag: prng.oneOf(TAGS),
    noAck: prng.once(2),
    nowait: prng.once(3),
    exclusive: prng.once(5),
  }),
  'basic.cancel': (prng) => ({ consumerTag: prng.oneOf(TAGS), nowait: prng.once(3) }),
  'basic.get': (prng) => ({ queue: prng.oneOf(QUEUES), noAck: prng.once(2) }),
  'basic.ack': (prng) => ({ deliveryTag: prng.below(6), multiple: prng.once(2) }),
  'basic.nack': (prng) => ({ deliveryTag: prng.below(6), multiple: prng.once(2), requeue: prng.once(2) }),
  'basic.reject': (prng) => ({ deliveryTag: prng.below(6), requeue: prng.once(2) }),
  'basic.recover': (prng) => ({ requeue: !prng.once(20) }),
  'basic.recover-async': (prng) => ({ requeue: !prng.once(20) }),
  'confirm.select': (prng) => ({ nowait: prng.once(2) }),
  'tx.select': () => ({}),
  'tx.commit': () => ({}),
  'tx.rollback': () => ({}),
  'channel.open': () => ({}),
  'channel.close': () => ({ code: 200 }),
  'channel.close-ok': () => ({}),
  'channel.flow': (prng) => ({ active: !prng.once(10) }),
  'access.request': () => ({ realm: '/data', read: true }),
  'connection.update-secret': (prng) => ({ secret: Buffer.from(prng.once(3) ? 'wrong' : 'guest') }),
  'connection.close': () => ({ code: 200 }),
  'basic.deliver': () => ({ consumerTag: 'one' }),
}
const INVENTABLE_NAMES = Object.keys(INVENTABLE) as MethodName[]
/** Of those, the ones that don't end the connection by themselves. */
const HARMLESS_NAMES = INVENTABLE_NAMES.filter(
  (name) =>
    !name.startsWith('connection.') && !['basic.deliver', 'channel.open', 'channel.close-ok'].includes(name),
)

const QUARREL_NAMES: readonly MethodName[] = [
  'basic.consume',
  'basic.consume',
  'basic.cancel',
  'basic.cancel',
  'queue.delete',
  'queue.declare',
  'basic.get',
  'tx.commit',
]

type Mutation = (frames: Buffer[], at: number, prng: Prng, recordings: readonly Recording[]) => void

/** The frames stay frames, and most of them well-formed: what comes of it gets far into Warren. */
const GENTLE: readonly Mutation[] = [
  function repeat(frames, at) {
    frames.splice(at, 0, frames[at])
  },
  function drop(frames, at) {
    frames.splice(at, 1)
  },
  function swap(frames, at, prng) {
    const other = HANDSHAKE + prng.below(frames.length - HANDSHAKE)
    ;[frames[at], frames[other]] = [frames[other], frames[at]]
  },
  function bringForward(frames, at, prng) {
    const [taken] = frames.splice(at, 1)
    frames.splice(HANDSHAKE + prng.below(at - HANDSHAKE + 1), 0, taken)
  },
  function insertForeign(frames, at, prng, recordings) {
    const foreign = prng.oneOf(recordings).frames
    const from = HANDSHAKE + prng.below(foreign.length - HANDSHAKE)
    frames.splice(at, 0, ...foreign.slice(from, from + 1 + prng.below(4)))
  },
  function repeatRun(frames, at, prng) {
    frames.splice(at, 0, ...frames.slice(at, at + 2 + prng.below(5)))
  },
  function otherChannel(frames, at, prng) {
    frames[at] = onChannel(frames[at], 1 + prng.below(5))
  },
  function flipFlags(frames, at, prng) {
    // The flags of most methods are their last octet, or stand before an empty table.
    const changed = Buffer.from(frames[at])
    const flagsAt = changed.length - 2 - (prng.once(2) ? 4 : 0)
    if (flagsAt >= HEADER_SIZE) changed[flagsAt] ^= 1 << prng.below(5)
    frames[at] = changed
  },
  function invent(frames, at, prng) {
    frames.splice(at, 0, inventFrame(prng, HARMLESS_NAMES, channelOf(frames[at])))
  },
  function inventSeveral(frames, at, prng) {
    const channel = channelOf(frames[at])
    const count = 2 + prng.below(8)
    frames.splice(at, 0, ...Array.from({ length: count }, () => inventFrame(prng, HARMLESS_NAMES, channel)))
  },
  function quarrel(frames, at, prng) {
    // Requests about one consumer and one queue, faster than anybody can answer.
    const channel = channelOf(frames[at])
    const [queue, consumerTag] = [prng.oneOf(QUEUES), prng.oneOf(TAGS)]
    const requests = Array.from({ length: 3 + prng.below(8) }, () => {
      const name = prng.oneOf(QUARREL_NAMES)
      const args = { ...INVENTABLE[name]!(prng), passive: false }
      return method(channel, name, { ...args, queue, consumerTag })
    })
    frames.splice(at, 0, ...requests)
  },
  function emptyBody(frames, at) {
    frames.splice(at, 0, frame(FrameType.body, channelOf(frames[at]), Buffer.alloc(0)))
  },
]

/** Any octet may be any other. */
const ROUGH: readonly Mutation[] = [
  function flipBit(frames, at, prng) {
    const changed = Buffer.from(frames[at])
    changed[prng.below(changed.length)] ^= 1 << prng.below(8)
    frames[at] = changed
  },
  function flipPayloadBit(frames, at, prng) {
    const changed = Buffer.from(frames[at])
    if (changed.length > HEADER_SIZE + 1)
      changed[HEADER_SIZE + prng.below(changed.length - HEADER_SIZE - 1)] ^= 1 << prng.below(8)
    frames[at] = changed
  },
  function notUtf8(frames, at, prng) {
    const changed = Buffer.from(frames[at])
    const letters = [...changed.keys()].filter((n) => n > 10 && changed[n] >= 0x61 && changed[n] <= 0x7a)
    if (letters.length > 0) changed[prng.oneOf(letters)] |= 0x80
    frames[at] = changed
  },
  function setOctet(frames, at, prng) {
    const changed = Buffer.from(frames[at])
    changed[prng.below(changed.length)] = prng.oneOf([0, 1, 0x7f, 0x80, 0xce, 0xff])
    frames[at] = changed
  },
  function wrongLength(frames, at, prng) {
    const changed = Buffer.from(frames[at])
    if (changed.length < HEADER_SIZE) return
    changed.writeUInt32BE(prng.oneOf([0, 1, 4, 4088, 131_064, 131_073, 0x7fffffff, 0xffffffff]), 3)
    frames[at] = changed
  },
  function shorter(frames, at, prng) {
    const { type, channel, payload } = partsOf(frames[at])
    frames[at] = frame(type, channel, payload.subarray(0, prng.below(payload.length + 1)))
  },
  function longer(frames, at, prng) {
    const { type, channel, payload } = partsOf(frames[at])
    const tail = Buffer.from(Array.from({ length: 1 + prng.below(8) }, () => prng.below(256)))
    frames[at] = frame(type, channel, Buffer.concat([payload, tail]))
  },
  function cutOff(frames, at, prng) {
    frames[at] = frames[at].subarray(0, prng.below(frames[at].length))
  },
  function otherType(frames, at, prng) {
    const { channel, payload } = partsOf(frames[at])
    frames[at] = frame(prng.oneOf([1, 2, 3, 4, 8, 0xff]), channel, payload)
  },
  function noise(frames, at, prng) {
    frames.splice(at, 0, Buffer.from(Array.from({ length: 1 + prng.below(40) }, () => prng.below(256))))
  },
  function oddChannel(frames, at, prng) {
    frames[at] = onChannel(frames[at], prng.oneOf([0, 1, 2047, 2048, 65_535]))
  },
  function inventAny(frames, at, prng) {
    frames.splice(at, 0, inventFrame(prng, INVENTABLE_NAMES, channelOf(frames[at])))
  },
  function inventUnknown(frames, at, prng) {
    const classId = prng.oneOf([10, 20, 30, 40, 50, 60, 85, 90, 91])
    frames.splice(at, 0, methodFrame(channelOf(frames[at]), classId, prng.below(130)))
  },
  function inventHeader(frames, at, prng) {
    const size = prng.oneOf([0, 1, 40, 2 ** 20, 2 ** 53 - 1])
    frames.splice(at, 0, headerFrame(channelOf(frames[at]), size, {}, prng.once(4) ? 50 : 60))
  },
]

/** `clean`: as recorded. `gentle`: other frames, or in another order. `rough`: other octets too. */
export type Manner = 'clean' | 'gentle' | 'rough'

/** The frames of one session that is made of several recordings, each on channels of its own, and then changed. */
export function mutateSession(prng: Prng, recordings: readonly Recording[], manner: Manner): Buffer[] {
  const first = prng.oneOf(recordings).frames
  const frames = first.slice(0, HANDSHAKE)
  const parts = 1 + prng.below(4)
  for (let part = 0; part < parts; part++) {
    const more = part === 0 ? first : prng.oneOf(recordings).frames
    frames.push(
      ...more
        .slice(HANDSHAKE)
        .filter(isInSession)
        .map((bytes) => moved(bytes, part * 8)),
    )
  }
  if (prng.once(2)) frames.push(method(0, 'connection.close', { code: 200, text: 'bye' }))
  if (manner === 'clean') return frames
  // Most handshakes must succeed, or nothing is learnt of what comes behind them.
  const from = prng.once(25) ? 0 : HANDSHAKE
  const count = 1 + prng.below(manner === 'gentle' ? 10 : 4)
  for (let n = 0; n < count && frames.length > HANDSHAKE + 1; n++) {
    const mutations = manner === 'gentle' || prng.once(2) ? GENTLE : ROUGH
    const at = from + prng.below(frames.length - from)
    prng.oneOf(mutations)(frames, Math.max(at, mutations === GENTLE ? HANDSHAKE : 0), prng, recordings)
  }
  return frames
}

function isInSession(bytes: Buffer): boolean {
  return channelOf(bytes) !== 0 || bytes[0] === FrameType.heartbeat
}

function moved(bytes: Buffer, by: number): Buffer {
  const channel = channelOf(bytes)
  return by === 0 || channel === 0 ? bytes : onChannel(bytes, channel + by)
}

function inventFrame(prng: Prng, names: readonly MethodName[], channel: number): Buffer {
  const name = prng.oneOf(names)
  const args = INVENTABLE[name]!(prng)
  const takesTable = [
    'queue.declare',
    'queue.bind',
    'exchange.declare',
    'exchange.bind',
    'basic.consume',
  ].includes(name)
  const bytes = method(name.startsWith('connection.') ? 0 : channel, name, args)
  if (!takesTable || !prng.once(2)) return bytes
  // The table comes last and is empty.
  const { type, channel: number, payload } = partsOf(bytes)
  return frame(type, number, Buffer.concat([payload.subarray(0, -4), inventTable(prng)]))
}

/** A table of arguments that brokers look at, with values of any type. */
function inventTable(prng: Prng): Buffer {
  const fields = Array.from({ length: 1 + prng.below(3) }, () => {
    const name = Buffer.from(prng.oneOf(ARGUMENTS))
    return Buffer.concat([Buffer.of(name.length), name, inventValue(prng, 0)])
  })
  return sized(Buffer.concat(fields))
}

function inventValue(prng: Prng, depth: number): Buffer {
  const tag = prng.oneOf([...'tbBsuIilLfdDTVSSSxAF'])
  const octets = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => prng.below(256)))
  const tagged = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from(tag), bytes])
  if ('tbB'.includes(tag)) return tagged(octets(1))
  if ('su'.includes(tag)) return tagged(octets(2))
  if (tag === 'f' && prng.once(3)) return tagged(Buffer.from(prng.oneOf(['7fc00000', 'ff800000']), 'hex'))
  if (tag === 'd' && prng.once(3))
    return tagged(Buffer.from(prng.oneOf(['7ff8000000000000', '7ff0000000000000']), 'hex'))
  if ('Iif'.includes(tag)) return tagged(octets(4))
  if ('lLdT'.includes(tag)) return tagged(octets(8))
  if (tag === 'D') return tagged(octets(5))
  if (tag === 'V') return tagged(octets(0))
  if ('Sx'.includes(tag))
    return tagged(
      sized(
        Buffer.from(prng.oneOf(['', 'first', '5', '1h', 'min-masters', 'stream', 'odd', '\xff']), 'latin1'),
      ),
    )
  const count = depth > 3 ? 0 : prng.below(3)
  const items = Array.from({ length: count }, () => inventValue(prng, depth + 1))
  return tagged(
    sized(
      Buffer.concat(tag === 'A' ? items : items.map((item) => Buffer.concat([Buffer.of(1, 0x61), item]))),
    ),
  )
}

function sized(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}

function channelOf(bytes: Buffer): number {
  return bytes.length >= 3 ? bytes.readUInt16BE(1) : 1
}

function onChannel(bytes: Buffer, channel: number): Buffer {
  const changed = Buffer.from(bytes)
  if (changed.length >= 3) changed.writeUInt16BE(channel, 1)
  return changed
}

/** What is left of a frame that may have been changed already. */
function partsOf(bytes: Buffer): { type: number; channel: number; payload: Buffer } {
  return { type: bytes[0] ?? 1, channel: channelOf(bytes), payload: bytes.subarray(HEADER_SIZE, -1) }
}
