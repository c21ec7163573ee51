import { expect } from 'chai'
import fc from 'fast-check'
import { MalformedBytes } from '../../../../src/domain/amqp/byte-reader.js'
import {
  type MethodLayout,
  defineMethod,
  hasShapeOf,
  methodFrame,
  readArguments,
} from '../../../../src/domain/amqp/method-layout.js'
import {
  BasicConsumeOk,
  BasicQos,
  QueueDeclare,
  TxSelect,
  allMethods,
} from '../../../../src/domain/amqp/methods.js'
import { concat, framesIn, hex } from '../../../support/frames.js'
import { long, method, octet, short, shortstr } from '../../../support/wire-format.js'
import { argumentsOf, mutated } from '../arbitraries.js'

/** Behind frame header, class id and method id. */
const ARGUMENTS_AT = 11

/** Arguments in an order that no method of AMQP has them in. */
const WIDE = defineMethod('test.wide', 0x10002, 'both', {
  first: 'bit',
  second: 'bit',
  reserved1: 'longstr',
  third: 'bit',
  table: 'table',
  fourth: 'bit',
  size: 'longlong',
})
const METHODS: readonly MethodLayout[] = [...allMethods(), WIDE]

function reads(layout: MethodLayout, bytes: Uint8Array, end: number): boolean {
  try {
    readArguments(layout, bytes, 0, end)
    return true
  } catch (error) {
    if (error instanceof MalformedBytes) return false
    throw error
  }
}

/** Whether reading takes all of `bytes`: it succeeds with them, and doesn't with one byte less. */
function readsExactly(layout: MethodLayout, bytes: Uint8Array): boolean {
  return reads(layout, bytes, bytes.length) && (bytes.length === 0 || !reads(layout, bytes, bytes.length - 1))
}

describe('method layouts', () => {
  for (const layout of METHODS) {
    const values = argumentsOf(layout)
    const frames = fc
      .tuple(fc.nat(0xffff), values)
      .map(([channel, args]) => methodFrame(layout, channel, args))

    it(`of ${layout.name} read what they write`, () => {
      fc.assert(
        fc.property(fc.nat(0xffff), values, (channel, args) => {
          const frame = methodFrame(layout, channel, args)
          const [{ type, channel: written, payload }] = framesIn(frame)
          expect([type, written]).to.deep.equal([1, channel])
          expect(Number.parseInt(payload.slice(0, 8), 16)).to.equal(layout.id)
          expect(hasShapeOf(layout, frame, ARGUMENTS_AT, frame.length - 1)).to.equal(true)
          expect(readArguments(layout, frame, ARGUMENTS_AT, frame.length - 1)).to.deep.equal(args)
        }),
        { numRuns: 30 },
      )
    })

    it(`of ${layout.name} have the shape of exactly what can be read in full`, () => {
      const near = mutated(frames.map((frame) => frame.slice(ARGUMENTS_AT, -1)))
      fc.assert(
        fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 30 })), (bytes) => {
          expect(hasShapeOf(layout, bytes, 0, bytes.length)).to.equal(readsExactly(layout, bytes))
        }),
        { numRuns: 60 },
      )
    })
  }
})

describe('hasShapeOf', () => {
  it('refuses an octet too many or too few', () => {
    const frame = method(1, 'queue.declare', { queue: 'q', arguments: { a: 1 } })
    const end = frame.length - 1
    const longer = concat([frame, Uint8Array.of(0)])
    expect(hasShapeOf(QueueDeclare, frame, ARGUMENTS_AT, end)).to.equal(true)
    expect(hasShapeOf(QueueDeclare, frame, ARGUMENTS_AT, end - 1)).to.equal(false)
    expect(hasShapeOf(QueueDeclare, longer, ARGUMENTS_AT, end + 1)).to.equal(false)
  })

  it('refuses arguments of a method that has none', () => {
    expect(hasShapeOf(TxSelect, Uint8Array.of(0), 0, 1)).to.equal(false)
    expect(hasShapeOf(TxSelect, Uint8Array.of(0), 0, 0)).to.equal(true)
  })

  it('never looks behind the end for a length', () => {
    const bytes = concat([short(0), shortstr('queue')])
    expect(hasShapeOf(QueueDeclare, bytes, 0, 2)).to.equal(false)
    expect(hasShapeOf(QueueDeclare, bytes, 0, 5)).to.equal(false)
  })
})

describe('readArguments', () => {
  it('gives bits that share an octet by their order', () => {
    const bytes = Buffer.concat([short(0), shortstr('q'), octet(0b01010), long(0)])
    expect(readArguments(QueueDeclare, bytes, 0, bytes.length)).to.deep.equal({
      queue: 'q',
      ...{ passive: false, durable: true, exclusive: false, autoDelete: true, noWait: false },
      arguments: [],
    })
  })

  it('begins where it is told', () => {
    const frame = method(9, 'basic.qos', { prefetchSize: 1, prefetchCount: 2, global: true })
    expect(readArguments(BasicQos, frame, ARGUMENTS_AT, frame.length - 1)).to.deep.equal({
      prefetchSize: 1,
      prefetchCount: 2,
      global: true,
    })
  })
})

describe('methodFrame', () => {
  it('writes a whole frame', () => {
    const frame = methodFrame(BasicQos, 0xabcd, { prefetchSize: 1, prefetchCount: 2, global: true })
    expect(hex(frame)).to.equal('01abcd0000000b003c000a00000001000201ce')
  })

  it('writes zero for what is reserved', () => {
    const frame = methodFrame(WIDE, 1, {
      ...{ first: false, second: true, third: true, table: [], fourth: false },
      size: 1n,
    })
    expect(hex(frame)).to.equal(
      `010001000000170001000202${'00000000'}01${'00000000'}00${'0000000000000001'}ce`,
    )
  })

  it('refuses a short string of more than 255 bytes', () => {
    const tag = (length: number): (() => Uint8Array) => {
      return () => methodFrame(BasicConsumeOk, 1, { consumerTag: 'x'.repeat(length) })
    }
    expect(tag(256)).to.throw(RangeError)
    expect(tag(255)).not.to.throw()
  })
})

describe('defineMethod', () => {
  it('takes the id apart', () => {
    expect(WIDE).to.include({ name: 'test.wide', id: 0x10002, classId: 1, methodId: 2, sender: 'both' })
  })

  it('sees bits that stand together as one octet', () => {
    expect(WIDE.shape).to.deep.equal(['bit', 'longstr', 'bit', 'table', 'bit', 'longlong'])
  })
})
