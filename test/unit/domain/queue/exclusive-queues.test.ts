import { expect } from 'chai'
import { type Claim, ExclusiveQueues } from '../../../../src/domain/queue/exclusive-queues.js'

const claim = (queue: string, isAutoDelete = false): Claim => ({
  queue,
  declaration: undefined,
  isAutoDelete,
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
    expect(queues.takeAll('b', 0)).to.deep.equal([])
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
    expect(queues.takeAll('a', 0).map(({ queue }) => queue)).to.deep.equal(['s'])
  })

  it('hands over all claims of a client that is gone, once', () => {
    for (const queue of ['q', 'r']) queues.claim('a', claim(queue))
    queues.claim('b', claim('s'))
    expect(queues.takeAll('a', 0)).to.have.length(2)
    expect(queues.takeAll('a', 0)).to.have.length(0)
    expect(queues.standing('b', 'q')).to.equal('free')
    expect(queues.standing('a', 's')).to.equal('locked')
  })

  describe('of a queue that the broker deletes behind its last consumer', () => {
    const standing = (): string => queues.standing('b', 'q')

    /** A consumer comes and goes. */
    const consume = (now: number, claimed = queues.claimOf('q')!): void => {
      queues.onConsumer(claimed)
      queues.onConsumerGone(claimed, now)
    }

    /** Time passes, which is noticed when something else happens. */
    const passes = (now: number): void => {
      queues.claim('a', claim('other', true))
      consume(now, queues.claimOf('other'))
    }

    it('forgets the claim a while after that', () => {
      queues.claim('a', claim('q', true))
      consume(5000)
      passes(5999)
      expect(standing()).to.equal('locked')
      passes(6000)
      expect(standing()).to.equal('free')
      expect(queues.takeAll('a', 9000)).to.deep.equal([])
    })

    it('hands over what may not be gone yet', () => {
      queues.claim('a', claim('q', true))
      consume(5000)
      expect(queues.takeAll('a', 5999)).to.have.length(1)
    })

    for (const [what, happens] of [
      ['nobody has consumed from it', () => undefined],
      [
        'the broker may never have had its consumer',
        () => (queues.onConsumer(queues.claimOf('q')!), queues.onNoConsumer(queues.claimOf('q')!)),
      ],
      ['it has another consumer', () => (queues.onConsumer(queues.claimOf('q')!), consume(1000))],
      ['it gets another in time', () => (consume(1000), queues.onConsumer(queues.claimOf('q')!))],
      ['it is declared again', () => (consume(1000), queues.claim('a', claim('q', true)))],
      [
        'it is declared again while it has one',
        () => {
          queues.onConsumer(queues.claimOf('q')!)
          queues.claim('a', claim('q', true))
          consume(1000)
        },
      ],
      [
        'the consumer is of one of that name that was deleted before',
        () => {
          const former = queues.claimOf('q')!
          queues.onConsumer(former)
          queues.forget(former)
          queues.claim('a', claim('q', true))
          queues.onConsumer(queues.claimOf('q')!)
          queues.onConsumerGone(former, 1000)
        },
      ],
    ] as const)
      it(`keeps the claim if ${what}`, () => {
        queues.claim('a', claim('q', true))
        happens()
        passes(9000)
        expect(standing()).to.equal('locked')
      })

    it('keeps the claim to one that it does not delete', () => {
      queues.claim('a', claim('q'))
      consume(1000)
      passes(9000)
      expect(standing()).to.equal('locked')
    })
  })
})
