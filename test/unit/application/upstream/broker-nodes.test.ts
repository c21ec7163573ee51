import { expect } from 'chai'
import type { Endpoint } from '../../../../src/application/ports/dialer.js'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World, type WorldOptions } from '../../../support/fake-world.js'
import { method, PROTOCOL_HEADER } from '../../../support/wire-format.js'

const [A, B, C]: Endpoint[] = ['a', 'b', 'c'].map((host) => ({ host, port: 5672 }))

describe("The broker's addresses", () => {
  let world: World
  let dialsBefore: number

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** Warren in front of these endpoints, all of which lead to the broker, but for those that `before` takes away. */
  const startWith = async (
    endpoints: readonly Endpoint[],
    before: (world: World) => void = () => undefined,
    options: WorldOptions = {},
  ): Promise<void> => {
    const upstream = { endpoints, connectTimeout: 10, heartbeat: 0 }
    world = await World.start({
      random: () => 0,
      ...options,
      settings: { upstream },
      prepare: (created) => {
        endpoints.forEach((endpoint) => leadsToBroker(created, endpoint))
        before(created)
      },
    })
    dialsBefore = world.dialer.dials.length
  }

  const leadsToBroker = (created: World, endpoint: Endpoint): void =>
    created.dialer.listen(endpoint, (peer) => created.broker.accept(peer))

  /** What was dialled since the start, in order. */
  const dialled = (): string[] =>
    world.dialer.dials.slice(dialsBefore).map(({ endpoint: { host, address = host } }) => address)

  /** A further upstream connection: credential sets never share one. */
  let users = 0
  const connectAnother = (): Promise<FakeClient> => world.connect({ user: `user${users++}` })

  const knocks = (): FakeClient => {
    const client = world.dial()
    client.send(PROTOCOL_HEADER)
    client.startOk({ user: `user${users++}` })
    return client
  }

  describe('that are several', () => {
    it('get upstream connections in turn', async () => {
      await startWith([A, B, C])
      for (let count = 0; count < 6; count++) await connectAnother()
      const [first, second] = [dialled().slice(0, 3), dialled().slice(3)]
      expect(first).to.have.members(['a', 'b', 'c'])
      expect(second).to.deep.equal(first)
    })

    it('may each be the first', async () => {
      const firsts: string[] = []
      for (const random of [0, 0.5, 0.9]) {
        await startWith([A, B, C], undefined, { random: () => random })
        firsts.push(world.dialer.dials[0].endpoint.host)
      }
      expect(firsts).to.deep.equal(['a', 'b', 'c'])
    })

    it('are named in the log, with the one that an upstream connection goes to', async () => {
      await startWith([A, B])
      await connectAnother()
      await connectAnother()
      expect(world.lines('listening')[0].fields.upstream).to.equal('a:5672, b:5672')
      const nodes = world.lines('upstream connection opened').map(({ fields }) => fields.node)
      expect(nodes).to.have.members(['a:5672', 'b:5672'])
      world.upstream.peer.reset()
      await settle()
      expect(world.lines('upstream connection lost')[0].fields.node).to.equal(nodes[1])
    })
  })

  describe('of which one fails', () => {
    for (const [how, breakNode] of [
      ['refuses connections', (created: World) => created.dialer.refuse(A)],
      ['hangs up', (created: World) => created.dialer.listen(A, (peer) => peer.end())],
      [
        'is another service',
        (created: World) => created.dialer.listen(A, (peer) => peer.send(Buffer.from('220 smtp ready\r\n'))),
      ],
    ] as const) {
      it(`because it ${how} cost a client nothing`, async () => {
        await startWith([A, B, C], breakNode)
        for (let count = 0; count < 4; count++) await connectAnother()
        expect(world.broker.open).to.have.length(4)
        expect(world.proxy.clients).to.equal(4)
      })
    }

    it('are used without it for 5 s, then for longer', async () => {
      await startWith([A, B], (created) => created.dialer.refuse(A))
      const triedAt: number[] = []
      for (let second = 0; second < 40; second++) {
        const before = dialled().filter((host) => host === 'a').length
        await connectAnother()
        await connectAnother()
        if (dialled().filter((host) => host === 'a').length > before) triedAt.push(second)
        await world.advance(1000)
      }
      // The start was the first to notice.
      expect(triedAt).to.deep.equal([5, 15, 35])
    })

    it('say so once in the log, with the reason and for how long it is left alone, and when it is back', async () => {
      await startWith([A, B], (created) => created.dialer.refuse(A))
      await world.advance(6000)
      await connectAnother()
      await connectAnother()
      const failed = world.lines('broker node failed')
      expect(failed.map(({ level, fields }) => ({ level, ...fields }))).to.deep.equal([
        { level: 'warn', node: 'a:5672', reason: 'connect ECONNREFUSED a:5672', avoidedFor: '5 s' },
      ])
      leadsToBroker(world, A)
      await world.advance(20_000)
      await connectAnother()
      await connectAnother()
      expect(world.lines('broker node answers again').map(({ fields }) => fields.node)).to.deep.equal([
        'a:5672',
      ])
    })

    for (const [what, silence] of [
      ['dialling', (): void => world.dialer.silence(B)],
      ['the login', (): void => world.dialer.listen(B, () => undefined)],
    ] as const) {
      it(`let a client in before its own limit although the first does not answer ${what}`, async () => {
        await startWith([A, B])
        silence()
        const client = knocks()
        await world.advance(4900)
        expect(dialled()).to.deep.equal(['b'])
        await world.advance(200)
        expect(client.names()).to.include('connection.tune')
        expect(client.ended).to.equal('open')
      })
    }

    it('leave the last one the whole time limit', async () => {
      await startWith([A, B], (created) => created.dialer.refuse(A))
      await world.advance(6000)
      await connectAnother()
      expect(
        world.dialer.dials.slice(dialsBefore).map(({ endpoint, timeoutMs }) => [endpoint.host, timeoutMs]),
      ).to.deep.equal([
        ['a', 5000],
        ['b', 10_000],
      ])
    })

    it('do not take a refusal elsewhere', async () => {
      await startWith([A, B])
      world.broker.refusesLogin = () => 'close'
      const client = knocks()
      await settle()
      expect(client.refusal?.code).to.equal(403)
      expect(dialled()).to.have.length(1)
      expect(world.lines('broker node failed')).to.deep.equal([])
    })
  })

  it('are left for another when the node says that it is going down', async () => {
    await startWith([A, B])
    const shutdown = {
      code: 320,
      text: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
    }
    world.dialer.listen(B, (peer) => peer.send(method(0, 'connection.close', shutdown)))
    await connectAnother()
    expect(dialled()).to.deep.equal(['b', 'a'])
    world.dialer.listen(A, (peer) => peer.send(method(0, 'connection.close', shutdown)))
    const client = knocks()
    await settle()
    expect(client.refusal).to.deep.equal(shutdown)
  })

  describe('that all fail', () => {
    it('are all named to the client', async () => {
      await startWith([A, B, C])
      world.dialer.refuse(A)
      world.dialer.refuse(B)
      world.dialer.listen(C, (peer) => peer.end())
      const client = knocks()
      await settle()
      expect(client.refusal?.code).to.equal(503)
      expect(client.refusal?.text).to.contain('connect ECONNREFUSED a:5672')
      expect(client.refusal?.text).to.contain('connect ECONNREFUSED b:5672')
      expect(client.refusal?.text).to.contain('the broker closed the connection during the handshake')
      expect(client.refusal?.text).to.match(/; next try in 0\.\d s$/)
    })

    it('never make the text too long to say when to come back', async () => {
      const many = Array.from({ length: 40 }, (_, at) => ({
        host: `rabbit-${at}.${'ü'.repeat(20)}`,
        port: 5672,
      }))
      await startWith(many, (created) => many.forEach((endpoint) => created.dialer.refuse(endpoint)))
      await world.advance(1000)
      for (let count = 0; count < 2; count++) {
        const client = knocks()
        await settle()
        const { text } = client.refusal!
        expect(Buffer.byteLength(text)).to.be.at.most(255)
        expect(text).to.match(/^upstream unreachable: connect ECONNREFUSED rabbit-.*…; next try in [\d.]+ s$/)
      }
    })

    it('are all tried again, and all used as soon as they are back', async () => {
      await startWith([A, B, C])
      for (const endpoint of [A, B, C]) world.dialer.refuse(endpoint)
      for (let count = 0; count < 10; count++) {
        knocks()
        await world.advance(4100)
      }
      for (const endpoint of [A, B, C]) leadsToBroker(world, endpoint)
      await world.advance(4100)
      dialsBefore = world.dialer.dials.length
      for (let count = 0; count < 3; count++) await connectAnother()
      expect(dialled()).to.have.members(['a', 'b', 'c'])
    })
  })

  describe('behind a name', () => {
    const RABBIT: Endpoint = { host: 'rabbit', port: 5672 }
    const ADDRESSES = ['10.0.0.1', '10.0.0.2', '2001:db8::1']
    const at = (address: string): Endpoint => ({ ...RABBIT, address })

    const named = (created: World, addresses: readonly string[] = ADDRESSES): void => {
      created.dialer.name('rabbit', addresses)
      for (const address of addresses) leadsToBroker(created, at(address))
    }

    it('get upstream connections in turn', async () => {
      await startWith([RABBIT], named)
      for (let count = 0; count < 3; count++) await connectAnother()
      expect(dialled()).to.have.members(ADDRESSES)
    })

    it('are shown beside the name', async () => {
      await startWith([RABBIT], named)
      for (let count = 0; count < 3; count++) await connectAnother()
      expect(world.lines('upstream connection opened').map(({ fields }) => fields.node)).to.have.members([
        'rabbit:5672 (10.0.0.1)',
        'rabbit:5672 (10.0.0.2)',
        'rabbit:5672 (2001:db8::1)',
      ])
    })

    it('are tried in turn when one fails', async () => {
      await startWith([RABBIT], (created) => {
        named(created)
        created.dialer.refuse(at('10.0.0.2'))
      })
      for (let count = 0; count < 4; count++) await connectAnother()
      expect(world.broker.open).to.have.length(4)
    })

    it('are followed when they change', async () => {
      await startWith([RABBIT], (created) => named(created, ['10.0.0.1']))
      named(world, ['10.0.0.9'])
      await connectAnother()
      expect(dialled()).to.deep.equal(['10.0.0.9'])
    })

    it('count once when two names lead there', async () => {
      await startWith([RABBIT, { host: 'hare', port: 5672 }], (created) => {
        named(created, ['10.0.0.1'])
        created.dialer.name('hare', ['10.0.0.1'])
        created.dialer.refuse(at('10.0.0.1'))
      })
      await world.advance(1000)
      knocks()
      await settle()
      expect(dialled()).to.have.length(1)
    })

    it('serve on while the name server is silent, or has forgotten the name', async () => {
      for (const answer of ['unanswered', []] as const) {
        await startWith([RABBIT], named)
        world.dialer.name('rabbit', answer)
        const client = knocks()
        await world.advance(1000)
        expect(client.names()).to.include('connection.tune')
      }
    })

    it('are told to be unknown with the reason when they never were known', async () => {
      await startWith([RABBIT], (created) => created.dialer.name('rabbit', []))
      await world.advance(1000)
      const client = knocks()
      await settle()
      expect(client.refusal?.text).to.match(
        /^upstream unreachable: getaddrinfo ENOTFOUND rabbit; next try in/,
      )
      const warnings = world.logger.lines.filter(({ level }) => level === 'warn')
      expect(warnings.map(({ message, fields }) => [message, fields.reason])).to.deep.equal([
        ['broker unreachable: clients are told so until it answers', 'getaddrinfo ENOTFOUND rabbit'],
      ])
    })

    it('have a warning once while others serve, and again when they were known in between', async () => {
      const unresolved = (): unknown[] =>
        world
          .lines('a name of the broker is not resolved')
          .map(({ fields }) => [fields.node, fields.lastKnown])
      await startWith([RABBIT, B], (created) => created.dialer.name('rabbit', []))
      await connectAnother()
      expect(unresolved()).to.deep.equal([['rabbit:5672', '']])
      named(world, ['10.0.0.1'])
      await connectAnother()
      world.dialer.name('rabbit', [])
      await connectAnother()
      await connectAnother()
      expect(unresolved()).to.deep.equal([
        ['rabbit:5672', ''],
        ['rabbit:5672', '10.0.0.1'],
      ])
    })

    it('do not keep clients from other nodes when the name is unknown, or its lookup hangs', async () => {
      for (const answer of ['unanswered', []] as const) {
        await startWith([RABBIT, B], (created) => created.dialer.name('rabbit', answer))
        const client = knocks()
        await world.advance(5000)
        expect(client.names()).to.include('connection.tune')
        expect(client.ended).to.equal('open')
      }
    })

    it('are looked up once for clients that come together', async () => {
      await startWith([RABBIT], named)
      const { length } = world.dialer.lookups
      const clients = [knocks(), knocks(), knocks()]
      await settle()
      for (const client of clients) expect(client.names()).to.include('connection.tune')
      expect(world.dialer.lookups.length - length).to.equal(1)
    })
  })
})
