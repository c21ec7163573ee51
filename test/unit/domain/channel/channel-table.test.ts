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
    expect([table.bound, table.unsettled]).to.deep.equal([1, 0])
  })

  it('hands a settled number on before a free one, and says that it is open', () => {
    const table = new ChannelTable<Entry>(3)
    const [, second] = [table.bind(create)!, table.bind(create)!]
    expect(table.startSettling(second)).to.equal(true)
    expect(table.bind(create)!.upstreamChannel, 'while it settles').to.equal(3)
    expect(table.hasRoom).to.equal(false)
    expect(table.finishSettling(2)).to.equal(true)
    expect([table.spare, table.hasRoom]).to.deep.equal([1, true])
    let wasOpen: boolean | undefined
    const again = table.bind((number, isOpen) => {
      wasOpen = isOpen
      return create(number)
    })
    expect([again!.upstreamChannel, wasOpen]).to.deep.equal([2, true])
  })

  it('frees a settling or spare number that the broker has closed', () => {
    const table = new ChannelTable<Entry>(2)
    for (const entry of [table.bind(create)!, table.bind(create)!]) table.startSettling(entry)
    table.finishSettling(2)
    for (const number of [1, 2]) expect(table.finishClosing(number)).to.equal(true)
    expect([table.spare, table.unsettled, table.bound]).to.deep.equal([0, 0, 0])
    expect(
      table.bind((number, isOpen) => (isOpen ? expect.fail('it is closed') : create(number))),
    ).to.include({
      upstreamChannel: 1,
    })
  })

  it('retires spare numbers, which are then closing', () => {
    const table = new ChannelTable<Entry>(1)
    table.startSettling(table.bind(create)!)
    expect(table.retireSpare(), 'while it settles').to.equal(0)
    table.finishSettling(1)
    expect(table.retireSpare()).to.equal(1)
    expect([table.isClosing(1), table.hasRoom]).to.deep.equal([true, false])
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
    const kinds = ['bind', 'bind', 'close', 'closed', 'settle', 'settled', 'retire'] as const
    const operation = fc.record({ kind: fc.constantFrom(...kinds), which: fc.nat() })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(operation, { maxLength: 200 }),
        (capacity, operations) => {
          const table = new ChannelTable<Entry>(capacity)
          /** The model: every entry there ever was, and what each number is. */
          const entries: Entry[] = []
          const owners = new Map<number, Entry>()
          const sets = { closing: new Set<number>(), settling: new Set<number>(), spare: new Set<number>() }
          const numbers = Array.from({ length: capacity }, (_, i) => i + 1)
          const isTaken = (number: number): boolean =>
            owners.has(number) || Object.values(sets).some((set) => set.has(number))
          const lowest = (set: Set<number>): number => [...set].sort((a, b) => a - b)[0]

          for (const { kind, which } of operations) {
            const number = which % (capacity + 2)
            if (kind === 'bind') {
              const expected = sets.spare.size > 0 ? lowest(sets.spare) : numbers.find((n) => !isTaken(n))
              const entry = table.bind((n, isOpen) => {
                expect(isOpen).to.equal(sets.spare.delete(n))
                return new Entry(n)
              })
              expect(entry?.upstreamChannel).to.equal(expected)
              if (entry === undefined) continue
              owners.set(entry.upstreamChannel, entry)
              entries.push(entry)
            } else if (kind === 'close' || kind === 'settle') {
              if (entries.length === 0) continue
              const entry = entries[which % entries.length]
              const owns = owners.get(entry.upstreamChannel) === entry
              expect(kind === 'close' ? table.startClosing(entry) : table.startSettling(entry)).to.equal(owns)
              if (!owns) continue
              owners.delete(entry.upstreamChannel)
              sets[kind === 'close' ? 'closing' : 'settling'].add(entry.upstreamChannel)
            } else if (kind === 'closed') {
              const wasHeld = Object.values(sets).some((set) => set.delete(number))
              expect(table.finishClosing(number)).to.equal(wasHeld)
            } else if (kind === 'settled') {
              const wasSettling = sets.settling.delete(number)
              expect(table.finishSettling(number)).to.equal(wasSettling)
              if (wasSettling) sets.spare.add(number)
            } else {
              const expected = sets.spare.size > 0 ? lowest(sets.spare) : 0
              expect(table.retireSpare()).to.equal(expected)
              if (sets.spare.delete(expected)) sets.closing.add(expected)
            }
            expect(table.bound).to.equal(owners.size)
            expect(table.unsettled).to.equal(sets.closing.size + sets.settling.size)
            expect(table.spare).to.equal(sets.spare.size)
            expect(table.hasRoom).to.equal(owners.size + sets.closing.size + sets.settling.size < capacity)
            for (let n = 0; n <= capacity + 1; n++) {
              if (table.ownerOf(n) !== owners.get(n)) expect.fail(`owner of ${n}`)
              if (table.isClosing(n) !== sets.closing.has(n)) expect.fail(`closing ${n}`)
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
