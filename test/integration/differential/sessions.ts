/** What sessions are drawn from, and how often. */
import fc from 'fast-check'
import type { Args, MethodName } from '../../support/wire-client.js'
import { type Command, Plain, type Spot } from './commands/command.js'
import { CloseChannel, Connect, Leave, Offend, offences, OpenChannel } from './commands/connections.js'
import { Acknowledge, Cancel, Consume, Get, Recover } from './commands/consumers.js'
import { Ask, type PropertyKind, Publish, Reply, Select } from './commands/publishers.js'
import {
  CURRENT,
  type Declaration,
  DeclareQueue,
  type QueueMethod,
  type QueueRef,
  QueueRequest,
  REPLY_TO,
  USUAL,
} from './commands/queues.js'
import type { Cast } from './ledger.js'

/** Who takes part, and with what limits. */
export const cast: fc.Arbitrary<Cast> = record({
  clients: fc.array(
    record({
      user: fc.constantFrom(0, 0, 0, 1),
      channels: fc.integer({ min: 1, max: 4 }),
      frameMax: fc.constantFrom(131_072, 131_072, 8192, 4096),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})

/** A record that prints without a word on its prototype. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

const spot: fc.Arbitrary<Spot> = record({
  client: fc.constantFrom(0, 0, 0, 1, 1, 2),
  channel: fc.constantFrom(1, 1, 1, 1, 2, 2, 3, 4),
  isDaring: fc.constantFrom(...Array<boolean>(11).fill(false), true),
})
const nth = fc.nat({ max: 5 })
const rarely = fc.constantFrom(false, false, false, false, true)
const sometimes = fc.constantFrom(false, false, true)
const often = fc.boolean()
const name = fc.constantFrom('q0', 'q0', 'q1', 'q2', 'q3')
const generated = record({ generated: nth })
const queue: fc.Arbitrary<QueueRef> = fc.oneof(
  { weight: 8, arbitrary: record({ present: nth }) },
  { weight: 5, arbitrary: name },
  { weight: 3, arbitrary: fc.constant(CURRENT) },
  { weight: 2, arbitrary: generated },
  { weight: 1, arbitrary: fc.constantFrom('absent', 'forbidden', 'amq.wrong', REPLY_TO) },
)
const exchange = fc.constantFrom(
  ...['amq.direct', 'amq.fanout', 'amq.topic', 'e0', 'e0', 'e1', 'e1', 'e2'],
  ...['', 'forbidden', 'absent'],
)
const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('k', 'a.b', 'a.*', '#', 'q0', '') },
  { weight: 1, arbitrary: name },
)
const size = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 5, 100) },
  { weight: 2, arbitrary: fc.constantFrom(4088, 4089, 8184, 20_000, 131_064, 131_065, 300_000) },
)

const queueArguments = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { 'x-max-length': 2 },
      { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
      { 'x-max-priority': 5 },
      { 'x-single-active-consumer': true },
      { 'x-max-length': 'many' },
    ),
  },
)
const declaration: fc.Arbitrary<{ queue: QueueRef; flags: Declaration }> = fc.oneof(
  { weight: 8, arbitrary: name.map((queue) => ({ queue, flags: USUAL[queue] })) },
  {
    weight: 3,
    arbitrary: record({
      queue: fc.constant(CURRENT),
      flags: record({ exclusive: often, autoDelete: often, arguments: queueArguments }),
    }),
  },
  { weight: 3, arbitrary: record({ queue, flags: fc.constant({ passive: true }) }) },
  {
    weight: 2,
    arbitrary: record({
      queue,
      flags: record({
        durable: sometimes,
        exclusive: sometimes,
        autoDelete: sometimes,
        arguments: queueArguments,
      }),
    }),
  },
)
const exchangeTypes = fc.constantFrom('direct', 'fanout', 'topic', 'headers')
const USUAL_TYPES: Record<string, string> = { e0: 'direct', e1: 'fanout', e2: 'topic' }

/** Sessions of up to `maxCommands` commands; `replayPath` repeats what fast-check has printed behind one. */
export function sessionOf(maxCommands: number, replayPath?: string): fc.Arbitrary<Iterable<Command>> {
  const drawn = <A extends unknown[]>(
    weight: number,
    make: new (spot: Spot, ...args: A) => Command,
    ...args: { [K in keyof A]: fc.Arbitrary<A[K]> }
  ): fc.WeightedArbitrary<Command> => ({
    weight,
    arbitrary: fc
      .tuple(spot, ...(args as unknown as fc.Arbitrary<unknown>[]))
      .map(([at, ...rest]) => new make(at, ...(rest as unknown as A))),
  })
  const plain = <N extends MethodName>(
    weight: number,
    name: N,
    answer: MethodName,
    args: fc.Arbitrary<Partial<Args<N>>>,
    isSilent: fc.Arbitrary<boolean> = fc.constant(false),
  ): fc.WeightedArbitrary<Command> => ({
    weight,
    arbitrary: fc
      .tuple(spot, args, isSilent)
      .map(([at, given, silent]) => new Plain<N>(at, name, answer, given, silent)),
  })
  const onQueue = <N extends QueueMethod>(
    weight: number,
    name: N,
    args: fc.Arbitrary<Partial<Args<N>>>,
    nowait: fc.Arbitrary<boolean> = rarely,
  ): fc.WeightedArbitrary<Command> => ({
    weight,
    arbitrary: fc
      .tuple(spot, queue, args, nowait)
      .map(([at, which, given, silent]) => new QueueRequest<N>(at, which, name, given, silent)),
  })
  const command = fc.oneof(
    drawn(4, Connect),
    drawn(1, Leave, fc.constantFrom('close', 'reset', 'end')),
    drawn(8, OpenChannel),
    drawn(2, CloseChannel),
    plain(
      3,
      'exchange.declare',
      'exchange.declare-ok',
      fc.constantFrom('e0', 'e1', 'e2').map((name) => ({ exchange: name, type: USUAL_TYPES[name] })),
      rarely,
    ),
    plain(
      1,
      'exchange.declare',
      'exchange.declare-ok',
      record({
        exchange,
        type: exchangeTypes,
        passive: sometimes,
        durable: sometimes,
        autoDelete: sometimes,
        internal: rarely,
      }),
      rarely,
    ),
    plain(1, 'exchange.delete', 'exchange.delete-ok', record({ exchange, ifUnused: often }), rarely),
    plain(
      1,
      'exchange.bind',
      'exchange.bind-ok',
      record({ destination: exchange, source: exchange, routingKey: key }),
      rarely,
    ),
    plain(
      1,
      'exchange.unbind',
      'exchange.unbind-ok',
      record({ destination: exchange, source: exchange, routingKey: key }),
      rarely,
    ),
    {
      weight: 10,
      arbitrary: fc
        .tuple(spot, declaration, rarely)
        .map(([at, { queue: which, flags }, silent]) => new DeclareQueue(at, which, flags, silent)),
    },
    onQueue(4, 'queue.bind', record({ exchange, routingKey: key })),
    onQueue(1, 'queue.unbind', record({ exchange, routingKey: key }), fc.constant(false)),
    onQueue(1, 'queue.purge', fc.constant({})),
    onQueue(2, 'queue.delete', record({ ifUnused: sometimes, ifEmpty: sometimes })),
    drawn(
      20,
      Publish,
      queue,
      fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: exchange }),
      size,
      sometimes,
      fc.constantFrom<PropertyKind[]>(
        ...(['none', 'none', 'plain', 'plain', 'persistent', 'rich', 'copies', 'other user'] as const),
        ...(['none', 'plain', 'rich', 'bad expiration'] as const),
      ),
    ),
    drawn(2, Select, fc.constantFrom('confirm', 'tx'), sometimes),
    plain(2, 'tx.commit', 'tx.commit-ok', fc.constant({})),
    plain(1, 'tx.rollback', 'tx.rollback-ok', fc.constant({})),
    plain(
      2,
      'basic.qos',
      'basic.qos-ok',
      record({ prefetchCount: fc.constantFrom(0, 1, 2, 3), global: sometimes }),
    ),
    drawn(
      7,
      Consume,
      queue,
      fc.constantFrom('', 't0', 't0', 't1', 't2'),
      record({
        noAck: sometimes,
        exclusive: rarely,
        arguments: fc.constantFrom({}, {}, {}, { 'x-priority': 3 }),
      }),
      rarely,
    ),
    drawn(2, Cancel, nth, rarely),
    drawn(5, Get, queue, often),
    drawn(
      10,
      Acknowledge,
      fc.constantFrom('basic.ack', 'basic.ack', 'basic.nack', 'basic.reject'),
      fc.oneof({ weight: 12, arbitrary: nth }, { weight: 1, arbitrary: fc.constantFrom('all', 'unknown') }),
      sometimes,
      often,
    ),
    drawn(1, Recover, sometimes),
    {
      weight: 2,
      arbitrary: fc
        .tuple(spot, rarely)
        .map(
          ([at, acks]) =>
            new Consume(at, REPLY_TO, '', { noAck: !acks, exclusive: false, arguments: {} }, false),
        ),
    },
    drawn(3, Ask, queue),
    drawn(3, Reply, nth, sometimes),
    plain(1, 'channel.flow', 'channel.flow-ok', fc.constant({ active: true })),
    drawn(3, Offend, fc.constantFrom(...offences)),
  )
  // Bias would make most sessions short.
  return fc.noBias(
    fc.commands([command], { maxCommands, size: 'max', ...(replayPath !== undefined && { replayPath }) }),
  )
}
