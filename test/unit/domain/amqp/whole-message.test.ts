import { expect } from 'chai'
import fc from 'fast-check'
import { FrameReader } from '../../../../src/domain/amqp/frame-reader.js'
import type { WholeMessage } from '../../../../src/domain/amqp/whole-message.js'
import { ChannelGuard, VERDICT_LAST, VERDICT_PART } from '../../../../src/domain/channel/channel-guard.js'
import { FrameRecorder, concat, cutAt, framesIn, hex, own } from '../../../support/frames.js'
import { bodyFrame, frame, headerFrame, method, publishFrames } from '../../../support/wire-format.js'
import { mutated } from '../arbitraries.js'

const PUBLISH = 0x3c0028
const DELIVER = 0x3c003c
const MAX = 4096

const properties = fc.record(
  {
    contentType: fc.string({ maxLength: 5 }),
    headers: fc.dictionary(fc.string({ maxLength: 3 }), fc.oneof(fc.integer(), fc.string({ maxLength: 3 }))),
    deliveryMode: fc.nat(255),
    expiration: fc.string({ maxLength: 5 }),
    timestamp: fc.nat(),
  },
  { requiredKeys: [] },
)
/** Publishes, most of them plain. */
const publish = fc
  .record({
    channel: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(0xffff) }),
    exchange: fc.string({ maxLength: 4 }),
    routingKey: fc.oneof(
      { weight: 4, arbitrary: fc.string({ maxLength: 20 }) },
      { weight: 1, arbitrary: fc.constant('amq.rabbitmq.reply-to.Zm9v.bar') },
    ),
    mandatory: fc.boolean(),
    immediate: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    properties,
    body: fc.string({ maxLength: 60 }),
    frameMax: fc.constantFrom(24, MAX),
  })
  .map(({ channel, ...message }) => publishFrames(channel, message))
const others = fc.constantFrom(
  method(1, 'basic.ack', { deliveryTag: 1 }),
  method(1, 'basic.deliver', { consumerTag: 't' }),
  headerFrame(1, 5),
  bodyFrame(1, 'right'),
)
/** What a client may send, in any order, and sometimes not quite right. */
const traffic = fc
  .array(fc.oneof({ weight: 4, arbitrary: publish }, { weight: 1, arbitrary: others }), { maxLength: 6 })
  .map((pieces) => concat(pieces))
const anything = fc.oneof(traffic, mutated(traffic))
const cuts = fc.array(fc.nat(), { maxLength: 3 })

/** Takes messages whole as long as `takes` says so, and remembers their frames like all others. */
class MessageRecorder extends FrameRecorder {
  messages = 0

  constructor(readonly takes: readonly boolean[]) {
    super()
  }

  onMessage({ bytes, start, end }: WholeMessage): boolean {
    if (!this.takes[this.messages++ % this.takes.length]) return false
    this.frames.push(...framesIn(bytes.slice(start, end)))
    return true
  }
}

/** What is in `bytes`, as a reader of publishes finds it. */
function messagesIn(bytes: Uint8Array, visit: (message: WholeMessage) => boolean): void {
  const reader = new FrameReader(Object.assign(new FrameRecorder(), { onMessage: visit }), MAX, PUBLISH)
  reader.push(bytes)
}

function countIn(bytes: Uint8Array): number {
  let count = 0
  messagesIn(bytes, () => ++count > 0)
  return count
}

