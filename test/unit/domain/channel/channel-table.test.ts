import { expect } from 'chai'
import fc from 'fast-check'
import { ChannelTable, type TableEntry } from '../../../../src/domain/channel/channel-table.js'

class Entry implements TableEntry {
  constructor(readonly upstreamChannel: number) {}
}

const create = (upstreamChannel: number): Entry => new Entry(upstreamChannel)

describe('ChannelTable', () => {
  it('binds the lowest free number', () => {
    const table = new ChannelTable<Entry>(3)
    const entries = [1, 2, 3].map(() => table.bind(create)!)
    expect(entries.map(({ upstreamChannel }) => upstreamChannel)).to.deep.equal([1, 2, 3])
    expect(table.ownerOf(2)).to.equal(entries[1])
  })

  it('binds nothing when no number is left, and asks for no entry', () => {
    const table = new ChannelTable<Entry>(1)
    table.bind(create)
    expect(table.hasRoom).to.equal(false)
    expect(table.bind(() => expect.fail('there is no number for it'))).to.equal(undefined)
  })

  it('has no owner for a number that is free or out of range', () => {
    const table = new ChannelTable<Entry>(3)
    table.bind(create)
    for (const number of [-1, 0, 2, 4, 65_535, 65_536])
      expect(table.ownerOf(number), `${number}`).to.equal(undefined)
  })

  it('reserves a number from the start of its closing to the end', () => {
    const table = new ChannelTable<Entry>(2)
    const first = table.bind(create)!
    expect(table.startClosing(first)).to.equal(true)
    expect(table.ownerOf(1)).to.equal(undefined)
    expect(table.isClosing(1)).to.equal(true)
    expect(table.bind(create)!.upstreamChannel).to.equal(2)
    expect(table.hasRoom).to.equal(false)
    expect(table.finishClosing(1)).to.equal(true)
    expect(table.isClosing(1)).to.equal(false)
    expect(table.bind(create)!.upstreamChannel).to.equal(1)
  })

  it('takes a number away from its owner alone', () => {
    const table = new ChannelTable<Entry>(2)
    const first = table.bind(create)!
    expect(table.startClosing(new Entry(1))).to.equal(false)
    expect(table.ownerOf(1)).to.equal(first)
    table.startClosing(first)
    expect(table.startClosing(first), 'twice').to.equal(false)
    table.finishClosing(1)
    const second = table.bind(create)!
    expect(table.startClosing(first), 'after the number has gone to another').to.equal(false)
    expect(table.ownerOf(1)).to.equal(second)
  })

  it('finishes the closing of closing numbers only', () => {
    const table = new ChannelTable<Entry>(2)
    table.bind(create)
    for (const number of [-1, 0, 1, 2, 3, 65_536])
      expect(table.finishClosing(number), `${number}`).to.equal(false)
    expect([table.bound, table.closing]).to.deep.equal([1, 0])
  })

  it('lists its owners in the order of numbers', () => {
    const table = new ChannelTable<Entry>(4)
    const [first, second, third] = [1, 2, 3].map(() => table.bind(create)!)
    table.startClosing(first)
    table.finishClosing(1)
    const again = table.bind(create)!
    table.startClosing(second)
    expect([...table.owners()]).to.deep.equal([again, third])
  })

  it("throws for a capacity that a connection can't have", () => {
    for (const capacity of [0, 65_536]) expect(() => new ChannelTable(capacity)).to.throw(RangeError)
  })

  it('never gives one number to two, and never loses one, whatever happens', () => {
    const operation = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ kind: 'bind' as const, which: 0 }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), which: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('closed' as const), which: fc.nat() }) },
    )
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(operation, { maxLength: 200 }),
        (capacity, operations) => {
          const table = new ChannelTable<Entry>(capacity)
          /** Every entry there ever was: the model says which of them own their number. */
          const entries: Entry[] = []
          const owners = new Map<number, Entry>()
          const closing = new Set<number>()
          for (const { kind, which } of operations) {
            if (kind === 'bind') {
              const entry = table.bind(create)
              const free = Array.from({ length: capacity }, (_, i) => i + 1).find(
                (number) => !owners.has(number) && !closing.has(number),
              )
              expect(entry?.upstreamChannel).to.equal(free)
              if (entry === undefined) continue
              owners.set(entry.upstreamChannel, entry)
              entries.push(entry)
            } else if (kind === 'close') {
              if (entries.length === 0) continue
              const entry = entries[which % entries.length]
              const number = entry.upstreamChannel
              const owns = owners.get(number) === entry
              expect(table.startClosing(entry)).to.equal(owns)
              if (owns) closing.add(number)
              if (owns) owners.delete(number)
            } else {
              const number = which % (capacity + 2)
              expect(table.finishClosing(number)).to.equal(closing.delete(number))
            }
            expect(table.bound).to.equal(owners.size)
            expect(table.closing).to.equal(closing.size)
            expect(table.hasRoom).to.equal(owners.size + closing.size < capacity)
            for (let number = 0; number <= capacity + 1; number++) {
              if (table.ownerOf(number) !== owners.get(number)) expect.fail(`owner of ${number}`)
              if (table.isClosing(number) !== closing.has(number)) expect.fail(`closing ${number}`)
            }
            const inOrder = [...owners].sort(([a], [b]) => a - b).map(([, entry]) => entry)
            const listed = [...table.owners()]
            expect(listed.length).to.equal(inOrder.length)
            expect(listed.every((entry, i) => entry === inOrder[i])).to.equal(true)
          }
          expect(table.capacity).to.equal(capacity)
        },
      ),
    )
  })
})
