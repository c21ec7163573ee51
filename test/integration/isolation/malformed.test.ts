/** Arguments, tables and properties that don't have the form that AMQP gives them. */
import { type ErrorRow, promiseRows } from '../../support/comparison.js'
import { besideNeighbours } from '../../support/neighbourhood.js'
import {
  CLIENT_METHODS,
  FRAME_OVERHEAD,
  frame,
  FrameType,
  long,
  longlong,
  longstr,
  method,
  methodFrame,
  octet,
  short,
  shortstr,
  type MethodName,
} from '../../support/wire-client.js'

const WITHOUT_ARGUMENTS: MethodName[] = ['channel.close-ok', 'tx.select', 'tx.commit', 'tx.rollback']
/** RabbitMQ takes access.request for unknown. */
const WITH_ARGUMENTS = [...CLIENT_METHODS].filter(
  (name) => !WITHOUT_ARGUMENTS.includes(name) && name !== 'access.request',
)

type Row = [name: string, bytes: Buffer, more?: Partial<ErrorRow> | undefined]

const row =
  (code: number | number[], reach: ErrorRow['reach'] = 'connection') =>
  ([name, bytes, more]: Row): ErrorRow => ({
    name,
    code,
    reach,
    act: (client) => client.send(bytes),
    ...more,
  })

/** The same method with fewer or more octets of arguments, and a frame that says so. */
function resized(name: MethodName, by: number): Buffer {
  const whole = method(1, name)
  const payload = whole.subarray(FRAME_OVERHEAD - 1, -1)
  return frame(
    FrameType.method,
    1,
    by < 0 ? payload.subarray(0, by) : Buffer.concat([payload, Buffer.alloc(by)]),
  )
}

const ARGUMENTS: Row[] = [
  ...WITH_ARGUMENTS.map((name): Row => [`${name} an octet short`, resized(name, -1)]),
  ...[...WITH_ARGUMENTS, ...WITHOUT_ARGUMENTS].map((name): Row => [
    `${name} an octet long`,
    resized(name, 1),
  ]),
  ...WITH_ARGUMENTS.map((name): Row => [`${name} without any arguments`, methodFrame(1, ...idsIn(name))]),
]

function idsIn(name: MethodName): [number, number] {
  const bytes = method(1, name)
  return [bytes.readUInt16BE(7), bytes.readUInt16BE(9)]
}

/** Queue.Declare with these octets for its table, and for its name. */
function declare(table: Buffer, name: Buffer = Buffer.from('rude-q')): Buffer {
  return methodFrame(1, 50, 10, Buffer.concat([short(0), shortstr(name), octet(0), table]))
}

const field = (type: string, value: Buffer): Buffer =>
  Buffer.concat([shortstr('x-rude'), Buffer.from(type), value])

/** A table in a table in a table… */
function nested(depth: number): Buffer {
  let table = long(0)
  for (let n = 0; n < depth; n++) table = longstr(Buffer.concat([shortstr('x'), Buffer.from('F'), table]))
  return table
}

const CRASH = { differs: 'RabbitMQ closes the socket without a word' }
const INTERNAL = { differs: 'RabbitMQ says 541 INTERNAL_ERROR' }

const TABLES: Row[] = [
  ['a table longer than its frame', long(1000)],
  ['a table of 4 GiB announced', long(0xffffffff)],
  ['a table shorter than its fields', Buffer.concat([long(3), field('S', longstr('abc'))])],
  ['a field of an unknown type', longstr(field('Z', longstr('abc'))), CRASH],
  ['a field without a type', longstr(shortstr('x-rude')), CRASH],
  ['a field without a value', longstr(field('l', Buffer.alloc(0))), CRASH],
  ['a field name longer than its table', longstr(Buffer.concat([octet(200), Buffer.from('x')])), CRASH],
  ['a string longer than its table', longstr(field('S', long(1000))), CRASH],
  ['a table longer than the table around it', longstr(field('F', long(1000))), CRASH],
  ['an array longer than its table', longstr(field('A', long(1000))), CRASH],
  ['an array of an unknown type', longstr(field('A', longstr('Z'))), CRASH],
  ['NaN as a double', longstr(field('d', Buffer.from('7ff8000000000000', 'hex'))), CRASH],
  ['infinity as a double', longstr(field('d', Buffer.from('7ff0000000000000', 'hex'))), CRASH],
  ['NaN as a float', longstr(field('f', Buffer.from('7fc00000', 'hex'))), CRASH],
]

