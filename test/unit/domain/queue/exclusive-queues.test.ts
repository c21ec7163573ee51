import { expect } from 'chai'
import { ExclusiveQueues } from '../../../../src/domain/queue/exclusive-queues.js'

const claim = (queue: string): { queue: string; declaration: undefined } => ({
  queue,
  declaration: undefined,
})

describe('ExclusiveQueues', () => {
  let queues: ExclusiveQueues<string>

  beforeEach(() => {
    queues = new ExclusiveQueues<string>()
  })

  it('locks a queue for everybody but its owner', () => {
    expect(queues.isEmpty).to.equal(true)
    queues.claim('a', claim('q'))
    expect(queues.isEmpty).to.equal(false)
    expect([queues.standing('a', 'q'), queues.standing('b', 'q'), queues.standing('b', 'r')]).to.deep.equal([
      ...['own', 'locked', 'free'],
    ])
    expect([queues.ownerOf('q'), queues.ownerOf('r')]).to.deep.equal(['a', undefined])
  })

  it('leaves a queue with who claimed it first', () => {
    queues.claim('a', claim('q'))
    queues.claim('b', claim('q'))
    expect(queues.standing('b', 'q')).to.equal('locked')
    expect(queues.takeAll('b')).to.deep.equal([])
  })

  it('tells a claim from the one before, when its owner has declared the queue anew', () => {
    queues.claim('a', claim('q'))
    const former = queues.claimOf('q')!
    expect(former).to.deep.include({ owner: 'a', queue: 'q' })
    expect(queues.claimOf('q')).to.equal(former)
    queues.claim('a', claim('q'))
    expect(queues.claimOf('q')).not.to.equal(former)
    queues.forget(former)
    expect(queues.standing('b', 'q'), 'that one was gone already').to.equal('locked')
    queues.forget(queues.claimOf('q')!)
    expect(queues.claimOf('q')).to.equal(undefined)
  })

  it('lets nobody decide about a queue while the broker has not answered its declaration', () => {
    queues.announce('a', 'q')
    expect(queues.isEmpty).to.equal(false)
    expect([queues.standing('a', 'q'), queues.standing('b', 'q')]).to.deep.equal(['free', 'undecided'])
    queues.announce('a', 'q')
    queues.settle('q')
    expect(queues.standing('b', 'q'), 'another declaration is under way').to.equal('undecided')
    queues.settle('q')
    expect(queues.standing('b', 'q')).to.equal('free')
    queues.settle('q')
    expect(queues.isEmpty).to.equal(true)
  })

  it('knows who has queues, or may have soon', () => {
    expect(queues.hasClaims('a')).to.equal(false)
    queues.announce('a', 'q')
    expect([queues.hasClaims('a'), queues.hasClaims('b')]).to.deep.equal([true, false])
    queues.settle('q')
    queues.claim('a', claim('q'))
    expect([queues.hasClaims('a'), queues.hasClaims('b')]).to.deep.equal([true, false])
    queues.forget(queues.claimOf('q')!)
    expect(queues.hasClaims('a')).to.equal(false)
  })

  it('knows who may soon have queues that the broker is to name, and leaves others alone until then', () => {
    queues.announceUnnamed('a')
    queues.announceUnnamed('a')
    expect([queues.hasClaims('a'), queues.hasClaims('b'), queues.isEmpty]).to.deep.equal([true, false, true])
    queues.settleUnnamed('a')
    expect(queues.hasClaims('a'), 'another declaration is under way').to.equal(true)
    queues.settleUnnamed('a')
    expect(queues.hasClaims('a')).to.equal(false)
    queues.settleUnnamed('a')
    queues.announceUnnamed('a')
    expect(queues.hasClaims('a'), 'whatever was settled too often').to.equal(true)
  })

  it('keeps the other queues of an owner who has lost one', () => {
    for (const queue of ['q', 'r']) queues.claim('a', claim(queue))
    queues.forget(queues.claimOf('q')!)
    expect([queues.standing('b', 'q'), queues.standing('b', 'r')]).to.deep.equal(['free', 'locked'])
    queues.forget(queues.claimOf('r')!)
    expect(queues.standing('b', 'r')).to.equal('free')
    queues.claim('a', claim('s'))
    expect(queues.takeAll('a').map(({ queue }) => queue)).to.deep.equal(['s'])
  })

  it('hands over all claims of a client that is gone, once', () => {
    for (const queue of ['q', 'r']) queues.claim('a', claim(queue))
    queues.claim('b', claim('s'))
    expect(queues.takeAll('a')).to.have.length(2)
    expect(queues.takeAll('a')).to.have.length(0)
    expect(queues.standing('b', 'q')).to.equal('free')
    expect(queues.standing('a', 's')).to.equal('locked')
  })
})
