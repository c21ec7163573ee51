import { expect } from 'chai'
import fc from 'fast-check'
import { PROTOCOL_HEADER } from '../../../../src/domain/amqp/frame.js'
import { Greeting } from '../../../../src/domain/amqp/greeting.js'
import { concat, cutAt, utf8 } from '../../../support/frames.js'

describe('Greeting', () => {
  it('knows the protocol header, however it is split, and what came behind it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 7 })),
        (rest, cuts) => {
          const greeting = new Greeting()
          const chunks = cutAt(
            concat([PROTOCOL_HEADER, rest]),
            [...new Set(cuts)].sort((a, b) => a - b),
          )
          const verdicts = chunks.map((chunk) => greeting.push(chunk))
          expect(verdicts.pop()).to.equal('amqp')
          expect(verdicts.every((verdict) => verdict === 'incomplete')).to.equal(true)
          expect([...greeting.rest]).to.deep.equal([...rest])
        },
      ),
    )
  })

  it('says so at the first octet that differs', () => {
    for (let at = 0; at < PROTOCOL_HEADER.length; at++) {
      const bytes = PROTOCOL_HEADER.slice(0, at + 1)
      bytes[at] ^= 1
      expect(new Greeting().push(bytes)).to.equal('other')
    }
  })

  it('has kept all of another protocol, to tell what it is', () => {
    const greeting = new Greeting()
    greeting.push(utf8('AM'))
    expect(greeting.push(utf8('ISH / HTTP/1.1'))).to.equal('other')
    expect(Buffer.from(greeting.bytes).toString()).to.equal('AMISH / HTTP/1.1')
  })
})
