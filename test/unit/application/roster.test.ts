import { expect } from 'chai'
import fc from 'fast-check'
import { Roster, type Rostered, type Seat } from '../../../src/application/roster.js'

class Member implements Rostered {
  readonly seats: Seat[] = []
  constructor(readonly name: number) {}
}

describe('Roster', () => {
  it('holds what a set would hold, whoever comes and goes, on two rosters at the same time', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(1), fc.nat(9)), { maxLength: 200 })
    fc.assert(
      fc.property(steps, (taken) => {
        const members = Array.from({ length: 10 }, (_, name) => new Member(name))
        const rosters = [new Roster<Member>(), new Roster<Member>()]
        const sets = [new Set<Member>(), new Set<Member>()]
        for (const [comes, which, who] of taken) {
          const member = members[who]
          if (comes) {
            rosters[which].add(member)
            sets[which].add(member)
          } else {
            expect(rosters[which].delete(member)).to.equal(sets[which].delete(member))
          }
          expect(rosters[which].size).to.equal(sets[which].size)
          expect([...rosters[which]]).to.have.members([...sets[which]])
        }
      }),
    )
  })

  it('leaves out who goes while it is gone through', () => {
    const roster = new Roster<Member>()
    const [first, second, third] = [1, 2, 3].map((name) => new Member(name))
    for (const member of [first, second, third]) roster.add(member)
    const seen: Member[] = []
    for (const member of roster) {
      seen.push(member)
      roster.delete(second)
    }
    expect(seen).to.deep.equal([first, third])
  })

  it('takes up no more room than those who were there at once', () => {
    const roster = new Roster<Member>()
    const stays = new Member(0)
    roster.add(stays)
    for (let name = 1; name <= 1000; name++) {
      const member = new Member(name)
      roster.add(member)
      expect(member.seats[0].place).to.equal(1)
      roster.delete(member)
      expect(member.seats).to.deep.equal([])
    }
  })
})
