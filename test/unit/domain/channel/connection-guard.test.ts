import { expect } from 'chai'
import { judgeConnectionFrame } from '../../../../src/domain/channel/connection-guard.js'
import { viewOf } from '../../../support/frames.js'
import { bodyFrame, frame, FrameType, heartbeatFrame, method } from '../../../support/wire-format.js'

describe('ConnectionGuard', () => {
  const codeOf = (bytes: Uint8Array): number | undefined => judgeConnectionFrame(viewOf(bytes))?.code

  it('has nothing against a well-formed method of class Connection', () => {
    for (const name of ['connection.close', 'connection.close-ok', 'connection.update-secret'] as const)
      expect(codeOf(method(0, name))).to.equal(undefined)
  })

  for (const [what, bytes, code] of [
    ['a heartbeat with a payload', frame(FrameType.heartbeat, 0, Buffer.from('x')), 501],
    ['a heartbeat on a channel', heartbeatFrame(1), 505],
    ['a body without a channel', bodyFrame(0, 'x'), 505],
    ['a header without a channel', frame(FrameType.header, 0, Buffer.alloc(14)), 505],
    ['a frame of an unknown type', frame(9, 0, Buffer.alloc(4)), 501],
    ['a method frame that is too short for a method', frame(FrameType.method, 0, Buffer.alloc(3)), 501],
    ['a method of another class', method(0, 'channel.open'), 504],
    ['a method that does not exist', frame(FrameType.method, 0, Buffer.from([0, 10, 0, 99])), 504],
    ['arguments without their form', frame(FrameType.method, 0, Buffer.from([0, 10, 0, 50, 1])), 541],
  ] as const)
    it(`answers ${what} with ${code}`, () => {
      expect(codeOf(bytes)).to.equal(code)
    })

  it("names the method in RabbitMQ's words", () => {
    expect(judgeConnectionFrame(viewOf(method(0, 'channel.open')))).to.deep.equal({
      code: 504,
      text: 'CHANNEL_ERROR - unexpected method in connection state running',
      methodId: 0x14000a,
      scope: 'connection',
    })
    expect(
      judgeConnectionFrame(viewOf(frame(FrameType.method, 0, Buffer.of(0, 10, 0, 50, 1))))?.text,
    ).to.equal('INTERNAL_ERROR - malformed arguments')
  })
})
