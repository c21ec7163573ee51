import { expect } from 'chai'
import fc from 'fast-check'
import { ConfirmNumbering } from '../../../../src/domain/publish/confirm-numbering.js'

function numberingOf(published: number): ConfirmNumbering {
  const numbering = new ConfirmNumbering()
  for (let count = 0; count < published; count++) numbering.publish()
  return numbering
}

describe('ConfirmNumbering', () => {
  it('keeps the numbers of the broker while they are the client’s', () => {
    expect(numberingOf(3).settle(2, false)).to.equal(2)
  })

  it('goes on with the client’s numbers on another upstream channel', () => {
    const numbering = numberingOf(3)
    numbering.settle(3, true)
    numbering.rebind()
    numbering.publish()
    expect(numbering.count).to.equal(1)
    expect(numbering.settle(1, false)).to.equal(4)
    numbering.rebind()
    numbering.publish()
    expect(numbering.settle(1, true)).to.equal(5)
    expect(numbering.count).to.equal(0)
  })

  it('knows how many are to come, in whatever order and groups they are settled', () => {
    const settlements = fc.array(fc.record({ tag: fc.integer({ min: 1, max: 40 }), multiple: fc.boolean() }))
    fc.assert(
      fc.property(settlements, (all) => {
        const numbering = numberingOf(40)
        const open = new Set(Array.from({ length: 40 }, (_, at) => at + 1))
        for (const { tag, multiple } of all) {
          numbering.settle(tag, multiple)
          for (const other of open) if (other === tag || (multiple && other < tag)) open.delete(other)
          expect(numbering.count).to.equal(open.size)
        }
      }),
    )
  })
})
