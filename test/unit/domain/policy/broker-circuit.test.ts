import { expect } from 'chai'
import fc from 'fast-check'
import {
  type Asker,
  type Attempt,
  BrokerCircuit,
  type Outage,
} from '../../../../src/domain/policy/broker-circuit.js'

/** At this random number a backoff has no jitter. */
const MIDDLE = 0.5

describe('BrokerCircuit', () => {
  let circuit: BrokerCircuit

  beforeEach(() => {
    circuit = new BrokerCircuit()
  })

  const ask = (now: number, asker: Asker = 'client'): Attempt => {
    const asked = circuit.ask(asker, now)
    if ('outage' in asked) throw new Error(`not granted: ${JSON.stringify(asked.outage)}`)
    return asked.attempt
  }
  const refusal = (now: number, asker: Asker = 'client'): Outage | undefined => {
    const asked = circuit.ask(asker, now)
    if ('outage' in asked) return asked.outage
    circuit.end(asked.attempt)
    return undefined
  }
  const fail = (attempt: Attempt, now: number, reason = 'refused'): number | undefined =>
    circuit.failed(attempt, reason, now, MIDDLE)

  it('lets everybody dial while nothing is wrong, at the same time too', () => {
    ask(0)
    ask(0, 'pool')
    expect(circuit.outage(0)).to.equal(undefined)
  })

  it('tells those who come after a failure the reason, and when the next try may be', () => {
    fail(ask(1000), 1000, 'no route')
    expect(refusal(1100)).to.deep.equal({ reason: 'no route', nextTryMs: 400, askAgainMs: 400 })
    expect(circuit.outage(1100)).to.deep.equal(refusal(1100))
  })

  it('lets one try when the time has come, and tells the others that somebody is trying', () => {
    fail(ask(0), 0)
    const attempt = ask(500)
    expect(refusal(500)).to.deep.include({ reason: 'refused', nextTryMs: undefined })
    expect(refusal(500, 'pool')?.askAgainMs).to.be.above(0)
    fail(attempt, 600)
    expect(refusal(601)?.nextTryMs).to.equal(999)
  })

  it('lets somebody else try when a try has ended without an outcome', () => {
    fail(ask(0), 0)
    circuit.end(ask(500))
    ask(500)
  })

  /** How long after each failure in a row `asker` has to wait. */
  const waits = (asker: Asker): (number | undefined)[] => {
    let now = 0
    return Array.from({ length: 9 }, () => {
      fail(ask(now, asker), now)
      const wait = refusal(now, asker)?.askAgainMs
      now += wait ?? 0
      return wait
    })
  }

  it('has pools wait for 500 ms, then twice as long each time, up to 30 s', () => {
    expect(waits('pool')).to.deep.equal([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  it('has clients wait for at most 4 s', () => {
    expect(waits('client')).to.deep.equal([500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000])
  })

  it('counts attempts that were made together as one', () => {
    const attempts = [ask(0), ask(0), ask(0)]
    expect(attempts.map((attempt) => fail(attempt, 10))).to.deep.equal([1, undefined, undefined])
    expect(refusal(10)?.nextTryMs).to.equal(500)
  })

  it('does not take an attempt from before the outage for the try of the outage', () => {
    const [first, slow] = [ask(0), ask(0)]
    fail(first, 10)
    expect(refusal(20)?.nextTryMs, 'nobody is trying').to.equal(490)
    const attempt = ask(510)
    circuit.end(slow)
    expect(refusal(511)?.nextTryMs, 'somebody is').to.equal(undefined)
    circuit.end(attempt)
    expect(refusal(511)).to.equal(undefined)
  })

  it('tells clients when clients may try, not when pools may', () => {
    waits('pool')
    const [client, pool] = [circuit.outage(91_500), refusal(91_500, 'pool')]
    expect(client?.nextTryMs).to.equal(4000)
    expect(pool?.nextTryMs).to.equal(30_000)
  })

  it('closes when anybody gets through, and starts over at the next outage', () => {
    fail(ask(0), 0)
    fail(ask(500), 500)
    expect(circuit.reached()).to.equal(2)
    expect(circuit.isOpen).to.equal(false)
    expect(circuit.reached()).to.equal(0)
    fail(ask(600), 600)
    expect(refusal(600)?.nextTryMs).to.equal(500)
  })

  it('stays closed when an attempt fails that began before somebody got through', () => {
    const slow = ask(0)
    ask(5)
    circuit.reached()
    expect(fail(slow, 10_000)).to.equal(undefined)
    expect(circuit.isOpen).to.equal(false)
  })

  it('never has two try at once in an outage, nor lets clients wait for more than 4 s after a try', () => {
    const step = fc.record({
      passes: fc.integer({ min: 0, max: 6000 }),
      asker: fc.constantFrom<Asker>('client', 'pool'),
      ends: fc.constantFrom('fails', 'gets through', 'stays'),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tested = new BrokerCircuit()
        let trial: Attempt | undefined
        let triedAt = -Infinity
        let now = 0
        for (const { passes, asker, ends, random } of steps) {
          now += passes
          const wasOpen = tested.isOpen
          const asked = tested.ask(asker, now)
          if (wasOpen && 'attempt' in asked) {
            expect(trial).to.equal(undefined)
            trial = asked.attempt
          }
          if ('outage' in asked && asker === 'client' && trial === undefined)
            expect(now - triedAt).to.be.below(4000)
          const attempt = trial ?? ('attempt' in asked ? asked.attempt : undefined)
          if (attempt === undefined || ends === 'stays') continue
          if (ends === 'fails') {
            if (tested.failed(attempt, 'down', now, random) !== undefined) triedAt = now
          } else {
            tested.reached()
            tested.end(attempt)
          }
          trial = undefined
        }
      }),
    )
  })
})
