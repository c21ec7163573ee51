/** Whole conversations sent without waiting for any answer, on several channels at once, their frames mixed and cut anywhere. */
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { frame, method, publishFrames } from '../../support/wire-client.js'
import { decodeFrame } from '../../support/wire-format.js'
import { PASSWORD, USERS } from './arena.js'
import type { Lockstep } from './lockstep.js'
import type { Side } from './side.js'

/**
 * What a channel does in one burst: `publish` leaves it free of state, `get` may do anything that RabbitMQ answers in order, errors
 * included, `own` does so with exclusive queues that the client has from its beginning, `consume` is never in error and isn't closed in the burst, since it would be chance what is delivered before.
 */
type Kind = 'publish' | 'get' | 'own' | 'consume'

/** One method, as bytes on a channel whose own names begin with `own`, in the `nth` burst. */
interface Move {
  readonly text: string
  /** Confirms that it brings in confirm mode. */
  readonly publishes?: true
  readonly selects?: true
  /** It's about an exclusive queue that all channels of its client have in common. */
  readonly isCommon?: true
  bytes(channel: number, own: string, nth: number): Buffer
}

/** One channel's share of a burst. */
export interface Part {
  readonly client: number
  readonly channel: number
  readonly kind: Kind
  readonly moves: readonly Move[]
}

/** What is sent at once. */
export interface Burst {
  readonly parts: readonly Part[]
  /** Picks whose frame is next. */
  readonly mix: readonly number[]
  /** Sizes of the pieces in which the bytes are written. */
  readonly cuts: readonly number[]
  /** Who leaves behind it, and comes again: its exclusive queues are gone then, and new. */
  readonly leaves: number | undefined
}

const CLIENTS = 3
const CHANNELS = 3

const move = (text: string, bytes: Move['bytes'], more: Partial<Move> = {}): Move =>
  ({
    ...more,
    text,
    bytes,
    [fc.toStringMethod]: () => text,
  }) as Move

/** The exclusive queues of a client, which it has from its beginning: neighbours try the one, the other may be deleted, and come again. */
const kept = (client: number): string => `e${client}.kept`
const passing = (client: number): string => `e${client}.passing`

const queueOf = (own: string, nth: number): string => (nth === 2 ? '' : `${own}${nth}`)
const which = fc.constantFrom(0, 0, 1, 2)
const named = fc.constantFrom(0, 0, 1)

const publishingTo = (...exchanges: string[]): fc.Arbitrary<Move> =>
  fc
    .tuple(named, fc.constantFrom(...exchanges), fc.constantFrom(0, 1, 50, 5000, 140_000), fc.boolean())
    .map(([nth, exchange, size, mandatory]) =>
      move(
        `publish ${size} bytes to ${exchange} ${nth}${mandatory ? ' mandatory' : ''}`,
        (channel, own) =>
          publishFrames(channel, {
            ...{ exchange, mandatory },
            routingKey: `${own}${nth}`,
            body: Buffer.alloc(size, `${own}${nth}`),
            frameMax: 4096,
            properties: size % 2 === 0 ? {} : { messageId: own, headers: { size } },
          }),
        { publishes: true },
      ),
    )

const publishing = publishingTo('', '', 'amq.direct', 'amq.fanout')

const declaring = fc
  .tuple(
    which,
    fc.constantFrom({}, { autoDelete: true }, { exclusive: true }, { passive: true }),
    fc.boolean(),
  )
  .map(([nth, flags, nowait]) =>
    move(`declare ${nth} ${JSON.stringify(flags)}${nowait ? ' nowait' : ''}`, (channel, own) =>
      // The name of a new queue has to be heard.
      method(channel, 'queue.declare', { queue: queueOf(own, nth), ...flags, nowait: nowait && nth !== 2 }),
    ),
  )

const binding = fc.tuple(which, fc.boolean(), fc.boolean()).map(([nth, isUnbind, nowait]) =>
  move(`${isUnbind ? 'un' : ''}bind ${nth}${nowait ? ' nowait' : ''}`, (channel, own) => {
    const args = { queue: queueOf(own, nth), exchange: 'amq.direct', routingKey: `${own}0` }
    return isUnbind
      ? method(channel, 'queue.unbind', args)
      : method(channel, 'queue.bind', { ...args, nowait })
  }),
)

