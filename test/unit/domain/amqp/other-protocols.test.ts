import { expect } from 'chai'
import fc from 'fast-check'
import { describeProtocol } from '../../../../src/domain/amqp/other-protocols.js'

const of = (...octets: number[]): Uint8Array => Uint8Array.from(octets)
const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')

describe('describeProtocol', () => {
  const known: [description: string, bytes: Uint8Array, from: string][] = [
    ['TLS on the plain port', of(0x16, 3, 1, 2, 0, 1, 0, 1), 'a TLS hello'],
    ['HTTP', latin1('GET / HTTP/1.1\r\n'), 'GET'],
    ['HTTP', latin1('OPTIONS * HTTP/1.1\r\n'), 'OPTIONS'],
    ['HTTP', latin1('PRI * HTTP/2.0\r\n'), 'the HTTP/2 preface'],
    ['the PROXY protocol', latin1('PROXY TCP4 1.2.3.4'), 'PROXY v1'],
    ['the PROXY protocol', latin1('\r\n\r\n\0\r\nQUIT\n'), 'PROXY v2'],
    ['MQTT', latin1('\x10\x1e\x00\x04MQTT\x04'), 'MQTT 3.1.1'],
    ['MQTT', latin1('\x10\x1e\x00\x06MQIsdp\x03'), 'MQTT 3.1'],
    ['AMQP 1.0', latin1('AMQP\x00\x01\x00\x00'), 'AMQP 1.0'],
    ['AMQP 1.0 with SASL', latin1('AMQP\x03\x01\x00\x00'), 'AMQP 1.0 with SASL'],
    ['AMQP with the version octets 1 1 8 0', latin1('AMQP\x01\x01\x08\x00'), 'AMQP 0-8'],
    ['AMQP with the version octets 1 1 0 9', latin1('AMQP\x01\x01\x00\x09'), 'AMQP 0-9'],
    ['AMQP with the version octets 1 1 0 10', latin1('AMQP\x01\x01\x00\x0a'), 'AMQP 0-10'],
    ['AMQP with the version octets 0 0', latin1('AMQP\x00\x00'), 'a header that ends early'],
    ['unknown bytes 53 53 48 2d 32 2e 30 2d', latin1('SSH-2.0-OpenSSH'), 'SSH'],
    ['unknown bytes 00 ff', of(0, 255), 'two bytes'],
    ['unknown bytes 16 02', of(0x16, 2), 'something like TLS'],
    ['unknown bytes 17 03 03 00', of(0x17, 3, 3, 0), 'TLS from its middle'],
    ['unknown bytes 10 00 4d 58', latin1('\x10\x00MX'), 'something like MQTT'],
    ['unknown bytes 20 4d 51', latin1('\x20MQ'), 'something else like MQTT'],
    ['unknown bytes 58 0d 0a 0d 0a 00 0d 0a', latin1('X\r\n\r\n\0\r\nQ'), 'a PROXY header in the middle'],
    ['AMQP with the version octets 0 2 0 0', latin1('AMQP\x00\x02\x00\x00'), 'AMQP 2.0'],
  ]
  for (const [description, bytes, from] of known) {
    it(`takes ${from} for "${description}"`, () => {
      expect(describeProtocol(bytes)).to.equal(description)
    })
  }

  it("doesn't take a verb without a space for HTTP", () => {
    expect(describeProtocol(latin1('GETTING'))).to.match(/^unknown bytes/)
  })

  it('describes any bytes in few words, and repeats no more than eight of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(describeProtocol(bytes)).to.equal(describeProtocol(bytes.slice(0, 8)))
        expect(describeProtocol(bytes).length).to.be.at.most('unknown bytes'.length + 8 * 3)
      }),
    )
  })
})
