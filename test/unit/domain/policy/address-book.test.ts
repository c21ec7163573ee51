import { expect } from 'chai'
import fc from 'fast-check'
import { AddressBook, type AddressUse } from '../../../../src/domain/policy/address-book.js'

const NODES = ['a', 'b', 'c']

describe('AddressBook', () => {
  let book: AddressBook

  beforeEach(() => {
    book = new AddressBook()
  })

  const next = (now = 0, random = 0, nodes = NODES): AddressUse => book.next(nodes, now, random)!
  const fail = (use: AddressUse, now = 0): number | undefined => book.failed(use, now)?.avoidedMs
  /** The address that fails `now`, as soon as it is its turn. */
  const failNext = (address: string, now = 0): number | undefined => fail(next(now, 0, [address]), now)

  describe('spreading', () => {
    it('goes round all addresses', () => {
      const uses = Array.from({ length: 9 }, () => next().address)
      for (const at of [0, 3, 6]) expect(uses.slice(at, at + 3)).to.have.members(NODES)
    })

    it('begins anywhere', () => {
      const firstBy = (random: number): string => new AddressBook().next(NODES, 0, random)!.address
      expect([0, 0.34, 0.99].map(firstBy)).to.deep.equal(['a', 'b', 'c'])
    })

    it('does not depend on the order in which the addresses are given', () => {
      const uses = [NODES, ['c', 'b', 'a'], ['b', 'c', 'a']].map((nodes) => next(0, 0, nodes).address)
      expect(uses).to.have.members(NODES)
    })

    it('goes to an address that is new before the others', () => {
      NODES.forEach(() => next())
      expect(next(0, 0, [...NODES, 'd']).address).to.equal('d')
    })

    it('has nothing where there is nothing', () => {
      expect(book.next([], 0, 0)).to.equal(undefined)
    })
  })

  describe('a failed address', () => {
    it('is avoided for 5 s, doubling with each failure in a row up to 60 s', () => {
      const avoided = [0, 1, 2, 3, 4, 5, 6].map(() => failNext('a'))
      expect(avoided).to.deep.equal([5000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
    })

    it('gets its turn again when that time is over', () => {
      failNext('a', 100)
      const usesAt = (now: number): string[] => NODES.map(() => next(now).address)
      expect(usesAt(5099)).not.to.include('a')
      expect(usesAt(5100)).to.include('a')
    })

    it('starts over once it has answered', () => {
      failNext('a')
      failNext('a')
      expect(book.answered(next(0, 0, ['a']))).to.equal(true)
      expect(book.isAvoided('a', 0)).to.equal(false)
      expect(book.answered(next(0, 0, ['a']))).to.equal(false)
      expect(failNext('a')).to.equal(5000)
    })

    it('is used all the same when all have failed, the one whose time is over first', () => {
      failNext('b', 0)
      failNext('a', 1)
      failNext('c', 2)
      expect(next(3).address).to.equal('b')
      expect(next(3, 0, ['c', 'a']).address).to.equal('a')
    })

    it('counts once for attempts that were made together', () => {
      const uses = [1, 2, 3].map(() => next(0, 0, ['a']))
      expect(uses.map((use) => fail(use))).to.deep.equal([5000, undefined, undefined])
      expect(failNext('a')).to.equal(10_000)
    })

    it('is not one that has answered a later attempt meanwhile', () => {
      const slow = next(0, 0, ['a'])
      book.answered(next(0, 0, ['a']))
      expect(fail(slow, 10_000)).to.equal(undefined)
      expect(book.isAvoided('a', 10_000)).to.equal(false)
    })

    it('is not avoided any longer after a pardon, but for longer the next time', () => {
      failNext('a')
      book.pardonAll()
      expect(book.isAvoided('a', 0)).to.equal(false)
      expect(failNext('a')).to.equal(10_000)
    })

    it('is forgotten when it is no address of the broker any more', () => {
      failNext('a')
      failNext('b')
      book.keepOnly(['b', 'c'])
      expect(book.isAvoided('a', 0)).to.equal(false)
      expect(book.isAvoided('b', 0), 'the others are not').to.equal(true)
    })
  })

  it('avoids only what failed within the last minute, never takes an avoided one while another is left, and leaves none out', () => {
    const step = fc.record({
      passes: fc.integer({ min: 0, max: 20_000 }),
      fails: fc.boolean(),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      nodes: fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tested = new AddressBook()
        const failedAt = new Map<string, number>()
        let now = 0
        for (const { passes, fails, random, nodes } of steps) {
          now += passes
          const avoided = nodes.filter((node) => tested.isAvoided(node, now))
          for (const node of avoided) expect(now - (failedAt.get(node) ?? -Infinity)).to.be.below(60_000)
          const use = tested.next(nodes, now, random)!
          expect(nodes).to.include(use.address)
          if (avoided.length < nodes.length) expect(avoided).not.to.include(use.address)
          if (!fails) tested.answered(use)
          else if (tested.failed(use, now) !== undefined) failedAt.set(use.address, now)
          expect(tested.isAvoided(use.address, now)).to.equal(fails)
        }
        // Once all is well, everybody has a turn.
        const turns = ['a', 'b', 'c', 'd'].map(
          () => tested.next(['a', 'b', 'c', 'd'], now + 60_000, 0)!.address,
        )
        expect(new Set(turns).size).to.equal(4)
      }),
    )
  })
})