const removing = fc
  .tuple(which, fc.boolean(), fc.boolean())
  .map(([nth, isPurge, nowait]) =>
    move(`${isPurge ? 'purge' : 'delete'} ${nth}${nowait ? ' nowait' : ''}`, (channel, own) =>
      method(channel, isPurge ? 'queue.purge' : 'queue.delete', { queue: queueOf(own, nth), nowait }),
    ),
  )

const getting = fc
  .tuple(which, fc.boolean())
  .map(([nth, noAck]) =>
    move(`get ${nth}${noAck ? ' without ack' : ''}`, (channel, own) =>
      method(channel, 'basic.get', { queue: queueOf(own, nth), noAck }),
    ),
  )

const acknowledging = fc
  .tuple(
    fc.constantFrom('basic.ack', 'basic.nack', 'basic.reject'),
    fc.integer({ min: 1, max: 4 }),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([name, deliveryTag, multiple, requeue]) =>
    move(`${name} ${deliveryTag}${multiple ? ' multiple' : ''}${requeue ? ' requeue' : ''}`, (channel) =>
      method(channel, name as 'basic.nack', { deliveryTag, multiple, requeue }),
    ),
  )

const select = (nowait: boolean): Move =>
  move(
    `confirm.select${nowait ? ' nowait' : ''}`,
    (channel) => method(channel, 'confirm.select', { nowait }),
    {
      selects: true,
    },
  )

const settingUp: fc.Arbitrary<Move> = fc.constantFrom(
  ...[1, 3].map((prefetchCount) =>
    move(`qos ${prefetchCount}`, (channel) => method(channel, 'basic.qos', { prefetchCount })),
  ),
  select(false),
  select(true),
)

/** What ends a channel, or is answered in another way, wherever it comes. */
const straying: fc.Arbitrary<Move> = fc.oneof(
  publishingTo('absent', 'forbidden'),
  fc.constantFrom(
    move('tx.select', (channel) => method(channel, 'tx.select')),
    move('tx.rollback', (channel) => method(channel, 'tx.rollback')),
    move('flow', (channel) => method(channel, 'channel.flow', { active: true })),
    move('qos 2 for all', (channel) => method(channel, 'basic.qos', { prefetchCount: 2, global: true })),
    move('cancel nobody', (channel) => method(channel, 'basic.cancel', { consumerTag: 'nobody' })),
    move('cancel nobody nowait', (channel) =>
      method(channel, 'basic.cancel', { consumerTag: 'nobody', nowait: true }),
    ),
    move('declare an exchange', (channel, own) =>
      method(channel, 'exchange.declare', { exchange: `${own}x`, type: 'fanout', nowait: true }),
    ),
    move('bind an exchange', (channel, own) =>
      method(channel, 'exchange.bind', { destination: `${own}x`, source: 'amq.fanout' }),
    ),
    move('delete an exchange', (channel, own) =>
      method(channel, 'exchange.delete', { exchange: `${own}x`, nowait: true }),
    ),
  ),
)

const recovering = fc.constant(
  move('recover', (channel) => method(channel, 'basic.recover', { requeue: true })),
)

const consuming = fc
  .tuple(fc.constantFrom('x', 'y', 'z'), fc.boolean(), fc.boolean())
  .map(([tag, noAck, nowait]) =>
    move(`consume 0 as ${tag}${noAck ? ' without ack' : ''}${nowait ? ' nowait' : ''}`, (channel, own) =>
      method(channel, 'basic.consume', { queue: `${own}0`, consumerTag: tag, noAck, nowait }),
    ),
  )

/** Nobody's: cancelling a consumer before its Consume-Ok makes RabbitMQ 3.10 end the connection with 541. */
const cancelling = fc.constant(
  move('cancel nobody', (channel) => method(channel, 'basic.cancel', { consumerTag: 'nobody' })),
)

