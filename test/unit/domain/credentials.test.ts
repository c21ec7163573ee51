import { expect } from 'chai'
import fc from 'fast-check'
import { inspect } from 'node:util'
import { Credentials, type Mechanism } from '../../../src/domain/credentials.js'
import { Secret } from '../../../src/domain/secret.js'
import { hex } from '../../support/frames.js'
import { long, longstr, shortstr, table } from '../../support/wire-format.js'

/** A response of AMQPLAIN: a table without its length. */
function amqplain(fields: Parameters<typeof table>[0]): Buffer {
  return table(fields).subarray(4)
}

const notUtf8 = Buffer.of(0xff, 0xc3, 0x28)

describe('Credentials', () => {
  it('read a PLAIN response', () => {
    const credentials = Credentials.fromResponse('PLAIN', Buffer.from('\0guest\0secret'))!
    expect(credentials.user).to.equal('guest')
    expect(credentials.equals(new Credentials('guest', 'secret'))).to.equal(true)
  })

  it('read an AMQPLAIN response, in any order and with other fields', () => {
    const response = amqplain({ PASSWORD: 'secret', other: 1, LOGIN: 'guest' })
    const credentials = Credentials.fromResponse('AMQPLAIN', response)!
    expect(credentials.user).to.equal('guest')
    expect(credentials.equals(new Credentials('guest', 'secret'))).to.equal(true)
  })

  it('write the response of either mechanism', () => {
    const credentials = new Credentials('guest', 'secret')
    expect(hex(credentials.response('PLAIN'))).to.equal(hex(Buffer.from('\0guest\0secret')))
    expect(hex(credentials.response('AMQPLAIN'))).to.equal(
      hex(amqplain({ LOGIN: 'guest', PASSWORD: 'secret' })),
    )
  })

  it('keep every byte, UTF-8 or not, from one response to the next', () => {
    const withoutNul = fc.uint8Array({ maxLength: 300 }).map((bytes) => bytes.filter((octet) => octet !== 0))
    fc.assert(
      fc.property(withoutNul, withoutNul, (user, password) => {
        const credentials = new Credentials(user, password)
        for (const mechanism of ['PLAIN', 'AMQPLAIN'] as const) {
          const again = Credentials.fromResponse(mechanism, credentials.response(mechanism))!
          expect(again.equals(credentials)).to.equal(true)
          for (const other of ['PLAIN', 'AMQPLAIN'] as const)
            expect(hex(again.response(other))).to.equal(hex(credentials.response(other)))
        }
      }),
    )
  })

  it('tell apart users whose names look the same in a log', () => {
    const one = new Credentials(Uint8Array.of(0xff), 'secret')
    const other = new Credentials(Uint8Array.of(0xfe), 'secret')
    expect(one.user).to.equal(other.user)
    expect(one.equals(other)).to.equal(false)
  })

  it('are equal only when user and password are', () => {
    const credentials = new Credentials('guest', 'secret')
    expect(credentials.equals(new Credentials(Buffer.from('guest'), Buffer.from('secret')))).to.equal(true)
    for (const [user, password] of [
      ['guest', 'secreT'],
      ['guest', 'secre'],
      ['guest', 'secrets'],
      ['gues', 'secret'],
      ['guesT', 'secret'],
      ['guest', ''],
      ['guests', 'ecret'],
    ])
      expect(credentials.equals(new Credentials(user, password)), `${user} ${password}`).to.equal(false)
  })

  it('of the same user with another password are others', () => {
    const given = Buffer.from('sesame')
    const changed = new Credentials(notUtf8, 'secret').withPassword(given)
    given.fill(0x78)
    expect(changed.equals(new Credentials(notUtf8, 'sesame'))).to.equal(true)
    expect(changed.user).to.equal('\ufffd\ufffd(')
  })

  it('have a fingerprint that only equal ones share', () => {
    const print = (user: string, password: string): string =>
      new Credentials(user, password).fingerprint((bytes) => hex(bytes))
    expect(print('guest', 'secret')).to.equal(print('guest', 'secret'))
    const others = [
      print('guest', 'secre'),
      print('guests', 'ecret'),
      print('gues', 'tsecret'),
      print('', ''),
    ]
    expect(new Set([print('guest', 'secret'), ...others])).to.have.lengthOf(5)
  })

  it("don't change when the response's bytes are used for something else", () => {
    for (const [mechanism, response] of [
      ['PLAIN', Buffer.from('\0guest\0secret')],
      ['AMQPLAIN', amqplain({ LOGIN: 'guest', PASSWORD: 'secret' })],
    ] as [Mechanism, Buffer][]) {
      const credentials = Credentials.fromResponse(mechanism, response)!
      response.fill(0x78)
      expect(credentials.equals(new Credentials('guest', 'secret')), mechanism).to.equal(true)
    }
  })

  describe('refuse a response that', () => {
    const malformed: Record<string, [mechanism: Mechanism, response: Buffer]> = {
      'is empty': ['PLAIN', Buffer.alloc(0)],
      'is a single NUL': ['PLAIN', Buffer.from('\0')],
      'does not begin with NUL': ['PLAIN', Buffer.from('guest\0secret')],
      'has no second NUL': ['PLAIN', Buffer.from('\0guest')],
      'names an authorisation identity': ['PLAIN', Buffer.from('root\0guest\0secret')],
      'has a third NUL': ['PLAIN', Buffer.from('\0guest\0secret\0')],
      'is an empty table': ['AMQPLAIN', Buffer.alloc(0)],
      'has no PASSWORD': ['AMQPLAIN', amqplain({ LOGIN: 'guest' })],
      'has no LOGIN': ['AMQPLAIN', amqplain({ PASSWORD: 'secret' })],
      'has a LOGIN that is no text': ['AMQPLAIN', amqplain({ LOGIN: 1, PASSWORD: 'secret' })],
      'has a PASSWORD that is no text': ['AMQPLAIN', amqplain({ LOGIN: 'guest', PASSWORD: null })],
      'has lower-case names': ['AMQPLAIN', amqplain({ login: 'guest', password: 'secret' })],
      'has the length of its table in front': ['AMQPLAIN', table({ LOGIN: 'guest', PASSWORD: 'secret' })],
      'is cut off': ['AMQPLAIN', amqplain({ LOGIN: 'guest', PASSWORD: 'secret' }).subarray(0, -1)],
      'has a field that runs over the end': [
        'AMQPLAIN',
        Buffer.concat([shortstr('LOGIN'), Buffer.from('S'), long(100), longstr('x')]),
      ],
    }
    for (const [what, [mechanism, response]] of Object.entries(malformed))
      it(`${what} (${mechanism})`, () => {
        expect(Credentials.fromResponse(mechanism, response)).to.equal(undefined)
      })
  })

  it('take an empty user and an empty password for what they are: the broker refuses them', () => {
    const credentials = Credentials.fromResponse('PLAIN', Buffer.from('\0\0'))!
    expect(credentials.equals(new Credentials('', ''))).to.equal(true)
  })

  it('read any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.constantFrom<Mechanism>('PLAIN', 'AMQPLAIN'), fc.uint8Array(), (mechanism, response) => {
        Credentials.fromResponse(mechanism, response)
      }),
      { numRuns: 500 },
    )
  })

  it('show the password to nobody', () => {
    const password = 'correct horse battery staple'
    for (const credentials of [
      new Credentials('guest', password),
      Credentials.fromResponse('PLAIN', Buffer.from(`\0guest\0${password}`))!,
      Credentials.fromResponse('AMQPLAIN', amqplain({ LOGIN: 'guest', PASSWORD: password }))!,
    ]) {
      const shown = [
        inspect(credentials, { showHidden: true, depth: null }),
        inspect({ nested: [credentials] }, { showHidden: true, depth: null, getters: true }),
        JSON.stringify(credentials),
        // eslint-disable-next-line @typescript-eslint/no-base-to-string
        String(credentials),
        inspect(Object.getOwnPropertyDescriptors(credentials), { depth: null }),
        inspect({ ...credentials }),
      ].join('\n')
      expect(shown).to.include('guest')
      for (const trace of [
        password,
        hex(Buffer.from(password)),
        [...Buffer.from(password)].slice(0, 5).join(', '),
      ])
        expect(shown).not.to.include(trace)
    }
  })

  it('and secrets alike are shown to nobody but who asks for them', () => {
    const secret = new Secret('open sesame')
    const shown = [inspect(secret, { showHidden: true, depth: null }), JSON.stringify({ secret })].join()
    expect(shown).not.to.include('sesame')
    expect(secret.reveal()).to.equal('open sesame')
  })

  it('show a user name that is no UTF-8 as far as it can be shown', () => {
    expect(new Credentials(notUtf8, 'x').user).to.equal('\ufffd\ufffd(')
  })
})
