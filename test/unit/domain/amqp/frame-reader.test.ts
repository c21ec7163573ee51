import { expect } from 'chai'
import fc from 'fast-check'
import type { Frame } from '../../../../src/domain/amqp/frame.js'
import { FrameReader } from '../../../../src/domain/amqp/frame-reader.js'
import {
  FrameRecorder,
  type SeenFrame,
  concat,
  cutAt,
  framesIn,
  hex,
  own,
  payload,
  seenFrame,
} from '../../../support/frames.js'
import { FrameType, bodyFrame, frame, headerFrame, method } from '../../../support/wire-format.js'

const KIB = 1024
const MAX = 64 * KIB

function read(chunks: readonly Uint8Array[], frameMax = MAX): FrameRecorder {
  const log = new FrameRecorder()
  const reader = new FrameReader(log, frameMax)
  for (const chunk of chunks) reader.push(chunk)
  return log
}

function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (octet) => Uint8Array.of(octet))
}

/** Frames of all types and sizes, with the frame end octet among their payload. */
const stream = fc
  .array(
    fc.record({
      type: fc.oneof(fc.constantFrom(1, 2, 3, 3, 8), fc.nat(0xff)),
      channel: fc.nat(0xffff),
      size: fc.oneof({ weight: 3, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.nat(12 * KIB) }),
      seed: fc.nat(255),
    }),
    { maxLength: 8 },
  )
  .map((frames) =>
    concat(
      frames.map(({ type, channel, size, seed }) => frame(type, channel, Buffer.from(payload(size, seed)))),
    ),
  )
const cuts = fc.array(fc.nat(), { maxLength: 12 })
/** Some bytes of a stream changed. */
const damaged = fc
  .tuple(stream, fc.array(fc.tuple(fc.nat(), fc.nat(0xff)), { minLength: 1, maxLength: 5 }))
  .map(([bytes, changes]) => {
    for (const [at, octet] of changes) if (bytes.length > 0) bytes[at % bytes.length] = octet
    return bytes
  })

