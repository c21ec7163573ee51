import { expect } from 'chai'
import { QueueRequests } from '../../../../src/domain/queue/queue-requests.js'

describe('QueueRequests', () => {
  it('tells of others who have asked about a queue, until the last of their requests is answered', () => {
    const requests = new QueueRequests<string>()
    expect(requests.hasOthers('a', 'q')).to.equal(false)
    requests.sent('b', 'q')
    requests.sent('b', 'q')
    requests.sent('c', 'q')
    const asked = (): boolean[] => ['a', 'b', 'c'].map((client) => requests.hasOthers(client, 'q'))
    expect(asked()).to.deep.equal([true, true, true])
    requests.answered('c', 'q')
    expect(asked()).to.deep.equal([true, false, true])
    requests.answered('b', 'q')
    expect(asked()).to.deep.equal([true, false, true])
    expect(requests.hasOthers('a', 'other')).to.equal(false)
    requests.answered('b', 'q')
    expect(asked()).to.deep.equal([false, false, false])
  })
})
