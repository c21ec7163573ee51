import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { namesOf, shortNameOf } from '../../../../src/adapters/tls/certificate-names.js'
import { FileCertificateStore } from '../../../../src/adapters/tls/file-certificate-store.js'
import { CertificateError } from '../../../../src/application/ports/certificate-store.js'
import type { Settings, TlsSettings, UpstreamTlsSettings } from '../../../../src/application/settings.js'
import { Secret } from '../../../../src/domain/secret.js'
import { type KeyPairFiles, TestAuthority, scratchFile, textOf } from '../../../support/certificates.js'
import { World } from '../../../support/fake-world.js'

const authority = new TestAuthority()
const [one, two] = [authority.server({ commonName: 'one' }), authority.server({ commonName: 'two' })]

const secrets = ({ cert, key }: KeyPairFiles): { cert: Secret; key: Secret } => ({
  cert: new Secret(cert),
  key: new Secret(key),
})
const base64 = (path: string): string => Buffer.from(textOf(path)).toString('base64')

function settings(
  tls: Partial<TlsSettings>,
  upstreamTls: Partial<UpstreamTlsSettings> = {},
): Pick<Settings, 'tls' | 'upstreamTls'> {
  return {
    tls: { ...World.defaults.tls, enabled: true, ...tls },
    upstreamTls: { ...World.defaults.upstreamTls, ...upstreamTls },
  }
}

function refusal(given: Pick<Settings, 'tls' | 'upstreamTls'>): string {
  try {
    new FileCertificateStore(given)
  } catch (error) {
    expect(error).to.be.instanceOf(CertificateError)
    return (error as Error).message
  }
  throw new Error('was not refused')
}

