import { expect } from 'chai'
import {
  brokenFrame,
  notOpen,
  undecodableMethod,
  unexpectedFrame,
  unknownFrame,
} from '../../../../src/domain/amqp/frame-errors.js'
import type { FrameFault } from '../../../../src/domain/amqp/frame-reader.js'
import { payload, utf8, viewOf } from '../../../support/frames.js'
import { bodyFrame, frame, methodFrame, shortstr } from '../../../support/wire-format.js'

describe('errors about frames', () => {
  const fault: FrameFault = {
    ...{ kind: 'bad-end', type: 3, channel: 1, payloadSize: 20, detail: 205 },
    snippet: payload(16),
  }

  it('tell which octet stood at the end of a frame', () => {
    expect(brokenFrame(fault)).to.deep.equal({
      code: 501,
      text:
        'FRAME_ERROR - type 3, first 16 octets = ' +
        `<<${payload(16).join(',')}>>: {invalid_frame_end_marker,205}`,
      methodId: 0,
      scope: 'connection',
    })
  })

  it('tell that all of a short payload is shown', () => {
    const { text } = brokenFrame({ ...fault, payloadSize: 3, snippet: Uint8Array.of(1, 2, 3) })
    expect(text).to.include('type 3, all octets = <<1,2,3>>: ')
  })

  it('tell how large a frame is that is too large, and show nothing of it', () => {
    const { text } = brokenFrame({ ...fault, kind: 'too-large', payloadSize: 5000, detail: 4088 })
    expect(text).to.equal('FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,5000,4088}')
  })

  it('show a frame that means nothing', () => {
    const error = unknownFrame(viewOf(frame(4, 1, Buffer.of(1, 2, 3))))
    expect(error).to.deep.equal({
      code: 501,
      text: 'FRAME_ERROR - type 4, all octets = <<1,2,3>>: unknown_frame',
      methodId: 0,
      scope: 'connection',
    })
  })

  it('show printable octets as the text that they are', () => {
    const { text } = unexpectedFrame(viewOf(bodyFrame(0, 'say "no\\"')))
    expect(text).to.equal(String.raw`UNEXPECTED_FRAME - type 3, all octets = <<"say \"no\\\"">>`)
  })

  it('show octets as numbers where one of them is not printable in Latin-1', () => {
    const shown = (...octets: number[]): string =>
      unexpectedFrame(viewOf(bodyFrame(0, Buffer.of(...octets)))).text
    for (const octet of [0x20, 0x7e, 0xa0, 0xe9, 0xff])
      expect(shown(octet)).to.contain(`all octets = <<"${String.fromCharCode(octet)}">>`)
    for (const octet of [0, 0x1f, 0x7f, 0x80, 0x9f]) expect(shown(0x61, octet)).to.contain(`<<97,${octet}>>`)
  })

  it('show the beginning of a body that came in several chunks, wherever it was cut', () => {
    for (const cut of [7, 8, 30]) {
      const view = viewOf(bodyFrame(0, 'a body of more than sixteen octets'))
      view.parts = [view.bytes.slice(0, cut), view.bytes.slice(cut)]
      view.bytes = new Uint8Array(0)
      expect(unexpectedFrame(view).text).to.equal(
        'UNEXPECTED_FRAME - type 3, first 16 octets = <<"a body of more t">>',
      )
    }
  })

  it('show all of 16 octets, and the first 16 of more', () => {
    const shown = (text: string): string => unexpectedFrame(viewOf(bodyFrame(0, text))).text.slice(19)
    expect(shown('0123456789abcdef')).to.equal('type 3, all octets = <<"0123456789abcdef">>')
    expect(shown('0123456789abcdefg')).to.equal('type 3, first 16 octets = <<"0123456789abcdef">>')
  })

  it('show the arguments that could not be read, and whose they are', () => {
    const error = undecodableMethod(viewOf(methodFrame(1, 60, 40, shortstr(Buffer.of(0, 200, 7)))))
    expect(error).to.deep.equal({
      code: 501,
      text: 'FRAME_ERROR - cannot decode <<3,0,200,7>>',
      methodId: 0x3c0028,
      scope: 'connection',
    })
  })

  it('show no more of long arguments than fits', () => {
    const error = undecodableMethod(viewOf(methodFrame(1, 60, 40, Buffer.alloc(100_000))))
    expect(utf8(error.text).length).to.be.lessThan(1000)
  })

  it('tell that a channel is not open', () => {
    expect(notOpen(0x3c0028)).to.deep.equal({
      code: 504,
      text: "CHANNEL_ERROR - expected 'channel.open'",
      methodId: 0x3c0028,
      scope: 'connection',
    })
  })
})
