import { expect } from 'chai'
import type { FieldTable, FieldValue } from '../../../../src/domain/amqp/field-table.js'
import { textField } from '../../../../src/domain/amqp/field-table.js'
import * as id from '../../../../src/domain/amqp/method-ids.js'
import { methodFrame, readArguments } from '../../../../src/domain/amqp/method-layout.js'
import * as method from '../../../../src/domain/amqp/methods.js'
import {
  TRANSIENT_QUEUE,
  isMostlyHarmless,
  mayBeRisky,
  riskOf,
  trialOf,
} from '../../../../src/domain/channel/risky-requests.js'
import { viewOf } from '../../../support/frames.js'

const declareExchange = (
  type: string,
  more: { passive?: boolean; arguments?: FieldTable } = {},
): string | undefined =>
  riskOf(
    viewOf(
      methodFrame(method.ExchangeDeclare, 1, {
        ...{
          exchange: 'e',
          type,
          passive: false,
          durable: true,
          autoDelete: false,
          internal: false,
          noWait: false,
        },
        ...{ arguments: [], ...more },
      }),
    ),
  )

const declareQueue = (
  more: { passive?: boolean; durable?: boolean; exclusive?: boolean; arguments?: FieldTable } = {},
): string | undefined =>
  riskOf(
    viewOf(
      methodFrame(method.QueueDeclare, 1, {
        ...{ queue: 'q', passive: false, durable: true, exclusive: false, autoDelete: false, noWait: false },
        ...{ arguments: [], ...more },
      }),
    ),
  )

const consume = (offset: FieldValue): string | undefined =>
  riskOf(
    viewOf(
      methodFrame(method.BasicConsume, 1, {
        ...{ queue: 'q', consumerTag: '', noLocal: false, noAck: false, exclusive: false, noWait: false },
        arguments: [['x-stream-offset', offset]],
      }),
    ),
  )

