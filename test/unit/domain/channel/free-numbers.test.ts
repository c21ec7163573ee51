import { expect } from 'chai'
import fc from 'fast-check'
import { FreeNumbers } from '../../../../src/domain/channel/free-numbers.js'

/** Around the sizes where the bitmap gets another word or level. */
const LIMITS = [1, 2, 31, 32, 33, 63, 64, 1022, 1023, 1024, 1025, 2047, 32_766, 32_767, 32_768, 65_535]

describe('FreeNumbers', () => {
  for (const limit of LIMITS) {
    it(`gives each number from 1 to ${limit} once, in order`, () => {
      const free = new FreeNumbers(limit)
      expect([free.limit, free.count]).to.deep.equal([limit, limit])
      let expected = 0
      while (free.count > 0) {
        const number = free.takeLowest()
        if (number !== ++expected) expect.fail(`${number} in place of ${expected}`)
      }
      expect(expected).to.equal(limit)
      expect(free.takeLowest()).to.equal(0)
      expect(free.count).to.equal(0)
    })
  }

  it('gives the lowest number that has come back', () => {
    const free = new FreeNumbers(65_535)
    for (let i = 0; i < 65_535; i++) free.takeLowest()
    for (const number of [65_535, 40_000, 1, 1024, 32]) free.release(number)
    expect(Array.from({ length: 6 }, () => free.takeLowest())).to.deep.equal([1, 32, 1024, 40_000, 65_535, 0])
  })

  it('does as a set of numbers would', () => {
    const operation = fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 80_000 }) },
    )
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(...LIMITS), fc.integer({ min: 1, max: 200 })),
        fc.nat(70_000),
        fc.array(operation, { maxLength: 120 }),
        (limit, taken, operations) => {
          const free = new FreeNumbers(limit)
          const held = new Set<number>()
          let highest = 0
          const take = (): void => {
            let lowest = 1
            while (held.has(lowest)) lowest++
            const expected = lowest > limit ? 0 : lowest
            const number = free.takeLowest()
            if (number !== expected) expect.fail(`${number} in place of ${expected}`)
            if (number !== 0) held.add(number)
            highest = Math.max(highest, number)
          }
          // Most operations then happen where words and levels of the bitmap are empty.
          for (let i = 0; i < Math.min(taken, limit, 2100); i++) {
            const number = free.takeLowest()
            held.add(number)
            highest = number
          }
          for (const number of operations) {
            const target = number > limit ? number % (highest + 1) : number
            if (number === 0) take()
            else if (held.delete(target)) free.release(target)
            else expect(() => free.release(target)).to.throw(RangeError)
            expect(free.count).to.equal(limit - held.size)
            for (const near of [target - 1, target, target + 1])
              expect(free.has(near)).to.equal(near >= 1 && near <= limit && !held.has(near))
          }
        },
      ),
    )
  })

  it('has only what is free and in its range', () => {
    const free = new FreeNumbers(40)
    free.takeLowest()
    expect([-1, 0, 1, 2, 40, 41, 64, 100_000].filter((number) => free.has(number))).to.deep.equal([2, 40])
  })

  it('throws when a number comes back that nobody has', () => {
    const free = new FreeNumbers(40)
    for (const number of [-1, 0, 1, 40, 41, 70_000])
      expect(() => free.release(number), `${number}`).to.throw(RangeError, `number ${number} is not taken`)
    expect(free.count).to.equal(40)
  })

  it("throws for a limit that channels can't have", () => {
    for (const limit of [0, -1, 65_536, 1.5, NaN, Infinity])
      expect(() => new FreeNumbers(limit), `${limit}`).to.throw(RangeError)
  })

  it('may begin with none free, and a number may be taken by name', () => {
    const numbers = FreeNumbers.none(100)
    expect([numbers.count, numbers.takeLowest()]).to.deep.equal([0, 0])
    for (const number of [7, 70, 100]) numbers.release(number)
    numbers.take(7)
    expect(() => numbers.take(7)).to.throw(RangeError)
    expect([numbers.takeLowest(), numbers.takeLowest(), numbers.takeLowest()]).to.deep.equal([70, 100, 0])
  })
})
