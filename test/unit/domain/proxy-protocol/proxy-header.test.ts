import { expect } from 'chai'
import fc from 'fast-check'
import { type ProxyHeader, ProxyHeaderReader } from '../../../../src/domain/proxy-protocol/proxy-header.js'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A header of version 2. */
function v2(versionAndCommand: number, family: number, rest: Buffer, length = rest.length): Buffer {
  const fixed = Buffer.alloc(4)
  fixed[0] = versionAndCommand
  fixed[1] = family
  fixed.writeUInt16BE(length, 2)
  return Buffer.concat([SIGNATURE, fixed, rest])
}

function inet(source: number[], port: number, more = Buffer.alloc(0)): Buffer {
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(port, 0)
  ports.writeUInt16BE(5672, 2)
  return Buffer.concat([Buffer.from(source), Buffer.alloc(source.length, 9), ports, more])
}

/** Reads `bytes` in pieces; how many of them are the header's, and what it says. */
function read(
  bytes: Uint8Array,
  pieces: readonly number[] = [],
): { taken: number; result: ProxyHeader | undefined } {
  const reader = new ProxyHeaderReader()
  let taken = 0
  let at = 0
  for (const size of [...pieces, bytes.length]) {
    const piece = bytes.subarray(at, at + size)
    const own = reader.push(piece)
    taken += own
    at += piece.length
    if (own < piece.length) break
  }
  return { taken, result: reader.result }
}

const proxied = (address: string): ProxyHeader => ({ kind: 'proxied', address })
const line = (text: string): Buffer => Buffer.from(`${text}\r\n`, 'latin1')

