import { expect } from 'chai'
import { FrameReader } from '../../../../src/domain/amqp/frame-reader.js'
import { allMethods } from '../../../../src/domain/amqp/methods.js'
import { methodFrame } from '../../../../src/domain/amqp/method-layout.js'
import {
  type ChannelRole,
  declaresExclusiveQueue,
  roleToldBy,
} from '../../../../src/domain/policy/channel-role.js'
import { viewOf } from '../../../support/frames.js'
import { method } from '../../../support/wire-format.js'

function roleOf(bytes: Uint8Array): ChannelRole | undefined {
  let role: ChannelRole | undefined
  const reader = new FrameReader(
    {
      onFrame: (frame) => {
        role = roleToldBy(frame)
        return true
      },
      onFrameFault: () => expect.fail('the frame is whole'),
    },
    0,
  )
  reader.push(bytes)
  return role
}

describe('the role of a channel', () => {
  it('is told by what only publishers, or only consumers, send', () => {
    const told: Record<string, string> = {}
    for (const layout of allMethods()) {
      const role = roleOf(methodFrame(layout, 1, {}))
      if (role !== undefined) told[layout.name] = role
    }
    expect(told).to.deep.equal({
      'basic.consume': 'consumer',
      'basic.publish': 'publisher',
      'basic.get': 'consumer',
      'basic.recover_async': 'consumer',
      'basic.recover': 'consumer',
      'confirm.select': 'publisher',
      'tx.select': 'publisher',
    })
  })

  it('is that of a publisher where direct replies are asked for, which come to who publishes on the channel', () => {
    expect(roleOf(method(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to' }))).to.equal('publisher')
    expect(roleOf(method(1, 'basic.consume', { queue: 'amq.rabbitmq.reply-to.' }))).to.equal('consumer')
  })

  it('is told by the declaration of an exclusive queue, which somebody is about to consume from', () => {
    expect(roleOf(method(1, 'queue.declare', { queue: 'a', exclusive: true }))).to.equal('consumer')
    expect(roleOf(method(1, 'queue.declare', { queue: 'a', durable: true, autoDelete: true }))).to.equal(
      undefined,
    )
  })
})

describe('an exclusive queue', () => {
  it('is declared by a declaration that says so, and by nothing else', () => {
    const declares = (bytes: Uint8Array): boolean => declaresExclusiveQueue(viewOf(bytes))
    expect(declares(method(1, 'queue.declare', { queue: 'a', exclusive: true }))).to.equal(true)
    const others = { passive: true, durable: true, autoDelete: true, nowait: true }
    expect(declares(method(1, 'queue.declare', { queue: 'a', ...others }))).to.equal(false)
    // Bit for bit the same behind the name of the queue.
    expect(declares(method(1, 'queue.delete', { queue: 'a', nowait: true }))).to.equal(false)
  })
})