describe('WholeMessage', () => {
  it('is found where method, header and body stand side by side', () => {
    const message = publishFrames(7, { routingKey: 'key', body: 'body' })
    const chunk = concat([bodyFrame(1, 'x'), message, bodyFrame(2, 'y')])
    messagesIn(chunk, (found) => {
      expect(hex(found.bytes.slice(found.start, found.end))).to.equal(hex(message))
      expect([found.channel, found.bodySize]).to.deep.equal([7, 4])
      return true
    })
    expect(countIn(chunk)).to.equal(1)
  })

  it('is not found without a body, with one in several frames, or of another method', () => {
    expect(countIn(publishFrames(1, { body: '' }))).to.equal(0)
    expect(countIn(publishFrames(1, { body: 'ab', frameMax: 9 }))).to.equal(0)
    expect(countIn(concat([method(1, 'basic.deliver', {}), headerFrame(1, 1), bodyFrame(1, 'a')]))).to.equal(
      0,
    )
  })

  it('is found with a payload as large as may be', () => {
    expect(countIn(publishFrames(1, { body: 'x'.repeat(MAX), frameMax: MAX + 8 }))).to.equal(1)
  })

  it('is not found where the header ends before its flags', () => {
    const [publishing, body] = [method(1, 'basic.publish', {}), bodyFrame(1, 'a')]
    const header = headerFrame(1, 1).subarray(7, -1)
    for (const size of [0, 12, 13])
      expect(countIn(concat([publishing, frame(2, 1, header.subarray(0, size)), body])), `${size}`).to.equal(
        0,
      )
  })

  it('is not found across channels', () => {
    const [publishing, header, body] = [method(1, 'basic.publish', {}), headerFrame(1, 1), bodyFrame(1, 'a')]
    expect(countIn(concat([publishing, header, body]))).to.equal(1)
    expect(countIn(concat([publishing, headerFrame(2, 1), body]))).to.equal(0)
    expect(countIn(concat([publishing, header, bodyFrame(2, 'a')]))).to.equal(0)
  })

  it('takes another channel number in all its frames, and changes nothing else', () => {
    const message = { routingKey: 'key', body: 'body', properties: { contentType: 'text' } }
    const chunk = concat([publishFrames(1, message), publishFrames(2, message), publishFrames(3, message)])
    messagesIn(chunk, (found) => {
      if (found.channel === 2) found.rewriteChannel(0xabcd)
      return true
    })
    const expected = [publishFrames(1, message), publishFrames(0xabcd, message), publishFrames(3, message)]
    expect(hex(chunk)).to.equal(hex(concat(expected)))
  })

  it('changes nothing in what is read, whoever takes it whole and however the bytes are cut', () => {
    let messages = 0
    fc.assert(
      fc.property(
        anything,
        cuts,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(40, MAX),
        fc.constantFrom(PUBLISH, DELIVER),
        (bytes, positions, takes, frameMax, messageMethod) => {
          const oneByOne = new FrameRecorder()
          const whole = new MessageRecorder(takes)
          const readers = [
            new FrameReader(oneByOne, frameMax),
            new FrameReader(whole, frameMax, messageMethod),
          ]
          for (const reader of readers) for (const chunk of cutAt(bytes, positions)) reader.push(own(chunk))
          expect([whole.frames, whole.faults]).to.deep.equal([oneByOne.frames, oneByOne.faults])
          messages += whole.messages
        },
      ),
      { numRuns: 1000 },
    )
    expect(messages).to.be.greaterThan(100)
  })

  it('is admitted by the guard only if that would let pass each of its frames', () => {
    let admitted = 0
    fc.assert(
      fc.property(anything, fc.constantFrom(20, 1000), (bytes, maxMessageBytes) => {
        messagesIn(bytes, (message) => {
          const guard = new ChannelGuard({ maxMessageBytes, maxTableDepth: 1 })
          const isAdmitted = guard.admits(message)
          const verdicts: number[] = []
          const oneByOne = new FrameReader(
            new FrameRecorder((frame) => void verdicts.push(guard.judge(frame))),
            MAX,
          )
          oneByOne.push(message.bytes.slice(message.start, message.end))
          const passes = verdicts.join() === [VERDICT_PART, VERDICT_PART, VERDICT_LAST].join()
          expect(isAdmitted && !passes, 'admitted against the rules').to.equal(false)
          if (isAdmitted) {
            expect([guard.isInContent, guard.isSafe]).to.deep.equal([false, true])
            admitted++
          }
          return true
        })
      }),
      { numRuns: 3000 },
    )
    expect(admitted).to.be.greaterThan(500)
  })

  it('is not admitted in the middle of another', () => {
    const guard = new ChannelGuard({ maxMessageBytes: 1000, maxTableDepth: 32 })
    const message = publishFrames(1, { body: 'body' })
    let isAdmitted: boolean | undefined
    new FrameReader(new FrameRecorder((frame) => void guard.judge(frame)), MAX).push(
      method(1, 'basic.publish', {}),
    )
    messagesIn(message, (found) => (isAdmitted = guard.admits(found)))
    expect(isAdmitted).to.equal(false)
  })
})
