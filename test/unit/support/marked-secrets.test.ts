import { inspect } from 'node:util'
import { expect } from 'chai'
import { MarkedSecrets } from '../../support/marked-secrets.js'

describe('MarkedSecrets', () => {
  const secrets = new MarkedSecrets()
  const secret = secrets.of('password')
  secrets.of('another')

  const disguises: Record<string, string> = {
    'as it is': `before ${secret} after`,
    'as part of a JSON text': JSON.stringify({ url: `amqp://u:${secret}@h` }),
    'in a URL': `amqp://u:${secrets.inUrl('password')}@h`,
    'cut off in front and behind': secret.slice(3, -2),
    'in capitals': secret.toUpperCase(),
    'in an inspected buffer': inspect(Buffer.from(`x${secret}`)),
    'in an inspected array of bytes': inspect(new Uint8Array(Buffer.from(secret))),
    'in hexadecimal': Buffer.from(secret).toString('hex'),
    ...Object.fromEntries(
      ['', 'u', '\0u', '\0u\0', 'Basic'].flatMap((before) => {
        const bytes = Buffer.from(`${before}${secret}${before}`)
        return [
          [`in base64 behind ${before.length} bytes`, bytes.toString('base64')],
          [`in base64 for URLs behind ${before.length} bytes`, bytes.toString('base64url')],
          [
            `in base64 with line breaks behind ${before.length} bytes`,
            bytes.toString('base64').replace(/.{7}/g, '$&\n'),
          ],
        ]
      }),
    ),
  }
  for (const [disguise, text] of Object.entries(disguises)) {
    it(`finds a secret ${disguise}`, () => {
      expect(new Set(secrets.tracesIn(text).map((trace) => trace.secret))).to.deep.equal(
        new Set(['password']),
      )
    })
  }

  it('finds none in what holds none', () => {
    expect(secrets.tracesIn('a+/=? *** amqp://u:***@h')).to.deep.equal([])
  })

  it('gives the same secret for the same name', () => {
    expect(secrets.of('password')).to.equal(secret)
    expect(secrets.of('a third')).not.to.equal(secret)
  })

  it('finds a key in PEM, and in what PEM is put into', () => {
    const own = new MarkedSecrets()
    const pem = `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n${'bC+/'.repeat(16)}\nDD==\n-----END PRIVATE KEY-----\n`
    own.follow('key', pem)
    for (const text of [
      pem,
      JSON.stringify({ pem }),
      inspect({ pem }),
      Buffer.from(pem).toString('base64'),
      Buffer.from(pem).toString('hex'),
    ])
      expect(own.tracesIn(text)).to.have.length.above(0)
    expect(own.tracesIn('-----BEGIN PRIVATE KEY-----\n')).to.deep.equal([])
  })
})
