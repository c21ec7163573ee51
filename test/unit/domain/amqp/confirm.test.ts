import { expect } from 'chai'
import fc from 'fast-check'
import { MalformedBytes } from '../../../../src/domain/amqp/byte-reader.js'
import { confirmTag, isRefusal, renumberConfirm } from '../../../../src/domain/amqp/confirm.js'
import { isMultiple } from '../../../../src/domain/amqp/single-arguments.js'
import type { Frame } from '../../../../src/domain/amqp/frame.js'
import { concat, hex, viewOf } from '../../../support/frames.js'
import { bodyFrame, method } from '../../../support/wire-format.js'

/** JavaScript counts exactly up to here; no channel publishes more. */
const tags = fc.maxSafeNat()

/** A view on a frame that has neighbours in its chunk. */
function amid(bytes: Uint8Array): Frame {
  const neighbour = bodyFrame(9, Buffer.alloc(20, 0xff))
  const start = neighbour.length
  const chunk = concat([neighbour, bytes, neighbour])
  return Object.assign(viewOf(bytes), { bytes: chunk, start, end: start + bytes.length })
}

describe('a confirm', () => {
  it('tells its delivery tag, however large', () => {
    fc.assert(
      fc.property(tags, fc.boolean(), (deliveryTag, multiple) => {
        expect(confirmTag(amid(method(1, 'basic.ack', { deliveryTag, multiple })))).to.equal(deliveryTag)
        expect(confirmTag(amid(method(1, 'basic.nack', { deliveryTag, multiple })))).to.equal(deliveryTag)
      }),
    )
  })

  it('tells whether it speaks for all before it', () => {
    expect(isMultiple(amid(method(1, 'basic.ack', { multiple: true })))).to.equal(true)
    expect(isMultiple(amid(method(1, 'basic.ack', {})))).to.equal(false)
    expect(isMultiple(amid(method(1, 'basic.nack', { multiple: true })))).to.equal(true)
    expect(isMultiple(amid(method(1, 'basic.nack', { requeue: true })))).to.equal(false)
  })

  it('says yes as Basic.Ack and no as Basic.Nack', () => {
    expect(isRefusal(amid(method(1, 'basic.ack', { multiple: true })))).to.equal(false)
    expect(isRefusal(amid(method(1, 'basic.nack', {})))).to.equal(true)
  })

  it('takes another number, and changes nothing else', () => {
    fc.assert(
      fc.property(tags, tags, fc.boolean(), (before, after, multiple) => {
        const frame = amid(method(7, 'basic.nack', { deliveryTag: before, multiple, requeue: true }))
        renumberConfirm(frame, after)
        const expected = amid(method(7, 'basic.nack', { deliveryTag: after, multiple, requeue: true }))
        expect(hex(frame.bytes)).to.equal(hex(expected.bytes))
      }),
    )
  })

  it('is malformed without a tag', () => {
    const frame = viewOf(method(1, 'basic.ack', {}))
    frame.payloadSize--
    expect(() => confirmTag(frame)).to.throw(MalformedBytes)
  })
})
