import { expect } from 'chai'
import fc from 'fast-check'
import { shareOf } from '../../../../src/domain/policy/shares.js'

describe('shareOf', () => {
  it('gives all of the limit away, in parts that differ by one at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), fc.integer({ min: 0, max: 100_000 }), (count, limit) => {
        const shares = Array.from({ length: count }, (_, at) => shareOf(limit, at + 1, count))
        expect(shares.reduce((sum, share) => sum + share, 0)).to.equal(limit)
        expect(Math.max(...shares) - Math.min(...shares)).to.be.at.most(1)
      }),
    )
  })
})
