import { expect } from 'chai'
import { certificateProblems } from '../../../../src/adapters/tls/certificate-problems.js'
import type { Settings, TlsSettings, UpstreamTlsSettings } from '../../../../src/application/settings.js'
import { Secret } from '../../../../src/domain/secret.js'
import { type KeyPairFiles, TestAuthority } from '../../../support/certificates.js'
import { World } from '../../../support/fake-world.js'

const authority = new TestAuthority()
const [one, two] = [authority.server({ commonName: 'one' }), authority.server({ commonName: 'two' })]

const pair = ({ cert, key }: KeyPairFiles): { cert: Secret; key: Secret } => ({
  cert: new Secret(cert),
  key: new Secret(key),
})

function problemsOf(
  tls: Partial<TlsSettings>,
  upstreamTls: Partial<UpstreamTlsSettings> = {},
): [keys: string, line: string][] {
  const settings: Pick<Settings, 'tls' | 'upstreamTls'> = {
    tls: { ...World.defaults.tls, enabled: true, ...tls },
    upstreamTls: { ...World.defaults.upstreamTls, ...upstreamTls },
  }
  return certificateProblems(settings).map(({ keys, line }) => [keys.join(' '), line])
}

describe('certificateProblems', () => {
  it('finds nothing in certificates that can be used', () => {
    expect(
      problemsOf(
        { certificates: [pair(one), pair(two)], ca: new Secret(authority.cert) },
        { client: pair(two), ca: new Secret(authority.cert) },
      ),
    ).to.deep.equal([])
  })

  it('lists every mistake, each with its keys', () => {
    const none = { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' }
    expect(
      problemsOf(
        {
          certificates: [pair({ cert: one.cert, key: two.key }), pair(none), pair({ ...two, key: two.cert })],
          ca: new Secret(one.key),
        },
        { client: pair({ cert: two.key, key: two.key }), ca: new Secret('/nowhere/ca.pem') },
      ),
    ).to.deep.equal([
      [
        'tls.cert tls.key',
        `tls.key number 1 (${two.key}): the key doesn't belong to the first certificate in tls.cert number 1 (${one.cert}), which is that of one`,
      ],
      ['tls.cert', "tls.cert number 2: can't read file /nowhere/cert.pem: no such file"],
      ['tls.key', "tls.key number 2: can't read file /nowhere/key.pem: no such file"],
      ['tls.key', `tls.key number 3 (${two.cert}): there is no private key in it`],
      ['tls.ca', `tls.ca (${one.key}): there is no certificate in it`],
      ['upstream_tls.client_cert', `upstream_tls.client_cert (${two.key}): there is no certificate in it`],
      ['upstream_tls.ca', "upstream_tls.ca: can't read file /nowhere/ca.pem: no such file"],
    ])
  })

  it('leaves it to others that a key is missing altogether', () => {
    const keyless = { cert: new Secret('/nowhere'), key: new Secret('') }
    expect(problemsOf({ certificates: [keyless] })).to.deep.equal([
      ['tls.cert', "tls.cert: can't read file /nowhere: no such file"],
    ])
    expect(problemsOf({ certificates: [{ cert: new Secret(one.cert), key: new Secret('') }] })).to.deep.equal(
      [],
    )
  })

  it('does not look at what a listener without TLS would not use', () => {
    expect(
      problemsOf({ enabled: false, certificates: [pair({ cert: '/nowhere', key: '/nowhere' })] }),
    ).to.deep.equal([])
  })
})
