import { expect } from 'chai'
import { Frame, PROTOCOL_HEADER, readLong, readShort } from '../../../../src/domain/amqp/frame.js'
import { concat, hex, viewOf } from '../../../support/frames.js'
import { bodyFrame, method } from '../../../support/wire-format.js'

describe('Frame', () => {
  it('tells the method id as one number, class first', () => {
    expect(viewOf(method(1, 'basic.publish')).methodId).to.equal(0x3c0028)
  })

  it('reads a method id with the highest bit as a positive number', () => {
    const frame = viewOf(method(1, 'tx.select'))
    frame.bytes.set([0xff, 0xfe, 0xff, 0xfd], 7)
    expect(frame.methodId).to.equal(0xfffefffd)
  })

  it('tells where its payload lies', () => {
    const frame = viewOf(bodyFrame(1, 'abc'))
    expect([frame.payloadStart, frame.payloadEnd]).to.deep.equal([7, 10])
  })

  it('writes another channel number into its own bytes and nowhere else', () => {
    const chunk = concat([bodyFrame(1, 'a'), bodyFrame(2, 'b'), bodyFrame(3, 'c')])
    const frame = Object.assign(new Frame(), { bytes: chunk, start: 9, end: 18 })
    frame.rewriteChannel(0xabcd)
    expect(frame.channel).to.equal(0xabcd)
    expect(hex(chunk)).to.equal(hex(concat([bodyFrame(1, 'a'), bodyFrame(0xabcd, 'b'), bodyFrame(3, 'c')])))
    expect(frame.channel).to.equal(0xabcd)
  })

  it('writes another channel number into the first of several slices', () => {
    const whole = concat([bodyFrame(1, 'abc')])
    const frame = Object.assign(new Frame(), { parts: [whole.slice(0, 7), whole.slice(7)], start: 99 })
    frame.rewriteChannel(0x102)
    expect(hex(concat(frame.parts))).to.equal(hex(bodyFrame(0x102, 'abc')))
  })

  it('lets go of its bytes', () => {
    const frame = viewOf(bodyFrame(1, 'abc'))
    frame.parts = [frame.bytes]
    frame.forget()
    expect([frame.bytes.length, frame.parts]).to.deep.equal([0, undefined])
  })
})

describe('readShort and readLong', () => {
  it('read the most significant octet first', () => {
    const bytes = Uint8Array.of(9, 1, 2, 3, 4)
    expect(readShort(bytes, 1)).to.equal(0x0102)
    expect(readLong(bytes, 1)).to.equal(0x01020304)
  })

  it('read the largest numbers as positive', () => {
    const bytes = Uint8Array.of(255, 255, 255, 255)
    expect(readShort(bytes, 0)).to.equal(0xffff)
    expect(readLong(bytes, 0)).to.equal(0xffffffff)
  })
})

describe('PROTOCOL_HEADER', () => {
  it('is that of AMQP 0-9-1', () => {
    expect(hex(PROTOCOL_HEADER)).to.equal(hex(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')))
  })
})
