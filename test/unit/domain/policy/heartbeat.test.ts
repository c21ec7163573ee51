import { expect } from 'chai'
import {
  HEARTBEAT_DEAD,
  HEARTBEAT_NOTHING,
  HEARTBEAT_SEND,
  HEARTBEAT_TICK_MS,
  Heartbeat,
  type HeartbeatAction,
} from '../../../../src/domain/policy/heartbeat.js'

const NAMES: Record<HeartbeatAction, string> = {
  [HEARTBEAT_NOTHING]: 'nothing',
  [HEARTBEAT_SEND]: 'send',
  [HEARTBEAT_DEAD]: 'dead',
}

describe('Heartbeat', () => {
  /** Ticks of a heartbeat that began at 1000. */
  function ticker(seconds: number): (now: number, wasRead?: boolean, wasWritten?: boolean) => string {
    const heartbeat = new Heartbeat(seconds, 1000)
    return (now, wasRead = false, wasWritten = false) =>
      NAMES[heartbeat.tick(1000 + now, wasRead, wasWritten)]
  }

  it('sends at half the interval since the last write, and again after another half', () => {
    const tick = ticker(10)
    expect([4999, 5000, 5001, 9999, 10_000].map((now) => tick(now, true))).to.deep.equal([
      ...['nothing', 'send', 'nothing', 'nothing', 'send'],
    ])
  })

  it('sends nothing while something else is written', () => {
    const tick = ticker(10)
    for (let now = 0; now <= 60_000; now += 2500) expect(tick(now, true, true)).to.equal('nothing')
    expect(tick(64_999, true)).to.equal('nothing')
    expect(tick(65_000, true)).to.equal('send')
  })

  it('takes the other side for dead after two silent intervals', () => {
    const tick = ticker(10)
    expect(tick(19_999, false, true)).to.equal('nothing')
    expect(tick(20_000, false, true)).to.equal('dead')
  })

  it('counts from the last sign of life', () => {
    const tick = ticker(10)
    expect(tick(15_000, true, true)).to.equal('nothing')
    expect(tick(34_999, false, true)).to.equal('nothing')
    expect(tick(35_000, false, true)).to.equal('dead')
  })

  it('forgives a silence that ends with the tick', () => {
    expect(ticker(10)(60_000, true, true)).to.equal('nothing')
  })

  it('prefers the end to another heartbeat', () => {
    expect(ticker(10)(20_000)).to.equal('dead')
  })

  it('does nothing for an interval of 0', () => {
    const tick = ticker(0)
    expect([0, 1, 1e9].map((now) => tick(now))).to.deep.equal(['nothing', 'nothing', 'nothing'])
  })

  it('keeps an interval of one second with the ticks that it asks for', () => {
    const tick = ticker(1)
    let last = 0
    for (let now = 0; now <= 10_000; now += HEARTBEAT_TICK_MS) {
      if (tick(now, true) !== 'send') continue
      expect(now - last).to.be.at.most(1000)
      last = now
    }
    expect(last).to.be.greaterThan(9000)
  })
})
