import { expect } from 'chai'
import {
  consumerTagOf,
  isGlobalPrefetch,
  isMandatoryPublish,
  isSilentSelect,
} from '../../../../src/domain/amqp/single-arguments.js'
import { viewOf } from '../../../support/frames.js'
import { method } from '../../../support/wire-format.js'

describe('Single arguments', () => {
  for (const mandatory of [true, false])
    it(`tell that a message is ${mandatory ? '' : 'not '}mandatory`, () => {
      const publish = method(1, 'basic.publish', { exchange: 'e', routingKey: 'k', mandatory })
      expect(isMandatoryPublish(viewOf(publish))).to.equal(mandatory)
    })

  it('tell the consumer tag that a method begins with', () => {
    for (const name of ['basic.consume-ok', 'basic.cancel', 'basic.cancel-ok'] as const)
      expect(consumerTagOf(viewOf(method(1, name, { consumerTag: 'täg' })))).to.equal('täg')
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