describe('FrameReader', () => {
  describe('however the bytes are cut', () => {
    it('finds the frames of a single chunk', () => {
      const log = read([
        concat([method(1, 'channel.open'), bodyFrame(2, 'abc'), frame(8, 0, Buffer.alloc(0))]),
      ])
      expect(log.frames).to.deep.equal([
        { type: FrameType.method, channel: 1, payload: '0014000a00' },
        { type: FrameType.body, channel: 2, payload: '616263' },
        { type: FrameType.heartbeat, channel: 0, payload: '' },
      ])
      expect(log.faults).to.deep.equal([])
    })

    it('finds the same frames', () => {
      fc.assert(
        fc.property(stream, cuts, (bytes, positions) => {
          const log = read(cutAt(bytes, positions))
          expect(log.frames).to.deep.equal(framesIn(bytes))
          expect(log.faults).to.deep.equal([])
        }),
      )
    })

    it('finds the same frames byte by byte', () => {
      const bytes = concat([
        method(1, 'basic.publish', { exchange: 'x', routingKey: 'key' }),
        headerFrame(1, 600),
        bodyFrame(1, Buffer.from(payload(600))),
        bodyFrame(0xffff, ''),
        frame(8, 0, Buffer.alloc(0)),
      ])
      expect(read(byteByByte(bytes)).frames).to.deep.equal(framesIn(bytes))
    })

    it('finds the same frames with one cut at every place', () => {
      const bytes = concat([method(1, 'channel.open'), bodyFrame(2, 'abc'), bodyFrame(3, '')])
      for (let at = 0; at <= bytes.length; at++)
        expect(read(cutAt(bytes, [at])).frames, `cut at ${at}`).to.deep.equal(framesIn(bytes))
    })

    it('reports the same fault, whatever the damage, and nothing behind it', () => {
      fc.assert(
        fc.property(damaged, cuts, fc.constantFrom(0, 100, 4096, MAX), (bytes, positions, max) => {
          const whole = read([own(bytes)], max)
          const split = read(cutAt(bytes, positions), max)
          const withoutSnippets = (log: FrameRecorder): unknown[] =>
            log.faults.map(({ kind, type, channel, payloadSize, detail }) => [
              ...[kind, type, channel, payloadSize, detail],
            ])
          expect(split.frames).to.deep.equal(whole.frames)
          expect(withoutSnippets(split)).to.deep.equal(withoutSnippets(whole))
          expect(split.faults.length).to.be.at.most(1)
        }),
      )
    })

    it('reads any garbage without throwing', () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.nat(64), (chunks, max) => {
          const log = new FrameRecorder()
          const reader = new FrameReader(log, max)
          for (const chunk of chunks) {
            const before = log.faults.length
            const { length } = log.frames
            reader.push(chunk)
            if (before > 0) expect(log.frames.length).to.equal(length)
          }
          expect(log.faults.length).to.be.at.most(1)
        }),
        { numRuns: 500 },
      )
    })
  })

  describe('frames that break the rules', () => {
    it('reports a frame over the maximum as soon as its header is there', () => {
      const header = frame(3, 258, Buffer.alloc(5000)).subarray(0, 7)
      for (const chunks of [[own(header)], byteByByte(header), cutAt(header, [3])]) {
        const log = read(chunks, 4096)
        expect(log.faults).to.deep.equal([
          {
            kind: 'too-large',
            ...{ type: 3, channel: 258, payloadSize: 5000, detail: 4088 },
            snippet: new Uint8Array(0),
          },
        ])
      }
    })

    it('lets a payload of frame_max pass, as RabbitMQ does, and none that is one byte larger', () => {
      const exact = bodyFrame(1, Buffer.alloc(4096))
      const larger = bodyFrame(1, Buffer.alloc(4097))
      for (const positions of [[], [3], [100]]) {
        expect(read(cutAt(exact, positions), 4096).frames.length).to.equal(1)
        expect(read(cutAt(larger, positions), 4096).faults[0].kind).to.equal('too-large')
      }
    })

    it('has no maximum when it is 0', () => {
      expect(read([bodyFrame(1, Buffer.alloc(300_000))], 0).frames.length).to.equal(1)
    })

    it('reserves nothing for a size that is only announced', () => {
      const log = new FrameRecorder()
      const reader = new FrameReader(log, 0)
      const before = process.memoryUsage().arrayBuffers
      reader.push(Uint8Array.of(3, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3))
      reader.push(Uint8Array.of(4))
      expect(reader.heldBytes).to.equal(11)
      expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(100 * KIB)
      expect([log.frames, log.faults]).to.deep.equal([[], []])
    })

    it('reports a wrong end octet with the octet that it found', () => {
      const bytes = bodyFrame(7, 'abc')
      bytes[bytes.length - 1] = 0xcd
      const expected = {
        kind: 'bad-end',
        ...{ type: 3, channel: 7, payloadSize: 3, detail: 0xcd },
        snippet: Uint8Array.of(97, 98, 99),
      }
      for (const chunks of [[own(bytes)], byteByByte(bytes), cutAt(bytes, [9])])
        expect(read(chunks).faults).to.deep.equal([expected])
    })

    it('shows at most 16 bytes of the payload, and copies them', () => {
      const bytes = bodyFrame(1, Buffer.from(payload(100)))
      bytes[bytes.length - 1] = 0
      for (const chunks of [[own(bytes)], [bytes], byteByByte(bytes)]) {
        const { snippet } = read(chunks).faults[0]
        expect(hex(snippet)).to.equal(hex(payload(16)))
        expect(snippet.buffer.byteLength).to.equal(16)
      }
    })

    it('shows of a frame that is too large what has arrived, and nothing behind its end', () => {
      const large = concat([frame(3, 1, Buffer.alloc(1 << 20)).subarray(0, 7), Uint8Array.of(1, 2, 3)])
      expect(hex(read([large]).faults[0].snippet)).to.equal('010203')
      const small = concat([bodyFrame(1, 'ab'), bodyFrame(1, 'cd')])
      expect(hex(read([small], 1).faults[0].snippet)).to.equal('6162')
    })

    it('hands over the frames before the fault, and nothing after it', () => {
      const bad = bodyFrame(2, 'bad')
      bad[bad.length - 1] = 0
      const log = new FrameRecorder()
      const reader = new FrameReader(log, MAX)
      reader.push(concat([bodyFrame(1, 'good'), bad, bodyFrame(3, 'late')]))
      reader.push(bodyFrame(4, 'later'))
      expect(log.frames.map(({ channel }) => channel)).to.deep.equal([1])
      expect(log.faults.length).to.equal(1)
      expect(reader.heldBytes).to.equal(0)
    })

    it('keeps nothing of a frame that turns out too large', () => {
      const reader = new FrameReader(new FrameRecorder(), 1)
      for (const octet of byteByByte(bodyFrame(1, 'xy'))) reader.push(octet)
      expect(reader.heldBytes).to.equal(0)
    })
  })

  describe('a change of the maximum', () => {
    it('counts from the next frame of the same chunk on', () => {
      const log = new FrameRecorder(({ channel }) => {
        if (channel === 1) reader.frameMax = 12
        if (channel === 2) reader.frameMax = 0
      })
      const reader = new FrameReader(log, 4096)
      const large = (channel: number): Buffer => bodyFrame(channel, Buffer.alloc(5000))
      reader.push(concat([bodyFrame(1, Buffer.alloc(100)), bodyFrame(2, Buffer.alloc(12)), large(3)]))
      expect(log.frames.map(({ channel }) => channel)).to.deep.equal([1, 2, 3])
    })

    it('can lower what is accepted', () => {
      const log = new FrameRecorder(() => {
        reader.frameMax = 4096
      })
      const reader = new FrameReader(log, 8192)
      for (const channel of [1, 2]) reader.push(bodyFrame(channel, Buffer.alloc(8000)))
      expect([log.frames.length, log.faults.length, log.faults[0].detail]).to.deep.equal([1, 1, 4088])
    })
  })

  describe('not now', () => {
    /** Reads `bytes` with refusals and resumptions as told, and checks that a refused frame comes again, unchanged. */
    function readWithRefusals(
      chunks: readonly Uint8Array[],
      refusals: boolean[],
      resumptions: boolean[],
    ): SeenFrame[] {
      let refused: SeenFrame | undefined
      const log = new FrameRecorder((frame) => {
        if (refused !== undefined) expect(seenFrame(frame)).to.deep.equal(refused)
        const refuse = refusals.shift() === true
        refused = refuse ? seenFrame(frame) : undefined
        return !refuse
      })
      const reader = new FrameReader(log, MAX)
      for (const chunk of chunks) {
        reader.push(chunk)
        if (reader.stopped && resumptions.shift() === true) reader.resume()
        expect(reader.stopped).to.equal(refused !== undefined)
      }
      while (reader.stopped) reader.resume()
      expect(log.faults).to.deep.equal([])
      return log.frames
    }

    it('stops before a frame and goes on with it', () => {
      const log = new FrameRecorder(({ channel }) => channel !== 2 || !refuse)
      const reader = new FrameReader(log, MAX)
      let refuse = true
      reader.push(concat([1, 2, 3].map((channel) => bodyFrame(channel, 'x'))))
      expect(log.frames.map(({ channel }) => channel)).to.deep.equal([1])
      expect(reader.stopped).to.equal(true)
      reader.push(bodyFrame(4, 'x'))
      expect(log.frames.length, 'what comes meanwhile waits').to.equal(1)
      reader.resume()
      expect(log.refused.length, 'refused again').to.equal(2)
      refuse = false
      reader.resume()
      expect(log.frames.map(({ channel }) => channel)).to.deep.equal([1, 2, 3, 4])
      expect(reader.stopped).to.equal(false)
    })

    it('loses and repeats nothing, wherever it stops and however the bytes are cut', () => {
      const flags = fc.array(fc.boolean(), { maxLength: 20 })
      fc.assert(
        fc.property(stream, cuts, flags, flags, (bytes, positions, refusals, resumptions) => {
          expect(readWithRefusals(cutAt(bytes, positions), [...refusals], [...resumptions])).to.deep.equal(
            framesIn(bytes),
          )
        }),
        { numRuns: 300 },
      )
    })

    it('stops before every frame of bytes that come one by one', () => {
      const bytes = concat([
        method(1, 'channel.open'),
        headerFrame(1, 3),
        bodyFrame(1, 'abc'),
        bodyFrame(2, ''),
      ])
      const refusals = [true, false, true, false, true, true, false, true]
      expect(readWithRefusals(byteByByte(bytes), refusals, [])).to.deep.equal(framesIn(bytes))
    })

    it('takes a resume that nobody needs for nothing', () => {
      const log = new FrameRecorder()
      const reader = new FrameReader(log, MAX)
      reader.resume()
      reader.push(bodyFrame(1, 'x'))
      reader.resume()
      expect(log.frames.length).to.equal(1)
    })

    it('finds a fault behind the frame that had to wait', () => {
      const bad = bodyFrame(2, 'bad')
      bad[bad.length - 1] = 0
      let refuse = true
      const log = new FrameRecorder(() => !refuse)
      const reader = new FrameReader(log, MAX)
      reader.push(concat([bodyFrame(1, 'x'), bad]))
      expect(log.faults.length).to.equal(0)
      refuse = false
      reader.resume()
      expect([log.frames.length, log.faults.length, reader.stopped]).to.deep.equal([1, 1, false])
    })
  })

  describe('calls from inside a handler', () => {
    it('reads a chunk that is pushed while a frame is handled after the rest of the current one', () => {
      const log = new FrameRecorder(({ channel }) => {
        if (channel === 1) reader.push(concat([bodyFrame(3, 'x'), bodyFrame(4, 'x')]))
      })
      const reader = new FrameReader(log, MAX)
      reader.push(concat([bodyFrame(1, 'x'), bodyFrame(2, 'x')]))
      expect(log.frames.map(({ channel }) => channel)).to.deep.equal([1, 2, 3, 4])
    })

    it('hears nothing more once it has ended the reader', () => {
      const log = new FrameRecorder(({ channel }) => {
        if (channel === 2) reader.end()
      })
      const reader = new FrameReader(log, MAX)
      reader.push(concat([1, 2, 3].map((channel) => bodyFrame(channel, 'x'))))
      reader.push(bodyFrame(4, 'x'))
      expect(log.frames.map(({ channel }) => channel)).to.deep.equal([1, 2])
    })

    it('hears nothing of what waited when the reader ends meanwhile', () => {
      const log = new FrameRecorder(() => false)
      const reader = new FrameReader(log, MAX)
      reader.push(concat([bodyFrame(1, 'x'), bodyFrame(2, 'x')]))
      reader.end()
      reader.resume()
      reader.push(bodyFrame(3, 'x'))
      expect([log.frames.length, log.refused.length]).to.deep.equal([0, 1])
    })

    it("doesn't go on from inside the frame that was resumed", () => {
      let calls = 0
      const log = new FrameRecorder(() => {
        calls++
        reader.resume()
        return calls > 1
      })
      const reader = new FrameReader(log, MAX)
      reader.push(bodyFrame(1, 'x'))
      reader.resume()
      expect([calls, log.frames.length]).to.deep.equal([2, 1])
    })
  })

  describe('memory', () => {
    /** What the handler can see of the one frame that `chunks` hold. */
    function views(chunks: readonly Uint8Array[]): {
      bytes: Uint8Array
      parts: readonly Uint8Array[] | undefined
    } {
      let seen: { bytes: Uint8Array; parts: readonly Uint8Array[] | undefined } | undefined
      const reader = new FrameReader(
        new FrameRecorder(({ bytes, parts }) => {
          seen = { bytes, parts }
        }),
        0,
      )
      for (const chunk of chunks) reader.push(chunk)
      return seen!
    }

    it('shows a frame that is whole in a chunk in the chunk itself', () => {
      const chunk = own(bodyFrame(1, Buffer.alloc(100)))
      expect(views([chunk]).bytes).to.equal(chunk)
    })

    it("doesn't copy the payload of a large body frame that came in several chunks", () => {
      const chunks = cutAt(bodyFrame(1, Buffer.from(payload(100 * KIB))), [30 * KIB, 60 * KIB])
      const { parts } = views(chunks)
      expect(parts!.map(({ buffer }) => buffer)).to.deep.equal(chunks.map(({ buffer }) => buffer))
      expect(parts!.every(({ buffer }, i) => buffer === chunks[i].buffer)).to.equal(true)
    })

    it("doesn't copy the payload of a body frame whose header came alone", () => {
      const chunks = cutAt(bodyFrame(1, Buffer.alloc(20 * KIB)), [7])
      const { parts } = views(chunks)
      expect(parts!.length).to.equal(2)
      expect(parts![0].length).to.equal(7)
      expect(parts![1].buffer).to.equal(chunks[1].buffer)
    })

    it('shows method and header frames in one piece, however they came', () => {
      const bytes = frame(FrameType.header, 1, Buffer.from(payload(20 * KIB)))
      for (const positions of [[1], [7], [8], [100, 9000, 18_000]]) {
        const { bytes: shown, parts } = views(cutAt(bytes, positions))
        expect(parts).to.equal(undefined)
        expect(hex(shown)).to.equal(hex(bytes))
      }
    })

    it("doesn't pin a chunk for the small beginning of a frame at its end", () => {
      const next = own(bodyFrame(2, Buffer.alloc(200)))
      const first = concat([bodyFrame(1, Buffer.alloc(60 * KIB)), next.slice(0, 100)])
      const { bytes } = views([first, next.slice(100)])
      expect(bytes.buffer).not.to.equal(first.buffer)
      expect(bytes.buffer.byteLength).to.be.at.most(512)
    })

    it('tells how much it keeps of an unfinished frame', () => {
      const reader = new FrameReader(new FrameRecorder(), MAX)
      const bytes = concat([bodyFrame(1, 'abc'), bodyFrame(2, Buffer.alloc(5000))])
      const held = cutAt(bytes, [5, 11, 14, 18, 30, 4000]).map((chunk) => {
        reader.push(chunk)
        return reader.heldBytes
      })
      expect(held).to.deep.equal([5, 0, 3, 7, 19, 3989, 0])
    })

    it('keeps no chunk alive once it has been read', () => {
      let kept: Frame | undefined
      const log = new FrameRecorder((frame) => {
        kept = frame
      })
      const reader = new FrameReader(log, MAX)
      reader.push(own(bodyFrame(1, 'abc')))
      expect(kept!.bytes.length).to.equal(0)
      for (const chunk of cutAt(bodyFrame(1, Buffer.alloc(10 * KIB)), [5 * KIB])) reader.push(chunk)
      expect(kept!.parts).to.equal(undefined)
    })

    it('keeps the chunk of a frame that has to wait, but no longer', () => {
      let kept: Frame | undefined
      let refuse = true
      const log = new FrameRecorder((frame) => {
        kept = frame
        return !refuse
      })
      const reader = new FrameReader(log, MAX)
      reader.push(own(bodyFrame(1, 'abc')))
      expect(kept!.bytes.length).to.equal(11)
      refuse = false
      reader.resume()
      expect(kept!.bytes.length).to.equal(0)
    })
  })
})
