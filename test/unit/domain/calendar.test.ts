import { expect } from 'chai'
import fc from 'fast-check'
import { isoTime, readableTime } from '../../../src/domain/calendar.js'

describe('The calendar', () => {
  it('agrees with the system about every time from 1970 to 9999', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }), (time) => {
        expect(isoTime(time)).to.equal(new Date(time).toISOString().replace(/\.\d+Z$/, 'Z'))
      }),
      { numRuns: 1000 },
    )
  })

  it('knows leap days and the ends of years and months', () => {
    for (const time of [
      '2024-02-29T00:00:00Z',
      '2100-02-28T23:59:59Z',
      '2100-03-01T00:00:00Z',
      '1999-12-31T23:59:59Z',
    ])
      expect(isoTime(Date.parse(time))).to.equal(time)
  })

  it('is read by people too', () => {
    expect(readableTime(Date.UTC(2026, 2, 1, 12, 5, 9))).to.equal('2026-03-01 12:05:09 UTC')
  })
})