/** What a client does with its exclusive queues, on whatever channel. */
const owning = (client: number): fc.Arbitrary<Move> =>
  fc
    .tuple(
      fc.constantFrom(kept(client), passing(client)),
      fc.constantFrom('publish', 'publish', 'declare', 'get', 'get', 'bind', 'unbind', 'purge', 'delete'),
      fc.boolean(),
    )
    .map(([queue, what, flag]) =>
      move(
        `${what} ${queue}${flag ? ' (!)' : ''}`,
        (channel, own) => {
          const bound = { queue, exchange: 'amq.direct', routingKey: `${own}0` }
          switch (what) {
            case 'publish':
              return publishFrames(channel, { routingKey: queue, mandatory: flag, body: queue })
            case 'get':
              return method(channel, 'basic.get', { queue, noAck: flag })
            case 'bind':
              return method(channel, 'queue.bind', { ...bound, nowait: flag })
            case 'unbind':
              return method(channel, 'queue.unbind', bound)
            case 'purge':
              return method(channel, 'queue.purge', { queue, nowait: flag })
            case 'delete':
              // Neighbours must not be able to meet it or not.
              if (queue === passing(client)) return method(channel, 'queue.delete', { queue, nowait: flag })
          }
          return method(channel, 'queue.declare', { queue, exclusive: true, nowait: flag })
        },
        { isCommon: true, ...(what === 'publish' && { publishes: true }) },
      ),
    )

const declareKept = (client: number): Move =>
  move(
    `declare ${kept(client)}`,
    (channel) => method(channel, 'queue.declare', { queue: kept(client), exclusive: true }),
    { isCommon: true },
  )

const neighbourOf = (client: number): fc.Arbitrary<number> =>
  fc.integer({ min: 1, max: CLIENTS - 1 }).map((distance) => (client + distance) % CLIENTS)

/** What a client may try with a neighbour's exclusive queue: 405, whatever it is. */
const trespassing = (client: number): fc.Arbitrary<Move> =>
  fc
    .tuple(
      neighbourOf(client).map(kept),
      fc.constantFrom(
        'declare',
        'passive',
        'exclusive',
        'get',
        'consume',
        'bind',
        'unbind',
        'purge',
        'delete',
      ),
      fc.boolean(),
    )
    .map(([queue, what, nowait]) =>
      move(`${what} ${queue}${nowait ? ' nowait' : ''}`, (channel, own) => {
        const bound = { queue, exchange: 'amq.direct', routingKey: `${own}0` }
        switch (what) {
          case 'get':
            return method(channel, 'basic.get', { queue })
          case 'consume':
            return method(channel, 'basic.consume', { queue, nowait })
          case 'bind':
            return method(channel, 'queue.bind', { ...bound, nowait })
          case 'unbind':
            return method(channel, 'queue.unbind', bound)
          case 'purge':
            return method(channel, 'queue.purge', { queue, nowait })
          case 'delete':
            return method(channel, 'queue.delete', { queue, nowait })
          default:
            return method(channel, 'queue.declare', {
              queue,
              nowait,
              ...(what !== 'declare' && { [what]: true }),
            })
        }
      }),
    )

/** Asks for what a channel of another client may have made in the burst before, exclusive or not. */
const lookingBack = (client: number): fc.Arbitrary<Move> =>
  fc
    .tuple(neighbourOf(client), fc.integer({ min: 1, max: CHANNELS }), named)
    .map(([neighbour, number, nth]) =>
      move(`look back at ${neighbour}.${number}.${nth}`, (channel, _, burstNumber) =>
        method(channel, 'queue.declare', {
          queue: `b${burstNumber - 1}.${neighbour}.${number}.${nth}`,
          passive: true,
        }),
      ),
    )

const declaringFirst: fc.Arbitrary<Move> = fc
  .boolean()
  .map((exclusive) =>
    move(`declare 0${exclusive ? ' exclusive' : ''}`, (channel, own) =>
      method(channel, 'queue.declare', { queue: `${own}0`, exclusive }),
    ),
  )

