import { expect } from 'chai'
import { readClose } from '../../../../src/domain/amqp/close-error.js'
import { viewOf } from '../../../support/frames.js'
import { method } from '../../../support/wire-format.js'

describe('readClose', () => {
  for (const [name, scope] of [
    ['connection.close', 'connection'],
    ['channel.close', 'channel'],
  ] as const)
    it(`reads the error of the ${scope} from ${name}, in the peer's own words`, () => {
      const close = { code: 406, text: 'PRECONDITION_FAILED - so', classId: 60, methodId: 40 }
      expect(readClose(viewOf(method(1, name, close)))).to.deep.equal({
        code: 406,
        text: 'PRECONDITION_FAILED - so',
        methodId: 0x3c0028,
        scope,
      })
    })
})
