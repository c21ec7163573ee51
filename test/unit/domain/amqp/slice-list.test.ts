import { expect } from 'chai'
import fc from 'fast-check'
import { SliceList, joinSlices } from '../../../../src/domain/amqp/slice-list.js'
import { concat, hex, payload } from '../../../support/frames.js'

const KIB = 1024

/** Memory that the slices keep alive. */
function pinned(slices: readonly Uint8Array[]): number {
  return [...new Set(slices.map((slice) => slice.buffer))].reduce((sum, buffer) => sum + buffer.byteLength, 0)
}

describe('SliceList', () => {
  it('gives back what was added, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ size: fc.oneof(fc.nat(300), fc.nat(20 * KIB)), from: fc.nat(), to: fc.nat() }), {
          maxLength: 12,
        }),
        (pieces) => {
          const list = new SliceList()
          const expected = pieces.map(({ size, from, to }, seed) => {
            const chunk = payload(size, seed)
            const start = from % (size + 1)
            const end = start + (to % (size - start + 1))
            list.append(chunk, start, end)
            return chunk.slice(start, end)
          })
          const whole = concat(expected)
          expect(list.length).to.equal(whole.length)
          expect(hex(concat(list.take()))).to.equal(hex(whole))
        },
      ),
    )
  })

  it('is empty at first', () => {
    const list = new SliceList()
    expect(list.length).to.equal(0)
    expect(list.take()).to.deep.equal([])
  })

  it('takes no notice of empty pieces', () => {
    const list = new SliceList()
    list.append(payload(10), 5, 5)
    expect(list.length).to.equal(0)
    expect(list.take()).to.deep.equal([])
  })

  it('shares a large piece with its chunk', () => {
    const chunk = payload(16 * KIB)
    const list = new SliceList()
    list.append(chunk, 100, 100 + 4 * KIB)
    const [slice] = list.take()
    expect(slice.buffer).to.equal(chunk.buffer)
    expect([slice.byteOffset, slice.length]).to.deep.equal([100, 4 * KIB])
  })

  it('copies a piece under 4 KiB', () => {
    const chunk = payload(4 * KIB)
    const list = new SliceList()
    list.append(chunk, 0, 4 * KIB - 1)
    expect(list.take()[0].buffer).not.to.equal(chunk.buffer)
  })

  it('copies a piece that would keep more than four times its size alive', () => {
    const chunk = payload(64 * KIB)
    const list = new SliceList()
    list.append(chunk, 0, 16 * KIB - 1)
    expect(list.take().every((slice) => slice.buffer !== chunk.buffer)).to.equal(true)
  })

  it("doesn't pin the chunk that a small tail came in", () => {
    const chunk = payload(64 * KIB)
    const list = new SliceList()
    list.append(chunk, 64 * KIB - 100, 64 * KIB)
    expect(pinned(list.take())).to.equal(256)
  })

  it('gathers many small pieces into few slices', () => {
    const list = new SliceList()
    for (let i = 0; i < 20_000; i++) list.append(Uint8Array.of(i), 0, 1)
    const slices = list.take()
    expect(slices.length).to.be.lessThan(12)
    expect(hex(concat(slices))).to.equal(hex(Uint8Array.from({ length: 20_000 }, (_, i) => i)))
  })

  it('keeps no more than a small multiple of its length in memory', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 * KIB }))
    fc.assert(
      fc.property(fc.array(fc.tuple(size, fc.integer({ min: 1, max: 10 })), { maxLength: 40 }), (pieces) => {
        const list = new SliceList()
        for (const [length, times] of pieces) {
          const chunk = new Uint8Array(Math.min(64 * KIB, length * times))
          list.append(chunk, 0, Math.min(length, chunk.length))
        }
        expect(pinned(list.take())).to.be.at.most(8 * list.length + 256)
      }),
    )
  })

  it('keeps no more when small and large pieces take turns', () => {
    const list = new SliceList()
    for (let i = 0; i < 200; i++) {
      list.append(new Uint8Array(64 * KIB), 0, 1)
      list.append(new Uint8Array(16 * KIB), 0, 4 * KIB)
    }
    expect(pinned(list.take())).to.be.at.most(8 * list.length + 256)
  })
})

describe('joinSlices', () => {
  it('puts all slices into one array of its own', () => {
    const slices = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]
    expect(joinSlices(slices)).to.deep.equal(Uint8Array.of(1, 2, 3))
    expect(joinSlices([slices[0]])).not.to.equal(slices[0])
    expect(joinSlices([])).to.deep.equal(new Uint8Array(0))
  })
})
