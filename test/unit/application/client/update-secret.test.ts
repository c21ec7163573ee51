import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient, FakeLogin } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { frame, method, publishFrames, type Args } from '../../../support/wire-format.js'

const REFUSED = { code: 530, text: 'NOT_ALLOWED - New secret was refused by one of the backends' }
const FAILED = { code: 530, text: 'NOT_ALLOWED - Secret update failed' }

const update = (secret: string): Buffer =>
  method(0, 'connection.update-secret', { secret: Buffer.from(secret), reason: 'rotation' })

describe('Connection.Update-Secret', () => {
  let world: World
  let client: FakeClient
  let former: BrokerConnection

  beforeEach(async () => {
    world = await World.start()
    await connect()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  /** A client whose channel 1 is bound upstream, and whose 2 to 4 aren't yet. */
  const connect = async (login: FakeLogin = {}): Promise<void> => {
    client = await world.connectWithChannels(4, login)
    client.send(method(1, 'basic.recover', { requeue: true }), publishFrames(1, { body: 'first' }))
    await settle()
    former = world.upstream
  }

  const send = async (...frames: Buffer[]): Promise<void> => {
    client.send(...frames)
    await settle()
  }

  const updateTo = (secret: string): Promise<void> => send(update(secret))

  const neighbourOf = async (): Promise<FakeClient> => {
    const neighbour = await world.connectWithChannels(2)
    neighbour.send(method(1, 'basic.recover', { requeue: true }))
    await settle()
    return neighbour
  }

  /** Passwords with which Warren has logged in, in order. */
  const logins = (): string[] => world.broker.connections.map(({ password }) => password).filter(Boolean)

  /** Whoever comes gets a new pool: one that still counted a client that is gone would never end. */
  const expectNoPoolLeft = async (...passwords: string[]): Promise<void> => {
    await world.advance(60_000)
    expect(world.broker.open).to.deep.equal([])
    const pools = (): unknown[] => world.lines('upstream connection opened').map(({ fields }) => fields.pool)
    const former = pools()
    for (const password of passwords) {
      await world.connect({ password })
      expect(former).not.to.include(pools().at(-1))
    }
  }

  const expectWell = async (neighbour: FakeClient): Promise<void> => {
    neighbour.send(publishFrames(1, { body: 'well' }), publishFrames(2, { body: 'well, too' }))
    await settle()
    expect(neighbour.ended).to.equal('open')
    expect(former.published().slice(-2)).to.deep.equal(['well', 'well, too'])
    expect(neighbour.names(0).at(-1)).to.equal('connection.open-ok')
  }

  describe('that the broker accepts', () => {
    it('is answered after a login with it', async () => {
      await updateTo('new')
      expect(client.names(0).at(-1)).to.equal('connection.update-secret-ok')
      expect(logins()).to.deep.equal(['guest', 'new'])
      expect([world.upstream.user, world.upstream.virtualHost]).to.deep.equal(['guest', '/'])
    })

    it('is never applied to the shared connection', async () => {
      await updateTo('new')
      expect(former.names(0)).not.to.include('connection.update-secret')
      expect(former.isOpen).to.equal(true)
    })

    it('is used for what the client opens from then on, and leaves what is open where it is', async () => {
      await updateTo('new')
      await send(publishFrames(1, { body: 'stays' }), publishFrames(2, { body: 'goes' }))
      expect(former.published()).to.deep.equal(['first', 'stays'])
      expect(world.upstream.published()).to.deep.equal(['goes'])
      former.deliver(1, { body: 'still served' })
      await settle()
      expect(client.delivered(1)).to.deep.equal(['still served'])
      client.closeChannel(1)
      await settle()
      await client.openChannels(1)
      await send(publishFrames(1, { body: 'opened anew' }))
      expect(world.upstream.published()).to.deep.equal(['goes', 'opened anew'])
      expect(former.openChannels).to.deep.equal([])
    })

    it('makes what comes behind it wait, in order', async () => {
      world.broker.silentBefore = 'open-ok'
      await send(
        publishFrames(1, { body: 'before' }),
        update('new'),
        publishFrames(1, { body: 'a' }),
        publishFrames(2, { body: 'b' }),
        method(5, 'channel.open'),
      )
      await send(publishFrames(1, { body: 'c' }))
      expect(former.published()).to.deep.equal(['first', 'before'])
      expect(client.names(5)).to.deep.equal([])
      expect(client.peer.isPaused).to.equal(true)
      world.broker.connections.at(-1)!.finishOpen()
      await settle()
      expect(
        client
          .received()
          .slice(-2)
          .map(({ name }) => name),
      ).to.deep.equal([...['connection.update-secret-ok', 'channel.open-ok']])
      expect(former.published()).to.deep.equal(['first', 'before', 'a', 'c'])
      expect(world.upstream.published()).to.deep.equal(['b'])
      expect(client.peer.isPaused).to.equal(false)
    })

    it('keeps deliveries coming meanwhile', async () => {
      world.broker.silentBefore = 'open-ok'
      await updateTo('new')
      former.deliver(1, { body: 'meanwhile' })
      await settle()
      expect(client.delivered(1)).to.deep.equal(['meanwhile'])
    })

    it('may come several times, also in one piece, and back to the first', async () => {
      await send(update('second'), update('third'), publishFrames(2, { body: '3' }), update('guest'))
      await send(publishFrames(3, { body: '1' }))
      expect(client.names(0).slice(-3)).to.deep.equal(Array(3).fill('connection.update-secret-ok'))
      expect(logins()).to.deep.equal(['guest', 'second', 'third'])
      expect(former.published()).to.deep.equal(['first', '1'])
      expect(world.upstream.published()).to.deep.equal(['3'])
    })

    it('needs no login when it is the one that the client came with', async () => {
      await updateTo('guest')
      expect(client.names(0).at(-1)).to.equal('connection.update-secret-ok')
      expect(logins()).to.deep.equal(['guest'])
      await send(publishFrames(2, { body: 'same place' }))
      expect(former.published()).to.deep.equal(['first', 'same place'])
    })

    it('needs no login when others are in with it', async () => {
      const other = await world.connectWithChannels(1, { password: 'new' })
      await updateTo('new')
      expect(logins()).to.deep.equal(['guest', 'new'])
      other.publish(1, 'other')
      await send(publishFrames(2, { body: 'shared' }))
      expect(world.upstream.published().sort()).to.deep.equal(['other', 'shared'])
    })

    it('changes nothing for the neighbours, who go on with the former', async () => {
      const neighbour = await neighbourOf()
      await updateTo('new')
      await expectWell(neighbour)
      await expectWell(await neighbourOf())
    })

    it('is used with the mechanism and the virtual host that the client came with', async () => {
      await connect({ user: 'ann', password: 'old', vhost: 'own', mechanism: 'AMQPLAIN' })
      await updateTo('new')
      const { user, password, mechanism, virtualHost } = world.upstream
      expect({ user, password, mechanism, virtualHost }).to.deep.equal({
        ...{ user: 'ann', password: 'new', mechanism: 'AMQPLAIN', virtualHost: 'own' },
      })
    })

    it('lets the former connection go when nothing is left on it', async () => {
      client.closeChannel(1)
      await updateTo('new')
      await world.advance(60_000)
      expect(world.broker.open.map(({ password }) => password)).to.deep.equal(['new'])
      await send(publishFrames(2, { body: 'here' }))
      expect(world.upstream.published()).to.deep.equal(['here'])
    })

    it('does not let go the former connection while there is a channel on it', async () => {
      await updateTo('new')
      await world.advance(60_000)
      await send(publishFrames(1, { body: 'still here' }))
      expect(former.published()).to.deep.equal(['first', 'still here'])
    })

    it('leaves nothing on either connection when the client goes', async () => {
      await updateTo('new')
      await send(
        method(2, 'basic.recover', { requeue: true }),
        method(1, 'queue.declare', { queue: 'q', exclusive: true }),
      )
      former.method(1, 'queue.declare-ok', { queue: 'q' })
      await settle()
      client.peer.reset()
      await settle()
      expect(former.log.methods.map(({ name }) => name)).to.include('queue.delete')
      expect([former.openChannels, world.upstream.openChannels]).to.deep.equal([[], []])
      await expectNoPoolLeft('guest', 'new')
    })

    it('leaves the exclusive queues of the client within its reach', async () => {
      await send(method(1, 'queue.declare', { queue: 'q', exclusive: true }))
      former.method(1, 'queue.declare-ok', { queue: 'q' })
      await settle()
      await updateTo('new')
      await send(method(2, 'basic.consume', { queue: 'q' }))
      expect(former.names(2)).to.deep.equal(['channel.open', 'basic.consume'])
    })
  })

  describe('that the broker refuses', () => {
    beforeEach(() => {
      world.broker.refusesLogin = (_, password) => password === 'wrong' && 'close'
      world.broker.refusesSecret = () => true
    })

    it('ends the connection of the client with RabbitMQ’s words', async () => {
      await updateTo('wrong')
      expect(client.refusal).to.deep.equal(REFUSED)
      const close = client.received(0).at(-1)!.args as Args<'connection.close'>
      expect([close.classId, close.methodId]).to.deep.equal([10, 70])
      expect(client.ended).to.equal('ended')
      expect(former.openChannels).to.deep.equal([])
      expect(world.proxy.clients).to.equal(0)
    })

    it('without a word, too', async () => {
      world.broker.refusesLogin = (_, password) => password === 'wrong' && 'hang up'
      await updateTo('wrong')
      expect(client.refusal).to.deep.equal(REFUSED)
    })

    it('for the virtual host is refused alike', async () => {
      world.broker.refusesVirtualHost = () => ({ code: 530, text: 'NOT_ALLOWED - access to vhost refused' })
      await updateTo('new')
      expect(client.refusal).to.deep.equal(REFUSED)
    })

    it('costs only this client its connection', async () => {
      const neighbour = await neighbourOf()
      await updateTo('wrong')
      await expectWell(neighbour)
    })

    it('is followed by nothing of what came behind it', async () => {
      await send(publishFrames(1, { body: 'before' }), update('wrong'), publishFrames(1, { body: 'never' }))
      expect(former.published()).to.deep.equal(['first', 'before'])
    })

    it('is told behind the answers to what came before', async () => {
      world.broker.refusesLogin = (_, password) => password === 'wrong' && 'close'
      world.broker.refusesSecret = (secret) => secret === 'wrong'
      world.broker.holdsCloseOk = true
      await send(method(1, 'queue.declare', { queue: 'q' }), update('wrong'))
      expect(client.refusal).to.equal(undefined)
      former.method(1, 'queue.declare-ok', { queue: 'q' })
      former.answerCloses()
      await settle()
      expect(client.names().slice(-2)).to.deep.equal(['queue.declare-ok', 'connection.close'])
      expect(client.refusal).to.deep.equal(REFUSED)
    })

    it('says neither the old nor the new secret in the log', async () => {
      world.broker.refusesLogin = (_, password) => password === 'sesame' && 'close'
      await updateTo('sesame')
      expect(world.lines('new secret not accepted')).to.have.length(1)
      expect(JSON.stringify(world.logger.lines)).not.to.include('sesame')
    })
  })

  describe('that the broker takes, although it is wrong', () => {
    beforeEach(() => {
      world.broker.refusesLogin = (_, password) => password === 'wrong' && 'close'
    })

    it('is answered as the broker answers it, and changes nothing', async () => {
      await send(update('wrong'), publishFrames(1, { body: 'a' }), publishFrames(2, { body: 'b' }))
      expect(client.names(0).at(-1)).to.equal('connection.update-secret-ok')
      expect(former.published()).to.deep.equal(['first', 'a', 'b'])
      expect(world.broker.open).to.deep.equal([former])
    })

    it('is never sent on the shared connection', async () => {
      const neighbour = await neighbourOf()
      await updateTo('wrong')
      expect(former.names(0)).not.to.include('connection.update-secret')
      await expectWell(neighbour)
    })

    it('and a right one behind it, which is used then', async () => {
      await send(update('wrong'), update('new'), publishFrames(2, { body: 'goes' }))
      expect(client.names(0).slice(-2)).to.deep.equal(Array(2).fill('connection.update-secret-ok'))
      expect([world.upstream.password, ...world.upstream.published()]).to.deep.equal(['new', 'goes'])
    })

    it('leaves nothing when the client dies meanwhile', async () => {
      world.broker.silentBefore = 'open-ok'
      await updateTo('wrong')
      client.peer.reset()
      await settle()
      world.broker.connections.at(-1)!.finishOpen()
      world.broker.silentBefore = undefined
      await expectNoPoolLeft('guest')
    })
  })

  describe('that nobody can check', () => {
    it('ends the connection of the client, and no other', async () => {
      const neighbour = await neighbourOf()
      world.brokerDown()
      await updateTo('new')
      expect(client.refusal).to.deep.equal(FAILED)
      const close = client.received(0).at(-1)!.args as Args<'connection.close'>
      expect([close.classId, close.methodId]).to.deep.equal([10, 70])
      await expectWell(neighbour)
    })

    it('because the broker never answers, ends it in time', async () => {
      world.broker.silentBefore = 'tune'
      await updateTo('new')
      expect(client.ended).to.equal('open')
      await world.advance(60_000)
      expect(client.refusal).to.deep.equal(FAILED)
    })
  })

  describe('whose client does not wait for the answer', () => {
    it('leaves nothing when the client dies', async () => {
      world.broker.silentBefore = 'open-ok'
      await updateTo('new')
      client.peer.reset()
      await settle()
      expect(world.proxy.clients).to.equal(0)
      expect(former.openChannels).to.deep.equal([])
      world.broker.connections.at(-1)!.finishOpen()
      world.broker.silentBefore = undefined
      await expectNoPoolLeft('guest', 'new')
    })

    it('leaves nothing when the client dies before a refusal', async () => {
      world.broker.silentBefore = 'tune'
      await updateTo('new')
      client.peer.reset()
      await world.advance(60_000)
      expect(world.broker.open).to.deep.equal([])
      expect(world.broker.connections.filter(({ peer }) => peer.sees === 'open')).to.deep.equal([])
    })

    it('leaves nothing when the client breaks the protocol right behind it', async () => {
      await send(update('guest'), frame(1, 1, Buffer.alloc(200_000)))
      expect(client.refusal?.code).to.equal(501)
      await expectNoPoolLeft('guest')
    })

    it('answers a goodbye behind it after the answer', async () => {
      await send(update('new'), method(0, 'connection.close'))
      expect(client.names(0).slice(-2)).to.deep.equal(['connection.update-secret-ok', 'connection.close-ok'])
      expect(client.ended).to.equal('ended')
      expect(former.openChannels).to.deep.equal([])
    })

    it('lets a shutdown end in order', async () => {
      world.broker.silentBefore = 'open-ok'
      await updateTo('new')
      const stopped = world.proxy.shutDown()
      await world.advance(60_000)
      await stopped
      expect(client.ended).not.to.equal('open')
      expect(world.proxy.clients).to.equal(0)
    })
  })

  describe('and the loss of an upstream connection', () => {
    it('while it is checked ends the client as usual', async () => {
      world.broker.silentBefore = 'open-ok'
      await updateTo('new')
      former.peer.reset()
      await settle()
      expect(client.refusal?.code).to.equal(320)
      world.broker.connections.at(-1)!.finishOpen()
      await settle()
      expect(client.names(0)).not.to.include('connection.update-secret-ok')
      expect(client.ended).to.equal('ended')
      expect(world.proxy.clients).to.equal(0)
    })

    it('of the former one afterwards ends the client, if it has a channel there', async () => {
      await updateTo('new')
      former.peer.reset()
      await settle()
      expect(client.refusal?.code).to.equal(320)
    })

    it('of the former one afterwards does not concern the client, if it has none there', async () => {
      await updateTo('new')
      client.closeChannel(1)
      await send(publishFrames(2, { body: 'x' }))
      former.peer.reset()
      await settle()
      expect(client.ended).to.equal('open')
      await send(publishFrames(2, { body: 'y' }))
      expect(world.broker.open[0].published()).to.deep.equal(['x', 'y'])
    })

    it('of the new one ends the client', async () => {
      await updateTo('new')
      world.upstream.peer.reset()
      await settle()
      expect(client.refusal?.code).to.equal(320)
      expect(former.openChannels).to.deep.equal([])
    })
  })

  describe('and an alarm', () => {
    it('is told about by the pool that the client is in now', async () => {
      await connect({ capabilities: { 'connection.blocked': true } })
      await updateTo('new')
      world.upstream.method(0, 'connection.blocked', { reason: 'low on memory' })
      await settle()
      expect(client.names(0).at(-1)).to.equal('connection.blocked')
    })

    it('that was there before in the pool that the client comes to is told at once', async () => {
      await world.connect({ password: 'new' })
      world.upstream.method(0, 'connection.blocked', { reason: 'low on memory' })
      await connect({ capabilities: { 'connection.blocked': true } })
      await updateTo('new')
      expect(client.names(0).slice(-2)).to.deep.equal(['connection.update-secret-ok', 'connection.blocked'])
    })
  })
})
