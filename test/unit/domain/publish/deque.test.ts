import { expect } from 'chai'
import fc from 'fast-check'
import { Deque } from '../../../../src/domain/publish/deque.js'

function contents(deque: Deque<number>): (number | undefined)[] {
  return Array.from({ length: deque.length }, (_, at) => deque.get(at))
}

describe('Deque', () => {
  it('does as an array would, whatever is done at its ends', () => {
    const end = fc.constantFrom('back', 'front', 'pop' as const)
    const operation = fc.tuple(end, fc.integer({ min: 1, max: 60 }))
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        const deque = new Deque<number>()
        const model: number[] = []
        let next = 0
        for (const [what, times] of operations) {
          for (let i = 0; i < times; i++) {
            if (what === 'pop') expect(deque.popFront()).to.equal(model.shift())
            else if (what === 'back') {
              deque.pushBack(next)
              model.push(next++)
            } else {
              deque.pushFront(next)
              model.unshift(next++)
            }
          }
          expect(contents(deque)).to.deep.equal(model)
        }
      }),
    )
  })

  it('replaces entries in place', () => {
    const deque = new Deque<number>()
    for (let i = 0; i < 40; i++) deque.pushBack(i)
    for (let i = 0; i < 20; i++) deque.popFront()
    for (let i = 0; i < 20; i++) deque.set(i, -i)
    expect(contents(deque)).to.deep.equal(Array.from({ length: 20 }, (_, i) => -i))
  })

  it('has nothing outside of its length', () => {
    const deque = new Deque<number>()
    deque.pushBack(1)
    expect([deque.get(-1), deque.get(1), deque.get(15), deque.get(NaN)]).to.deep.equal(
      Array.from({ length: 4 }, () => undefined),
    )
    for (const index of [-1, 1, 15])
      expect(() => deque.set(index, 0)).to.throw(RangeError, `no entry ${index}`)
    expect(new Deque<number>().popFront()).to.equal(undefined)
  })
})
