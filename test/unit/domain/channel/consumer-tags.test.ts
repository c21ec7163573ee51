import { expect } from 'chai'
import fc from 'fast-check'
import { ConsumerTags } from '../../../../src/domain/channel/consumer-tags.js'

describe('ConsumerTags', () => {
  let tags: ConsumerTags

  beforeEach(() => {
    tags = new ConsumerTags()
  })

  /** A consumer that the broker has confirmed. */
  const startActive = (tag: string): void => {
    tags.start(tag, false)
    tags.onConsumeOk(tag)
  }

  const stateOf = (tag: string): string => {
    if (!tags.isUsed(tag)) return 'free'
    return tags.isUndecided(tag) ? 'undecided' : 'in use'
  }

  it('are free until a consumer is asked for', () => {
    expect(stateOf('t')).to.equal('free')
    tags.start('t', false)
    expect([stateOf('t'), stateOf('u')]).to.deep.equal(['undecided', 'free'])
  })

  it('are in use from the Consume-Ok to the Cancel-Ok, and undecided before each', () => {
    tags.start('t', false)
    expect(stateOf('t')).to.equal('undecided')
    tags.onConsumeOk('t')
    expect(stateOf('t')).to.equal('in use')
    tags.stop('t', false)
    expect(stateOf('t')).to.equal('undecided')
    tags.onCancelOk('t')
    expect(stateOf('t')).to.equal('free')
  })

  it('do not depend on each other', () => {
    startActive('t')
    tags.start('u', false)
    tags.stop('t', false)
    tags.onConsumeOk('u')
    expect([stateOf('t'), stateOf('u')]).to.deep.equal(['undecided', 'in use'])
    tags.onCancelOk('t')
    expect([stateOf('t'), stateOf('u')]).to.deep.equal(['free', 'in use'])
  })

  it('tell which answers the client asked for', () => {
    for (const isHidden of [true, false]) {
      tags.start('t', isHidden)
      expect(tags.onConsumeOk('t')).to.equal(!isHidden)
      tags.stop('t', !isHidden)
      expect(tags.onCancelOk('t')).to.equal(isHidden)
    }
  })

  it('hide only the one answer', () => {
    tags.start('t', true)
    tags.onConsumeOk('t')
    tags.stop('t', false)
    expect(tags.onCancelOk('t')).to.equal(true)
  })

  it('show an answer about a tag that nobody uses', () => {
    expect(tags.onCancelOk('t')).to.equal(true)
    expect(stateOf('t')).to.equal('free')
  })

  describe('of the broker’s making', () => {
    it('are in use once it has named them', () => {
      tags.start('', false)
      expect(stateOf('')).to.equal('free')
      expect(tags.onConsumeOk('amq.ctag-1')).to.equal(true)
      expect(stateOf('amq.ctag-1')).to.equal('in use')
    })

    it('may be asked for again before the first is named: the broker never gives one twice', () => {
      tags.start('', true)
      expect(tags.isUndecided('')).to.equal(false)
      tags.start('', false)
      tags.start('', true)
      const seen = ['a', 'b', 'c'].map((tag) => tags.onConsumeOk(tag))
      expect(seen).to.deep.equal([false, true, false])
      expect(['a', 'b', 'c'].map(stateOf)).to.deep.equal(['in use', 'in use', 'in use'])
    })

    it('are told from those that the client chose, whichever is confirmed first', () => {
      tags.start('', true)
      tags.start('mine', false)
      expect(tags.onConsumeOk('mine')).to.equal(true)
      expect(tags.onConsumeOk('amq.ctag-1')).to.equal(false)
    })

    it('can be cancelled like any other', () => {
      tags.start('', false)
      tags.onConsumeOk('a')
      tags.stop('a', true)
      expect(stateOf('a')).to.equal('undecided')
      expect(tags.onCancelOk('a')).to.equal(false)
      expect(stateOf('a')).to.equal('free')
    })
  })

  describe('whose consumer the broker cancels', () => {
    it('are free at once', () => {
      startActive('t')
      tags.onBrokerCancel('t')
      expect(stateOf('t')).to.equal('free')
    })

    it('before it has confirmed it, are free with the Consume-Ok, which is shown or hidden as asked for', () => {
      for (const isHidden of [true, false]) {
        tags.start('t', isHidden)
        tags.onBrokerCancel('t')
        expect(stateOf('t')).to.equal('undecided')
        expect(tags.onConsumeOk('t')).to.equal(!isHidden)
        expect(stateOf('t')).to.equal('free')
      }
    })

    it('while the client cancels it too, are free with the Cancel-Ok', () => {
      startActive('t')
      tags.stop('t', true)
      tags.onBrokerCancel('t')
      expect(stateOf('t')).to.equal('undecided')
      expect(tags.onCancelOk('t')).to.equal(false)
      expect(stateOf('t')).to.equal('free')
    })

    it('are of no interest when nobody uses them', () => {
      tags.onBrokerCancel('t')
      expect(stateOf('t')).to.equal('free')
    })
  })

  it('are never both asked about twice and decided, whatever the broker and the client do', () => {
    const step = fc.tuple(fc.constantFrom('ask', 'answer', 'broker cancels'), fc.constantFrom('t', 'u'))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const books = new ConsumerTags()
        /** What was asked and not answered, and who consumes at the broker. */
        const open = new Map<string, 'consume' | 'cancel'>()
        const consuming = new Set<string>()
        for (const [what, tag] of steps) {
          if (what === 'ask' && !books.isUndecided(tag)) {
            expect(open.has(tag), 'asked twice').to.equal(false)
            expect(books.isUsed(tag)).to.equal(consuming.has(tag))
            open.set(tag, books.isUsed(tag) ? 'cancel' : 'consume')
            if (books.isUsed(tag)) books.stop(tag, false)
            else books.start(tag, false)
            // The broker does at once what it's asked, and says so later.
            if (open.get(tag) === 'consume') consuming.add(tag)
          } else if (what === 'answer' && open.has(tag)) {
            if (open.get(tag) === 'consume') books.onConsumeOk(tag)
            else {
              books.onCancelOk(tag)
              consuming.delete(tag)
            }
            open.delete(tag)
          } else if (what === 'broker cancels' && consuming.has(tag)) {
            consuming.delete(tag)
            books.onBrokerCancel(tag)
          }
        }
        for (const tag of ['t', 'u']) expect(books.isUndecided(tag)).to.equal(open.has(tag))
      }),
    )
  })
})
