import { expect } from 'chai'
import { meansCurrent, spelledOut } from '../../../../src/domain/queue/current-queue.js'
import { hex, viewOf } from '../../../support/frames.js'
import { type MethodName, method } from '../../../support/wire-format.js'

const NAMING: readonly MethodName[] = [
  'queue.declare',
  'queue.bind',
  'queue.unbind',
  'queue.purge',
  'queue.delete',
  'basic.consume',
  'basic.get',
]

describe('An empty queue name', () => {
  for (const name of NAMING) {
    it(`means the current queue in ${name}`, () => {
      expect(meansCurrent(viewOf(method(3, name, { queue: '' })))).to.equal(true)
      expect(meansCurrent(viewOf(method(3, name, { queue: 'q' })))).to.equal(false)
    })

    it(`is spelled out in ${name}, for another channel, and nothing else is changed`, () => {
      const rest = { exchange: 'e', routingKey: 'k', consumerTag: 't', nowait: true }
      const request = method(3, name, { ...rest, queue: '' })
      const spelled = spelledOut(viewOf(request), 0x1234, 'a queue')
      expect(hex(spelled)).to.equal(hex(method(0x1234, name, { ...rest, queue: 'a queue' })))
    })
  }

  for (const name of ['queue.bind', 'queue.unbind'] as const)
    it(`is spelled out as the routing key of ${name} too, where that is empty`, () => {
      const rest = { exchange: 'e', arguments: { k: 1 } }
      const request = method(3, name, { ...rest, queue: '', routingKey: '' })
      const expected = method(1, name, { ...rest, queue: 'a queue', routingKey: 'a queue' })
      expect(hex(spelledOut(viewOf(request), 1, 'a queue'))).to.equal(hex(expected))
    })
})
