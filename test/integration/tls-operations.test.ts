import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { missingClient } from '../../scripts/client-packages.mjs'
import { type KeyPairFiles, TestAuthority, scratchFile, selfSigned } from '../support/certificates.js'
import { ClientProgram } from '../support/client-program.js'
import { eventually } from '../support/eventually.js'
import { RabbitMqBroker } from '../support/rabbitmq-broker.js'
import { numbered } from '../support/sessions.js'
import { SteadyPublisher } from '../support/steady-publisher.js'
import { type LogLine, WarrenProcess, runToExit } from '../support/warren-process.js'
import { PROTOCOL_HEADER, WireClient } from '../support/wire-client.js'

const authority = new TestAuthority()
const stranger = new TestAuthority('Nobody knows this CA')
const forWarren = authority.server({ commonName: 'warren', rsa: true })
const ofShop = authority.issue({ commonName: 'shop-1', rsa: true })
const ofTill = authority.issue({ commonName: 'till' })
const ofStranger = stranger.issue({ commonName: 'shop-1' })
const ofYesterday = authority.issue({ commonName: 'shop-1', days: -1 })

const show = ({ cert, key }: KeyPairFiles): ConnectionOptions => ({
  ca: readFileSync(authority.cert),
  cert: readFileSync(cert),
  key: readFileSync(key),
})
const trust: ConnectionOptions = { ca: readFileSync(authority.cert) }