function movesOf(kind: Kind, client: number): fc.Arbitrary<Move[]> {
  const list = (...some: fc.WeightedArbitrary<Move>[]): fc.Arbitrary<Move[]> =>
    fc.array(fc.oneof(...some), { maxLength: 14, size: 'max' })
  const anything: fc.WeightedArbitrary<Move>[] = [
    { weight: 6, arbitrary: publishing },
    { weight: 6, arbitrary: declaring },
    { weight: 2, arbitrary: binding },
    { weight: 1, arbitrary: removing },
    { weight: 4, arbitrary: getting },
    { weight: 2, arbitrary: acknowledging },
    { weight: 2, arbitrary: settingUp },
    { weight: 1, arbitrary: straying },
    { weight: 1, arbitrary: recovering },
    { weight: 1, arbitrary: trespassing(client) },
    { weight: 1, arbitrary: lookingBack(client) },
  ]
  switch (kind) {
    case 'publish':
      return list({ weight: 1, arbitrary: publishing })
    case 'get':
      return list(...anything)
    case 'own':
      // A channel that has got a state elsewhere can't reach them through Warren: a known limit.
      return list(...anything, { weight: 12, arbitrary: owning(client) }).map((moves) => [
        declareKept(client),
        ...moves,
      ])
    case 'consume':
      return fc
        .tuple(
          declaringFirst,
          list(
            { weight: 6, arbitrary: publishing },
            { weight: 1, arbitrary: settingUp },
            { weight: 3, arbitrary: consuming },
            { weight: 1, arbitrary: cancelling },
          ),
        )
        .map(([first, moves]) => [first, ...withoutTagsAgain(moves)])
  }
}

/** A tag may be used once; RabbitMQ ends the connection otherwise. */
function withoutTagsAgain(moves: Move[]): Move[] {
  const used = new Set<string>()
  return moves.filter(({ text }) => {
    const tag = /^consume 0 as (\w+)/.exec(text)?.[1]
    if (tag === undefined) return true
    if (used.has(tag)) return false
    used.add(tag)
    return true
  })
}

const part: fc.Arbitrary<Part> = fc
  .tuple(
    fc.nat({ max: CLIENTS - 1 }),
    fc.integer({ min: 1, max: CHANNELS }),
    fc.constantFrom<Kind[]>('publish', 'get', 'get', 'own', 'consume'),
  )
  .chain(([client, channel, kind]) =>
    movesOf(kind, client).map((moves) => toPart({ client, channel, kind, moves })),
  )

function toPart({ client, channel, kind, moves }: Part): Part {
  return {
    ...{ client, channel, kind, moves },
    [fc.toStringMethod]: () =>
      `${client}.${channel} ${kind}: ${moves.map(({ text }) => text).join(', ') || 'nothing'}`,
  } as Part
}

/** On two channels at once it would be chance what becomes of a queue that they have in common. */
function withoutCommonTwice(parts: Part[]): Part[] {
  const owners = new Map<number, Part>()
  return parts.map((one) => {
    if (!one.moves.some(({ isCommon }) => isCommon)) return one
    const owner = owners.get(one.client)
    if (owner === undefined) owners.set(one.client, one)
    return owner === undefined
      ? one
      : toPart({ ...one, moves: one.moves.filter(({ isCommon }) => !isCommon) })
  })
}

/** Draws bursts of up to six channels. */
export const burst: fc.Arbitrary<Burst> = fc.record(
  {
    parts: fc
      .uniqueArray(part, {
        selector: ({ client, channel }) => `${client}.${channel}`,
        minLength: 1,
        maxLength: 6,
        size: 'max',
      })
      .map(withoutCommonTwice),
    mix: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 20 }),
    cuts: fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1000, max: 100_000 })), {
      minLength: 1,
      maxLength: 8,
    }),
    leaves: fc.option(fc.nat({ max: CLIENTS - 1 }), { freq: 2, nil: undefined }),
  },
  { noNullPrototype: true },
)

/** Three clients that have nothing but their connection and two exclusive queues each. */
export async function connectAll(lockstep: Lockstep): Promise<void> {
  for (let client = 0; client < CLIENTS; client++) await connect(lockstep, client)
}

