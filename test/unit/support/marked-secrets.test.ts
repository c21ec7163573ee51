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
})
