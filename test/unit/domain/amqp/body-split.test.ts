import { expect } from 'chai'
import fc from 'fast-check'
import { splitBody } from '../../../../src/domain/amqp/body-split.js'
import { concat, cutAt, framesIn, hex, own, payload } from '../../../support/frames.js'
import { bodyFrame } from '../../../support/wire-format.js'

describe('splitBody', () => {
  it('gives frames of at most frameMax with the same payload, whatever slices it got', () => {
    const sizes = { size: fc.integer({ min: 1, max: 3000 }), frameMax: fc.integer({ min: 9, max: 3100 }) }
    fc.assert(
      fc.property(
        fc.record({ ...sizes, channel: fc.nat(0xffff), cuts: fc.array(fc.nat(), { maxLength: 5 }) }),
        ({ size, frameMax, channel, cuts }) => {
          const whole = bodyFrame(channel, Buffer.from(payload(size)))
          // The first slice holds at least the header.
          const slices = cutAt(whole.subarray(7), cuts)
          slices[0] = concat([whole.subarray(0, 7), slices[0]])
          const frames = framesIn(concat(splitBody(slices, channel, size, frameMax)))
          expect(frames.map((frame) => frame.payload).join('')).to.equal(hex(payload(size)))
          for (const frame of frames) {
            expect([frame.type, frame.channel]).to.deep.equal([3, channel])
            expect(frame.payload.length / 2 + 8).to.be.at.most(frameMax)
          }
          expect(frames.length, 'no more frames than needed').to.equal(Math.ceil(size / (frameMax - 8)))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('fills every frame but the last', () => {
    const frames = framesIn(concat(splitBody([bodyFrame(1, Buffer.alloc(10_000))], 1, 10_000, 4096)))
    expect(frames.map((frame) => frame.payload.length / 2)).to.deep.equal([4088, 4088, 1824])
  })

  it('shares the payload with the slices that it got', () => {
    const slices = cutAt(bodyFrame(1, Buffer.from(payload(10_000))), [5000])
    const pieces = splitBody(slices, 1, 10_000, 4096).filter(({ length }) => length > 7)
    const known = slices.map(({ buffer }) => buffer)
    expect(pieces.length).to.equal(4)
    expect(pieces.every(({ buffer }) => known.includes(buffer))).to.equal(true)
  })

  it('makes a frame of its own size when it fits', () => {
    const frame = own(bodyFrame(0xabcd, Buffer.from(payload(100_000))))
    expect(hex(concat(splitBody([frame], 0xabcd, 100_000, 131_072)))).to.equal(hex(frame))
  })

  it('makes nothing of an empty body frame', () => {
    expect(splitBody([bodyFrame(1, '')], 1, 0, 4096)).to.deep.equal([])
  })

  it('writes the size of a frame over 16 MiB', () => {
    const size = 0x1020304
    const [header] = splitBody([new Uint8Array(size + 8)], 1, size, 0x7fffffff)
    expect(hex(header)).to.equal('03000101020304')
  })
})
