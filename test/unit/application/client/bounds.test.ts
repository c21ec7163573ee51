import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import { World } from '../../../support/fake-world.js'
import { headerFrame, method, publishFrames } from '../../../support/wire-format.js'

const KIB = 1024

describe('Bounds', () => {
  let world: World

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  describe('on clients', () => {
    it('closes who comes at once when too many are in their handshake, and says why in the log', async () => {
      world = await World.start({ settings: { client: { maxPending: 2 } } })
      const pending = [world.dial(), world.dial()]
      const third = world.dial()
      await settle()
      expect(third.ended).to.not.equal('open')
      expect(world.lines('client not admitted')[0].fields.reason).to.match(/client\.max_pending/)
      expect(pending.map(({ ended }) => ended)).to.deep.equal(['open', 'open'])
    })

    it('counts no handshake that is over, however it ended', async () => {
      world = await World.start({ settings: { client: { maxPending: 1 } } })
      await world.connect()
      world.dial().peer.reset()
      await settle()
      const talksHttp = world.dial()
      talksHttp.peer.send(Buffer.from('GET / HTTP/1.1\r\n'))
      await settle()
      await world.connect()
      expect(world.lines('client not admitted')).to.have.length(0)
    })

    it('closes who comes at once from an address with too many clients, until one of them has left', async () => {
      world = await World.start({ settings: { client: { maxPerAddress: 1 } } })
      const first = await world.connect()
      const second = world.dial()
      await settle()
      expect(second.ended).to.not.equal('open')
      first.close()
      await settle()
      await world.connect()
    })

    for (const [what, settings, text] of [
      [
        'user',
        { maxPerUser: 1 },
        "NOT_ALLOWED - Connection refused for user 'guest': user connection limit (1) is reached",
      ],
      [
        'virtual host',
        { maxPerVhost: 1 },
        "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached",
      ],
    ] as const) {
      it(`answers Connection.Open with 530 in RabbitMQ's words when a ${what} has too many clients`, async () => {
        world = await World.start({ settings: { client: settings } })
        const first = await world.connect()
        const second = world.dial()
        await second.login()
        second.tuneOk()
        second.open()
        await settle()
        expect(second.refusal).to.deep.equal({ code: 530, text })
        first.peer.reset()
        await settle()
        await world.connect()
      })
    }

    it('counts different users and virtual hosts apart', async () => {
      world = await World.start({ settings: { client: { maxPerUser: 1, maxPerVhost: 1 } } })
      await world.connect()
      await world.connect({ user: 'other', vhost: 'elsewhere' })
      expect(world.proxy.clients).to.equal(2)
    })
  })

  describe('on messages that have not wholly arrived', () => {
    const HALF = Buffer.concat([method(1, 'basic.publish'), headerFrame(1, 900 * KIB)])
    const start = async (perClient: number, total: number): Promise<void> => {
      world = await World.start({
        settings: { client: { maxUnfinishedBytes: perClient, maxUnfinishedBytesTotal: total } },
      })
    }
    /** Begins a message, and sends so much of it. */
    const begin = async (size: number): ReturnType<World['connectWithChannels']> => {
      const client = await world.connectWithChannels(1)
      client.send(HALF)
      for (let sent = 0; sent < size; sent += KIB) client.send(publishBody(KIB))
      await settle()
      return client
    }
    const publishBody = (size: number): Buffer => {
      const frames = publishFrames(1, { body: 'x'.repeat(size) })
      return frames.subarray(frames.length - size - 8)
    }

    it('closes a client that has too many bytes of them with 506', async () => {
      await start(100 * KIB, 1000 * KIB)
      const client = await begin(110 * KIB)
      expect(client.refusal?.code).to.equal(506)
      expect(client.refusal?.text).to.match(/^RESOURCE_ERROR - .*client\.max_unfinished_bytes \(102400\)$/)
    })

    it('closes the client that asks for more when all together have too many', async () => {
      await start(100 * KIB, 150 * KIB)
      const patient = await begin(90 * KIB)
      const greedy = await begin(70 * KIB)
      expect(greedy.refusal?.text).to.match(/client\.max_unfinished_bytes_total \(153600\)$/)
      expect(patient.refusal).to.equal(undefined)
    })

    it('counts what is there, not what has been: finished messages and clients that are gone count nothing', async () => {
      await start(100 * KIB, 100 * KIB)
      for (let count = 0; count < 5; count++) {
        const dying = await begin(80 * KIB)
        dying.peer.reset()
        await settle()
      }
      const client = await world.connectWithChannels(1)
      for (let count = 0; count < 5; count++) {
        client.publish(1, 'x'.repeat(80 * KIB))
        await settle()
      }
      expect(client.refusal).to.equal(undefined)
      expect(world.upstream.published()).to.have.length(5)
    })
  })

  describe('on tables', () => {
    it('answers one that nests too deeply as one that is malformed, to that client alone', async () => {
      world = await World.start({ settings: { client: { maxTableDepth: 2 } } })
      const neighbour = await world.connectWithChannels(1)
      const client = await world.connectWithChannels(1)
      client.method(1, 'queue.declare', { queue: 'q', arguments: { a: { b: { c: 1 } } } })
      await settle()
      expect(client.refusal).to.equal(undefined)
      client.method(1, 'queue.declare', { queue: 'q', arguments: { a: { b: { c: { d: 1 } } } } })
      await settle()
      expect(client.refusal?.code).to.equal(501)
      expect(neighbour.refusal).to.equal(undefined)
    })
  })

  describe('on requests that are asked for at once', () => {
    const declare = method(1, 'queue.declare', { queue: 'q' })

    it('make a client wait for the broker now and then, which it does not notice', async () => {
      world = await World.start()
      world.broker.answersRequests = true
      const client = await world.connectWithChannels(1)
      const requests = Array.from({ length: 300 }, () => [declare, method(1, 'queue.bind', { nowait: true })])
      client.send(...requests.flat())
      await settle()
      expect(world.upstream.names(1).filter((name) => name === 'channel.flow')).to.not.deep.equal([])
      const answers = client.names(1).slice(client.names(1).indexOf('channel.open-ok') + 1)
      expect(new Set(answers)).to.deep.equal(new Set(['queue.declare-ok']))
      expect(answers).to.have.length(300)
    })

    it('answer a prefetch only behind all of them', async () => {
      world = await World.start()
      const client = await world.connectWithChannels(1)
      client.send(...Array.from({ length: 100 }, () => declare))
      await settle()
      for (let count = 0; count < 99; count++) world.upstream.method(1, 'queue.declare-ok', { queue: 'q' })
      client.send(method(1, 'basic.qos', { prefetchCount: 1 }))
      await settle()
      expect(client.names(1)).to.not.include('basic.qos-ok')
    })
  })
})
