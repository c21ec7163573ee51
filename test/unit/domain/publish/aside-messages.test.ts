import { expect } from 'chai'
import { type AsideMessage, AsideMessages } from '../../../../src/domain/publish/aside-messages.js'

function message(size: number, virtualHost = '/', user = 'guest'): Omit<AsideMessage, 'id'> {
  return {
    user,
    virtualHost,
    bytes: new Uint8Array(size),
    reason: 'NOT_FOUND',
    refusedAt: 0,
    expiresAtEpochMs: undefined,
    wasTold: false,
    record: undefined,
  }
}

describe('AsideMessages', () => {
  let aside: AsideMessages

  beforeEach(() => {
    aside = new AsideMessages({ maxMessages: 2, maxBytes: 100 })
  })

  const counts = (): number[] => [aside.length, aside.bytes]

  it('keeps messages in order, under ids that are never given again', () => {
    const ids = [aside.add(message(1)), aside.add(message(2))]
    expect(aside.take(ids[0])).to.deep.equal({ ...message(1), id: 1 })
    expect(aside.add(message(3))).to.equal(3)
    expect(aside.all.map(({ id }) => id)).to.deep.equal([2, 3])
    expect(counts()).to.deep.equal([2, 5])
  })

  it('has a message until it is taken', () => {
    const id = aside.add(message(1))
    expect(aside.get(id)).to.deep.equal({ ...message(1), id })
    aside.take(id)
    expect([aside.get(id), aside.take(id), aside.take(99)]).to.deep.equal([undefined, undefined, undefined])
    expect(counts()).to.deep.equal([0, 0])
  })

  it('has room for so many messages and bytes of each user in each virtual host', () => {
    aside.add(message(60))
    expect([aside.hasRoomFor(message(40)), aside.hasRoomFor(message(41))]).to.deep.equal([true, false])
    aside.add(message(1))
    expect(aside.hasRoomFor(message(1))).to.equal(false)
    expect(aside.hasRoomFor(message(100, 'other'))).to.equal(true)
    expect(aside.hasRoomFor(message(100, '/', 'other'))).to.equal(true)
    aside.take(1)
    expect(aside.hasRoomFor(message(99))).to.equal(true)
  })
})
