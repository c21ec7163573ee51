import { inspect } from 'node:util'
import { expect } from 'chai'
import { ConfigurationError } from '../../../../src/adapters/config/configuration-error.js'
import { type LoadedSettings, loadSettings } from '../../../../src/adapters/config/load-settings.js'
import { printConfig } from '../../../../src/adapters/config/print-config.js'
import { Credentials } from '../../../../src/domain/credentials.js'

function load(env: Record<string, string> = {}, file = ''): LoadedSettings {
  return loadSettings({ argv: [], env, cwd: '/work', readFile: () => file })
}

function refusal(env: Record<string, string>): string {
  try {
    load(env)
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigurationError)
    return (error as Error).message
  }
  throw new Error('was not refused')
}

const LISTENER = { AMQP_TLS_ENABLED: 'true', AMQP_TLS_CERT: '/c.pem', AMQP_TLS_KEY: '/k.pem' }

describe('the configuration of TLS', () => {
  it('takes the names that the environment of the first design had', () => {
    const { settings } = load({
      ...LISTENER,
      AMQP_TLS_CA: '/ca.pem',
      AMQP_UPSTREAM_TLS_ENABLED: 'true',
      AMQP_UPSTREAM_URL: 'amqp://rabbit',
      AMQP_UPSTREAM_CA: '/up-ca.pem',
      AMQP_UPSTREAM_CLIENT_CERT: '/up.crt',
      AMQP_UPSTREAM_CLIENT_KEY: '/up.key',
    })
    const { tls, upstreamTls, upstream } = settings
    expect(tls).to.include({ enabled: true, port: 5671, clientCertificates: 'required' })
    expect(tls.certificates.map(({ cert, key }) => [cert.reveal(), key.reveal()])).to.deep.equal([
      ['/c.pem', '/k.pem'],
    ])
    expect(tls.ca?.reveal()).to.equal('/ca.pem')
    expect(upstreamTls.ca?.reveal()).to.equal('/up-ca.pem')
    expect(upstreamTls.client?.cert.reveal()).to.equal('/up.crt')
    expect(upstreamTls.client?.key.reveal()).to.equal('/up.key')
    expect(upstream.endpoints).to.deep.equal([{ host: 'rabbit', port: 5671, tls: true }])
  })

  it('takes the names that the keys give, too', () => {
    const { settings } = load({ AMQP_UPSTREAM_TLS_CA: '/ca.pem', AMQP_UPSTREAM_URL: 'amqps://rabbit' })
    expect(settings.upstreamTls.ca?.reveal()).to.equal('/ca.pem')
  })

  it('takes several certificates, separated by commas or in a list', () => {
    const certificates = ({ settings }: LoadedSettings): string[][] =>
      settings.tls.certificates.map(({ cert, key }) => [cert.reveal(), key.reveal()])
    const both = [
      ['/a.pem', '/a.key'],
      ['/b.pem', '/b.key'],
    ]
    const enabled = 'AMQP_TLS_ENABLED'
    expect(
      certificates(
        load({ [enabled]: 'true', AMQP_TLS_CERT: '/a.pem,/b.pem', AMQP_TLS_KEY: '/a.key, /b.key' }),
      ),
    ).to.deep.equal(both)
    const file = '[tls]\nenabled = true\ncert = ["/a.pem", "/b.pem"]\nkey = ["/a.key", "/b.key"]'
    expect(certificates(load({}, file))).to.deep.equal(both)
  })

  it('asks clients for certificates as soon as it is said who issues them, unless told otherwise', () => {
    const asked = (more: Record<string, string>): string =>
      load({ ...LISTENER, ...more }).settings.tls.clientCertificates
    expect(asked({})).to.equal('none')
    expect(asked({ AMQP_TLS_CA: '/ca' })).to.equal('required')
    expect(asked({ AMQP_TLS_CA: '/ca', AMQP_TLS_CLIENT_CERTIFICATES: 'optional' })).to.equal('optional')
    expect(asked({ AMQP_TLS_CA: '/ca', AMQP_TLS_CLIENT_CERTIFICATES: 'none' })).to.equal('none')
  })

  it('reads which certificate stands for which login, percent-encoded where it must be', () => {
    const { settings } = load({
      ...LISTENER,
      AMQP_TLS_CA: '/ca',
      AMQP_TLS_EXTERNAL_LOGINS: 'shop-1=shop:a%2Cb%3Ac=d, shop-2=shop:a%2Cb%3Ac=d,\nspiffe%3A//x=y:z:1',
    })
    const { externalLogins } = settings.tls
    expect([...externalLogins.keys()]).to.deep.equal(['shop-1', 'shop-2', 'spiffe://x'])
    const shop = new Credentials('shop', 'a,b:c=d')
    expect(externalLogins.get('shop-1')?.equals(shop)).to.equal(true)
    expect(externalLogins.get('shop-2')?.equals(shop)).to.equal(true)
    expect(externalLogins.get('spiffe://x')?.equals(new Credentials('y', 'z:1'))).to.equal(true)
  })

  it('keeps keys and passwords out of everything that can be shown', () => {
    const secret = 'aHVudGVyMi1odW50ZXIy'
    const loaded = load({
      ...LISTENER,
      AMQP_TLS_KEY: secret,
      AMQP_TLS_CA: '/ca',
      AMQP_TLS_EXTERNAL_LOGINS: 'a=b:hunter2hunter2',
      AMQP_UPSTREAM_URL: 'amqps://h',
      AMQP_UPSTREAM_CLIENT_CERT: '/c',
      AMQP_UPSTREAM_CLIENT_KEY: secret,
    })
    for (const text of [
      inspect(loaded.settings, { depth: 9 }),
      printConfig(loaded),
      JSON.stringify(loaded.settings),
    ])
      expect(text).not.to.contain(secret).and.not.to.contain('hunter2')
    const wrong = refusal({ ...LISTENER, AMQP_TLS_EXTERNAL_LOGINS: 'a=b:hunter2,hunter3' })
    expect(wrong).to.contain('entry 2').and.not.to.contain('hunter')
  })

  const problems: [string, Record<string, string>, string][] = [
    ['no certificate', { AMQP_TLS_ENABLED: 'true' }, 'tls.cert: must be given, since tls.enabled is true'],
    [
      'a certificate without its key',
      { AMQP_TLS_ENABLED: 'true', AMQP_TLS_CERT: '/a' },
      'tls.key: must be given, since there is a tls.cert',
    ],
    [
      'a key without its certificate',
      { AMQP_TLS_KEY: '/a' },
      'tls.cert: must be given, since there is a tls.key',
    ],
    [
      'fewer keys than certificates',
      { ...LISTENER, AMQP_TLS_CERT: '/a,/b' },
      'each certificate needs its key: tls.cert names 2, and tls.key 1',
    ],
    ['nowhere to connect', { AMQP_LISTEN_ENABLED: 'false' }, 'no client could connect without tls.enabled'],
    [
      'one port for both',
      { ...LISTENER, AMQP_TLS_PORT: '5673' },
      'listen.port and tls.port are the same port, 5673, of one address',
    ],
    [
      'client certificates of nobody',
      { ...LISTENER, AMQP_TLS_CLIENT_CERTIFICATES: 'required' },
      'needs tls.ca',
    ],
    [
      'EXTERNAL without client certificates',
      { ...LISTENER, AMQP_TLS_EXTERNAL_LOGINS: 'a=b:c' },
      'needs tls.client_certificates',
    ],
    [
      'a client certificate without its key',
      { AMQP_UPSTREAM_CLIENT_CERT: '/c' },
      'upstream_tls.client_key: must be given, since there is an upstream_tls.client_cert',
    ],
    [
      'the key of a client certificate that is missing',
      { AMQP_UPSTREAM_CLIENT_KEY: '/c' },
      'upstream_tls.client_cert: must be given, since there is an upstream_tls.client_key',
    ],
    [
      'a network that is none',
      { AMQP_LISTEN_PROXY_PROTOCOL_FROM: '10.0.0.0/8,10.0.0.0/33' },
      '"10.0.0.0/33" is neither',
    ],
    [
      'two logins of one name',
      { ...LISTENER, AMQP_TLS_EXTERNAL_LOGINS: 'a=b:c,a=d:e' },
      'two entries for the same name',
    ],
  ]
  for (const [what, env, message] of problems)
    it(`refuses ${what}`, () => {
      expect(refusal(env)).to.contain(message)
    })

  it('warns loudly when the broker is not to be verified', () => {
    const { warnings } = load({ AMQP_UPSTREAM_URL: 'amqps://h', AMQP_UPSTREAM_TLS_SKIP_VERIFY: 'true' })
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.contain("THE BROKER'S CERTIFICATE IS NOT VERIFIED")
    expect(load({ AMQP_UPSTREAM_TLS_SKIP_VERIFY: 'true' }).warnings).to.deep.equal([])
  })

  it('warns of certificates that are not used', () => {
    const { warnings } = load({ AMQP_UPSTREAM_CA: '/ca', AMQP_TLS_CERT: '/c', AMQP_TLS_KEY: '/k' })
    expect(warnings.join('\n')).to.contain('upstream_tls.ca').and.to.contain('tls.cert')
  })

  it('takes addresses and networks of proxies', () => {
    const { settings } = load({ AMQP_LISTEN_PROXY_PROTOCOL_FROM: '10.0.0.0/8, 192.0.2.1,2001:db8::/32' })
    expect(settings.listen.proxyProtocolFrom).to.deep.equal(['10.0.0.0/8', '192.0.2.1/32', '2001:db8::/32'])
  })
})
