import { expect } from 'chai'
import fc from 'fast-check'
import type { ChannelRole } from '../../../../src/domain/policy/channel-role.js'
import { type Candidate, UpstreamPolicy } from '../../../../src/domain/policy/upstream-policy.js'

describe('UpstreamPolicy', () => {
  const policy = new UpstreamPolicy({ maxChannels: 100, idleTimeoutMs: 5000, separateRoles: true })

  describe('capacity', () => {
    it('is the smaller of the setting and what the broker granted', () => {
      expect([1, 99, 100, 101, 2047].map((granted) => policy.capacity(granted))).to.deep.equal([
        ...[1, 99, 100, 100, 100],
      ])
    })

    it('is the setting when the broker has no limit', () => {
      expect(policy.capacity(0)).to.equal(100)
    })
  })

  describe('placing a channel', () => {
    const candidate = (role?: ChannelRole, more: Partial<Candidate> = {}): Candidate => ({
      ...{ hasRoom: true, role, blockedReason: undefined },
      ...more,
    })
    const full = candidate(undefined, { hasRoom: false })
    const [first, second] = [candidate(), candidate()]

    it("keeps a client's channels together while there is room", () => {
      expect(policy.place(second, [first, second], undefined)).to.equal(second)
    })

    it('fills the first connection with room before any later one', () => {
      expect(policy.place(full, [full, first, second], undefined)).to.equal(first)
      expect(policy.place(undefined, [first, second], undefined)).to.equal(first)
    })

    it('finds no place when every connection is full, or there is none', () => {
      expect(policy.place(full, [full, full], undefined)).to.equal(undefined)
      expect(policy.place(undefined, [], undefined)).to.equal(undefined)
    })

    describe('with roles', () => {
      const [publishers, consumers] = [candidate('publisher'), candidate('consumer')]

      it('keeps publishers and consumers apart, wherever the client is at home', () => {
        for (const home of [publishers, consumers, undefined]) {
          expect(policy.place(home, [publishers, consumers], 'publisher')).to.equal(publishers)
          expect(policy.place(home, [publishers, consumers], 'consumer')).to.equal(consumers)
        }
        expect(policy.place(publishers, [publishers], 'consumer')).to.equal(undefined)
      })

      it('prefers a connection of the role to one without', () => {
        expect(policy.place(undefined, [first, consumers], 'consumer')).to.equal(consumers)
        expect(policy.place(undefined, [publishers, first], 'consumer')).to.equal(first)
      })

      it('puts a channel that has told nothing where publishers are', () => {
        expect(policy.place(consumers, [consumers, publishers], undefined)).to.equal(publishers)
        expect(policy.place(consumers, [consumers], undefined)).to.equal(consumers)
      })

      it('keeps a channel that has told nothing away from a blocked connection', () => {
        const blocked = candidate('publisher', { blockedReason: 'low on memory' })
        expect(policy.place(blocked, [blocked, consumers], undefined)).to.equal(consumers)
        expect(policy.place(blocked, [blocked], undefined)).to.equal(undefined)
        expect(policy.place(blocked, [blocked], 'publisher'), 'who publishes waits there').to.equal(blocked)
      })

      it('keeps a consumer away from a consumers’ connection that is blocked, since one of them has published', () => {
        const blocked = candidate('consumer', { blockedReason: 'low on memory' })
        expect(policy.place(blocked, [blocked], 'consumer')).to.equal(undefined)
        expect(policy.place(blocked, [publishers, blocked, consumers], 'consumer')).to.equal(consumers)
        expect(policy.place(blocked, [blocked, first], 'consumer')).to.equal(first)
        expect(policy.maySettle(first, 'consumer', [blocked, first])).to.equal(true)
        expect(policy.maySettle(blocked, 'consumer', [blocked]), 'who is there stays').to.equal(true)
      })

      it('lets a channel stay on a connection without a role, or with its own', () => {
        expect(policy.maySettle(first, 'consumer', [first])).to.equal(true)
        expect(policy.maySettle(consumers, 'consumer', [consumers])).to.equal(true)
        expect(policy.maySettle(publishers, 'consumer', [publishers])).to.equal(false)
      })

      it('makes no further connection a publishers’ one while there is room on the one that they have', () => {
        const full = candidate('publisher', { hasRoom: false })
        expect(policy.maySettle(first, 'publisher', [publishers, first])).to.equal(false)
        expect(policy.maySettle(first, 'publisher', [full, first])).to.equal(true)
      })

      it('leaves a connection without a role alone while there is one of the role, even if the client is at home there', () => {
        const blocked = candidate('publisher', { blockedReason: 'low on memory' })
        expect(policy.place(first, [blocked, first], 'publisher')).to.equal(blocked)
        expect(policy.place(first, [consumers, first], 'consumer')).to.equal(consumers)
        expect(policy.place(second, [consumers, first, second], 'publisher'), 'there is none').to.equal(
          second,
        )
      })

      it("keeps a client's channels of one role together on any of the connections of that role", () => {
        const others = candidate('publisher')
        for (const home of [publishers, others])
          expect(policy.place(home, [publishers, others], 'publisher')).to.equal(home)
      })

      it('makes no difference when roles are not separated', () => {
        const apart = new UpstreamPolicy({ maxChannels: 100, idleTimeoutMs: 5000, separateRoles: true })
        expect(apart.separatesRoles).to.equal(true)
        const { together } = apart
        expect(together.separatesRoles).to.equal(false)
        expect(together.capacity(0), 'all else is the same').to.equal(100)
        expect(apart.together, 'made once').to.equal(together)
        expect(together.place(publishers, [publishers], 'consumer')).to.equal(publishers)
        expect(together.maySettle(publishers, 'consumer', [publishers])).to.equal(true)
        for (const role of ['publisher', 'consumer', undefined] as const)
          for (const home of [publishers, consumers, first])
            expect(together.place(home, [publishers, consumers, first], role)).to.equal(home)
      })
    })
  })

  describe('backoff', () => {
    it('doubles with each failure, up to 30 seconds', () => {
      expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map((failures) => policy.backoff(failures, 0.5))).to.deep.equal([
        ...[500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000],
      ])
    })

    it('varies by a fifth, so that many pools do not knock at once', () => {
      expect(policy.backoff(1, 0)).to.equal(800)
      expect(policy.backoff(1, 0.999)).to.be.closeTo(1200, 1)
      expect(policy.backoff(9, 0)).to.equal(24_000)
    })

    it('is never longer than 30 seconds nor shorter than 400 ms', () => {
      fc.assert(
        fc.property(
          fc.nat(),
          fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
          (failures, random) => {
            expect(policy.backoff(failures, random)).to.be.within(400, 30_000)
          },
        ),
      )
    })
  })

  describe('idle connections', () => {
    it('are closed when they were unused for the time that is set', () => {
      expect([9999, 10_000, 10_001].map((now) => policy.isIdle(5000, now))).to.deep.equal([false, true, true])
    })

    it('are none while they are used', () => {
      expect(policy.isIdle(undefined, 1e12)).to.equal(false)
    })
  })
})
