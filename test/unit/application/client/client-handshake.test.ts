import { expect } from 'chai'
import { settle, type FakePeer } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import {
  bodyFrame,
  heartbeatFrame,
  method,
  methodFrame,
  PROTOCOL_HEADER,
  publishFrames,
} from '../../../support/wire-format.js'

describe('The handshake of a client', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** Waits until Warren ends the connection; returns how long it took. */
  const timeToEnd = async (client: FakeClient): Promise<number> => {
    const start = world.clock.now()
    while (client.ended === 'open' && world.clock.now() - start < 60_000) await world.advance(50)
    return world.clock.now() - start
  }

  /** RabbitMQ tells nothing to those that it doesn't trust yet, and lets them wait. */
  const expectSilentEnd = (client: FakeClient, time: number): void => {
    expect(client.names()).to.deep.equal(['connection.start'])
    expect(time).to.equal(3000)
    expect(world.proxy.clients).to.equal(0)
  }

  describe('The protocol header', () => {
    const tlsHello = Buffer.from('160301020001000 1fc0303'.replaceAll(' ', ''), 'hex')
    for (const [looksLike, bytes] of [
      ['AMQP 1.0', Buffer.from('AMQP\0\x01\0\0')],
      ['AMQP 1.0 with SASL', Buffer.from('AMQP\x03\x01\0\0')],
      ['AMQP with the version octets 1 1 8 0', Buffer.from('AMQP\x01\x01\x08\0')],
      ['TLS on the plain port', tlsHello],
      ['HTTP', Buffer.from(`GET / HTTP/1.1\r\nHost: rabbit\r\n\r\n${'x'.repeat(10_000)}`)],
      ['unknown bytes 00 01 02 03', Buffer.from([0, 1, 2, 3])],
    ] as const) {
      it(`of another protocol (${looksLike}) is answered with ours and an end, and the log names it`, async () => {
        const client = world.dial()
        client.send(bytes)
        await settle()
        expect(client.peer.received).to.deep.equal(PROTOCOL_HEADER)
        expect(client.ended).to.equal('ended')
        const [line] = world.lines('not an AMQP 0-9-1 client')
        expect(line.level).to.equal('warn')
        expect(line.fields).to.include({ looksLike, remote: client.peer.stream.remoteAddress })
      })
    }

    it('of another protocol ends the connection also when the client keeps its side open', async () => {
      const client = world.dial()
      client.stubborn = true
      client.send(Buffer.from('GET / HTTP/1.1'))
      await world.advance(30_000)
      expect(client.peer.isGone).to.equal(true)
      expect(world.proxy.clients).to.equal(0)
    })

    it('may come octet by octet', async () => {
      const client = world.dial()
      for (const octet of PROTOCOL_HEADER) {
        expect(client.names()).to.deep.equal([])
        client.send(Buffer.of(octet))
        await settle()
      }
      client.next('connection.start')
    })

    it('is judged as soon as it can not be ours any more', async () => {
      const client = world.dial()
      client.send(Buffer.from('AMQ'))
      await settle()
      client.send(Buffer.from('T'))
      await settle()
      expect(client.peer.received).to.deep.equal(PROTOCOL_HEADER)
      expect(client.ended).to.equal('ended')
    })
  })

  describe('Connection.Start', () => {
    it('names the version, the mechanisms and the locale that RabbitMQ has', async () => {
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      await settle()
      const start = client.next('connection.start')
      expect(start).to.include({ versionMajor: 0, versionMinor: 9 })
      expect(start.mechanisms.toString()).to.equal('PLAIN AMQPLAIN')
      expect(start.locales.toString()).to.equal('en_US')
    })

    const propertiesNow = async (): Promise<object> => {
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      await settle()
      return client.next('connection.start').serverProperties
    }

    it("shows the broker's own properties, and Warren beside them", async () => {
      expect(await propertiesNow()).to.deep.equal({
        ...world.broker.serverProperties,
        warren: { product: 'Warren', version: '0.0.0' },
      })
    })

    it('shows the broker as it was last seen', async () => {
      world.broker.serverProperties = { product: 'RabbitMQ', version: '4.2.0', cluster_name: 'burrow' }
      await world.connect()
      expect(await propertiesNow()).to.include({ version: '4.2.0', cluster_name: 'burrow' })
    })

    it('shows what RabbitMQ usually says while the broker was never reached', async () => {
      world = await World.start({
        broker: () => undefined,
        settings: { upstream: { endpoints: [{ host: 'nowhere', port: 1 }] } },
      })
      const properties = await propertiesNow()
      expect(properties).to.include({ product: 'RabbitMQ' })
      expect(properties).to.have.nested.property('capabilities.publisher_confirms', true)
    })
  })

  describe('Credentials', () => {
    for (const mechanism of ['PLAIN', 'AMQPLAIN']) {
      it(`go to the broker as they came, by ${mechanism}`, async () => {
        await world.connect({ mechanism, user: 'jörg', password: 'пароль', vhost: '/göttingen' })
        expect(world.upstream).to.include({
          mechanism,
          user: 'jörg',
          password: 'пароль',
          virtualHost: '/göttingen',
        })
      })
    }

    for (const [what, login] of [
      ['of an unknown mechanism', { mechanism: 'SCRAM-SHA-256' }],
      ["that are not of PLAIN's form", { mechanism: 'PLAIN', response: Buffer.from('guest') }],
      ["that are not of AMQPLAIN's form", { mechanism: 'AMQPLAIN', response: Buffer.from('guest') }],
    ] as const) {
      it(`${what} end the connection without a word, after 3 s, as in RabbitMQ`, async () => {
        const client = world.dial()
        client.send(PROTOCOL_HEADER)
        client.startOk(login)
        await settle()
        expectSilentEnd(client, await timeToEnd(client))
        expect(world.broker.connections.map(({ user }) => user)).not.to.include('guest')
      })
    }

    it('that the broker refuses are refused with its own 403, to a client that announced authentication_failure_close', async () => {
      world.broker.refusesLogin = () => 'close'
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk({ capabilities: { authentication_failure_close: true } })
      await settle()
      expect(client.names()).to.deep.equal(['connection.start', 'connection.close'])
      expect(client.refusal).to.deep.equal({
        code: 403,
        text: 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.',
      })
      expect(client.ended).to.equal('ended')
    })

    it('that a broker refuses by hanging up are refused with 403 as well', async () => {
      world.broker.refusesLogin = () => 'hang up'
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk({ capabilities: { authentication_failure_close: true } })
      await settle()
      expect(client.refusal?.code).to.equal(403)
      expect(client.refusal?.text).to.match(/^ACCESS_REFUSED - /)
    })

    for (const how of ['close', 'hang up'] as const) {
      it(`that the broker refuses (${how}) end the connection without a word for a client that announced nothing, after 3 s, as in RabbitMQ`, async () => {
        world.broker.refusesLogin = () => how
        const client = world.dial()
        client.send(PROTOCOL_HEADER)
        client.startOk({ capabilities: {} })
        await settle()
        expectSilentEnd(client, await timeToEnd(client))
      })
    }

    it('that the broker refuses leave no socket to it, even if it keeps its side open', async () => {
      world.broker.keepsSockets = true
      world.broker.refusesLogin = () => 'close'
      const client = world.dial()
      await client.login().catch(() => undefined)
      expect(client.refusal?.code).to.equal(403)
      await world.advance(10_000)
      expect(world.broker.connections.at(-1)!.peer.isGone).to.equal(true)
    })

    it('that were refused are asked about anew for the next client', async () => {
      world.broker.refusesLogin = () => 'close'
      const first = world.dial()
      first.send(PROTOCOL_HEADER)
      first.startOk()
      await settle()
      world.broker.refusesLogin = () => false
      await world.connect()
      expect(first.refusal?.code).to.equal(403)
      expect(world.broker.open).to.have.length(1)
    })

    it('are found in no log line', async () => {
      world.broker.refusesLogin = (_user, password) => (password === 'wrong-secret' ? 'close' : false)
      const refused = world.dial()
      refused.send(PROTOCOL_HEADER)
      refused.startOk({ password: 'wrong-secret' })
      const client = await world.connect({ password: 'right-secret' })
      client.close()
      await settle()
      const logs = JSON.stringify(world.logger.lines)
      expect(logs).to.contain('guest')
      expect(logs).not.to.contain('secret')
    })
  })

  describe('Connection.Open', () => {
    it("is refused with the broker's own error for a virtual host that isn't there", async () => {
      const refusal = { code: 530, text: 'NOT_ALLOWED - vhost /nowhere not found' }
      world.broker.refusesVirtualHost = (vhost) => vhost === '/nowhere' && refusal
      const client = world.dial()
      await client.login()
      client.tuneOk()
      await settle()
      expect(client.refusal).to.equal(undefined)
      client.open('/nowhere')
      await settle()
      expect(client.refusal).to.deep.equal(refusal)
      expect(client.ended).to.equal('ended')
    })

    it('tells which method was refused', async () => {
      world.broker.refusesVirtualHost = () => ({
        code: 403,
        text: 'ACCESS_REFUSED - access to vhost refused',
      })
      const client = world.dial()
      await client.login()
      client.tuneOk()
      client.open()
      await settle()
      expect(client.next('connection.close')).to.include({ code: 403, classId: 10, methodId: 40 })
    })

    it('that is refused is refused to all who wait for the same virtual host', async () => {
      const refusal = { code: 530, text: 'NOT_ALLOWED - vhost /nowhere not found' }
      world.broker.refusesVirtualHost = () => refusal
      const clients = [world.dial(), world.dial(), world.dial()]
      await Promise.all(clients.map((client) => client.login()))
      for (const client of clients) {
        client.tuneOk()
        client.open('/nowhere')
      }
      await settle()
      for (const client of clients) expect(client.refusal).to.deep.equal(refusal)
    })

    it('works also when the login was lost meanwhile', async () => {
      const client = world.dial()
      await client.login()
      world.broker.connections.at(-1)!.peer.reset()
      await settle()
      client.tuneOk()
      client.open()
      await settle()
      client.next('connection.open-ok')
    })

    it('works for a client that takes its time over Tune-Ok', async () => {
      const client = world.dial()
      await client.login()
      await world.advance(9000)
      client.tuneOk()
      client.open()
      await settle()
      client.next('connection.open-ok')
      expect(world.broker.open).to.have.length(1)
    })

    it('that was refused leaves other virtual hosts and later attempts alone', async () => {
      world.broker.refusesVirtualHost = (vhost) =>
        vhost === '/nowhere' && { code: 530, text: 'NOT_ALLOWED - vhost /nowhere not found' }
      const refused = world.dial()
      await refused.login()
      refused.tuneOk()
      refused.open('/nowhere')
      await settle()
      await world.connect()
      world.broker.refusesVirtualHost = () => false
      await world.connect({ vhost: '/nowhere' })
      expect(world.broker.open.map(({ virtualHost }) => virtualHost)).to.deep.equal(['/', '/nowhere'])
    })
  })

  describe('A broker that is not there', () => {
    it('is reported with 503 and the reason', async () => {
      world.brokerDown()
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk()
      await settle()
      expect(client.names()).to.deep.equal(['connection.start', 'connection.close'])
      expect(client.refusal?.code).to.equal(503)
      expect(client.refusal?.text).to.contain('connect ECONNREFUSED rabbit:5672')
      expect(client.ended).to.equal('ended')
    })

    it('is reported to clients that announced nothing, too', async () => {
      world.brokerDown()
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk({ capabilities: {} })
      await settle()
      expect(client.refusal?.code).to.equal(503)
    })

    it('is no reason to refuse later clients', async () => {
      world.brokerDown()
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk()
      await settle()
      world.brokerUp()
      await world.advance(500)
      await world.connect()
    })

    it('when Warren starts delays its start by at most some seconds, and is reported', async () => {
      world = await World.start({ settings: { upstream: { endpoints: [{ host: 'nowhere', port: 1 }] } } })
      expect(world.clock.now()).to.be.at.most(5000)
      const [line, ...others] = world.logger.lines.filter(({ level }) => level === 'warn')
      expect(line.message).to.equal('broker unreachable: clients are told so until it answers')
      expect(line.fields.reason).to.contain('nowhere')
      expect(others).to.deep.equal([])
    })

    it('that never answers the dialling delays the start by at most some seconds', async () => {
      world = await World.start({ settings: { upstream: { endpoints: [{ host: 'silent', port: 1 }] } } })
      expect(world.clock.now()).to.be.at.most(5000)
    })
  })

  describe('A broker that is none', () => {
    const answerOf = async (answer: (peer: FakePeer) => void): Promise<FakeClient['refusal']> => {
      world.dialer.listen(world.endpoint, answer)
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk()
      await settle()
      expect(client.ended).to.equal('ended')
      return client.refusal
    }

    for (const [what, answer] of [
      ['hangs up', (peer: FakePeer) => peer.end()],
      ['breaks the connection', (peer: FakePeer) => peer.reset()],
      ['speaks HTTP', (peer: FakePeer) => peer.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))],
      ['speaks another AMQP', (peer: FakePeer) => peer.send(Buffer.from('AMQP\0\x01\0\0'))],
      ['asks for what was not offered', (peer: FakePeer) => peer.send(method(0, 'connection.secure'))],
    ] as const) {
      it(`and ${what} is reported with 503 and the reason, at once`, async () => {
        const refusal = await answerOf(answer)
        expect(refusal?.code).to.equal(503)
        expect(refusal?.text).to.match(/^upstream unreachable: the broker (closed|sent)/)
      })
    }
  })

  describe('A broker that does not answer', () => {
    /** Sends all that a client has to say, and tells after how long it was refused. */
    const refusalTime = async (): Promise<number> => {
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk()
      await settle()
      if (client.names().includes('connection.tune')) {
        client.offered = client.received().at(-1)!.args as typeof client.offered
        client.tuneOk()
        client.open()
      }
      const start = world.clock.now()
      while (client.ended === 'open') await world.advance(50)
      expect(client.refusal?.code).to.equal(503)
      expect(client.refusal?.text).to.match(/^upstream unreachable: .*(not answer|not open|timeout)/)
      return world.clock.now() - start
    }

    it('to dialling is reported with 503 before the handshake limit', async () => {
      world.dialer.silence(world.endpoint)
      expect(await refusalTime()).to.be.below(10_000)
    })

    for (const step of ['start', 'tune', 'open-ok'] as const) {
      it(`with ${step} is reported with 503 before the handshake limit`, async () => {
        world.broker.silentBefore = step
        expect(await refusalTime()).to.be.below(10_000)
      })
    }

    it('is reported as soon as upstream.connect_timeout is over', async () => {
      world = await World.start({
        settings: { upstream: { endpoints: [world.endpoint], connectTimeout: 2, heartbeat: 0 } },
      })
      world.broker.silentBefore = 'tune'
      expect(await refusalTime()).to.equal(2000)
    })

    it('is hung up on', async () => {
      world.broker.silentBefore = 'tune'
      await refusalTime()
      await world.advance(5000)
      expect(world.broker.connections.map(({ peer }) => peer.sees)).not.to.include('open')
    })
  })

  describe('The handshake limit', () => {
    const closedAfter = async (act: (client: FakeClient) => Promise<void> | void): Promise<number> => {
      const start = world.clock.now()
      const client = world.dial()
      client.stubborn = true
      await act(client)
      while (client.ended === 'open') await world.advance(50)
      return world.clock.now() - start
    }

    it('ends a client that says nothing after 10 s', async () => {
      expect(await closedAfter(() => undefined)).to.equal(10_000)
      expect(world.lines('client disconnected')[0].fields.reason).to.equal('no handshake within 10 s')
    })

    it('ends a client that stops after its protocol header', async () => {
      expect(await closedAfter((client) => client.send(PROTOCOL_HEADER))).to.equal(10_000)
    })

    it('ends a client that stops at Tune', async () => {
      expect(await closedAfter((client) => client.login())).to.equal(10_000)
    })

    it('ends a client that stops at Open', async () => {
      const act = async (client: FakeClient): Promise<void> => {
        await client.login()
        client.tuneOk()
      }
      expect(await closedAfter(act)).to.equal(10_000)
    })

    it('is not put off by octets that trickle in', async () => {
      const act = async (client: FakeClient): Promise<void> => {
        await client.login()
        for (let round = 0; round < 12; round++) {
          client.send(heartbeatFrame())
          await world.advance(900)
        }
      }
      expect(await closedAfter(act)).to.be.at.most(12 * 900)
    })

    it('is what client.handshake_timeout says', async () => {
      const { client } = world.settings
      world = await World.start({ settings: { client: { ...client, handshakeTimeout: 3 } } })
      expect(await closedAfter(() => undefined)).to.equal(3000)
    })

    it('is over with Open-Ok', async () => {
      const client = await world.connect()
      await world.advance(60_000)
      expect(client.ended).to.equal('open')
    })
  })

  describe('Connection.Tune', () => {
    const offerFor = async (options: {
      broker?: Partial<World['broker']['tune']>
      settings?: Partial<World['settings']['client']>
    }): Promise<object> => {
      world = await World.start({
        broker: (broker) => Object.assign(broker.tune, options.broker),
        settings: { client: options.settings ?? {} },
      })
      const client = world.dial()
      await client.login()
      return client.offered!
    }

    it("offers the broker's values", async () => {
      const tune = { channelMax: 512, frameMax: 65_536, heartbeat: 30 }
      expect(await offerFor({ broker: tune })).to.deep.equal(tune)
    })

    it('offers less where the settings cap it', async () => {
      const caps = { channelMax: 16, frameMax: 8192, heartbeat: 20 }
      expect(await offerFor({ broker: { heartbeat: 30 }, settings: caps })).to.deep.equal(caps)
    })

    it("offers the broker's values where the caps are higher", async () => {
      const tune = { channelMax: 8, frameMax: 4096, heartbeat: 10 }
      const caps = { channelMax: 16, frameMax: 8192, heartbeat: 20 }
      expect(await offerFor({ broker: tune, settings: caps })).to.deep.equal(tune)
    })

    it('offers the caps where the broker has no limit', async () => {
      const caps = { channelMax: 16, frameMax: 8192, heartbeat: 20 }
      const broker = { channelMax: 0, frameMax: 0, heartbeat: 0 }
      expect(await offerFor({ broker, settings: caps })).to.deep.equal(caps)
    })

    it('offers the same to those who share an upstream connection', async () => {
      world = await World.start({ broker: ({ tune }) => (tune.channelMax = 100) })
      const clients = [await world.connect(), await world.connect()]
      expect(clients.map(({ offered }) => offered?.channelMax)).to.deep.equal([100, 100])
    })

    it('takes lower values, down to a frame_max of 4096', async () => {
      await world.connect({ channelMax: 1, frameMax: 4096, heartbeat: 1 })
    })

    const minimum = 'is lower than the minimum allowed value (4096)'
    for (const [what, choice, text] of [
      [
        'a higher channel_max',
        { channelMax: 2048 },
        'channel_max = 2048 is higher than the maximum allowed value (2047)',
      ],
      [
        'no limit of channels where there is one',
        { channelMax: 0 },
        'channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
      ],
      [
        'a higher frame_max',
        { frameMax: 131_073 },
        'frame_max = 131073 is higher than the maximum allowed value (131072)',
      ],
      [
        'no limit of frames where there is one',
        { frameMax: 0 },
        'frame_max = 0 (no limit) is higher than the maximum allowed value (131072)',
      ],
      ['a frame_max under 4096', { frameMax: 4095 }, `frame_max = 4095 ${minimum}`],
    ] as const) {
      it(`answered with ${what} is refused with 530`, async () => {
        const client = world.dial()
        await client.login()
        client.tuneOk(choice)
        await settle()
        expect(client.refusal).to.deep.equal({ code: 530, text: `NOT_ALLOWED - negotiated ${text}` })
        expect(client.ended).to.equal('ended')
      })
    }

    it('answered with no limit is fine where the broker has none', async () => {
      world = await World.start({ broker: ({ tune }) => Object.assign(tune, { channelMax: 0, frameMax: 0 }) })
      await world.connect({ channelMax: 0, frameMax: 0 })
    })

    it('allows no channel above what the client chose', async () => {
      const client = await world.connect({ channelMax: 2 })
      await client.openChannels(1, 2)
      client.method(3, 'channel.open')
      await settle()
      expect(client.refusal?.code).to.equal(530)
    })

    it('allows no frame above what the client chose', async () => {
      const client = await world.connectWithChannels(1, { frameMax: 4096 })
      client.send(publishFrames(1, { body: Buffer.alloc(5000) }))
      await settle()
      expect(client.refusal?.code).to.equal(501)
      expect(world.upstream.published()).to.deep.equal([])
    })
  })

  describe('Pieces', () => {
    const wholeConversation = (): Buffer =>
      Buffer.concat([
        method(0, 'connection.tune-ok', { channelMax: 2047, frameMax: 131_072 }),
        method(0, 'connection.open', { vhost: '/' }),
        method(1, 'channel.open'),
        publishFrames(1, { body: 'hello' }),
      ])

    it('may be as small as one octet', async () => {
      const client = world.dial()
      await client.login()
      for (const octet of wholeConversation()) {
        client.send(Buffer.of(octet))
        await settle()
      }
      expect(client.names().slice(-2)).to.deep.equal(['connection.open-ok', 'channel.open-ok'])
      expect(world.upstream.published()).to.deep.equal(['hello'])
    })

    it('may hold Tune-Ok, Open and all that follows', async () => {
      const client = world.dial()
      await client.login()
      client.send(wholeConversation())
      await settle()
      expect(client.names().slice(-2)).to.deep.equal(['connection.open-ok', 'channel.open-ok'])
      expect(world.upstream.published()).to.deep.equal(['hello'])
    })

    it('may come while the broker is being asked, and are read in order afterwards', async () => {
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk()
      client.send(wholeConversation())
      await settle()
      expect(client.names()).to.deep.equal([
        'connection.start',
        'connection.tune',
        'connection.open-ok',
        'channel.open-ok',
      ])
      expect(world.upstream.published()).to.deep.equal(['hello'])
    })

    it('of more than the broker is asked about are not read meanwhile', async () => {
      world.broker.silentBefore = 'tune'
      const client = world.dial()
      client.send(PROTOCOL_HEADER)
      client.startOk()
      client.send(wholeConversation())
      await settle()
      expect(client.peer.isPaused).to.equal(true)
    })
  })

  describe('What does not belong there', () => {
    const broken = method(0, 'connection.open', { vhost: '/' })
    broken[broken.length - 1] = 0
    for (const [what, frame] of [
      ['a method at the wrong step', method(0, 'connection.open', { vhost: '/' })],
      ['a method on a channel', method(1, 'channel.open')],
      ['content', bodyFrame(0, 'body')],
      [
        'a frame over 8192 octets, of which the first seven have come',
        bodyFrame(0, Buffer.alloc(9000)).subarray(0, 7),
      ],
      ['a frame without its end octet', broken],
      ['a method with too few arguments', methodFrame(0, 10, 11, Buffer.alloc(3))],
    ] as const) {
      it(`before the login (${what}) ends the connection without a word, after 3 s, as in RabbitMQ`, async () => {
        const client = world.dial()
        client.send(PROTOCOL_HEADER, frame)
        await settle()
        expectSilentEnd(client, await timeToEnd(client))
      })
    }

    for (const [what, frame, code] of [
      ['a method on a channel', method(1, 'channel.open'), 504],
      ['content', bodyFrame(0, 'body'), 505],
      ['a second Tune-Ok', method(0, 'connection.tune-ok', { channelMax: 1, frameMax: 4096 }), 504],
      [
        'a frame over frame_max, of which the first seven octets have come',
        bodyFrame(0, Buffer.alloc(5000)).subarray(0, 7),
        501,
      ],
      ['a frame without its end octet', broken, 501],
    ] as const) {
      it(`after Tune-Ok (${what}) is refused with ${code}`, async () => {
        const client = world.dial()
        await client.login()
        client.tuneOk({ frameMax: 4096 })
        client.send(frame)
        await settle()
        if (what === 'a method on a channel') expect(client.refusal?.code).to.be.oneOf([504, 505])
        else expect(client.refusal?.code).to.equal(code)
        // Where the frames end isn't known any more after a broken one, so Close-Ok isn't waited for.
        expect(await timeToEnd(client)).to.be.at.most(code === 501 ? 5000 : 0)
      })
    }

    it('is not a heartbeat', async () => {
      const client = world.dial()
      client.send(PROTOCOL_HEADER, heartbeatFrame())
      client.startOk()
      await settle()
      expect(client.names()).to.deep.equal(['connection.start', 'connection.tune'])
    })
  })

  describe('A client that goes away', () => {
    it('while the broker is asked leaves nothing behind', async () => {
      for (const leave of ['end', 'reset'] as const) {
        const client = world.dial()
        client.send(PROTOCOL_HEADER)
        client.startOk()
        client.peer[leave]()
        await settle()
      }
      expect(world.proxy.clients).to.equal(0)
      await world.advance(10_000)
      expect(world.broker.connections.map(({ peer }) => peer.sees)).not.to.include('open')
    })

    it('between login and Open leaves a login that the next client takes over', async () => {
      const client = world.dial()
      await client.login()
      client.peer.end()
      await world.advance(1000)
      const { length } = world.dialer.dials
      await world.connect()
      expect(world.dialer.dials).to.have.length(length)
    })

    it('while its virtual host is being opened leaves an upstream connection that is closed for want of use', async () => {
      world.broker.silentBefore = 'open-ok'
      const client = world.dial()
      await client.login()
      client.tuneOk()
      client.open()
      await settle()
      client.peer.end()
      await settle()
      expect(world.proxy.clients).to.equal(0)
      world.broker.silentBefore = undefined
      await world.connect().catch(() => undefined)
      await world.advance(60_000)
      expect(world.broker.connections.map(({ peer }) => peer.sees)).to.satisfy(
        (ends: string[]) => ends.filter((end) => end === 'open').length <= 1,
      )
    })
  })
})