describe('FileCertificateStore', () => {
  it('takes paths, PEM, and base64 of PEM', () => {
    for (const form of [(path: string) => path, textOf, base64]) {
      const pair = { cert: form(one.cert), key: form(one.key) }
      const store = new FileCertificateStore(
        settings({ certificates: [secrets(pair)], ca: new Secret(form(authority.cert)) }),
      )
      expect(store.inUse.map(({ use, name }) => [use, name])).to.deep.equal([
        ['listener', 'one'],
        ['listener_ca', 'Warren test CA'],
      ])
    }
  })

  it('knows the dates of all that it has, once each', () => {
    const bundle = scratchFile('bundle.pem')
    writeFileSync(
      bundle,
      textOf(authority.cert) + textOf(new TestAuthority('Other').cert) + textOf(authority.cert),
    )
    const store = new FileCertificateStore(
      settings(
        { certificates: [secrets(one), secrets(two)] },
        { ca: new Secret(bundle), client: secrets(two) },
      ),
    )
    expect(store.inUse.map(({ use, name }) => `${use} ${name}`)).to.deep.equal([
      'listener one',
      'listener two',
      'upstream_client two',
      'upstream_ca Warren test CA',
      'upstream_ca Other',
    ])
    for (const { notBefore, notAfter } of store.inUse) {
      expect(notBefore).to.be.at.most(Date.now())
      expect(notAfter).to.be.above(Date.now())
    }
  })

  it('says what is wrong, where, and quotes nothing that may be a key', () => {
    const secret = 'aHVudGVyMmh1bnRlcjI='
    const cases: [Partial<TlsSettings>, RegExp][] = [
      [
        { certificates: [secrets({ cert: '/nowhere.pem', key: one.key })] },
        /^tls\.cert: can't read file \/nowhere\.pem: no such file$/,
      ],
      [
        { certificates: [secrets({ cert: one.cert, key: secret })] },
        /^tls\.key: can't read file \(not shown\): no such file$/,
      ],
      [
        { certificates: [secrets({ cert: one.cert, key: `${secret}\n${secret}` })] },
        /^tls\.key: neither the path of a file nor PEM/,
      ],
      [
        { certificates: [secrets({ cert: one.key, key: one.key })] },
        /^tls\.cert \(.*\): there is no certificate in it$/,
      ],
      [
        { certificates: [secrets({ cert: one.cert, key: one.cert })] },
        /^tls\.key \(.*\): there is no private key in it$/,
      ],
      [
        { certificates: [secrets(one), secrets({ cert: one.cert, key: two.key })] },
        /^tls\.key number 2 \(.*\): the key doesn't belong to the first certificate in tls\.cert number 2 .*, which is that of one$/,
      ],
      [
        { certificates: [secrets({ cert: one.cert, key: textOf(one.key).replace(/\n[^-]{20}/, '\n') })] },
        /^tls\.key \(given as PEM\): the private key can't be parsed$/,
      ],
      [
        { certificates: [secrets(one)], ca: new Secret('/tmp') },
        /^tls\.ca: can't read file \/tmp: it is a directory$/,
      ],
    ]
    for (const [tls, expected] of cases) {
      const message = refusal(settings(tls))
      expect(message).to.match(expected).and.not.contain(secret)
      expect(message).not.to.match(/[\n\r]/)
    }
  })

  it('says that a key is encrypted', () => {
    const key = textOf(one.key)
      .replace('BEGIN PRIVATE', 'BEGIN ENCRYPTED PRIVATE')
      .replace('END PRIVATE', 'END ENCRYPTED PRIVATE')
    expect(refusal(settings({ certificates: [secrets({ cert: one.cert, key })] }))).to.contain(
      'the private key is encrypted',
    )
  })

  it('reads the same paths anew, and keeps what it had when any of it is of no use', () => {
    const [cert, key] = [scratchFile('cert.pem'), scratchFile('key.pem')]
    const put = (pair: KeyPairFiles): void => {
      copyFileSync(pair.cert, cert)
      copyFileSync(pair.key, key)
    }
    put(one)
    const given = settings({ certificates: [secrets({ cert, key })] }, { client: secrets(one) })
    const store = new FileCertificateStore(given)
    let heard = 0
    store.onLoaded(() => heard++)
    const { listener, upstream, inUse } = store
    copyFileSync(two.cert, cert)
    expect(() => store.load(given)).to.throw(CertificateError)
    expect([store.listener, store.upstream, store.inUse, heard]).to.deep.equal([listener, upstream, inUse, 0])
    put(two)
    store.load(given)
    expect(store.inUse[0].name).to.equal('two')
    expect(store.listener).not.to.equal(listener)
    expect(heard).to.equal(1)
  })

  it('shows no key when it is inspected', () => {
    const store = new FileCertificateStore(settings({ certificates: [secrets(one)] }))
    const inner = textOf(one.key).split('\n')[1]
    expect(inspect(store, { depth: 9, showHidden: true })).not.to.contain(inner)
  })
})

describe('The names in a certificate', () => {
  const read = (commonName: string, names: string[] = []): X509Certificate =>
    new X509Certificate(readFileSync(authority.issue({ commonName, names }).cert))

  it('are the common name and the alternative ones, by kind and in order', () => {
    const names = ['DNS:a.example', 'email:a@b.example', 'URI:spiffe://x/y', 'DNS:b.example', 'IP:127.0.0.1']
    expect(namesOf(read('shop', names))).to.deep.equal({
      common_name: ['shop'],
      dns: ['a.example', 'b.example'],
      email: ['a@b.example'],
      uri: ['spiffe://x/y'],
    })
  })

  it('can hold what separates names elsewhere, without becoming several', () => {
    for (const name of ['a, DNS:evil.example', 'a\nCN=admin', 'a\\nCN=admin', 'a" + CN=admin', 'a=b;<c>#'])
      expect(namesOf(read(name)).common_name).to.deep.equal([name])
    const several = authority.issue({ subject: '/CN=shop/OU=till+CN=second' })
    const certificate = new X509Certificate(readFileSync(several.cert))
    expect(namesOf(certificate).common_name).to.deep.equal(['shop', 'second'])
    expect(namesOf(read('x', ['URI:https://a.example/?q=1'])).dns).to.deep.equal([])
    expect(shortNameOf(read('é'))).to.equal('é')
  })
})
