import { expect } from 'chai'
import { redacted, shown } from '../../../../src/adapters/config/redaction.js'
import { type ConfigurationEntry, entries } from '../../../../src/adapters/config/schema.js'
import type { SecretPart } from '../../../../src/adapters/config/schema/entry.js'

const plain = entries.find(({ key }) => key === 'listen.address')!
const entry = (secret: SecretPart): ConfigurationEntry => ({ ...plain, secret })

describe('redacted', () => {
  it('hides all of a secret, and shows that there is none', () => {
    for (const value of ['hunter2', 7, ['hunter2']])
      expect(String(redacted(entry('all'), value))).to.equal('***')
    expect(redacted(entry('all'), '')).to.equal('')
  })

  it('shows where a key is, and hides the key itself', () => {
    const key = entry('unless-path')
    for (const path of ['/etc/warren/key.pem', './a b.key', '~/k.p8', 'a.pem,b.pem', '/run/secrets/tls-key'])
      expect(redacted(key, path)).to.equal(path)
    const base64 = Buffer.from('-----BEGIN PRIVATE KEY-----').toString('base64')
    for (const text of [
      base64,
      '-----BEGIN PRIVATE KEY-----\nMIIB.pem',
      'MIIBAbc/def',
      `/${'bC'.repeat(31)}+`,
      `/${'bC'.repeat(20)}`,
      `a.pem,${base64}`,
      `${base64},a.pem`,
    ])
      expect(redacted(key, text)).to.equal('***')
    expect(redacted(key, ['a.pem', base64])).to.deep.equal(['a.pem', '***'])
  })

  it('hides the credentials in URLs, one or several', () => {
    const url = entry('credentials')
    expect(redacted(url, 'amqp://u:hunter2@h')).to.equal('amqp://***@h')
    expect(redacted(url, ['amqp://u:hunter2@h'])).to.deep.equal(['amqp://***@h'])
  })

  it('leaves alone what is no secret', () => {
    for (const value of ['text', 7, true, ['a']]) expect(redacted(plain, value)).to.equal(value)
  })
})

describe('shown', () => {
  it('shows nothing of a secret that is wrong, whatever it looks like', () => {
    for (const secret of ['all', 'unless-path'] as const)
      for (const value of ['hunter2', 'hunter2.pem', '', ['hunter2'], { hunter2: 1 }])
        expect(shown(entry(secret), value)).to.equal('***')
  })
})
