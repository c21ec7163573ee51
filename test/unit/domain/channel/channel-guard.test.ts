import { expect } from 'chai'
import fc from 'fast-check'
import { methodFrame } from '../../../../src/domain/amqp/method-layout.js'
import { allMethods } from '../../../../src/domain/amqp/methods.js'
import type { AmqpError } from '../../../../src/domain/amqp/reply-codes.js'
import {
  ChannelGuard,
  VERDICT_DROP,
  VERDICT_LAST,
  VERDICT_PART,
  VERDICT_REFUSED,
  VERDICT_SINGLE,
  VERDICT_WAIT,
  type Verdict,
} from '../../../../src/domain/channel/channel-guard.js'
import { own, payload, viewOf } from '../../../support/frames.js'
import {
  FrameType,
  type TableValue,
  bodyFrame,
  frame,
  headerFrame,
  longlong,
  method,
  methodFrame as anyMethodFrame,
  octet,
  short,
  shortstr,
} from '../../../support/wire-format.js'
import { argumentsOf, mutated } from '../arbitraries.js'

const NAMES: Record<Verdict, string> = {
  [VERDICT_SINGLE]: 'single',
  [VERDICT_PART]: 'part',
  [VERDICT_LAST]: 'last',
  [VERDICT_DROP]: 'drop',
  [VERDICT_REFUSED]: 'refused',
  [VERDICT_WAIT]: 'wait',
}

function newGuard(maxMessageBytes = 1000, maxTableDepth = 32): ChannelGuard {
  return new ChannelGuard({ maxMessageBytes, maxTableDepth })
}

function judge(guard: ChannelGuard, bytes: Uint8Array): string {
  return NAMES[guard.judge(viewOf(bytes))]
}

function judgeAll(guard: ChannelGuard, frames: readonly Uint8Array[]): string[] {
  return frames.map((bytes) => judge(guard, bytes))
}

/** What the last of the frames is refused with; all before it must pass, and the broker says yes to consumers at once. */
function refusalOf(frames: readonly Uint8Array[], guard = newGuard()): AmqpError {
  const verdicts = frames.map((bytes) => {
    const verdict = judge(guard, bytes)
    if (verdict === 'single') guard.onConsumeOk('t')
    return verdict
  })
  expect(verdicts.indexOf('refused'), verdicts.join()).to.equal(frames.length - 1)
  return guard.refusal
}

const publish = (more: { exchange?: string; routingKey?: string; mandatory?: boolean } = {}): Buffer =>
  method(1, 'basic.publish', more)
const consume = (consumerTag: string): Buffer => method(1, 'basic.consume', { queue: 'q', consumerTag })
const cancel = (consumerTag: string): Buffer => method(1, 'basic.cancel', { consumerTag })

const PUBLISH = 0x3c0028
const FORGED = 'amq.rabbitmq.reply-to.a.b'

