import { expect } from 'chai'
import { methodFrame } from '../../../../src/domain/amqp/method-layout.js'
import * as method from '../../../../src/domain/amqp/methods.js'
import {
  asksForReplies,
  isForgedReplyTo,
  replyAddressIn,
  replyNodeOf,
} from '../../../../src/domain/channel/reply-to.js'
import { viewOf } from '../../../support/frames.js'
import { method as frameOf } from '../../../support/wire-format.js'

/** As RabbitMQ 3.10 gave it out. */
const PID = 'g1h2AA5yZXBseUAzNDI0MjUwMAAAArAAAAAAawGdyw=='
const KEY = 'nZIbEaEnL+Mg8/8p4/aTig=='
const PREFIX = 'amq.rabbitmq.reply-to'

describe('Addresses for direct reply-to', () => {
  it('name the node that has given them out', () => {
    expect(isForgedReplyTo(`${PREFIX}.${PID}.${KEY}`)).to.equal(false)
    expect(replyNodeOf(`${PREFIX}.${PID}.${KEY}`)).to.equal('reply@34242500')
    expect(replyNodeOf('q')).to.equal(undefined)
    expect(replyNodeOf(`${PREFIX.replace('amq', 'xmq')}.${PID}.${KEY}`)).to.equal(undefined)
  })

  it('have the name of the node in any of the forms that Erlang writes', () => {
    const address = (name: string): string => `${PREFIX}.${btoa(`\x83X${name}${'\0'.repeat(12)}`)}.${KEY}`
    for (const name of ['v\0\x07reply@1', 'd\0\x07reply@1', 'w\x07reply@1']) {
      expect(replyNodeOf(address(name))).to.equal('reply@1')
      expect(isForgedReplyTo(address(name))).to.equal(false)
    }
    for (const name of ['v\x01\x07reply@1', 'w\x08reply@1', 'w\x06reply@1', 'x\x07reply@1'])
      expect(isForgedReplyTo(address(name))).to.equal(true)
  })

  for (const [what, name] of [
    ['no base64', `${PREFIX}.a b.k`],
    ['base64 of something else', `${PREFIX}.abcd.k`],
    ['an address with a character changed', `${PREFIX}.${PID.replace('h2AA', 'h3AA')}.${KEY}`],
    ['an address of another process', `${PREFIX}.${btoa('\x83Xv\0\x07other@1' + '\0'.repeat(12))}.${KEY}`],
    ['an address whose length lies', `${PREFIX}.${btoa('\x83Xv\0\x0freply@1' + '\0'.repeat(12))}.${KEY}`],
    ['an address that is too short', `${PREFIX}.${btoa('\x83Xv\0\x07reply@1' + '\0'.repeat(11))}.${KEY}`],
  ]) {
    it(`are forged with ${what}`, () => {
      expect(isForgedReplyTo(name)).to.equal(true)
    })
  }

  for (const name of [
    PREFIX,
    `${PREFIX}.`,
    `${PREFIX}.a`,
    `${PREFIX}.a.b.c`,
    `${PREFIX}..b`,
    `${PREFIX}.a.`,
    'q',
  ])
    it(`are not names that RabbitMQ does not try to decode, such as ${name}`, () => {
      expect(isForgedReplyTo(name)).to.equal(false)
    })

  const publishTo = (exchange: string, routingKey: string): string => {
    const { bytes, payloadStart } = viewOf(
      methodFrame(method.BasicPublish, 1, { exchange, routingKey, mandatory: false, immediate: false }),
    )
    return replyAddressIn(bytes, payloadStart + 4)
  }

  it('are found in publishes to the default exchange only', () => {
    const address = `${PREFIX}.${PID}.${KEY}`
    expect(publishTo('', address)).to.equal(address)
    expect(publishTo('', `${PREFIX}.a`), 'the shortest').to.equal(`${PREFIX}.a`)
    for (const exchange of ['e', `\x1e${address}`]) expect(publishTo(exchange, address)).to.equal('')
    for (const key of [
      '',
      'q',
      'amq.rabbitmq.reply-to.',
      'x'.repeat(60),
      `x${address.slice(1)}`,
      'amqp'.repeat(9),
    ])
      expect(publishTo('', key)).to.equal('')
  })

  it('are asked for by who consumes from the queue that stands for them, and by nobody else', () => {
    const asks = (name: 'basic.consume' | 'basic.get', queue: string): boolean =>
      asksForReplies(viewOf(frameOf(1, name, { queue })))
    expect(asks('basic.consume', PREFIX)).to.equal(true)
    expect(asks('basic.get', PREFIX)).to.equal(false)
    for (const queue of ['', 'q', `${PREFIX}.`, PREFIX.slice(0, -1), `${PREFIX.slice(0, -1)}p`])
      expect(asks('basic.consume', queue), queue).to.equal(false)
  })
})
