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

  const q = "queue 'q' in vhost '/'"
  const deletion = (flag: string): string =>
    `cannot delete ${q}. queue.delete operations with ${flag} flag set are not supported by quorum queues`
  for (const [kind, demand, text] of [
    ['stream', 'get', `basic.get not supported by stream queues ${q}`],
    ['stream', 'purge', `queue.purge not supported by stream queues ${q}`],
    ['stream', 'no-ack', `automatic acknowledgement not supported by stream queues ${q}`],
    ['stream', 'global-prefetch', `${q} does not support global qos`],
    ['quorum', 'global-prefetch', `${q} does not support global qos`],
    ['quorum', 'if-unused', deletion('if-unused')],
    ['quorum', 'if-empty', deletion('if-empty')],
  ] as const)
    it(`is refused in RabbitMQ's words, for the connection: ${demand} at a ${kind} queue`, () => {
      expect(refusalOf(demand, kind, NAMED, id.BASIC_GET)).to.deep.equal({
        code: 540,
        text: `NOT_IMPLEMENTED - ${text}`,
        methodId: id.BASIC_GET,
        scope: 'connection',
      })
    })

  it('is to take a delivery of a stream back', () => {
    expect(streamRejection(id.BASIC_NACK, NAMED)).to.include({
      code: 540,
      text: `NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues ${q}`,
      methodId: id.BASIC_NACK,
    })
    for (const methodId of [id.BASIC_RECOVER, id.BASIC_RECOVER_ASYNC])
      expect(streamRejection(methodId, NAMED)).to.deep.equal({
        code: 541,
        text: 'INTERNAL_ERROR',
        methodId: 0,
        scope: 'connection',
      })
  })
})