describe('TLS in operation', function () {
  this.timeout(180_000)
  /** Takes only TLS clients with a certificate on its TLS port. */
  let broker: RabbitMqBroker
  let warren: WarrenProcess | undefined

  before(async () => {
    const forBroker = authority.server({ commonName: 'rabbit' })
    broker = await RabbitMqBroker.start({ tls: { ...forBroker, ca: authority.cert, clients: 'required' } })
    await broker.addUser('shop', 'sesame', { vhosts: ['/'] })
  })
  after(() => broker.stop())
  afterEach(async () => {
    await warren?.stop()
    warren = undefined
    await broker.deleteAllQueues()
  })

  async function start(args: string[], url: string | number = broker.port): Promise<WarrenProcess> {
    warren = await WarrenProcess.start(url, args)
    return warren
  }

  const listener = ({ cert, key }: KeyPairFiles = forWarren): string[] => [
    ...['--tls-enabled', 'true', '--tls-port', '0', '--tls-cert', cert, '--tls-key', key],
  ]

  /** The line that Warren writes about a connection that it didn't accept. */
  const notAccepted = (): Promise<LogLine> =>
    eventually(() => {
      const line = warren!.lines('connection not accepted').at(-1)
      if (line === undefined) throw new Error('every connection was accepted')
      return line
    })

  /** Connects with TLS and sees what becomes of it. */
  async function handshake(
    options: ConnectionOptions,
  ): Promise<{ socket: TLSSocket; error: Error | undefined }> {
    const socket = connectTls({
      port: warren!.tlsPort,
      host: '127.0.0.1',
      servername: 'localhost',
      ...options,
    })
    return new Promise((resolve) => {
      // With TLS 1.3 a server refuses a client's certificate behind the handshake.
      socket.once('error', (error: Error) => resolve({ socket, error }))
      socket.once('close', () => resolve({ socket, error: new Error('closed') }))
      socket.once('data', () => resolve({ socket, error: undefined }))
      socket.once('secureConnect', () => socket.write('AMQP\0\0\x09\x01'))
    })
  }

  describe('The listener', () => {
    it('serves plain clients and clients with TLS on ports of their own', async () => {
      const { port, tlsPort } = await start(listener())
      const clients = [await WireClient.connect(port), await WireClient.connect(tlsPort, { tls: trust })]
      await Promise.all(clients.map((client) => client.openChannel(1)))
      for (const client of clients) await client.close()
    })

    it('says that a client without TLS came to the TLS port, and one with TLS to the plain port', async () => {
      await start(listener())
      const plain = await WireClient.dial(warren!.tlsPort)
      plain.sendProtocolHeader()
      await plain.closed
      expect(await notAccepted()).to.include({
        level: 'warn',
        reason: 'a client without TLS on the TLS port',
      })
      expect((await notAccepted())['remote']).to.match(/^127\.0\.0\.1:\d+$/)
      const secure = connectTls({ port: warren!.port, host: '127.0.0.1', ...trust })
      await new Promise((resolve) => secure.once('error', resolve))
      await eventually(() =>
        expect(warren!.lines('not an AMQP 0-9-1 client')[0]).to.include({
          looksLike: 'TLS on the plain port',
        }),
      )
    })

    it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
      await start(listener())
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const { socket, error } = await handshake({ ...trust, minVersion: version, maxVersion: version })
        expect(error).to.equal(undefined)
        expect(socket.getProtocol()).to.equal(version)
        expect(socket.getCipher().name).to.match(/GCM|POLY1305/)
        socket.destroy()
      }
      const old = { ...trust, minVersion: 'TLSv1' as const, maxVersion: 'TLSv1.1' as const }
      expect((await handshake({ ...old, ciphers: 'DEFAULT@SECLEVEL=0' })).error).not.to.equal(undefined)
      expect((await notAccepted())['reason']).to.contain('no version in common')
    })

    it('ignores what a client says in ALPN', async () => {
      await start(listener())
      const { socket, error } = await handshake({ ...trust, ALPNProtocols: ['h2', 'amqp'] })
      expect(error).to.equal(undefined)
      expect(socket.alpnProtocol).to.equal(false)
      socket.destroy()
    })

    it('chooses among several certificates by the name that the client asks for', async () => {
      const other = authority.issue({
        commonName: 'other',
        names: ['DNS:other.example', 'DNS:*.wild.example'],
      })
      const pem = readFileSync(other.cert).toString('base64')
      const key = readFileSync(other.key).toString('base64')
      await start(listener({ cert: `${forWarren.cert},${pem}`, key: `${forWarren.key},${key}` }))
      for (const [name, expected] of [
        ['other.example', 'other'],
        ['a.wild.example', 'other'],
        ['localhost', 'warren'],
        ['unknown.example', 'warren'],
        ['', 'warren'],
      ]) {
        const { socket } = await handshake({
          ...trust,
          servername: name,
          checkServerIdentity: () => undefined,
        })
        expect(socket.getPeerCertificate().subject.CN, name).to.equal(expected)
        socket.destroy()
      }
    })

    it('ends a handshake that does not come to its end, and says so', async () => {
      await start([...listener(), '--client-handshake-timeout', '0.3'])
      const silent = await WireClient.dial(warren!.tlsPort)
      silent.send(Buffer.from('1603', 'hex'))
      await silent.closed
      expect((await notAccepted())['reason']).to.equal('no TLS handshake within 0.3 s')
    })

    it('bounds how many handshakes are under way at the same time', async () => {
      await start([...listener(), '--client-max-pending', '2'])
      const silent = [await WireClient.dial(warren!.tlsPort), await WireClient.dial(warren!.tlsPort)]
      const third = await WireClient.dial(warren!.tlsPort)
      await third.closed
      for (const client of silent) client.socket.destroy()
      await eventually(async () => (await WireClient.connect(warren!.tlsPort, { tls: trust })).close())
    })

    it('does not warn of a connection that only looks whether the port is open', async () => {
      await start(listener())
      const probe = connect(warren!.tlsPort, '127.0.0.1')
      await new Promise((resolve) => probe.once('connect', resolve))
      probe.end()
      const client = await WireClient.connect(warren!.tlsPort, { tls: trust })
      await client.close()
      expect(warren!.lines('connection not accepted')).to.have.length(0)
    })

    it('requires a certificate of its CA where there is a CA, and says whose it did not take', async () => {
      await start([...listener(), '--tls-ca', authority.cert])
      const good = await handshake(show(ofShop))
      expect(good.error).to.equal(undefined)
      good.socket.destroy()
      const reasons: [ConnectionOptions, RegExp][] = [
        [trust, /the client has no certificate/],
        [show(ofStranger), /wasn't issued by a CA in tls.ca/],
        [show(ofYesterday), /has expired/],
        [show(selfSigned()), /wasn't issued by a CA in tls.ca/],
      ]
      for (const [at, [options, reason]] of reasons.entries()) {
        expect((await handshake(options)).error).not.to.equal(undefined)
        await eventually(() => expect(warren!.lines('connection not accepted')).to.have.length(at + 1))
        expect((await notAccepted())['reason']).to.match(reason)
      }
    })

    it('asks for a certificate where it is optional, takes clients without, and none with a wrong one', async () => {
      await start([...listener(), '--tls-ca', authority.cert, '--tls-client-certificates', 'optional'])
      for (const options of [trust, show(ofShop)]) {
        const { socket, error } = await handshake(options)
        expect(error).to.equal(undefined)
        socket.destroy()
      }
      expect((await handshake(show(ofStranger))).error).not.to.equal(undefined)
      expect((await notAccepted())['reason']).to.equal(
        "TLS: the certificate of shop-1 wasn't issued by a CA in tls.ca",
      )
    })
  })

  describe('The broker', () => {
    const at = (host = 'localhost'): string => `amqps://${host}:${broker.tlsPort}`
    const known = ['--upstream-tls-ca', authority.cert]
    const identity = ({ cert, key }: KeyPairFiles): string[] => [
      ...['--upstream-tls-client-cert', cert, '--upstream-tls-client-key', key],
    ]

    for (const [what, args, host, reason] of [
      [
        'whose CA nobody knows',
        identity(ofShop),
        'localhost',
        'was issued by an unknown CA (Warren test CA)',
      ],
      [
        'with a certificate for another name',
        [...known, ...identity(ofShop)],
        '127.0.0.2',
        'expected 127.0.0.2, it has localhost, 127.0.0.1',
      ],
      ['that does not know our CA', [...known, ...identity(ofStranger)], 'localhost', 'client certificate'],
      ['that requires a certificate, and gets none', known, 'localhost', 'client certificate'],
    ] as const)
      it(`${what} is not used: the log, /readyz and the client hear why`, async () => {
        // The broker listens on 127.0.0.1 only.
        const url = host === 'localhost' ? at() : `amqps://${host}:${broker.tlsPort}`
        const direct = host === 'localhost' ? [] : ['--upstream-tls-server-name', host]
        await start([...args, ...direct], host === 'localhost' ? url : at())
        await eventually(() =>
          expect(
            String(warren!.lines('broker unreachable: clients are told so until it answers')[0]['reason']),
          ).to.contain(reason),
        )
        const answer = await fetch(`http://127.0.0.1:${warren!.managementPort}/readyz`)
        expect(answer.status).to.equal(503)
        expect(((await answer.json()) as { reasons: string[] }).reasons[0]).to.contain(reason)
        const client = await WireClient.dial(warren!.port)
        client.sendProtocolHeader()
        await client.receiveStart()
        client.startOk()
        const close = await client.expectMethod('connection.close')
        expect(close.code).to.equal(503)
        expect(close.text).to.contain(reason)
        client.socket.destroy()
      })

    it('that speaks no TLS is named so', async () => {
      await start(known, `amqps://127.0.0.1:${broker.port}`)
      await eventually(() =>
        expect(JSON.stringify(warren!.log)).to.contain(
          `127.0.0.1:${broker.port} does not speak TLS; is that its plain port?`,
        ),
      )
    })

    it('is not verified where that is asked for, and the start says so loudly', async () => {
      await start(['--upstream-tls-skip-verify', 'true', ...identity(ofShop)], at())
      const client = await WireClient.connect(warren!.port)
      await client.close()
      expect(warren!.log.filter(({ level }) => level === 'warn')[0].message).to.contain(
        "THE BROKER'S CERTIFICATE IS NOT VERIFIED",
      )
    })

    it('is asked for the name that is configured, and must have it', async () => {
      await start([...known, ...identity(ofShop), '--upstream-tls-server-name', 'localhost'], at('127.0.0.1'))
      const client = await WireClient.connect(warren!.port)
      await client.close()
    })
  })

  describe('EXTERNAL', () => {
    const external = { mechanism: 'EXTERNAL', response: '' }
    const logins = 'shop-1=shop:sesame,shop-2=shop:sesame'
    const args = [
      ...listener(),
      '--tls-ca',
      authority.cert,
      '--tls-client-certificates',
      'optional',
      '--tls-external-logins',
      logins,
    ]

    it('logs a client in by its certificate, and shares the pool of that user', async () => {
      await start(args)
      const client = await WireClient.connect(warren!.tlsPort, { tls: show(ofShop), ...external })
      const neighbour = await WireClient.connect(warren!.port, { user: 'shop', password: 'sesame' })
      await client.openChannel(1)
      await neighbour.openChannel(1)
      // The one on which Warren asked who the broker is goes by itself.
      await eventually(async () =>
        expect((await broker.connections()).map(({ user }) => user)).to.deep.equal(['shop']),
      )
      expect(client.mechanisms).to.include('EXTERNAL')
      expect(neighbour.mechanisms).not.to.include('EXTERNAL')
      await client.close()
      await neighbour.close()
    })

    it('is refused to other certificates, and the log says which name has no login', async () => {
      await start(args)
      const client = await WireClient.dial(warren!.tlsPort, '127.0.0.1', show(ofTill))
      client.sendProtocolHeader()
      await client.receiveStart()
      client.startOk(external)
      expect((await client.expectMethod('connection.close')).code).to.equal(403)
      client.method(0, 'connection.close-ok')
      await client.closed
      await eventually(() =>
        expect(warren!.lines('client disconnected')[0]['reason']).to.contain(
          'no login for the certificate name "till"',
        ),
      )
    })

    it('serves pika, with confirms and a consumer', async function () {
      if (missingClient('pika') !== undefined) this.skip()
      await start(args)
      const { cert, key } = ofShop
      const program = ClientProgram.start('pika/tls.py', [
        warren!.tlsPort,
        authority.cert,
        cert,
        key,
        'q',
        30,
      ])
      expect(JSON.parse((await program.succeeds()).at(-1)!)).to.deep.equal(numbered('', 30))
    })
  })

  it('serves php-amqp, whose every request connects anew', async function () {
    if (missingClient('php-amqp') !== undefined) this.skip()
    await start([...listener(), '--tls-ca', authority.cert])
    const { cert, key } = ofShop
    const program = ClientProgram.start('php-amqp/tls.php', [
      warren!.tlsPort,
      authority.cert,
      cert,
      key,
      'q',
      20,
    ])
    expect(JSON.parse((await program.succeeds()).at(-1)!)).to.deep.equal(numbered('', 20))
  })

  it('passes the verification of openssl s_client', async () => {
    await start(listener())
    const args = ['s_client', '-connect', `127.0.0.1:${warren!.tlsPort}`, '-CAfile', authority.cert]
    const strict = [
      '-verify_return_error',
      '-verify_hostname',
      'localhost',
      '-servername',
      'localhost',
      '-ign_eof',
    ]
    // Another protocol: Warren answers with its own header, and ends the connection.
    const output = execFileSync('openssl', [...args, ...strict], {
      input: 'HELO 1.0\r\n',
      timeout: 60_000,
    }).toString('latin1')
    expect(output).to.contain('Verify return code: 0 (ok)').and.to.contain('AMQP\0\0\x09\x01')
  })

  describe('A reload', () => {
    const [cert, key] = [scratchFile('cert.pem'), scratchFile('key.pem')]
    const put = (pair: KeyPairFiles): void => {
      copyFileSync(pair.cert, cert)
      copyFileSync(pair.key, key)
    }
    const shown = async (): Promise<string> => {
      const { socket } = await handshake(trust)
      const name = socket.getPeerCertificate().subject.CN
      socket.destroy()
      return String(name)
    }

    beforeEach(() => put(forWarren))

    it('gives new clients the new certificate, and disturbs none of those that are in', async () => {
      await start(listener({ cert, key }))
      const publishers = await Promise.all(
        [0, 1, 2, 3].map((n) => SteadyPublisher.connect(warren!.tlsPort, `p${n}`, 'q', true, { tls: trust })),
      )
      const setUp = await WireClient.connect(broker.port)
      await setUp.openChannel(1)
      await setUp.declareQueue(1, 'q', {})
      await setUp.close()
      for (const publisher of publishers) publisher.start(1)
      for (let round = 0; round < 5; round++) {
        put(authority.server({ commonName: `warren ${round}` }))
        warren!.signal('SIGHUP')
        await eventually(async () => expect(await shown()).to.equal(`warren ${round}`))
      }
      for (const publisher of publishers) await publisher.stop(90_000)
      for (const publisher of publishers) {
        expect(publisher.error).to.equal(undefined)
        expect(publisher.sent).to.be.above(0)
        expect(publisher.confirmed.size).to.equal(publisher.sent)
      }
      await eventually(() => expect(warren!.lines('configuration reloaded')).to.have.length(5))
    })

    it('with a certificate that is of no use changes nothing, and says why', async () => {
      await start(listener({ cert, key }))
      const reload = async (): Promise<{ status: number; error: string }> => {
        const answer = await fetch(`http://127.0.0.1:${warren!.managementPort}/reload`, { method: 'POST' })
        return { status: answer.status, error: ((await answer.json()) as { error: string }).error }
      }
      const wrongs: [() => void, RegExp][] = [
        [() => copyFileSync(ofTill.key, key), /the key doesn't belong to the first certificate .* of warren/],
        [() => writeFileSync(cert, 'nonsense'), /there is no PEM in the file/],
        [
          () => writeFileSync(cert, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'),
          /certificate 1 can't be parsed/,
        ],
        [() => copyFileSync(cert, key), /there is no private key in it/],
      ]
      for (const [spoil, reason] of wrongs) {
        put(forWarren)
        spoil()
        const { status, error } = await reload()
        expect(status).to.equal(409)
        expect(error).to.match(reason)
        expect(await shown()).to.equal('warren')
      }
      await eventually(() =>
        expect(warren!.lines('certificates not reloaded: those that were in use stay')).to.have.length(
          wrongs.length,
        ),
      )
      put(authority.server({ commonName: 'mended' }))
      expect((await reload()).status).to.equal(200)
      expect(await shown()).to.equal('mended')
    })

    it('with an expired certificate uses it, and warns in the log, in /readyz and in the metrics', async () => {
      await start(listener({ cert, key }))
      put(authority.server({ commonName: 'late', days: -1 }))
      warren!.signal('SIGHUP')
      const warning = /^the certificate of the listener \(late\) expired on \d{4}-/
      await eventually(() => expect(warren!.log.some(({ message }) => warning.test(message))).to.equal(true))
      const management = `http://127.0.0.1:${warren!.managementPort}`
      const readiness = (await (await fetch(`${management}/readyz`)).json()) as { warnings: string[] }
      expect(readiness.warnings[0]).to.match(warning)
      const metrics = await (await fetch(`${management}/metrics`)).text()
      const value = /^warren_certificate_expiry_timestamp_seconds\{use="listener",name="late"\} (\d+)$/m.exec(
        metrics,
      )
      expect(Number(value![1])).to.be.within(Date.now() / 1000 - 2 * 86_400, Date.now() / 1000)
    })
  })

  it('stops the start with one line when a certificate is of no use, and so does --check', async () => {
    const args = listener({ cert: forWarren.cert, key: ofTill.key })
    for (const more of [[], ['--check']]) {
      const { code, stderr } = await runToExit([...args, ...more])
      expect(code).to.equal(78)
      expect(stderr).to.match(/^warren: tls\.key \(.*\): the key doesn't belong to the first certificate/)
      expect(stderr.trim().split('\n')).to.have.length(1)
    }
  })

  describe('Behind a proxy', () => {
    const args = [...listener(), '--listen-proxy-protocol-from', '127.0.0.0/8']
    const remotes = async (): Promise<string[]> => {
      const answer = await fetch(`http://127.0.0.1:${warren!.managementPort}/clients`)
      return ((await answer.json()) as { clients: { remote_address: string }[] }).clients.map(
        (client) => client.remote_address,
      )
    }

    it('knows clients by the address that the proxy tells, with and without TLS', async () => {
      await start(args)
      const header = 'PROXY TCP4 192.0.2.7 192.0.2.8 4711 5672\r\n'
      const plain = await WireClient.dial(warren!.port)
      // In one piece with what the client says.
      plain.send(Buffer.from(`${header}AMQP\0\0\x09\x01`, 'latin1'))
      await plain.receiveStart()
      expect(await remotes()).to.deep.equal(['192.0.2.7:4711'])
      plain.socket.destroy()
      await eventually(() =>
        expect(warren!.lines('client disconnected')[0]).to.include({ remote: '192.0.2.7:4711' }),
      )
      const tcp = connect(warren!.tlsPort, '127.0.0.1')
      tcp.write(header)
      const secure = connectTls({ socket: tcp, servername: 'localhost', ...trust })
      secure.write('AMQP\0\0\x09\x01')
      await new Promise((resolve) => secure.once('data', resolve))
      expect(await remotes()).to.deep.equal(['192.0.2.7:4711'])
      secure.destroy()
    })

    /** Version 2 as its specification has it: signature, version and command, family, length, addresses, extensions. */
    const v2 = (command: 'LOCAL' | 'PROXY', family: number, addresses: Buffer): Buffer => {
      // PP2_TYPE_AUTHORITY, which nobody here wants to know.
      const extension = Buffer.from('0200076578616d706c65', 'hex')
      const length = Buffer.alloc(2)
      length.writeUInt16BE(addresses.length + extension.length)
      const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
      const commands = { LOCAL: 0x20, PROXY: 0x21 }
      return Buffer.concat([signature, Buffer.of(commands[command], family), length, addresses, extension])
    }
    const ports = Buffer.of(0x12, 0x67, 0x16, 0x28)
    const inet = Buffer.concat([Buffer.of(192, 0, 2, 7, 192, 0, 2, 8), ports])
    const inet6 = Buffer.concat([Buffer.from(`20010db8${'00'.repeat(11)}07`.repeat(2), 'hex'), ports])

    it('reads version 2 of the header, in pieces or with what follows, with and without TLS', async () => {
      await start(args)
      const own = /^127\.0\.0\.1:\d+$/
      for (const [header, address] of [
        [v2('PROXY', 0x11, inet), /^192\.0\.2\.7:4711$/],
        [v2('PROXY', 0x21, inet6), /^\[2001:db8::7\]:4711$/],
        // The proxy speaks for itself, whatever else stands there.
        [v2('LOCAL', 0, Buffer.alloc(0)), own],
        [v2('LOCAL', 0x11, inet), own],
      ] as const) {
        const plain = await WireClient.dial(warren!.port)
        plain.send(Buffer.concat([header, PROTOCOL_HEADER]))
        await plain.receiveStart()
        const tcp = connect(warren!.tlsPort, '127.0.0.1')
        for (const octet of header) tcp.write(Buffer.of(octet))
        const secure = connectTls({ socket: tcp, servername: 'localhost', ...trust })
        secure.write(PROTOCOL_HEADER)
        await new Promise((resolve) => secure.once('data', resolve))
        const seen = await remotes()
        expect(seen).to.have.length(2)
        for (const remote of seen) expect(remote).to.match(address)
        plain.socket.destroy()
        secure.destroy()
        await eventually(async () => expect(await remotes()).to.have.length(0))
      }
    })

    it('closes a connection with a broken header of version 2, and says why', async () => {
      await start(args)
      const client = await WireClient.dial(warren!.port)
      client.send(Buffer.concat([v2('PROXY', 0x21, inet).fill(0x31, 12, 13), PROTOCOL_HEADER]))
      await client.closed
      expect((await notAccepted())['reason']).to.equal('its PROXY header is of version 3')
      const short = await WireClient.dial(warren!.port)
      short.send(Buffer.concat([v2('PROXY', 0x21, inet), PROTOCOL_HEADER]))
      await short.closed
      await eventually(async () =>
        expect((await notAccepted())['reason']).to.equal('its PROXY header is too short for its addresses'),
      )
    })

    it('closes a connection without a header, and says why', async () => {
      await start(args)
      const client = await WireClient.dial(warren!.port)
      client.sendProtocolHeader()
      await client.closed
      expect((await notAccepted())['reason']).to.equal('the connection does not begin with a PROXY header')
    })

    it('takes no header from elsewhere', async () => {
      await start(['--listen-proxy-protocol-from', '192.0.2.0/24'])
      const client = await WireClient.dial(warren!.port)
      client.send(Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.8 4711 5672\r\n'))
      await client.closed
      await eventually(() =>
        expect(warren!.lines('not an AMQP 0-9-1 client')[0]).to.include({ looksLike: 'the PROXY protocol' }),
      )
      expect(String(warren!.lines('not an AMQP 0-9-1 client')[0]['remote'])).to.match(/^127\.0\.0\.1:/)
      const direct = await WireClient.connect(warren!.port)
      await direct.close()
    })

    it('counts limits by the address that the proxy tells', async () => {
      await start([...args, '--client-max-per-address', '1'])
      const dial = async (address: string): Promise<WireClient> => {
        const client = await WireClient.dial(warren!.port)
        client.send(Buffer.from(`PROXY TCP4 ${address} 192.0.2.8 4711 5672\r\nAMQP\0\0\x09\x01`, 'latin1'))
        return client
      }
      const first = await dial('192.0.2.1')
      await first.receiveStart()
      await (
        await dial('192.0.2.1')
      ).closed
      const other = await dial('192.0.2.2')
      await other.receiveStart()
      for (const client of [first, other]) client.socket.destroy()
    })
  })
})