async function connect(lockstep: Lockstep, client: number): Promise<void> {
  const frameMax = client === 0 ? 4096 : 131_072
  await lockstep.connect(client, { user: USERS[0], password: PASSWORD, frameMax })
  await lockstep.request(client, 1, 'channel.open', () => ({}), ['channel.open-ok'])
  for (const queue of [kept(client), passing(client)])
    await lockstep.request(client, 1, 'queue.declare', () => ({ queue, exclusive: true }), [
      'queue.declare-ok',
    ])
  await lockstep.request(client, 1, 'channel.close', () => ({ code: 200, text: 'bye' }), ['channel.close-ok'])
}

async function disconnect(lockstep: Lockstep, client: number): Promise<void> {
  await lockstep.request(client, 0, 'connection.close', () => ({ code: 200, text: 'bye' }), [
    'connection.close-ok',
  ])
  for (const side of lockstep.sides) side.forget(client)
}

/** Everybody leaves politely. */
export async function closeAll(lockstep: Lockstep): Promise<void> {
  for (let client = 0; client < CLIENTS; client++) await disconnect(lockstep, client)
}

/** Sends one burst in both worlds and compares, channel by channel, what comes of it; then closes what it has left open. */
export async function runBurst(
  lockstep: Lockstep,
  { parts, mix, cuts, leaves }: Burst,
  nth: number,
): Promise<void> {
  const text = parts.map((one) => `    ${fc.stringify(one)}`).join('\n')
  const streams = new Map<number, Buffer>()
  for (let client = 0; client < CLIENTS; client++) {
    const own = parts.filter((one) => one.client === client)
    if (own.length > 0)
      streams.set(
        client,
        mixed(
          own.map((one) => framesOf(one, nth)),
          mix,
        ),
      )
  }
  await lockstep.step(
    `burst ${nth}, mixed by ${mix.join()}, cut by ${cuts.join()}:\n${text}`,
    async (side) => {
      await Promise.all(
        [...streams].map(async ([client, bytes]) => {
          for (const piece of pieces(bytes, cuts)) {
            side.wire(client).send(piece)
            await turn()
          }
        }),
      )
    },
    (side) => parts.every((one) => isAnswered(side, one)),
  )
  for (const { client, channel, kind } of parts)
    if (kind === 'consume')
      await lockstep.request(client, channel, 'channel.close', () => ({ code: 200, text: 'done' }), [
        'channel.close-ok',
      ])
  if (leaves === undefined) return
  await disconnect(lockstep, leaves)
  await connect(lockstep, leaves)
}

/** Whether the last answer has come; Close-Ok comes also after an error. */
function isAnswered(side: Side, { client, channel, kind }: Part): boolean {
  const last = kind === 'consume' ? 'channel.flow-ok' : 'channel.close-ok'
  const events = side.fresh.get(`${client}.${channel}`) ?? []
  return events.some(({ name }) => name === last)
}

function framesOf({ client, channel, kind, moves }: Part, nth: number): Buffer[] {
  const own = `b${nth}.${client}.${channel}.`
  const end =
    kind === 'consume'
      ? method(channel, 'channel.flow', { active: true })
      : method(channel, 'channel.close', { code: 200, text: 'bye' })
  const bytes = [method(channel, 'channel.open'), ...moves.map((one) => one.bytes(channel, own, nth)), end]
  return splitFrames(Buffer.concat(bytes))
}

function splitFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let rest = bytes; rest.length > 0;) {
    const { frame: first, length } = decodeFrame(rest)!
    frames.push(frame(first.type, first.channel, first.payload))
    rest = rest.subarray(length)
  }
  return frames
}

/** Frames of several channels in one stream, those of each channel in their order. */
function mixed(channels: Buffer[][], mix: readonly number[]): Buffer {
  const result: Buffer[] = []
  const waiting = channels.map((frames) => [...frames])
  for (let at = 0; waiting.some(({ length }) => length > 0); at++) {
    const busy = waiting.filter(({ length }) => length > 0)
    result.push(busy[mix[at % mix.length] % busy.length].shift()!)
  }
  return Buffer.concat(result)
}

function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  // Not too many: what is cut into small pieces at its beginning goes in large ones later.
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = n < 60 ? cuts[n % cuts.length] : 200_000
    yield bytes.subarray(at, at + size)
    at += size
  }
}
