import { expect } from 'chai'
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, createServer as createNetServer } from 'node:net'
import { createSecureContext, createServer, type TlsOptions, TLSSocket } from 'node:tls'
import { NetDialer } from '../../../../src/adapters/net/net-dialer.js'
import { FileCertificateStore } from '../../../../src/adapters/tls/file-certificate-store.js'
import { TlsDialer } from '../../../../src/adapters/tls/tls-dialer.js'
import type { UpstreamTlsSettings } from '../../../../src/application/settings.js'
import type { Endpoint } from '../../../../src/application/ports/dialer.js'
import { Secret } from '../../../../src/domain/secret.js'
import { type KeyPairFiles, TestAuthority, selfSigned, textOf } from '../../../support/certificates.js'
import { World } from '../../../support/fake-world.js'

const authority = new TestAuthority()
const stranger = new TestAuthority('Stranger')

/** A dialer with these settings, and the endpoint on which `broker` listens from now on. */
async function dialling(broker: Server, upstreamTls: Partial<UpstreamTlsSettings>): Promise<Dialling> {
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  const settings = { ...World.defaults, upstreamTls: { ...World.defaults.upstreamTls, ...upstreamTls } }
  const { port } = broker.address() as AddressInfo
  return {
    dialer: new TlsDialer(new NetDialer(), new FileCertificateStore(settings)),
    endpoint: { host: 'localhost', address: '127.0.0.1', port, tls: true },
    withoutPort: (text) => text.replaceAll(String(port), 'PORT'),
  }
}

function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => undefined
  const given = new Promise<void>((resolve) => (give = resolve))
  return { given, give }
}

interface End {
  /** What the broker does. */
  readonly end?: (tls: TLSSocket, beneath: Socket) => void
  /** `before` somebody listens to the connection, `while` somebody does and has greeted the broker, or hasn't (`unasked`); or it is we who end it. */
  readonly when?: 'before' | 'while' | 'unasked' | 'ours'
}

interface Dialling {
  readonly dialer: TlsDialer
  readonly endpoint: Endpoint
  withoutPort(text: string): string
}

/** What becomes of a connection to a broker with this certificate. */
async function reasonFor(
  { cert, key }: KeyPairFiles,
  upstreamTls: Partial<UpstreamTlsSettings> = { ca: new Secret(authority.cert) },
  server: TlsOptions = {},
): Promise<string> {
  const broker = createServer({ cert: textOf(cert), key: textOf(key), ...server })
  broker.on('tlsClientError', () => undefined)
  const { dialer, endpoint, withoutPort } = await dialling(broker, upstreamTls)
  try {
    const stream = await dialer.dial(endpoint, 2000)
    stream.destroy()
    return 'connected'
  } catch (error) {
    return withoutPort((error as Error).message)
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

  // With TLS 1.3 the handshake is over for us before the broker has seen our certificate, or that there is none.
  describe('that the broker ends behind the handshake', () => {
    const tls13: TlsOptions = { minVersion: 'TLSv1.3' }
    const mutual: TlsOptions = { ...tls13, requestCert: true, ca: textOf(authority.cert) }
    const { cert, key } = stranger.issue({ commonName: 'warren' })
    const ours = { client: { cert: new Secret(cert), key: new Secret(key) } }

    it('with an alert, is told in the words of the alert', async () => {
      expect(await endOf(mutual, {}, { when: 'unasked' })).to.equal(
        `TLS: ${node} requires a client certificate: upstream_tls.client_cert and client_key`,
      )
    })

    it('with an alert that may get lost behind our greeting, is said to be about client certificates', async () => {
      expect(await endOf(mutual)).to.contain('client certificate')
    })

    const ends: [string, string, (tls: TLSSocket, beneath: Socket) => void][] = [
      ['in order', 'closed', (tls) => void tls.end()],
      ['without a word', 'closed', (_, beneath) => void beneath.end()],
      ['by a reset', 'c(?:ut|losed)', (_, beneath) => void beneath.resetAndDestroy()],
    ]
    for (const [how, verb, end] of ends)
      for (const when of ['before', 'while'] as const)
        it(`${how}, ${when} somebody listens, is said to be about client certificates perhaps`, async () => {
          const said = (text: string): RegExp =>
            new RegExp(
              `^TLS: localhost:PORT \\(127\\.0\\.0\\.1\\) ${verb} the connection right after the handshake; ${text}$`,
            )
          expect(await endOf(tls13, {}, { end, when })).to.match(
            said('it may require a client certificate \\(upstream_tls\\.client_cert\\)'),
          )
          expect(await endOf(tls13, ours, { end, when })).to.match(
            said('it may not take our client certificate'),
          )
        })

    it('once it has said something, is an end like any other', async () => {
      expect(await endOf(tls13, {}, { end: (tls) => void tls.end('AMQP') })).to.equal('in order')
    })

    it('because we have, needs no words', async () => {
      expect(await endOf(tls13, {}, { when: 'ours' })).to.equal('in order')
    })
  })

  /** With which reason a connection is gone that a broker ends when the handshake is done for it. */
  async function endOf(
    server: TlsOptions,
    upstreamTls: Partial<UpstreamTlsSettings> = {},
    { end = () => undefined, when = 'while' }: End = {},
  ): Promise<string> {
    const { cert, key } = authority.server()
    const secureContext = createSecureContext({ ...server, cert: textOf(cert), key: textOf(key) })
    const [mayEnd, hasEnded] = [signal(), signal()]
    const broker = createNetServer((beneath) => {
      const tls = new TLSSocket(beneath, {
        ...server,
        isServer: true,
        rejectUnauthorized: true,
        secureContext,
      })
      for (const socket of [beneath, tls]) socket.on('error', () => undefined)
      tls.resume()
      tls.once('secure', () => {
        void mayEnd.given.then(() => {
          end(tls, beneath)
          setImmediate(hasEnded.give)
        })
      })
    })
    const { dialer, endpoint, withoutPort } = await dialling(broker, {
      ca: new Secret(authority.cert),
      ...upstreamTls,
    })
    try {
      const stream = await dialer.dial(endpoint, 2000)
      if (when === 'before') {
        mayEnd.give()
        await hasEnded.given
      }
      return await new Promise((resolve) => {
        const onClose = (reason: Error | undefined): void =>
          resolve(reason === undefined ? 'in order' : withoutPort(reason.message))
        stream.setHandler({ onData: () => undefined, onDrain: () => undefined, onClose })
        // As Warren greets a broker: what the broker doesn't read makes a reset of its end.
        if (when !== 'unasked') stream.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
        if (when === 'ours') stream.end()
        else mayEnd.give()
      })
    } finally {
      broker.close()
    }
  }
})
