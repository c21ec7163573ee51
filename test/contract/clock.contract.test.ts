/** What every Clock promises, held against the real one and the tests' own. */
import { expect } from 'chai'
import { SystemClock } from '../../src/adapters/clock/system-clock.js'
import type { Clock, Timer } from '../../src/application/ports/clock.js'
import { eventually } from '../support/eventually.js'
import { FakeClock } from '../support/fake-clock.js'

interface Subject {
  readonly clock: Clock
  /** Lets at least `milliseconds` pass. */
  advance(milliseconds: number): Promise<void>
}

function systemSubject(): Subject {
  return {
    clock: new SystemClock(),
    // A busy machine fires late, so the wait ends a little later than the timers under test.
    advance: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds + 10)),
  }
}

function fakeSubject(): Subject {
  const clock = new FakeClock()
  return {
    clock,
    advance: (milliseconds) => {
      clock.advance(milliseconds)
      return Promise.resolve()
    },
  }
}

for (const [name, create] of Object.entries({ SystemClock: systemSubject, FakeClock: fakeSubject })) {
  describe(`Clock: ${name}`, () => {
    let subject: Subject
    let clock: Clock
    let fired: string[]
    const fire = (label: string) => (): void => {
      fired.push(label)
    }

    beforeEach(() => {
      subject = create()
      clock = subject.clock
      fired = []
    })

    it('tells the time in milliseconds, which pass', async () => {
      const [start, begun] = [clock.now(), performance.now()]
      await subject.advance(20)
      expect(clock.now() - start).to.be.within(19, Math.max(20, performance.now() - begun + 1))
    })

    it('tells the date in milliseconds since 1970, which pass', async () => {
      const start = clock.wallTime()
      expect(new Date(start).getUTCFullYear()).to.be.at.least(2001)
      await subject.advance(20)
      expect(clock.wallTime() - start).to.be.at.least(15)
    })

    it('never calls back before the call has returned', () => {
      const timer = clock.after(0, fire('after'))
      expect(fired).to.deep.equal([])
      timer.cancel()
    })

    it('calls back once after the delay, and not earlier', async () => {
      const start = clock.now()
      let late = 0
      clock.after(20, () => {
        late = clock.now() - start
        fired.push('after')
      })
      await subject.advance(50)
      expect(fired).to.deep.equal(['after'])
      // Node's timers count in whole milliseconds of their own.
      expect(late).to.be.at.least(19)
    })

    it('treats a delay of 0 as the shortest there is', async () => {
      clock.after(0, fire('after'))
      const timer = clock.every(0, fire('every'))
      await subject.advance(5)
      timer.cancel()
      expect(fired).to.include('after')
      expect(fired).to.have.length.within(2, 1000)
    })

    it('fires timers in the order in which they are due, and those of one delay as they were started', async () => {
      clock.after(30, fire('c'))
      clock.after(5, fire('a'))
      clock.after(5, fire('b'))
      await subject.advance(40)
      expect(fired).to.deep.equal(['a', 'b', 'c'])
    })

    it('fires timers that callbacks start', async () => {
      clock.after(5, () => clock.after(5, () => clock.after(5, fire('third'))))
      await subject.advance(60)
      // A machine that is busy begins each of them late.
      await eventually(() => expect(fired).to.deep.equal(['third']))
    })

    it('does not fire a timer that was cancelled, and lets it be cancelled twice', async () => {
      const timer = clock.after(5, fire('cancelled'))
      timer.cancel()
      timer.cancel()
      await subject.advance(20)
      expect(fired).to.deep.equal([])
    })

    it('takes a cancel after the timer has fired', async () => {
      const timer = clock.after(1, fire('after'))
      await subject.advance(10)
      timer.cancel()
      expect(fired).to.deep.equal(['after'])
    })

    it('does not fire a timer that another callback cancels at the same moment', async () => {
      const timers: Timer[] = []
      clock.after(5, () => timers[0].cancel())
      timers.push(clock.after(5, fire('cancelled')))
      await subject.advance(20)
      expect(fired).to.deep.equal([])
    })

    it('calls back again and again, until cancelled', async () => {
      const timer = clock.every(5, fire('every'))
      await subject.advance(60)
      await eventually(() => expect(fired).to.have.length.at.least(3))
      const count = fired.length
      timer.cancel()
      timer.cancel()
      await subject.advance(20)
      expect(fired).to.have.length(count)
    })

    it('lets the callback of a repeated timer cancel it', async () => {
      const timer = clock.every(5, () => {
        fired.push('every')
        timer.cancel()
      })
      await subject.advance(40)
      expect(fired).to.deep.equal(['every'])
    })

    it('does not fire what is weeks away', async () => {
      const timer = clock.after(2 ** 40, fire('years'))
      const repeated = clock.every(2 ** 40, fire('years'))
      await subject.advance(10)
      timer.cancel()
      repeated.cancel()
      expect(fired).to.deep.equal([])
    })
  })
}

describe('FakeClock', () => {
  it('fires each timer at its time', () => {
    const clock = new FakeClock()
    const times: number[] = []
    clock.every(10, () => times.push(clock.now()))
    clock.after(15, () => clock.after(3, () => times.push(clock.now())))
    clock.advance(25)
    expect(times).to.deep.equal([10, 18, 20])
    expect(clock.now()).to.equal(25)
  })

  it('does not fire what is due one millisecond later', () => {
    const clock = new FakeClock()
    let fired = false
    clock.after(10, () => (fired = true))
    clock.advance(9)
    expect(fired).to.equal(false)
    clock.advance(1)
    expect(fired).to.equal(true)
  })

  it('counts the timers that will still fire', () => {
    const clock = new FakeClock()
    const repeated = clock.every(10, () => {})
    clock.after(10, () => {})
    expect(clock.pendingTimers).to.equal(2)
    clock.advance(10)
    expect(clock.pendingTimers).to.equal(1)
    repeated.cancel()
    expect(clock.pendingTimers).to.equal(0)
  })
})
