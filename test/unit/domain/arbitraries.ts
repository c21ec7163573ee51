/** Arbitrary AMQP values for the domain's property tests. */
import fc from 'fast-check'
import type { FieldTable, FieldValue } from '../../../src/domain/amqp/field-table.js'
import type {
  ArgumentLayout,
  ArgumentType,
  Arguments,
  MethodLayout,
} from '../../../src/domain/amqp/method-layout.js'
import { concat } from '../../support/frames.js'
import type { Properties } from '../../support/wire-format.js'

/** Erlang has no other numbers, and so AMQP neither, as RabbitMQ speaks it. */
const FINITE = { noNaN: true, noDefaultInfinity: true }

/** Text of at most 255 bytes, with characters of every length and the byte order mark that decoders like to swallow. */
export const shortText = fc
  .oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ minLength: 255, maxLength: 255 }),
    fc.string({ maxLength: 4 }).map((text) => `\ufeff${text}`),
  )
  .filter((text) => Buffer.byteLength(text) <= 255)

export const bytes = fc.uint8Array({ maxLength: 40 })

const integer = (
  type: 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32',
): fc.Arbitrary<FieldValue> => {
  const bits = Number(type.replace(/\D+/, ''))
  const [min, max] = type.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
  return fc.record({ type: fc.constant(type), value: fc.integer({ min, max }) })
}

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

const scalars: fc.Arbitrary<FieldValue>[] = [
  fc.record({ type: fc.constant('bool' as const), value: fc.boolean() }),
  integer('int8'),
  integer('uint8'),
  integer('int16'),
  integer('uint16'),
  integer('int32'),
  integer('uint32'),
  fc.record({
    type: fc.constant('int64' as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  fc.record({ type: fc.constant('timestamp' as const), value: uint64 }),
  fc.record({ type: fc.constant('float' as const), value: fc.float(FINITE) }),
  fc.record({ type: fc.constant('double' as const), value: fc.double(FINITE) }),
  fc.record({
    type: fc.constant('decimal' as const),
    scale: fc.nat(255),
    value: fc.nat(0xffffffff),
  }),
  fc.record({ type: fc.constantFrom('string' as const, 'bytes' as const), value: bytes }),
  fc.constant({ type: 'void' as const }),
]

const nested = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    ...scalars,
    fc.record({ type: fc.constant('array' as const), value: fc.array(tie('value'), { maxLength: 4 }) }),
    fc.record({ type: fc.constant('table' as const), value: tie('table') }),
  ),
  table: fc.array(fc.tuple(shortText, tie('value')), { maxLength: 4 }),
}))

/** Values of every type, arrays and tables nested. */
export const fieldValue = nested.value
/** Tables of such values; a name may come twice. */
export const fieldTable = nested.table

const argument: Record<ArgumentType, fc.Arbitrary<unknown>> = {
  bit: fc.boolean(),
  octet: fc.nat(0xff),
  short: fc.nat(0xffff),
  long: fc.nat(0xffffffff),
  longlong: uint64,
  shortstr: shortText,
  longstr: bytes,
  table: fieldTable,
}

/** Values for all arguments of `method` that mean something. */
export function argumentsOf(
  method: MethodLayout,
  types: Record<ArgumentType, fc.Arbitrary<unknown>> = argument,
): fc.Arbitrary<Arguments<ArgumentLayout>> {
  const meaningful = Object.entries(method.args).filter(([name]) => !name.startsWith('reserved'))
  return fc.record(Object.fromEntries(meaningful.map(([name, type]) => [name, types[type]]))) as fc.Arbitrary<
    Arguments<ArgumentLayout>
  >
}

/** The same with simpler values for some types. */
export function argumentsWith(
  method: MethodLayout,
  types: Partial<Record<ArgumentType, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<Arguments<ArgumentLayout>> {
  return argumentsOf(method, { ...argument, ...types })
}

/** `source` with some octets changed, and sometimes a piece missing or added: nearly right, so that checks are reached. */
export function mutated(source: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const octet = fc.oneof(fc.constantFrom(0, 1, 4, 0xff, ...Buffer.from('FASxVtbIldD')), fc.nat(0xff))
  return fc
    .tuple(
      source,
      fc.array(fc.tuple(fc.nat(), octet), { maxLength: 3 }),
      fc.option(fc.nat(), { freq: 2 }),
      fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ minLength: 1, maxLength: 6 })),
    )
    .map(([original, changes, end, added]) => {
      const changed = original.slice(0, end === null ? original.length : end % (original.length + 1))
      for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value
      return concat([changed, added])
    })
}

const text = fc.string({ maxLength: 30 })

/** Any properties of a message, and any number of them. */
export const properties: fc.Arbitrary<Properties> = fc.record(
  {
    contentType: text,
    contentEncoding: text,
    headers: fc.dictionary(
      text,
      fc.oneof(text, fc.boolean(), fc.integer(), fc.constant(null), fc.array(fc.integer())),
    ),
    deliveryMode: fc.nat(255),
    priority: fc.nat(255),
    correlationId: text,
    replyTo: text,
    expiration: fc.oneof(fc.nat().map(String), text),
    messageId: text,
    timestamp: fc.nat(),
    type: text,
    userId: text,
    appId: text,
    clusterId: text,
  },
  { requiredKeys: [] },
)
