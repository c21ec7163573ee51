import { expect } from 'chai'
import { nearestName } from '../../../../src/adapters/config/nearest-name.js'

describe('nearestName', () => {
  const known = ['listen.port', 'listen.address', 'log.level']

  it('finds the name behind a missing, an extra, a wrong or a swapped letter, and another case', () => {
    for (const typed of ['listen.prt', 'listen.portt', 'listen.pork', 'listen.prot', 'Listen.Port']) {
      expect(nearestName(typed, known), typed).to.equal('listen.port')
    }
  })

  it('counts a swap as one mistake', () => {
    expect(nearestName('act', ['bat', 'cat'])).to.equal('cat')
  })

  it('prefers the nearer of two', () => {
    expect(nearestName('shutdown.tine', ['shutdown.line.x', 'shutdown.time'])).to.equal('shutdown.time')
  })

  it('suggests nothing for what is like none', () => {
    expect(nearestName('frobnicate', known)).to.equal(undefined)
    expect(nearestName('x', ['y'])).to.equal(undefined)
    expect(nearestName('', known)).to.equal(undefined)
  })
})
