import { expect } from 'chai'
import * as id from '../../../../src/domain/amqp/method-ids.js'
import { PendingRequests } from '../../../../src/domain/channel/pending-requests.js'

describe('PendingRequests', () => {
  let pending: PendingRequests

  beforeEach(() => {
    pending = new PendingRequests()
  })

  it('remember a request until its answer', () => {
    pending.sent(id.QUEUE_DECLARE)
    expect([pending.includes(id.QUEUE_DECLARE), pending.includes(id.QUEUE_BIND)]).to.deep.equal([true, false])
    pending.answered(id.QUEUE_DECLARE_OK)
    expect(pending.includes(id.QUEUE_DECLARE)).to.equal(false)
  })

  it('take an answer for everything before it, and nothing behind it', () => {
    for (const request of [id.QUEUE_BIND, id.QUEUE_DECLARE, id.BASIC_QOS]) pending.sent(request)
    pending.answered(id.QUEUE_DECLARE_OK)
    expect(
      [id.QUEUE_BIND, id.QUEUE_DECLARE, id.BASIC_QOS].map((request) => pending.includes(request)),
    ).to.deep.equal([false, false, true])
  })

  for (const [request, answer] of [
    [id.BASIC_GET, id.BASIC_GET_EMPTY],
    [id.BASIC_GET, id.BASIC_GET_OK],
    [id.EXCHANGE_UNBIND, id.EXCHANGE_UNBIND_OK],
    [id.QUEUE_UNBIND, id.QUEUE_UNBIND_OK],
    [id.TX_COMMIT, id.TX_COMMIT_OK],
  ]) {
    it(`know that 0x${answer.toString(16)} answers 0x${request.toString(16)}`, () => {
      pending.sent(request)
      pending.answered(answer)
      expect(pending.includes(request)).to.equal(false)
    })
  }

  for (const request of [
    id.BASIC_PUBLISH,
    id.BASIC_ACK,
    id.BASIC_NACK,
    id.BASIC_REJECT,
    id.BASIC_RECOVER_ASYNC,
  ]) {
    it(`remember 0x${request.toString(16)}, which nobody answers, until any answer`, () => {
      pending.sent(request)
      pending.sent(request)
      pending.sent(id.BASIC_QOS)
      expect(pending.includes(request)).to.equal(true)
      pending.answered(id.BASIC_QOS_OK)
      expect(pending.includes(request)).to.equal(false)
    })
  }

  it('tell whether there is any that should have an answer', () => {
    pending.sent(id.BASIC_PUBLISH)
    expect(pending.includes(0)).to.equal(false)
    pending.sent(id.BASIC_QOS)
    expect(pending.includes(0)).to.equal(true)
    pending.answered(id.BASIC_QOS_OK)
    expect(pending.includes(0)).to.equal(false)
  })

  it('remember what nobody answers when the answer is to something before it', () => {
    pending.sent(id.CONFIRM_SELECT)
    pending.published()
    pending.answered(id.CONFIRM_SELECT_OK)
    expect([pending.includes(id.BASIC_PUBLISH), pending.isEmpty]).to.deep.equal([true, false])
    pending.sent(id.QUEUE_BIND)
    pending.sent(id.QUEUE_DECLARE)
    pending.answered(id.QUEUE_DECLARE_OK)
    expect(pending.isEmpty).to.equal(true)
  })

  it('are empty again once the broker has answered the last of them', () => {
    expect(pending.isEmpty).to.equal(true)
    const cases = [
      () => pending.published(),
      () => pending.acknowledged(),
      () => pending.sent(id.BASIC_NACK),
      () => pending.sent(id.CONFIRM_SELECT, true),
      () => pending.sent(id.QUEUE_DECLARE),
    ]
    for (const send of cases) {
      send()
      expect(pending.isEmpty).to.equal(false)
      pending.sent(id.CHANNEL_FLOW)
      pending.answered(id.CHANNEL_FLOW_OK)
      expect(pending.isEmpty).to.equal(true)
    }
  })

  it('wait for no answer to a request that asked for none', () => {
    pending.sent(id.CONFIRM_SELECT, true)
    expect([pending.includes(0), pending.countIfOnly(id.CONFIRM_SELECT)]).to.deep.equal([false, 0])
  })

  it('are forgotten with the upstream channel', () => {
    pending.sent(id.BASIC_REJECT)
    pending.sent(id.QUEUE_DECLARE)
    pending.published()
    pending.forget()
    expect(pending.isEmpty).to.equal(true)
    for (const request of [id.BASIC_REJECT, id.QUEUE_DECLARE, id.BASIC_PUBLISH])
      expect(pending.includes(request)).to.equal(false)
    pending.sent(id.BASIC_QOS)
    pending.answered(id.QUEUE_DECLARE_OK)
    expect(pending.includes(id.BASIC_QOS), 'a late answer says nothing').to.equal(true)
  })

  it('say when there are many, until the broker has answered', () => {
    for (let count = 0; count < 128; count++) {
      expect(pending.isFull).to.equal(false)
      pending.sent(id.QUEUE_DECLARE)
    }
    expect(pending.isFull).to.equal(true)
    pending.answered(id.QUEUE_DECLARE_OK)
    expect(pending.isFull).to.equal(false)
  })

  it('ignore an answer that nobody asked for', () => {
    pending.answered(id.QUEUE_BIND_OK)
    pending.sent(id.QUEUE_DECLARE)
    pending.answered(id.QUEUE_BIND_OK)
    expect(pending.includes(id.QUEUE_DECLARE)).to.equal(true)
  })

  it('tell acknowledgements from publishes', () => {
    pending.acknowledged()
    expect([pending.includes(id.BASIC_ACK), pending.includes(id.BASIC_PUBLISH)]).to.deep.equal([true, false])
  })

  it('count requests of one kind where no others wait', () => {
    expect(pending.countIfOnly(id.BASIC_QOS)).to.equal(0)
    pending.sent(id.BASIC_QOS)
    pending.sent(id.BASIC_QOS)
    pending.acknowledged()
    expect(pending.countIfOnly(id.BASIC_QOS)).to.equal(2)
    pending.sent(id.QUEUE_BIND)
    expect(pending.countIfOnly(id.BASIC_QOS)).to.equal(-1)
    pending.answered(id.BASIC_QOS_OK)
    expect(pending.countIfOnly(id.BASIC_QOS), 'the other is in the way').to.equal(-1)
    pending.answered(id.BASIC_QOS_OK)
    pending.answered(id.QUEUE_BIND_OK)
    expect(pending.countIfOnly(id.BASIC_QOS)).to.equal(0)
  })
})
