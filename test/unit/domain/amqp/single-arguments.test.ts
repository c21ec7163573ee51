import { expect } from 'chai'
import {
  consumerTagOf,
  deliveryTagOf,
  isGlobalPrefetch,
  isMandatoryPublish,
  isMultiple,
  isNoAck,
  isSilentSelect,
  wantsNoAnswer,
} from '../../../../src/domain/amqp/single-arguments.js'
import { viewOf } from '../../../support/frames.js'
import { method } from '../../../support/wire-format.js'

const QUEUE_METHODS = ['queue.declare', 'queue.bind', 'queue.purge', 'queue.delete', 'basic.consume'] as const

describe('Single arguments', () => {
  for (const mandatory of [true, false])
    it(`tell that a message is ${mandatory ? '' : 'not '}mandatory`, () => {
      const publish = method(1, 'basic.publish', { exchange: 'e', routingKey: 'k', mandatory })
      expect(isMandatoryPublish(viewOf(publish))).to.equal(mandatory)
    })

  for (const deliveryTag of [1, 2 ** 32 + 7])
    it(`tell the delivery tag ${deliveryTag}`, () => {
      for (const name of ['basic.ack', 'basic.nack', 'basic.reject'] as const)
        expect(deliveryTagOf(viewOf(method(1, name, { deliveryTag })))).to.equal(deliveryTag)
    })

  it('tell whether a client settles all up to a delivery, and Reject never does', () => {
    for (const name of ['basic.ack', 'basic.nack'] as const)
      for (const multiple of [true, false])
        expect(isMultiple(viewOf(method(1, name, { multiple })))).to.equal(multiple)
    expect(isMultiple(viewOf(method(1, 'basic.nack', { requeue: true })))).to.equal(false)
    expect(isMultiple(viewOf(method(1, 'basic.reject', { requeue: true })))).to.equal(false)
  })

  for (const noAck of [true, false])
    it(`tell that deliveries need ${noAck ? 'no' : 'an'} ack, whatever else is asked for`, () => {
      const others = { noLocal: !noAck, exclusive: !noAck, nowait: !noAck }
      for (const consumerTag of ['', 'a tag'])
        for (const queue of ['', 'q']) {
          const consume = method(1, 'basic.consume', { queue, consumerTag, noAck, ...others })
          expect(isNoAck(viewOf(consume))).to.equal(noAck)
          expect(isNoAck(viewOf(method(1, 'basic.get', { queue, noAck })))).to.equal(noAck)
        }
    })

  it('tell the consumer tag that a method begins with', () => {
    for (const name of ['basic.consume-ok', 'basic.cancel', 'basic.cancel-ok'] as const)
      expect(consumerTagOf(viewOf(method(1, name, { consumerTag: 'täg' })))).to.equal('täg')
  })

  for (const nowait of [true, false])
    it(`tell that a method which names a queue wants ${nowait ? 'no' : 'an'} answer`, () => {
      const long = { queue: 'queue', exchange: 'exchange', routingKey: 'key', consumerTag: 'tag' }
      for (const names of [{}, long]) {
        // All other flags are the opposite.
        const other = !nowait
        const flags = { passive: other, durable: other, exclusive: other, autoDelete: other, ifUnused: other }
        const others = { ...flags, ifEmpty: other, noLocal: other, noAck: other }
        for (const name of QUEUE_METHODS)
          expect(wantsNoAnswer(viewOf(method(1, name, { ...names, ...others, nowait }))), name).to.equal(
            nowait,
          )
        for (const name of ['queue.unbind', 'basic.get'] as const)
          expect(wantsNoAnswer(viewOf(method(1, name, { ...names, noAck: true }))), name).to.equal(false)
      }
    })

  for (const noWait of [true, false])
    it(`tell that a Confirm.Select wants ${noWait ? 'no' : 'an'} answer`, () => {
      expect(isSilentSelect(viewOf(method(1, 'confirm.select', { nowait: noWait })))).to.equal(noWait)
    })

  for (const [prefetchSize, prefetchCount, global, expected] of [
    [0, 1, true, true],
    [0, 256, true, true],
    [0, 1, false, false],
    [0, 0, true, false],
    [9, 0, true, false],
  ] as const)
    it(`tell whether a prefetch of ${prefetchCount} messages and ${prefetchSize} octets, ${global ? 'global' : 'for each consumer'}, limits all consumers`, () => {
      const qos = method(1, 'basic.qos', { prefetchSize, prefetchCount, global })
      expect(isGlobalPrefetch(viewOf(qos))).to.equal(expected)
    })
})
