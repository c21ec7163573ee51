import { expect } from 'chai'
import fc from 'fast-check'
import { UnacknowledgedTags } from '../../../../src/domain/channel/unacknowledged-tags.js'

describe('UnacknowledgedTags', () => {
  const settleAll = (tags: UnacknowledgedTags, delivered: number, ...acks: number[]): boolean[] =>
    acks.map((tag) => tags.settle(tag, false, delivered))

  it('is sure of a delivery that has come, once', () => {
    expect(settleAll(new UnacknowledgedTags(1), 2, 2, 2, 1, 1)).to.deep.equal([true, false, true, false])
  })

  it('is not sure of one that has not come', () => {
    const tags = new UnacknowledgedTags(1)
    expect(settleAll(tags, 1, 2, 0)).to.deep.equal([false, false])
    expect(tags.settle(2, true, 1)).to.equal(false)
    expect(tags.settle(2, false, 2)).to.equal(true)
  })

  it('is not sure of those that came before anybody looked', () => {
    expect(settleAll(new UnacknowledgedTags(3), 4, 2, 3)).to.deep.equal([false, true])
  })

  it('settles all up to a tag, and no others', () => {
    const tags = new UnacknowledgedTags(1)
    expect(tags.settle(2, true, 4)).to.equal(true)
    expect(settleAll(tags, 4, 1, 2, 3)).to.deep.equal([false, false, true])
  })

  it('settles all that have come with 0, even if there are none', () => {
    const tags = new UnacknowledgedTags(1)
    expect([tags.settle(0, true, 0), tags.settle(0, true, 2), tags.settle(2, false, 2)]).to.deep.equal([
      true,
      true,
      false,
    ])
    expect(tags.settle(3, false, 3)).to.equal(true)
  })

  it('is sure of nothing once it is told so, or once there are too many gaps', () => {
    const tags = new UnacknowledgedTags(1)
    for (let tag = 2; tag <= 1001; tag++) expect(tags.settle(tag, false, 2000)).to.equal(true)
    expect(settleAll(tags, 2000, 1002, 1003)).to.deep.equal([true, false])
    const told = new UnacknowledgedTags(1)
    told.stopFollowing()
    expect([told.settle(1, false, 1), told.settle(0, true, 1)]).to.deep.equal([false, false])
  })

  it('agrees with a list of what is open, whatever comes', () => {
    const step = fc.record({ more: fc.nat(3), tag: fc.nat(12), isMultiple: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const tags = new UnacknowledgedTags(1)
        let open: number[] = []
        let delivered = 0
        for (const { more, tag, isMultiple } of steps) {
          for (let count = 0; count < more; count++) open.push(++delivered)
          const isSure = open.includes(tag) || (isMultiple && tag === 0)
          expect(tags.settle(tag, isMultiple, delivered)).to.equal(isSure)
          if (isSure) open = open.filter((other) => (isMultiple ? tag !== 0 && other > tag : other !== tag))
        }
      }),
    )
  })
})
