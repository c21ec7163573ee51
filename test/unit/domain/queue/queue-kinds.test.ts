import { expect } from 'chai'
import * as id from '../../../../src/domain/amqp/method-ids.js'
import {
  type Demand,
  type QueueKind,
  demandOf,
  refusalOf,
  streamRejection,
} from '../../../../src/domain/queue/queue-kinds.js'
import { viewOf } from '../../../support/frames.js'
import { method } from '../../../support/wire-format.js'

const NAMED = { queue: 'q', virtualHost: '/' }

describe('What kinds of queues cannot do', () => {
  for (const [what, bytes, demand] of [
    ['a get', method(1, 'basic.get', { queue: 'q' }), 'get'],
    ['a purge', method(1, 'queue.purge', { queue: 'q' }), 'purge'],
    [
      'a consumer without acknowledgements',
      method(1, 'basic.consume', { queue: 'q', noAck: true }),
      'no-ack',
    ],
    ['a deletion if unused', method(1, 'queue.delete', { queue: 'q', ifUnused: true }), 'if-unused'],
    ['a deletion if empty', method(1, 'queue.delete', { queue: 'q', ifEmpty: true }), 'if-empty'],
    ['both', method(1, 'queue.delete', { queue: 'q', ifUnused: true, ifEmpty: true }), 'if-unused'],
    ['a consumer', method(1, 'basic.consume', { queue: 'q' }), undefined],
    ['a deletion', method(1, 'queue.delete', { queue: 'q' }), undefined],
    ['a binding', method(1, 'queue.bind', { queue: 'q' }), undefined],
  ] as const)
    it(`is ${demand === undefined ? 'not' : 'perhaps'} ${what}`, () => {
      expect(demandOf(viewOf(bytes), false)).to.equal(demand)
    })

  it('is perhaps a consumer on a channel with a prefetch for all consumers together', () => {
    expect(demandOf(viewOf(method(1, 'basic.consume', { queue: 'q' })), true)).to.equal('global-prefetch')
  })

  const refused = (kind: QueueKind): Demand[] =>
    (['get', 'purge', 'no-ack', 'global-prefetch', 'if-unused', 'if-empty'] as const).filter(
      (demand) => refusalOf(demand, kind, NAMED, id.BASIC_GET) !== undefined,
    )

  it('is known for each kind', () => {
    expect(refused('stream')).to.deep.equal(['get', 'purge', 'no-ack', 'global-prefetch'])
    expect(refused('quorum')).to.deep.equal(['global-prefetch', 'if-unused', 'if-empty'])
    expect(refused('classic')).to.deep.equal([])
    expect(refused('other')).to.deep.equal([])
  })

  it("is refused in RabbitMQ's words, for the connection", () => {
    expect(refusalOf('get', 'stream', NAMED, id.BASIC_GET)).to.deep.equal({
      code: 540,
      text: "NOT_IMPLEMENTED - basic.get not supported by stream queues queue 'q' in vhost '/'",
      methodId: id.BASIC_GET,
      scope: 'connection',
    })
  })

  it('is to take a delivery of a stream back', () => {
    expect(streamRejection(id.BASIC_NACK, NAMED)).to.include({ code: 540, methodId: id.BASIC_NACK })
    for (const methodId of [id.BASIC_RECOVER, id.BASIC_RECOVER_ASYNC])
      expect(streamRejection(methodId, NAMED)).to.include({ code: 541, methodId: 0, scope: 'connection' })
  })
})
