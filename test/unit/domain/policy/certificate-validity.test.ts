import { expect } from 'chai'
import { judgeValidity } from '../../../../src/domain/policy/certificate-validity.js'

const DAY = 24 * 60 * 60 * 1000

describe('judgeValidity', () => {
  const notBefore = Date.UTC(2026, 0, 1)
  const notAfter = Date.UTC(2026, 2, 1)
  const at = (now: number): string | undefined => judgeValidity({ notBefore, notAfter }, now)

  it('has nothing to say of a certificate with weeks to go', () => {
    expect(at(notBefore)).to.equal(undefined)
    expect(at(notAfter - 14 * DAY)).to.equal(undefined)
  })

  it('counts the last two weeks', () => {
    expect(at(notAfter - 14 * DAY + 1)).to.equal('expires in 13 days, on 2026-03-01 00:00:00 UTC')
    expect(at(notAfter - DAY)).to.equal('expires in 1 day, on 2026-03-01 00:00:00 UTC')
    expect(at(notAfter - 1)).to.equal('expires in 0 days, on 2026-03-01 00:00:00 UTC')
  })

  it('says when it has expired, from the very moment on', () => {
    expect(at(notAfter)).to.equal('expired on 2026-03-01 00:00:00 UTC')
  })

  it('says from when on it is valid', () => {
    expect(at(notBefore - 1)).to.equal('is not valid before 2026-01-01 00:00:00 UTC')
  })
})
