import { expect } from 'chai'
import fc from 'fast-check'
import { ConnectionLimit, isRefusal } from '../../../../src/domain/policy/connection-limit.js'

/** A limit with so many inside. */
function limitWith(limit: number, active: number): ConnectionLimit {
  const subject = new ConnectionLimit(0)
  for (let n = 0; n < active; n++) subject.enter()
  if (limit > 0) subject.set(limit, 'http', 0)
  return subject
}

describe('ConnectionLimit', () => {
  it('lets in as many as the limit says, and one more for each that leaves', () => {
    const limit = new ConnectionLimit(2)
    expect([limit.enter(), limit.enter(), limit.enter()]).to.deep.equal([true, true, false])
    limit.leave()
    expect([limit.enter(), limit.enter()]).to.deep.equal([true, false])
    expect(limit.active).to.equal(2)
  })

  it('is unlimited at 0', () => {
    const limit = limitWith(0, 10_000)
    expect(limit.enter()).to.equal(true)
  })

  it('goes up, down and away, and remembers when, from what to what, and who', () => {
    const limit = new ConnectionLimit(1000)
    limit.set(2000, 'http', 1)
    limit.increase(500, 'cli', 2)
    limit.decrease(200, 'signal', 3)
    limit.lift('http', 4)
    expect(limit.limit).to.equal(0)
    expect(limit.history).to.deep.equal([
      { at: 1, old: 1000, new: 2000, who: 'http' },
      { at: 2, old: 2000, new: 2500, who: 'cli' },
      { at: 3, old: 2500, new: 2300, who: 'signal' },
      { at: 4, old: 2300, new: 0, who: 'http' },
    ])
  })

  it('refuses a limit below those who are in, with both numbers', () => {
    const limit = limitWith(1000, 750)
    expect(limit.set(500, 'http', 0)).to.deep.equal({
      kind: 'conflict',
      reason: 'cannot set limit to 500 when 750 connections are active',
    })
    expect(limit.decrease(251, 'http', 0)).to.include({ kind: 'conflict' })
    expect(limit.limit).to.equal(1000)
    expect(limit.history).to.have.length(1)
    expect(limit.set(750, 'http', 0)).to.include({ new: 750 })
  })

  for (const value of [0, -1, 1.5, NaN, Infinity])
    it(`refuses ${value} as a limit`, () => {
      expect(limitWith(10, 0).set(value, 'http', 0)).to.deep.equal({
        kind: 'invalid',
        reason: 'connection limit must be positive',
      })
    })

  it('refuses to go below 1, to move by nothing, and beyond what can be counted', () => {
    const limit = limitWith(100, 0)
    expect(limit.decrease(100, 'http', 0)).to.deep.equal({
      kind: 'invalid',
      reason: 'connection limit must be positive: it is 100, and cannot go down by 100',
    })
    expect(limit.increase(0, 'http', 0)).to.include({ kind: 'invalid', reason: 'amount must be positive' })
    expect(limit.increase(2 ** 31, 'http', 0)).to.deep.equal({
      kind: 'invalid',
      reason: 'connection limit must not be above 2147483647',
    })
  })

  it('can be anything from 1 to the most that can be counted', () => {
    const limit = limitWith(100, 0)
    for (const value of [1, 2 ** 31 - 1]) {
      const outcome = limit.set(value, 'http', 0)
      expect(isRefusal(outcome)).to.equal(false)
      expect(limit.limit).to.equal(value)
    }
    expect(isRefusal(limit.increase(1, 'http', 0))).to.equal(true)
  })

  it('cannot move a limit that is not there', () => {
    const limit = limitWith(0, 0)
    const refusal = { kind: 'conflict', reason: 'connections are not limited: set a limit first' }
    expect(limit.increase(1, 'http', 0)).to.deep.equal(refusal)
    expect(limit.decrease(1, 'http', 0)).to.deep.equal(refusal)
  })

  it('keeps the last 1000 changes', () => {
    const limit = limitWith(0, 0)
    for (let n = 1; n <= 1001; n++) limit.set(n, 'http', n)
    expect(limit.history).to.have.length(1000)
    expect(limit.history[0].at).to.equal(2)
  })

  it('never has more inside than the limit, whatever happens', () => {
    const step = fc.oneof(
      fc.constant({ do: 'enter', n: 0 }),
      fc.constant({ do: 'leave', n: 0 }),
      fc.record({ do: fc.constantFrom('set', 'increase', 'decrease'), n: fc.integer({ min: -3, max: 20 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const limit = new ConnectionLimit(3)
        let inside = 0
        for (const { do: what, n } of steps) {
          if (what === 'enter') inside += limit.enter() ? 1 : 0
          else if (what === 'leave') {
            if (inside === 0) continue
            inside--
            limit.leave()
          } else limit[what as 'set'](n, 'http', 0)
          expect(limit.active).to.equal(inside)
          expect(inside).to.be.at.most(limit.limit)
        }
      }),
    )
  })
})