const NAMES: Row[] = [
  ['half a character in a queue name', declare(long(0), Buffer.from([0x72, 0xc3]))],
  ['an octet that UTF-8 never has in a queue name', declare(long(0), Buffer.from([0xff]))],
  ['an overlong slash in a queue name', declare(long(0), Buffer.from([0xc0, 0xaf]))],
  [
    'bad UTF-8 in a consumer tag',
    methodFrame(1, 60, 30, Buffer.concat([shortstr(Buffer.from([0xff])), octet(0)])),
  ],
]

/** Erlang takes these for characters. */
const SURROGATE: Row[] = [
  [
    'a lone surrogate in a queue name',
    declare(long(0), Buffer.from([0xed, 0xa0, 0x80])),
    { differs: 'RabbitMQ takes it' },
  ],
]

const HARMLESS: Row[] = [
  [
    'a field name that is no UTF-8',
    declare(longstr(Buffer.concat([shortstr(Buffer.from([0xff])), Buffer.from('t'), octet(1)]))),
  ],
  ['a routing key that is no UTF-8', message(properties(0, Buffer.alloc(0)), Buffer.from([0xff, 0xfe]))],
  ['a property flag that nobody uses', message(properties(2, Buffer.alloc(0)))],
  ['a table 20 tables deep', declare(nested(20))],
]

/** An empty message with these octets for a header. */
function message(header: Buffer, routingKey = Buffer.from('rude')): Buffer {
  const publish = methodFrame(
    1,
    60,
    40,
    Buffer.concat([short(0), shortstr(''), shortstr(routingKey), octet(0)]),
  )
  return Buffer.concat([publish, header])
}

function properties(flags: number, list: Buffer): Buffer {
  return frame(FrameType.header, 1, Buffer.concat([short(60), short(0), longlong(0), short(flags), list]))
}

const DEEP_ENOUGH = { differs: 'Warren bounds what it has to look at' }
const DEEP: Row[] = [
  ['a table 1,000 tables deep', declare(nested(1000)), DEEP_ENOUGH],
  ['a table 10,000 tables deep', declare(nested(10_000)), DEEP_ENOUGH],
  ['headers 1,000 tables deep', message(properties(1 << 13, nested(1000))), DEEP_ENOUGH],
]

const CONTENT_TYPE = 1 << 15
const HEADERS = 1 << 13
const PRIORITY = 1 << 11
const TIMESTAMP = 1 << 6

const PROPERTIES: Row[] = [
  ['more flags announced', properties(1, Buffer.alloc(0))],
  ['a property that is not there', properties(CONTENT_TYPE, Buffer.alloc(0))],
  ['a content type longer than its frame', properties(CONTENT_TYPE, octet(200))],
  ['an octet more than its properties', properties(PRIORITY, Buffer.from([1, 2]))],
  ['octets without any properties', properties(0, Buffer.from([1, 2]))],
  ['half a timestamp', properties(TIMESTAMP, long(1))],
  ['headers longer than their frame', properties(HEADERS, long(1000))],
  ['a header of an unknown type', properties(HEADERS, longstr(field('Z', longstr('abc'))))],
  ['a header of NaN', properties(HEADERS, longstr(field('d', Buffer.from('7ff8000000000000', 'hex'))))],
  ['headers shorter than their fields', properties(HEADERS, Buffer.concat([long(3), field('t', octet(1))]))],
].map(([name, header]) => [name, message(header as Buffer), INTERNAL] as Row)

besideNeighbours(
  'what is malformed is answered as RabbitMQ answers it, to one client alone',
  (neighbourhood) => {
    describe('arguments', () => promiseRows(neighbourhood, ARGUMENTS.map(row(501))))
    describe('tables', () =>
      promiseRows(
        neighbourhood,
        TABLES.map(([name, table, more]): Row => [name, declare(table), more]).map(row([501, 502])),
      ))
    describe('tables deeper than anybody needs, which RabbitMQ takes', () =>
      promiseRows(neighbourhood, DEEP.map(row([501, 502]))))
    describe('names', () => promiseRows(neighbourhood, [...NAMES, ...SURROGATE].map(row(501))))
    describe('properties of messages', () => promiseRows(neighbourhood, PROPERTIES.map(row([501, 502]))))
    describe('what is only strange', () => promiseRows(neighbourhood, HARMLESS.map(row(0, 'nobody'))))
  },
)
