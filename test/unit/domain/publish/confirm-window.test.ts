import { expect } from 'chai'
import fc from 'fast-check'
import { ConfirmWindow } from '../../../../src/domain/publish/confirm-window.js'

interface Entry {
  readonly name: number
}

function windowOf(count: number): ConfirmWindow<Entry> {
  const window = new ConfirmWindow<Entry>()
  for (let name = 1; name <= count; name++) expect(window.add({ name })).to.equal(name)
  return window
}

const names = (entries: readonly Entry[]): number[] => entries.map(({ name }) => name)

describe('ConfirmWindow', () => {
  it('numbers what is sent from 1', () => {
    expect(windowOf(100).count).to.equal(100)
  })

  it('settles one by one, in any order', () => {
    const window = windowOf(4)
    for (const tag of [3, 1, 4, 2]) expect(names(window.settle(tag, false))).to.deep.equal([tag])
    expect(window.count).to.equal(0)
    expect(window.add({ name: 5 })).to.equal(5)
  })

  it('settles all up to a tag, without those that have left before', () => {
    const window = windowOf(6)
    window.settle(2, false)
    window.settle(4, false)
    expect(names(window.settle(4, true))).to.deep.equal([1, 3])
    expect(names(window.settle(6, true))).to.deep.equal([5, 6])
  })

  it('settles nothing for a tag that was never given', () => {
    const window = windowOf(3)
    for (const tag of [-1, 0, 4, 1000, NaN, Infinity])
      for (const multiple of [false, true]) expect(window.settle(tag, multiple), `${tag}`).to.deep.equal([])
    expect(window.count).to.equal(3)
  })

  it('settles nothing twice', () => {
    const window = windowOf(4)
    window.settle(2, true)
    window.settle(4, false)
    for (const tag of [1, 2, 4]) expect(window.settle(tag, false)).to.deep.equal([])
    expect(window.settle(2, true)).to.deep.equal([])
    expect(window.count).to.equal(1)
  })

  it('gives all away in order, with their tags, and goes on numbering', () => {
    const window = windowOf(4)
    window.settle(1, false)
    window.settle(3, false)
    expect(window.takeAll().map(({ tag, entry }) => [tag, entry.name])).to.deep.equal([
      [2, 2],
      [4, 4],
    ])
    expect(window.count).to.equal(0)
    expect(window.add({ name: 5 })).to.equal(5)
    expect(window.settle(4, false)).to.deep.equal([])
    expect(names(window.settle(5, false))).to.deep.equal([5])
  })

  it('does as a map from tags to entries would', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ add: true as const }) },
      {
        weight: 2,
        arbitrary: fc.record({ back: fc.integer({ min: -2, max: 30 }), multiple: fc.boolean() }),
      },
      { weight: 1, arbitrary: fc.record({ takeAll: fc.constant(true as const) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const window = new ConfirmWindow<Entry>()
        const model = new Map<number, number>()
        let last = 0
        for (const step of steps) {
          if ('add' in step) {
            expect(window.add({ name: ++last })).to.equal(last)
            model.set(last, last)
          } else if ('takeAll' in step) {
            expect(window.takeAll().map(({ tag, entry }) => [tag, entry.name])).to.deep.equal([...model])
            model.clear()
          } else {
            const tag = last - step.back
            const leaves = (key: number): boolean =>
              tag <= last && (key === tag || (step.multiple && key < tag))
            const expected = [...model.keys()].filter(leaves)
            expect(names(window.settle(tag, step.multiple))).to.deep.equal(expected)
            for (const key of expected) model.delete(key)
          }
          expect(window.count).to.equal(model.size)
        }
      }),
    )
  })
})
