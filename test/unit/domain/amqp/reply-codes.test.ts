import { expect } from 'chai'
import { REPLY_NAMES, amqpError, connectionError } from '../../../../src/domain/amqp/reply-codes.js'

describe('amqpError', () => {
  const soft = [311, 312, 313, 403, 404, 405, 406]
  const hard = [320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541]

  it('has a name for every code of AMQP', () => {
    expect(Object.keys(REPLY_NAMES).map(Number)).to.deep.equal([...soft, ...hard].sort((a, b) => a - b))
  })

  for (const code of soft)
    it(`ends the channel alone with ${code}`, () => {
      expect(amqpError(code, 'x').scope).to.equal('channel')
    })

  for (const code of hard)
    it(`ends the connection with ${code}`, () => {
      expect(amqpError(code, 'x').scope).to.equal('connection')
    })

  it('puts the name before the text, as RabbitMQ does', () => {
    expect(amqpError(404, "no queue 'q' in vhost '/'", 0x32000a)).to.deep.equal({
      code: 404,
      text: "NOT_FOUND - no queue 'q' in vhost '/'",
      methodId: 0x32000a,
      scope: 'channel',
    })
  })

  it('leaves the text alone when the code has no name', () => {
    expect(amqpError(200, 'Goodbye')).to.deep.equal({
      code: 200,
      text: 'Goodbye',
      methodId: 0,
      scope: 'connection',
    })
  })
})

describe('connectionError', () => {
  it('ends the connection whatever the code, with the text as it is', () => {
    expect(connectionError(403, 'Login was refused', 7)).to.deep.equal({
      code: 403,
      text: 'Login was refused',
      methodId: 7,
      scope: 'connection',
    })
    expect(connectionError(320, 'x').methodId).to.equal(0)
  })
})