describe('ChannelGuard', () => {
  describe('lets pass', () => {
    const withRulesOfTheirOwn = [
      ...['basic.publish', 'basic.recover', 'basic.recover_async', 'channel.flow', 'channel.open'],
      ...['channel.close_ok', 'channel.flow_ok', 'basic.cancel_ok'],
    ]
    const plain = allMethods().filter(
      ({ name, sender, classId }) =>
        sender !== 'server' && classId !== 10 && !withRulesOfTheirOwn.includes(name),
    )
    for (const layout of plain)
      it(`${layout.name} as a frame of its own`, () => {
        const guard = newGuard()
        expect(judge(guard, methodFrame(layout, 1, {}))).to.equal('single')
        expect(guard.isInContent).to.equal(false)
      })

    it('recovering with requeue and a flow that is active', () => {
      const frames = [
        method(1, 'basic.recover', { requeue: true }),
        method(1, 'basic.recover-async', { requeue: true }),
        method(1, 'channel.flow', { active: true }),
      ]
      expect(judgeAll(newGuard(), frames)).to.deep.equal(['single', 'single', 'single'])
    })

    it('a publish, and says which frame makes the message whole', () => {
      const guard = newGuard()
      const frames = [publish(), headerFrame(1, 5), bodyFrame(1, 'ab'), bodyFrame(1, 'cde')]
      expect(judgeAll(guard, frames)).to.deep.equal(['part', 'part', 'part', 'last'])
      expect(guard.isInContent).to.equal(false)
    })

    it('a message without a body, whole with its header', () => {
      expect(judgeAll(newGuard(), [publish({ mandatory: true }), headerFrame(1, 0)])).to.deep.equal([
        'part',
        'last',
      ])
    })

    it('a message without the empty body frames in its middle, which mean nothing and would only be kept', () => {
      const frames = [publish(), headerFrame(1, 1), bodyFrame(1, ''), bodyFrame(1, 'a')]
      expect(judgeAll(newGuard(), frames)).to.deep.equal(['part', 'part', 'drop', 'last'])
    })

    it('a message of exactly the largest size', () => {
      const frames = [publish(), headerFrame(1, 1000), bodyFrame(1, Buffer.alloc(1000))]
      expect(judgeAll(newGuard(1000), frames)).to.deep.equal(['part', 'part', 'last'])
    })

    it('arguments and headers that nest as deeply as is allowed, in tables or in arrays', () => {
      for (const wrap of [(inner: TableValue) => [inner], (inner: TableValue) => ({ k: inner })]) {
        let value: TableValue = null
        for (let level = 0; level < 100; level++) value = wrap(value)
        const frames = [
          method(1, 'queue.declare', { queue: 'q', arguments: { k: value } }),
          ...[publish(), headerFrame(1, 0, { headers: { k: value, CC: [FORGED.slice(0, -2)] } })],
        ]
        expect(judgeAll(newGuard(1000, 100), frames)).to.deep.equal(['single', 'part', 'last'])
        expect(judge(newGuard(1000, 99), frames[0])).to.equal('refused')
      }
    })

    it('one message after the other, and methods between them', () => {
      const message = [publish(), headerFrame(1, 1, { headers: { a: 1 } }), bodyFrame(1, 'a')]
      const frames = [...message, ...message, method(1, 'tx.select'), ...message]
      const verdicts = ['part', 'part', 'last']
      expect(judgeAll(newGuard(), frames)).to.deep.equal([...verdicts, ...verdicts, 'single', ...verdicts])
    })

    it('any legal publish, with the last frame and no other as the last', () => {
      const message = fc.record({
        pieces: fc.array(fc.nat(20), { maxLength: 8 }),
        exchange: fc.string({ maxLength: 9 }),
      })
      fc.assert(
        fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
          const guard = newGuard()
          for (const { pieces, exchange } of messages) {
            // Empty pieces behind the end would belong to no message.
            while (pieces.at(-1) === 0) pieces.pop()
            const size = pieces.reduce((sum, piece) => sum + piece, 0)
            const frames = [
              publish({ exchange }),
              headerFrame(1, size),
              ...pieces.map((piece) => bodyFrame(1, Buffer.from(payload(piece)))),
            ]
            const expected = [...frames.slice(1).map(() => 'part'), 'last']
            pieces.forEach((piece, n) => piece === 0 && (expected[n + 2] = 'drop'))
            expect(judgeAll(guard, frames)).to.deep.equal(expected)
          }
        }),
      )
    })

    it('a body that comes in one piece per octet', () => {
      const guard = newGuard()
      judgeAll(guard, [publish(), headerFrame(1, 300)])
      const verdicts = Array.from({ length: 300 }, () => judge(guard, bodyFrame(1, 'x')))
      expect(verdicts.indexOf('last')).to.equal(299)
    })
  })

  it('tells whether the client is in the middle of a message', () => {
    const guard = newGuard()
    const frames = [
      publish(),
      headerFrame(1, 2),
      bodyFrame(1, 'a'),
      bodyFrame(1, 'b'),
      method(1, 'tx.select'),
    ]
    const inContent = frames.map((bytes) => {
      judge(guard, bytes)
      return guard.isInContent
    })
    expect(inContent).to.deep.equal([true, true, true, false, false])
  })

  describe('refuses with what RabbitMQ would say', () => {
    /** A content header of any form; what follows the body size is given. */
    const header = (classId: number, weight: number, ...rest: Buffer[]): Buffer =>
      frame(FrameType.header, 1, Buffer.concat([short(classId), short(weight), longlong(0), ...rest]))
    /** What the client is told; then, for each way to earn it, the method at fault and the frames. */
    const refusals: Record<string, Record<string, [methodId: number, ...frames: Buffer[]]>> = {
      '540 NOT_IMPLEMENTED - immediate=true': {
        'a publish with immediate': [PUBLISH, method(1, 'basic.publish', { immediate: true })],
      },
      '540 NOT_IMPLEMENTED - prefetch_size!=0 (7)': {
        'a prefetch size': [0x3c000a, method(1, 'basic.qos', { prefetchSize: 7 })],
      },
      '540 NOT_IMPLEMENTED - requeue=false': {
        'recovering without requeue': [0x3c006e, method(1, 'basic.recover')],
        'the same, asynchronously': [0x3c0064, method(1, 'basic.recover-async')],
      },
      '540 NOT_IMPLEMENTED - active=false': {
        'stopping the flow': [0x140014, method(1, 'channel.flow')],
      },
      '540 NOT_IMPLEMENTED - unknown method 61.10': {
        'a method of an unknown class': [0x3d000a, anyMethodFrame(1, 61, 10)],
      },
      '503 COMMAND_INVALID - unknown method 60.41': {
        'an unknown method of a known class': [0x3c0029, anyMethodFrame(1, 60, 41)],
      },
      '503 COMMAND_INVALID - unimplemented method': {
        'a method that only a server sends': [0x3c003c, method(1, 'basic.deliver')],
        'the same, whatever its arguments': [0x3c003c, anyMethodFrame(1, 60, 60)],
        'a connection method on a channel': [0xa0032, method(1, 'connection.close')],
        'a Close-Ok that nobody asked for': [0x140029, method(1, 'channel.close-ok')],
        'a Flow-Ok, which RabbitMQ never asks for': [0x140015, method(1, 'channel.flow-ok')],
        'a Cancel-Ok, which RabbitMQ never asks for': [0x3c001f, method(1, 'basic.cancel-ok')],
      },
      "504 CHANNEL_ERROR - second 'channel.open' seen": {
        'another Channel.Open': [0x14000a, method(1, 'channel.open')],
      },
      "530 NOT_ALLOWED - attempt to reuse consumer tag 't'": {
        'a consumer tag twice': [0x3c0014, consume('t'), consume('t')],
      },
      '501 FRAME_ERROR - cannot decode <<0,0>>': {
        'arguments that are cut off': [PUBLISH, anyMethodFrame(1, 60, 40, short(0))],
      },
      '501 FRAME_ERROR - cannot decode <<0>>': {
        'arguments behind the last one': [0x5a000a, anyMethodFrame(1, 90, 10, octet(0))],
      },
      '501 FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame': {
        'a method frame without a method': [0, frame(1, 1, Buffer.of(0, 60, 0))],
        'the same in the middle of a message': [0, publish(), frame(1, 1, Buffer.of(0, 60, 0))],
      },
      '501 FRAME_ERROR - type 4, all octets = <<0,0,0>>: unknown_frame': {
        'an unknown frame type': [0, frame(4, 1, Buffer.alloc(3))],
        'the same in the middle of a message': [0, publish(), frame(4, 1, Buffer.alloc(3))],
      },
      '501 FRAME_ERROR - type 2, all octets = <<0,60,0>>: unknown_frame': {
        'a header that is too short': [0, publish(), frame(2, 1, Buffer.of(0, 60, 0))],
      },
      '501 FRAME_ERROR - the body is longer than its header announced': {
        'a body that is longer than announced': [
          PUBLISH,
          ...[publish(), headerFrame(1, 3), bodyFrame(1, 'ab'), bodyFrame(1, 'cd')],
        ],
      },
      '502 SYNTAX_ERROR - malformed content properties': {
        'properties that are cut off': [PUBLISH, publish(), header(60, 0, short(0x8000))],
        'properties behind the last one': [PUBLISH, publish(), header(60, 0, short(0), shortstr('x'))],
      },
      '541 INTERNAL_ERROR': {
        // What the broker would say, had it not been harmed by them.
        'a publish to a forged reply-to address': [0, publish({ routingKey: FORGED })],
        'a copy to one': [0, publish(), headerFrame(1, 0, { headers: { CC: [FORGED] } })],
        'a queue with the name of one': [0, method(1, 'queue.declare', { queue: FORGED })],
        'a consumer with the credit of AMQP 1.0': [
          0,
          method(1, 'basic.consume', { queue: 'q', arguments: { 'x-credit': 1 } }),
        ],
      },
      '505 UNEXPECTED_FRAME - expected method frame, got non method frame instead': {
        'a header without a publish': [0, headerFrame(1, 0)],
        'a body without a publish': [0, bodyFrame(1, 'a')],
        'a body for a message without one': [0, publish(), headerFrame(1, 0), bodyFrame(1, 'a')],
        'a body behind the last one': [
          0,
          ...[publish(), headerFrame(1, 1), bodyFrame(1, 'a'), bodyFrame(1, '')],
        ],
      },
      '505 UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead': {
        'a method in place of a header': [PUBLISH, publish(), method(1, 'tx.select')],
        'a publish in place of a header': [PUBLISH, publish(), publish()],
        'a body in place of a header': [PUBLISH, publish(), bodyFrame(1, 'a')],
        'a header with a weight': [PUBLISH, publish(), header(60, 1, short(0))],
      },
      '505 UNEXPECTED_FRAME - expected content header for class 60, got one for class 10 instead': {
        'a header of another class': [PUBLISH, publish(), header(10, 0, short(0))],
      },
      '505 UNEXPECTED_FRAME - expected content body, got non content body frame instead': {
        'a method in place of a body': [PUBLISH, publish(), headerFrame(1, 1), method(1, 'tx.select')],
        'a header in place of a body': [PUBLISH, publish(), headerFrame(1, 1), headerFrame(1, 1)],
      },
      '406 PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000': {
        'a message over the largest size': [PUBLISH, publish(), headerFrame(1, 1001)],
      },
    }
    for (const [expected, ways] of Object.entries(refusals))
      for (const [what, [methodId, ...frames]] of Object.entries(ways))
        it(`${what}: ${expected}`, () => {
          const refusal = refusalOf(frames)
          expect(`${refusal.code} ${refusal.text}`).to.equal(expected)
          expect(refusal.methodId).to.equal(methodId)
          expect(refusal.scope).to.equal(refusal.code === 406 ? 'channel' : 'connection')
        })

    it('every method that only a server sends', () => {
      for (const layout of allMethods().filter(({ sender }) => sender === 'server')) {
        const { code, methodId } = refusalOf([methodFrame(layout, 1, {})])
        expect([code, methodId], layout.name).to.deep.equal([503, layout.id])
      }
    })

    it('every method of the connection class', () => {
      for (const layout of allMethods().filter(({ classId }) => classId === 10))
        expect(refusalOf([methodFrame(layout, 1, {})]).code, layout.name).to.equal(503)
    })

    it('a body size beyond any number', () => {
      expect(refusalOf([publish(), headerFrame(1, 2n ** 64n - 1n)]).code).to.equal(406)
    })

    it('a message that is too large without losing track of its body', () => {
      const guard = newGuard(10)
      refusalOf([publish(), headerFrame(1, 11)], guard)
      const rest = [bodyFrame(1, 'first six'.slice(0, 6)), bodyFrame(1, 'five.'), method(1, 'tx.select')]
      expect(judgeAll(guard, rest)).to.deep.equal(['part', 'last', 'single'])
    })

    it('nothing before something was refused: asking then is a bug', () => {
      expect(() => newGuard().refusal).to.throw('nothing was refused')
    })
  })

  describe('consumer tags', () => {
    it('wait for the answer to what was asked about them before', () => {
      const guard = newGuard()
      expect(judgeAll(guard, [consume('t'), consume('t'), cancel('t')])).to.deep.equal([
        ...['single', 'wait', 'wait'],
      ])
      expect(guard.onConsumeOk('t')).to.equal(true)
      expect(judgeAll(guard, [cancel('t'), consume('t')])).to.deep.equal(['single', 'wait'])
      expect(guard.onCancelOk('t')).to.equal(true)
      expect(judge(guard, consume('t'))).to.equal('single')
    })

    it('may not be used twice', () => {
      const guard = newGuard()
      judge(guard, consume('t'))
      guard.onConsumeOk('t')
      expect(refusalOf([consume('t')], guard).code).to.equal(530)
    })

    it('are asked about even if the client wants no answer, which is then hidden from it', () => {
      const guard = newGuard()
      const silent = method(1, 'basic.consume', { queue: 'q', consumerTag: 't', noAck: true, nowait: true })
      expect(judge(guard, silent)).to.equal('single')
      expect(silent).to.deep.equal(method(1, 'basic.consume', { queue: 'q', consumerTag: 't', noAck: true }))
      expect(guard.onConsumeOk('t')).to.equal(false)
      const silentCancel = method(1, 'basic.cancel', { consumerTag: 't', nowait: true })
      expect(judge(guard, silentCancel)).to.equal('single')
      expect(silentCancel).to.deep.equal(cancel('t'))
      expect(guard.onCancelOk('t')).to.equal(false)
      expect(judge(guard, consume('t'))).to.equal('single')
      expect(guard.onConsumeOk('t'), 'the next one asks').to.equal(true)
    })

    it('that nobody uses can be cancelled, and that frees nobody else', () => {
      const guard = newGuard()
      expect(judgeAll(guard, [cancel('t'), consume('t')])).to.deep.equal(['single', 'single'])
      expect(guard.onCancelOk('t'), 'the answer to the first').to.equal(true)
      expect(guard.onConsumeOk('t')).to.equal(true)
      expect(refusalOf([consume('t')], guard).code).to.equal(530)
    })

    it('that the broker made up may not be used either', () => {
      const guard = newGuard()
      expect(judge(guard, consume(''))).to.equal('single')
      expect(guard.onConsumeOk('amq.ctag-1')).to.equal(true)
      expect(refusalOf([consume('amq.ctag-1')], guard).code).to.equal(530)
    })

    it('that the broker is to make up for a client which wants no answer are known too', () => {
      const guard = newGuard()
      judge(guard, method(1, 'basic.consume', { queue: 'q', nowait: true }))
      judge(guard, consume(''))
      expect([guard.onConsumeOk('amq.ctag-1'), guard.onConsumeOk('amq.ctag-2')]).to.deep.equal([false, true])
      expect(refusalOf([consume('amq.ctag-1')], guard).code).to.equal(530)
    })

    it('may be used again after the broker has cancelled', () => {
      const guard = newGuard()
      judge(guard, consume('t'))
      guard.onConsumeOk('t')
      guard.onBrokerCancel('other')
      expect(refusalOf([consume('t')], guard).code).to.equal(530)
      guard.onBrokerCancel('t')
      expect(judge(guard, consume('t'))).to.equal('single')
    })

    it('may be used again after the broker has cancelled before it confirmed', () => {
      const guard = newGuard()
      judge(guard, consume('t'))
      guard.onBrokerCancel('t')
      expect(judge(guard, consume('t')), 'the answer is still due').to.equal('wait')
      guard.onConsumeOk('t')
      expect(judge(guard, consume('t'))).to.equal('single')
    })

    it('stay in doubt when the broker cancels what the client has cancelled too', () => {
      const guard = newGuard()
      judge(guard, consume('t'))
      guard.onConsumeOk('t')
      judge(guard, cancel('t'))
      guard.onBrokerCancel('t')
      expect(judge(guard, consume('t'))).to.equal('wait')
      guard.onCancelOk('t')
      expect(judge(guard, consume('t'))).to.equal('single')
    })

    it('may be left to the broker as often as the client likes', () => {
      expect(judgeAll(newGuard(), [consume(''), consume(''), cancel('')])).to.deep.equal([
        ...['single', 'single', 'single'],
      ])
    })

    it('differ when their bytes do', () => {
      const guard = newGuard()
      expect(judgeAll(guard, ['t', 'T', 't ', '\ufefft', 'tt'].map(consume))).to.not.include('refused')
    })

    it('belong to one channel', () => {
      expect([newGuard(), newGuard()].map((guard) => judge(guard, consume('t')))).to.deep.equal([
        ...['single', 'single'],
      ])
    })
  })

  describe('whatever a client sends', () => {
    /** The body size in a content header frame. */
    const announced = (bytes: Uint8Array): bigint => Buffer.from(bytes).readBigUInt64BE(11)
    const wellFormed = fc
      .constantFrom(...allMethods())
      .chain((layout) => argumentsOf(layout).map((args) => methodFrame(layout, 1, args)))
    const published = fc.boolean().map((immediate) => method(1, 'basic.publish', { immediate }))
    const headers = fc.nat(40).map((size) => headerFrame(1, size))
    const bodies = fc.nat(20).map((size) => bodyFrame(1, Buffer.alloc(size)))
    const payloads = fc.oneof(wellFormed, published, headers).map((bytes) => bytes.slice(7, -1))
    const types = fc.oneof(fc.constantFrom(1, 1, 2, 2, 3), fc.nat(255))
    const broken = fc
      .tuple(types, fc.oneof(mutated(payloads), fc.uint8Array({ maxLength: 40 })))
      .map(([type, bytes]) => frame(type, 1, Buffer.from(bytes)))
    const anything: fc.Arbitrary<Uint8Array> = fc.oneof(
      published,
      headers,
      bodies,
      bodies,
      wellFormed,
      broken,
    )

    it('it never throws, and its verdicts agree with the state of the content', () => {
      fc.assert(
        fc.property(fc.array(anything, { maxLength: 30 }), (frames) => {
          const guard = newGuard(30)
          /** Octets of the body that are still to come, by the header. */
          let missing = 0n
          for (const bytes of frames) {
            const wasInContent = guard.isInContent
            const { type, payloadSize } = viewOf(bytes)
            const verdict = judge(guard, bytes)
            const step = `${verdict} from ${wasInContent} to ${guard.isInContent}`
            if (verdict === 'refused' && guard.refusal.scope === 'connection') return
            if (type === FrameType.method) {
              expect(step).to.be.oneOf(['single from false to false', 'part from false to true'])
              continue
            }
            missing = type === FrameType.header ? announced(bytes) : missing - BigInt(payloadSize)
            if (verdict === 'refused') expect(guard.refusal.code === 406 && missing > 30n).to.equal(true)
            else if (missing === 0n) expect(step).to.equal('last from true to false')
            else
              expect(missing > 0n && step).to.equal(
                `${payloadSize === 0 ? 'drop' : 'part'} from true to true`,
              )
          }
        }),
        { numRuns: 2000 },
      )
    })

    it('it never throws after a refusal either', () => {
      fc.assert(
        fc.property(fc.array(anything, { maxLength: 30 }), (frames) => {
          judgeAll(newGuard(30), frames)
        }),
        { numRuns: 500 },
      )
    })

    it('it leaves the bytes as they are, but for one bit of who starts a consumer without wanting an answer', () => {
      const startsConsumer = (bytes: Buffer): boolean => bytes[0] === 1 && bytes.readUInt32BE(7) === 0x3c0014
      fc.assert(
        fc.property(anything, (bytes) => {
          const before = own(bytes)
          judge(newGuard(), bytes)
          const changed = [...own(bytes)].map((octet, at) => octet ^ before[at]).filter((bits) => bits !== 0)
          const allowed = changed.length === 1 && startsConsumer(Buffer.from(bytes)) ? [0b1000] : []
          expect(changed).to.deep.equal(allowed)
        }),
      )
    })
  })

  describe('text that is not UTF-8', () => {
    const name = (octets: number[]): Buffer => Buffer.from([octets.length, ...octets])
    const get = (octets: number[]): Buffer =>
      rawMethod(60, 70, Buffer.concat([Buffer.from([0, 0]), name(octets), Buffer.from([0])]))

    function rawMethod(classId: number, methodId: number, args: Buffer): Buffer {
      const size = 4 + args.length
      return Buffer.concat([
        Buffer.from([1, 0, 1, 0, 0, size >> 8, size & 0xff, 0, classId, 0, methodId]),
        args,
        Buffer.from([0xce]),
      ])
    }

    it('is refused in a method with 501, as it would end the connection', () => {
      for (const octets of [[0xe4], [0xc0, 0x80], [0xff, 0x61], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]])
        expect(refusalOf([get(octets)])).to.include({
          code: 501,
          text: 'FRAME_ERROR - Malformed UTF-8 in shortstr',
        })
      expect(judge(newGuard(), get([...Buffer.from('grün €😀')]))).to.equal('single')
    })

    it("passes in a publish, where RabbitMQ doesn't look", () => {
      const args = Buffer.concat([Buffer.from([0, 0]), name([0xe4]), name([0xe4]), Buffer.from([0])])
      expect(judge(newGuard(), rawMethod(60, 40, args))).to.equal('part')
    })
  })

  it('takes answers about consumers that it knows nothing of for those that the client asked for', () => {
    const guard = newGuard()
    expect([guard.onConsumeOk('t'), guard.onCancelOk('t')]).to.deep.equal([true, true])
    guard.onBrokerCancel('t')
    expect(judge(guard, consume('t'))).to.equal('single')
  })

  it('refuses acknowledgements of any other form than that of an acknowledgement', () => {
    const ack = method(1, 'basic.ack', { deliveryTag: 1, multiple: true })
    expect(judge(newGuard(), ack)).to.equal('single')
    for (const args of [ack.subarray(11, -2), Buffer.concat([ack.subarray(11, -1), octet(0)])])
      expect(refusalOf([anyMethodFrame(1, 60, 80, args)]).code).to.equal(501)
  })

  describe('a channel is safe to be handed on', () => {
    it('not after an acknowledgement', () => {
      const guard = newGuard()
      judge(guard, method(1, 'basic.ack', { deliveryTag: 1 }))
      expect(guard.isSafe).to.equal(false)
    })

    it('after a prefetch', () => {
      const guard = newGuard()
      judge(guard, method(1, 'basic.qos', { prefetchCount: 10 }))
      expect(guard.isSafe).to.equal(true)
    })

    it('after nothing but publishes and its close', () => {
      const guard = newGuard()
      judgeAll(guard, [publish(), headerFrame(1, 0), publish({ mandatory: true }), headerFrame(1, 0)])
      expect(guard.isSafe).to.equal(true)
      judge(guard, method(1, 'channel.close', { code: 200 }))
      expect(guard.isSafe).to.equal(true)
    })

    it('after no other method that a client may send but a prefetch, which needn’t reach the broker', () => {
      const harmless = new Set(['basic.publish', 'basic.qos', 'channel.close'])
      const others = allMethods().filter((layout) => !harmless.has(layout.name))
      for (const layout of others) {
        const guard = newGuard()
        if (judge(guard, methodFrame(layout, 1, {})) === 'single')
          expect(guard.isSafe, layout.name).to.equal(false)
      }
    })
  })
})