describe('Risky requests', () => {
  for (const type of ['direct', 'fanout', 'topic', 'headers'])
    it(`are not the exchanges of type ${type}, which every broker has`, () => {
      expect(declareExchange(type)).to.equal(undefined)
    })

  for (const type of ['x-odd', '', 'Direct', 'direct '])
    it(`are exchanges of the type '${type}', and those with arguments of other types apart`, () => {
      expect(declareExchange(type)).to.equal(`exchange type '${type}'`)
      expect(declareExchange(type, { arguments: [['hash-header', { type: 'int32', value: 1 }]] })).to.equal(
        `exchange type '${type}' with hash-header: int32`,
      )
      const two: FieldTable = [
        ['a', { type: 'int32', value: 1 }],
        ['b', textField('x')],
      ]
      expect(declareExchange(type, { arguments: two })).to.equal(
        `exchange type '${type}' with a: int32, b: string`,
      )
    })

  it('are not passive declarations, which never look at the type', () => {
    expect(declareExchange('x-odd', { passive: true })).to.equal(undefined)
    expect(declareQueue({ passive: true, durable: false })).to.equal(undefined)
  })

  it('are transient queues that are not exclusive, but no others', () => {
    expect(declareQueue({ durable: false })).to.equal(TRANSIENT_QUEUE)
    expect(declareQueue({ durable: false, exclusive: true })).to.equal(undefined)
    expect(declareQueue()).to.equal(undefined)
  })

  it('are queues with a place for their master, each value by itself', () => {
    const locator = (value: FieldValue): string | undefined =>
      declareQueue({ arguments: [['x-queue-master-locator', value]] })
    expect(locator(textField('odd'))).to.equal("x-queue-master-locator = 'odd'")
    expect(locator({ type: 'bool', value: true })).to.equal('x-queue-master-locator = a value of type bool')
    expect(locator(textField('x'.repeat(200)))?.length).to.be.lessThan(100)
  })

  it('are queues whose messages may have an age that does not begin with a digit', () => {
    const age = (value: FieldValue): string | undefined => declareQueue({ arguments: [['x-max-age', value]] })
    for (const text of ['7D', '0', '9Y']) expect(age(textField(text)), text).to.equal(undefined)
    for (const text of ['/D', ':D']) expect(age(textField(text))).to.equal(`x-max-age = '${text}'`)
    expect(age({ type: 'int32', value: 7 }), 'refused without harm').to.equal(undefined)
    expect(age(textField('D'))).to.equal("x-max-age = 'D'")
    expect(age(textField(''))).to.equal("x-max-age = ''")
  })

  it('are consumers that begin at what is no place in a stream', () => {
    for (const offset of ['first', 'last', 'next', '7D'])
      expect(consume(textField(offset)), offset).to.equal(undefined)
    for (const type of ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const)
      expect(consume({ type, value: 1 }), type).to.equal(undefined)
    for (const type of ['int64', 'uint64', 'timestamp'] as const)
      expect(consume({ type, value: 1n }), type).to.equal(undefined)
    const plain = methodFrame(method.BasicConsume, 1, {
      ...{ queue: 'q', consumerTag: '', noLocal: false, noAck: false, exclusive: false, noWait: false },
      arguments: [],
    })
    expect([mayBeRisky(viewOf(plain)), riskOf(viewOf(plain))]).to.deep.equal([true, undefined])
    expect(consume(textField('middle'))).to.equal("consuming from 'q' with x-stream-offset = 'middle'")
    expect(consume({ type: 'bool', value: true })).to.contain('a value of type bool')
  })

  const ADDRESS =
    'amq.rabbitmq.reply-to.g1h2AA5yZXBseUAzNDI0MjUwMAAAArAAAAAAawGdyw==.nZIbEaEnL+Mg8/8p4/aTig=='

  it('are answers to direct reply-to, for each node by itself, which are tried by a question', () => {
    const publish = viewOf(
      methodFrame(method.BasicPublish, 1, {
        ...{ exchange: '', routingKey: ADDRESS, mandatory: false, immediate: false },
      }),
    )
    const kind = "an answer to direct reply-to at the node 'reply@34242500'"
    expect([mayBeRisky(publish), riskOf(publish)]).to.deep.equal([true, kind])
    const question = viewOf(trialOf(publish))
    expect(question.methodId).to.equal(id.QUEUE_DECLARE)
    expect(
      readArguments(method.QueueDeclare, question.bytes, question.payloadStart + 4, question.payloadEnd),
    ).to.deep.equal({
      ...{
        queue: ADDRESS,
        passive: true,
        durable: false,
        exclusive: false,
        autoDelete: false,
        noWait: false,
      },
      arguments: [],
    })
    expect(riskOf(question), 'asked by a client').to.equal(kind)
    expect(isMostlyHarmless(kind)).to.equal(true)
    expect(isMostlyHarmless(TRANSIENT_QUEUE)).to.equal(false)
  })

  it('are no other publishes', () => {
    const publish = viewOf(
      methodFrame(method.BasicPublish, 1, {
        ...{ exchange: 'e', routingKey: ADDRESS, mandatory: false, immediate: false },
      }),
    )
    expect([mayBeRisky(publish), riskOf(publish)]).to.deep.equal([false, undefined])
  })

  it('are tried as they are', () => {
    const declare = method.ExchangeDeclare
    const frame = viewOf(
      methodFrame(declare, 1, {
        ...{
          exchange: 'e',
          type: 'x-odd',
          passive: false,
          durable: true,
          autoDelete: false,
          internal: false,
        },
        ...{ noWait: false, arguments: [] },
      }),
    )
    expect(mayBeRisky(frame)).to.equal(true)
    expect(trialOf(frame)).to.deep.equal(frame.bytes.slice(frame.start, frame.end))
  })

  it('are none among other methods', () => {
    const frame = viewOf(
      methodFrame(method.BasicQos, 1, { prefetchSize: 0, prefetchCount: 1, global: false }),
    )
    expect([mayBeRisky(frame), riskOf(frame)]).to.deep.equal([false, undefined])
  })
})
