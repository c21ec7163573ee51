import { expect } from 'chai'
import { ExclusiveQueues } from '../../../../src/domain/queue/exclusive-queues.js'

const claim = (queue: string): { queue: string; declaration: undefined } => ({
  queue,
  declaration: undefined,
})

describe('ExclusiveQueues', () => {
  it('locks a queue for everybody but its owner', () => {
    const queues = new ExclusiveQueues<string>()
    expect(queues.isEmpty).to.equal(true)
    expect(queues.claim('a', claim('q'))).to.equal(true)
    expect([
      queues.isLockedFor('a', 'q'),
      queues.isLockedFor('b', 'q'),
      queues.isLockedFor('b', 'r'),
    ]).to.deep.equal([...[false, true, false]])
  })

  it('says when a claim is not new', () => {
    const queues = new ExclusiveQueues<string>()
    queues.claim('a', claim('q'))
    expect(queues.claim('a', claim('q'))).to.equal(false)
  })

  it("forgets an owner's queue, and nobody else's", () => {
    const queues = new ExclusiveQueues<string>()
    queues.claim('a', claim('q'))
    queues.forget('b', 'q')
    expect(queues.isLockedFor('b', 'q')).to.equal(true)
    queues.forget('a', 'q')
    expect(queues.isLockedFor('b', 'q')).to.equal(false)
  })

  it('hands over all claims of a client that is gone, once', () => {
    const queues = new ExclusiveQueues<string>()
    for (const queue of ['q', 'r']) queues.claim('a', claim(queue))
    queues.claim('b', claim('s'))
    expect(queues.takeAll('a')).to.have.length(2)
    expect(queues.takeAll('a')).to.have.length(0)
    expect(queues.isLockedFor('b', 'q')).to.equal(false)
    expect(queues.isLockedFor('a', 's')).to.equal(true)
  })
})
