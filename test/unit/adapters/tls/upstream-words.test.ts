import { expect } from 'chai'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type TlsOptions } from 'node:tls'
import { NetDialer } from '../../../../src/adapters/net/net-dialer.js'
import { FileCertificateStore } from '../../../../src/adapters/tls/file-certificate-store.js'
import { TlsDialer } from '../../../../src/adapters/tls/tls-dialer.js'
import type { UpstreamTlsSettings } from '../../../../src/application/settings.js'
import { Secret } from '../../../../src/domain/secret.js'
import { type KeyPairFiles, TestAuthority, selfSigned, textOf } from '../../../support/certificates.js'
import { World } from '../../../support/fake-world.js'

const authority = new TestAuthority()
const stranger = new TestAuthority('Stranger')

/** What becomes of a connection to a broker with this certificate. */
async function reasonFor(
  { cert, key }: KeyPairFiles,
  upstreamTls: Partial<UpstreamTlsSettings> = { ca: new Secret(authority.cert) },
  server: TlsOptions = {},
): Promise<string> {
  const broker = createServer({ cert: textOf(cert), key: textOf(key), ...server })
  broker.on('tlsClientError', () => undefined)
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  const settings = { ...World.defaults, upstreamTls: { ...World.defaults.upstreamTls, ...upstreamTls } }
  const dialer = new TlsDialer(new NetDialer(), new FileCertificateStore(settings))
  const { port } = broker.address() as AddressInfo
  try {
    const stream = await dialer.dial({ host: 'localhost', address: '127.0.0.1', port, tls: true }, 2000)
    stream.destroy()
    return 'connected'
  } catch (error) {
    return (error as Error).message.replaceAll(String(port), 'PORT')
  } finally {
    broker.close()
  }
}

const node = 'localhost:PORT (127.0.0.1)'

describe('TLS to the broker', () => {
  it('is there when the certificate is good', async () => {
    expect(await reasonFor(authority.server())).to.equal('connected')
  })

  it('says when the certificate has expired, and when it did', async () => {
    expect(await reasonFor(authority.server({ days: -1 }))).to.match(
      /^TLS: the certificate of localhost:PORT \(127\.0\.0\.1\) expired on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/,
    )
  })

  it('says who issued it when that is nobody known', async () => {
    expect(await reasonFor(stranger.server())).to.equal(
      `TLS: the certificate of ${node} was issued by an unknown CA (Stranger); upstream_tls.ca says which are known`,
    )
    expect(await reasonFor(authority.server(), {})).to.contain('issued by an unknown CA (Warren test CA)')
  })

  it('says that it is self-signed; in upstream_tls.ca it is known', async () => {
    const own = selfSigned()
    expect(await reasonFor(own)).to.equal(
      `TLS: the certificate of ${node} is self-signed (localhost) and not in upstream_tls.ca`,
    )
    expect(await reasonFor(own, { ca: new Secret(own.cert) })).to.equal('connected')
  })

  it('says which name was expected and which it has', async () => {
    const other = authority.issue({ commonName: 'x', names: ['DNS:rabbit.example', 'IP:192.0.2.1'] })
    expect(await reasonFor(other)).to.equal(
      `TLS: the certificate of ${node} is for another name: expected localhost, it has rabbit.example, 192.0.2.1`,
    )
    const ca = new Secret(authority.cert)
    expect(await reasonFor(other, { ca, serverName: 'rabbit.example' })).to.equal('connected')
    expect(await reasonFor(authority.server(), { ca, serverName: 'rabbit.example' })).to.contain(
      'expected rabbit.example, it has localhost, 127.0.0.1',
    )
  })

  it('takes any certificate where that is asked for', async () => {
    for (const pair of [selfSigned(), stranger.server(), authority.server({ days: -1 })])
      expect(await reasonFor(pair, { skipVerify: true })).to.equal('connected')
  })

  it('says that there is no version of TLS in common', async () => {
    const old: TlsOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    expect(await reasonFor(authority.server(), undefined, old)).to.contain('no version of TLS in common')
  })

  it('says that the broker may require a certificate, where TLS 1.2 leaves that open', async () => {
    const mutual: TlsOptions = { requestCert: true, ca: textOf(authority.cert), maxVersion: 'TLSv1.2' }
    expect(await reasonFor(authority.server(), undefined, mutual)).to.equal(
      `TLS: ${node} refused the handshake: no cipher in common, or it requires a client certificate (upstream_tls.client_cert)`,
    )
  })
})
