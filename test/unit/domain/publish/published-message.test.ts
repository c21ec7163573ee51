import { expect } from 'chai'
import fc from 'fast-check'
import {
  PublishedMessage,
  describeMessage,
  withChannel,
  withExpiration,
} from '../../../../src/domain/publish/published-message.js'
import { framesIn } from '../../../support/frames.js'
import { publishFrames } from '../../../support/wire-format.js'
import { properties, shortText } from '../arbitraries.js'

const message = fc.record({
  exchange: shortText,
  routingKey: shortText,
  mandatory: fc.boolean(),
  properties,
  body: fc.string({ maxLength: 200 }),
  frameMax: fc.constantFrom(20, 4096),
})

function expirationOf(expiration: string): number | undefined {
  return new PublishedMessage(publishFrames(1, { properties: { expiration } })).expiration
}

describe('PublishedMessage', () => {
  it('tells what was published', () => {
    fc.assert(
      fc.property(message, (given) => {
        const { exchange, routingKey, isMandatory, bodySize } = new PublishedMessage(publishFrames(7, given))
        expect({ exchange, routingKey, isMandatory, bodySize }).to.deep.equal({
          exchange: given.exchange,
          routingKey: given.routingKey,
          isMandatory: given.mandatory,
          bodySize: Buffer.byteLength(given.body),
        })
      }),
    )
  })

  it('tells the expiration, whatever other properties there are', () => {
    fc.assert(
      fc.property(message, fc.nat(), (given, expiration) => {
        const bytes = publishFrames(7, {
          ...given,
          properties: { ...given.properties, expiration: String(expiration) },
        })
        expect(new PublishedMessage(bytes).expiration).to.equal(expiration)
      }),
    )
  })

  it('is described by where it went and how large it is', () => {
    const bytes = publishFrames(1, { exchange: 'orders', routingKey: 'eu.new', body: 'x'.repeat(5000) })
    expect(describeMessage(bytes)).to.deep.equal({ exchange: 'orders', routingKey: 'eu.new', size: 5000 })
  })

  it('has no expiration without the property', () => {
    expect(new PublishedMessage(publishFrames(7, { body: 'x' })).expiration).to.equal(undefined)
    const others = { contentType: '1', correlationId: '2', replyTo: '3', messageId: '4' }
    expect(new PublishedMessage(publishFrames(7, { properties: others })).expiration).to.equal(undefined)
  })

  it('reads as an expiration what RabbitMQ reads as one', () => {
    expect(['0', '1', '60000', '007', '+5', '4294967295'].map(expirationOf)).to.deep.equal([
      0, 1, 60_000, 7, 5, 4_294_967_295,
    ])
  })

  it('has no expiration when the broker will refuse the property', () => {
    for (const text of [
      '',
      ' ',
      '-1',
      '4294967296',
      '1.5',
      '1e3',
      '0x10',
      '5 ',
      ' 5',
      '5s',
      'NaN',
      'Infinity',
      '٣',
    ])
      expect(expirationOf(text), `'${text}'`).to.equal(undefined)
  })
})

describe('withExpiration', () => {
  it('changes the expiration and nothing else, whatever other properties there are', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(), (given, before, after) => {
        const frames = (expiration: string): Buffer =>
          publishFrames(7, { ...given, properties: { ...given.properties, expiration } })
        const bytes = frames(String(before))
        const copy = new Uint8Array(bytes)
        expect(Buffer.from(withExpiration(bytes, after))).to.deep.equal(frames(String(after)))
        // Those bytes may be on their way, or needed once more.
        expect(new Uint8Array(bytes)).to.deep.equal(copy)
      }),
    )
  })

  it('writes plain digits where RabbitMQ would have taken others', () => {
    for (const before of ['+500', '007'])
      expect(
        new PublishedMessage(withExpiration(publishFrames(1, { properties: { expiration: before } }), 3))
          .expiration,
      ).to.equal(3)
  })
})

describe('withChannel', () => {
  it('writes the channel into every frame of a copy, and leaves all else', () => {
    fc.assert(
      fc.property(message, fc.nat(0xffff), fc.nat(0xffff), (given, from, to) => {
        const bytes = publishFrames(from, given)
        expect(framesIn(withChannel(bytes, to))).to.deep.equal(framesIn(publishFrames(to, given)))
        expect(framesIn(bytes), 'those may be on their way').to.deep.equal(
          framesIn(publishFrames(from, given)),
        )
      }),
    )
  })

  it('copies nothing where all frames of a message have the number', () => {
    for (const channel of [1, 0xff, 0x100, 0xabcd, 0xffff]) {
      const bytes = publishFrames(channel, { body: 'x'.repeat(100), frameMax: 20 })
      expect(withChannel(bytes, channel)).to.equal(bytes)
    }
  })

  it('finds the one frame that has another number', () => {
    const message = publishFrames(0x0201, { body: 'x' })
    const [, header, body] = framesIn(message)
    const bodyAt = message.length - body.payload.length / 2 - 8
    const headerAt = bodyAt - header.payload.length / 2 - 8
    for (const frameAt of [0, headerAt, bodyAt])
      for (const other of [0x0101, 0x0202]) {
        const bytes = Buffer.from(message)
        bytes.writeUInt16BE(other, frameAt + 1)
        for (const channel of [0x0201, other])
          expect(framesIn(withChannel(bytes, channel)), `${frameAt}`).to.deep.equal(
            framesIn(publishFrames(channel, { body: 'x' })),
          )
      }
  })
})
