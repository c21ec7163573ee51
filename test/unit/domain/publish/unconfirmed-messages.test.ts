import { expect } from 'chai'
import {
  type UnconfirmedMessage,
  UnconfirmedMessages,
} from '../../../../src/domain/publish/unconfirmed-messages.js'

/** The `size`-th message has that many bytes, each with its number. */
const message = (size: number): UnconfirmedMessage => ({
  bytes: new Uint8Array(size).fill(size),
  expiresAt: size,
})

describe('UnconfirmedMessages', () => {
  let messages: UnconfirmedMessages

  beforeEach(() => {
    messages = new UnconfirmedMessages()
    for (let seq = 1; seq <= 5; seq++) expect(messages.add(message(seq))).to.equal(seq)
  })

  const state = (): number[] => [messages.count, messages.bytes]

  it('counts messages and bytes', () => {
    expect(state()).to.deep.equal([5, 15])
  })

  it('lets go of a message that the broker has confirmed', () => {
    expect(messages.settle(3, false)).to.deep.equal([message(3)])
    expect(state()).to.deep.equal([4, 12])
  })

  it('lets go of all up to the one that the broker has confirmed, in order', () => {
    messages.settle(2, false)
    expect(messages.settle(4, true)).to.deep.equal([message(1), message(3), message(4)])
    expect(state()).to.deep.equal([1, 5])
  })

  it('takes no notice of numbers that it does not know', () => {
    messages.settle(2, true)
    for (const seq of [0, 1, 2, 6, 100]) expect(messages.settle(seq, false)).to.deep.equal([])
    for (const seq of [0, 1, 2, 6, 100]) expect(messages.settle(seq, true)).to.deep.equal([])
    expect(state()).to.deep.equal([3, 12])
  })

  it('gives the unconfirmed ones away, in order and with their numbers, and goes on counting', () => {
    messages.settle(1, false)
    messages.settle(4, false)
    expect(messages.takeAll()).to.deep.equal([2, 3, 5].map((seq) => ({ seq, message: message(seq) })))
    expect(state()).to.deep.equal([0, 0])
    expect(messages.add(message(6))).to.equal(6)
    expect(messages.settle(6, true)).to.deep.equal([message(6)])
    expect(state()).to.deep.equal([0, 0])
  })
})