describe('ProxyHeaderReader', () => {
  const headers: [string, Buffer, ProxyHeader][] = [
    ['version 1, IPv4', line('PROXY TCP4 192.0.2.1 192.0.2.2 40000 5672'), proxied('192.0.2.1:40000')],
    ['version 1, IPv6', line('PROXY TCP6 2001:DB8::1 ::1 40000 5672'), proxied('[2001:db8::1]:40000')],
    ['version 1, IPv4 in IPv6', line('PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2'), proxied('192.0.2.1:1')],
    [
      'version 1, the largest IPv4 address and port',
      line('PROXY TCP6 ::FFFF:255.255.255.255 ::1 65535 65535'),
      proxied('255.255.255.255:65535'),
    ],
    [
      'version 1, IPv6 in full',
      line('PROXY TCP6 1:2:3:4:5:6:7:abcd ::1 1 2'),
      proxied('[1:2:3:4:5:6:7:abcd]:1'),
    ],
    [
      'version 1, all but one group',
      line('PROXY TCP6 1:2:3::5:6:7:8 ::1 1 2'),
      proxied('[1:2:3:0:5:6:7:8]:1'),
    ],
    [
      'version 1, IPv4 behind six groups',
      line('PROXY TCP6 1:2:3:4:5:6:192.0.2.1 ::1 1 2'),
      proxied('[1:2:3:4:5:6:c000:201]:1'),
    ],
    ['version 1, no address at all', line('PROXY TCP6 :: :: 0 0'), proxied('[::]:0')],
    ['version 1, unknown', line('PROXY UNKNOWN'), { kind: 'local' }],
    [
      'version 1, unknown with addresses',
      line(`PROXY UNKNOWN ${'f'.repeat(39)} ${'f'.repeat(39)} 65535 65535`),
      { kind: 'local' },
    ],
    ['version 2, IPv4', v2(0x21, 0x11, inet([192, 0, 2, 1], 40000)), proxied('192.0.2.1:40000')],
    [
      'version 2, IPv6',
      v2(0x21, 0x21, inet([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 40000)),
      proxied('[2001:db8::1]:40000'),
    ],
    [
      'version 2, IPv4 in IPv6',
      v2(0x21, 0x21, inet([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1], 7)),
      proxied('192.0.2.1:7'),
    ],
    [
      'version 2, IPv6 that ends like IPv4 in IPv6',
      v2(0x21, 0x21, inet([0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1], 7)),
      proxied('[2001::ffff:c000:201]:7'),
    ],
    [
      'version 2, IPv6 that begins like IPv4 in IPv6',
      v2(0x21, 0x21, inet([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 192, 0, 2, 1], 7)),
      proxied('[::1:c000:201]:7'),
    ],
    [
      'version 2 with TLVs',
      v2(0x21, 0x11, inet([192, 0, 2, 1], 1, Buffer.alloc(5000, 0x20))),
      proxied('192.0.2.1:1'),
    ],
    [
      'version 2, as long as can be',
      v2(0x21, 0x11, inet([192, 0, 2, 1], 1, Buffer.alloc(65_523))),
      proxied('192.0.2.1:1'),
    ],
    ['version 2, the proxy itself', v2(0x20, 0x00, Buffer.alloc(0)), { kind: 'local' }],
    [
      'version 2, the proxy itself, with addresses',
      v2(0x20, 0x11, inet([192, 0, 2, 1], 1)),
      { kind: 'local' },
    ],
    ['version 2, a Unix socket', v2(0x21, 0x31, Buffer.alloc(216)), { kind: 'local' }],
    ['version 2, unspecified', v2(0x21, 0x00, Buffer.alloc(3)), { kind: 'local' }],
  ]
  for (const [what, bytes, expected] of headers) {
    it(`reads ${what}, and nothing of what follows`, () => {
      const following = Buffer.concat([bytes, Buffer.from('AMQP\0\0\x09\x01', 'latin1')])
      expect(read(following)).to.deep.equal({ taken: bytes.length, result: expected })
    })

    it(`reads ${what} the same at any split`, () => {
      const following = Buffer.concat([bytes, Buffer.from('AMQP\0\0\x09\x01', 'latin1')])
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 300 }), (pieces) => {
          expect(read(following, pieces)).to.deep.equal({ taken: bytes.length, result: expected })
        }),
        { numRuns: 30 },
      )
    })

    it(`waits for all of ${what}, and for nothing behind it`, () => {
      const reader = new ProxyHeaderReader()
      expect(reader.push(bytes.subarray(0, -1))).to.equal(bytes.length - 1)
      expect(reader.result).to.equal(undefined)
      expect(reader.push(bytes.subarray(-1))).to.equal(1)
      expect(reader.result).to.deep.equal(expected)
    })
  }

  const malformed: [string, Buffer, string][] = [
    ['AMQP', Buffer.from('AMQP\0\0\x09\x01', 'latin1'), 'does not begin with a PROXY header'],
    ['TLS', Buffer.from('1603010200', 'hex'), 'does not begin with a PROXY header'],
    [
      'a wrong signature',
      Buffer.concat([SIGNATURE.subarray(0, 11), Buffer.alloc(20)]),
      'does not begin with a PROXY header',
    ],
    ['version 1 without an end', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`), 'has no end'],
    ['version 1 with a bare line feed', Buffer.from('PROXY UNKNOWN\n'), 'has no end'],
    ['another protocol', line('PROXY UDP4 192.0.2.1 192.0.2.2 1 2'), 'makes no sense'],
    ['an address that is none', line('PROXY TCP4 192.0.2.256 192.0.2.2 1 2'), 'makes no sense'],
    ['IPv6 for IPv4', line('PROXY TCP4 ::1 ::1 1 2'), 'makes no sense'],
    ['IPv6 that is none', line('PROXY TCP6 1::2::3 ::1 1 2'), 'makes no sense'],
    ...[
      ...['1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4::5:6:7:8', '1:2:3:4:5:6:7:8::', '1::2::', ':1'],
      ...['12345::', 'x1::', '1x::', '1:2:3:4:5:6:7:g', '1:2:3:4:5:6:7:192.0.2.1', '1:2:3:4:5:192.0.2.1'],
      ...['::192.0.2.256', '::192.0.2', '1.2.3.4::', '192.0.2.1', 'x'],
    ].map((address): [string, Buffer, string] => [
      `${address} as IPv6`,
      line(`PROXY TCP6 ${address} ::1 1 2`),
      'makes no sense',
    ]),
    ...['192.0.2', '192.0.2.1.1', '1192.0.2.1', '192.0.2.1234', '192.0.2.x', '256.0.2.1'].map(
      (address): [string, Buffer, string] => [
        `${address} as IPv4`,
        line(`PROXY TCP4 ${address} 192.0.2.2 1 2`),
        'makes no sense',
      ],
    ),
    ['another protocol with IPv6', line('PROXY UDP6 ::1 ::1 1 2'), 'makes no sense'],
    ['a port that is none', line('PROXY TCP4 192.0.2.1 192.0.2.2 65536 2'), 'makes no sense'],
    ['a port with a zero in front', line('PROXY TCP4 192.0.2.1 192.0.2.2 01 2'), 'makes no sense'],
    ['too few parts', line('PROXY TCP4 192.0.2.1 192.0.2.2 1'), 'makes no sense'],
    ['too many parts', line('PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3'), 'makes no sense'],
    ['version 3', v2(0x31, 0x11, inet([1, 2, 3, 4], 1)), 'of version 3'],
    ['an unknown command', v2(0x22, 0x11, inet([1, 2, 3, 4], 1)), 'the command 2'],
    ['too little for IPv4', v2(0x21, 0x11, Buffer.alloc(11)), 'too short'],
    ['too little for IPv6', v2(0x21, 0x21, Buffer.alloc(35)), 'too short'],
  ]
  for (const [what, bytes, reason] of malformed)
    it(`says what is wrong with ${what}`, () => {
      const { result } = read(bytes)
      expect(result).to.include({ kind: 'malformed' })
      expect((result as { reason: string }).reason).to.contain(reason)
    })

  it('says at the first byte that it is no header', () => {
    const reader = new ProxyHeaderReader()
    reader.push(Buffer.from('A'))
    expect(reader.result?.kind).to.equal('malformed')
  })

  it('takes nothing more once it is done', () => {
    const reader = new ProxyHeaderReader()
    reader.push(line('PROXY UNKNOWN'))
    expect(reader.push(Buffer.from('more'))).to.equal(0)
  })

  it('never throws, whatever comes, says the same at any split, and is done within the bound', () => {
    const beginnings = fc.constantFrom(
      Buffer.alloc(0),
      SIGNATURE,
      Buffer.from('PROXY '),
      Buffer.from('PROXY TCP4 '),
    )
    fc.assert(
      fc.property(
        beginnings,
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 }),
        (beginning, rest, pieces) => {
          const bytes = Buffer.concat([beginning, rest])
          const whole = read(bytes)
          expect(read(bytes, pieces)).to.deep.equal(whole)
          const isV2 = bytes.subarray(0, 12).equals(SIGNATURE)
          if (!isV2 && bytes.length >= 107) expect(whole.result).not.to.equal(undefined)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('knows an address by one name, however version 1 spells it', () => {
    const hostOf = (protocol: string, source: string): string | undefined => {
      const { result } = read(line(`PROXY ${protocol} ${source} ${source} 1 2`))
      return result?.kind === 'proxied' ? result.address : undefined
    }
    for (const spelling of ['2001:db8::1', '2001:DB8:0::1', '2001:db8:0:0:0:0:0:1', '2001:0db8::0.0.0.1'])
      expect(hostOf('TCP6', spelling), spelling).to.equal('[2001:db8::1]:1')
    for (const spelling of ['::ffff:192.0.2.1', '::FFFF:c000:201', '0:0:0:0:0:ffff:192.0.2.001'])
      expect(hostOf('TCP6', spelling), spelling).to.equal('192.0.2.1:1')
    expect(hostOf('TCP4', '192.000.2.01')).to.equal('192.0.2.1:1')
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        // WHATWG's parser doesn't know IPv4 in IPv6 from any other address, and writes it in hexadecimal.
        const { hostname } = new URL(`amqp://[${text}]`)
        if (!hostname.startsWith('[::ffff:')) expect(hostOf('TCP6', text)).to.equal(`${hostname}:1`)
      }),
    )
  })

  it('writes every IPv6 address as others read it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (octets) => {
        for (let at = 0; at < 16; at++) if (octets[at] < 128) octets[at] = 0
        const { result } = read(v2(0x21, 0x21, inet([...octets], 1)))
        const host = (result as { address: string }).address.replace(/:1$/, '')
        if (host.startsWith('[')) expect(new URL(`amqp://${host}`).hostname).to.equal(host)
      }),
    )
  })
})
