import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { BrokerConnection } from '../../../support/fake-broker.js'
import type { FakeClient } from '../../../support/fake-client.js'
import type { Received } from '../../../support/fake-frames.js'
import { World } from '../../../support/fake-world.js'
import { method, publishFrames, type Args, type MethodName } from '../../../support/wire-format.js'

type Declaration = Partial<Args<'queue.declare'>>

const LOCKED =
  "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."

/** What the broker says to the question whether an exclusive queue is there; `shared`: there is one of that name, but it's everybody's. */
const PROBED = new Map<boolean | 'shared', { code: number; text: string }>([
  [true, { code: 406, text: "PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q'" }],
  [false, { code: 404, text: "NOT_FOUND - no queue 'q' in vhost '/'" }],
  ['shared', { code: 405, text: LOCKED }],
])

/** Every request that names a queue, but for those about bindings. */
const REQUESTS: [name: MethodName, frame: (queue: string) => Buffer][] = [
  ['queue.declare', (queue) => method(1, 'queue.declare', { queue })],
  ['queue.purge', (queue) => method(1, 'queue.purge', { queue })],
  ['queue.delete', (queue) => method(1, 'queue.delete', { queue })],
  ['basic.get', (queue) => method(1, 'basic.get', { queue })],
  ['basic.consume', (queue) => method(1, 'basic.consume', { queue })],
]

const declare = (queue: string, declaration: Declaration = { exclusive: true }): Buffer =>
  method(1, 'queue.declare', { queue, ...declaration })
const bind = (queue: string): Buffer => method(1, 'queue.bind', { queue, exchange: 'amq.topic' })
const remove = (queue: string): Buffer => method(1, 'queue.delete', { queue })

describe('Exclusive queues', () => {
  let world: World
  /** On channel 1 of the upstream connection. */
  let owner: FakeClient
  /** On channel 2. */
  let neighbour: FakeClient

  const connectBoth = async (): Promise<void> => {
    owner = await world.connectWithChannels(1)
    neighbour = await world.connectWithChannels(1)
    for (const client of [owner, neighbour]) {
      client.method(1, 'basic.recover', { requeue: true })
      await settle()
    }
  }

  beforeEach(async () => {
    world = await World.start()
    await connectBoth()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const send = async (client: FakeClient, ...frames: Buffer[]): Promise<void> => {
    client.send(...frames)
    await settle()
  }

  const declareOk = async (channel: number, queue: string): Promise<void> => {
    world.upstream.method(channel, 'queue.declare-ok', { queue })
    await settle()
  }

  const deleteOk = async (channel: number): Promise<void> => {
    world.upstream.method(channel, 'queue.delete-ok')
    await settle()
  }

  const refuseDeclare = async (channel: number): Promise<void> => {
    world.upstream.closeChannel(channel, { code: 406, text: 'PRECONDITION_FAILED - no' }, 'queue.declare')
    await settle()
  }

  /** The owner has the queue, and the broker has said so. */
  const own = async (queue = 'q', declaration: Declaration = {}): Promise<void> => {
    await send(owner, declare(queue, { exclusive: true, ...declaration }))
    await declareOk(1, queue)
  }

  /** What the broker got on a channel since it was opened last and, on those of the clients, their state was set. */
  const asked = (channel: number, upstream = world.upstream): MethodName[] => {
    const names = upstream.names(channel)
    return names.slice(names.lastIndexOf('channel.open') + 1).filter((name) => name !== 'basic.recover')
  }

  /** Questions of Warren's own, whether a queue is there. */
  const probes = (upstream: BrokerConnection = world.upstream): Received<'queue.declare'>[] =>
    (upstream.log.methods as Received<'queue.declare'>[]).filter(
      ({ name, args }) => name === 'queue.declare' && args.passive && args.nowait,
    )

  const answerProbe = async (
    exists: boolean | 'shared',
    upstream = world.upstream,
    { channel } = probes(upstream).at(-1)!,
  ): Promise<void> => {
    upstream.closeChannel(channel, PROBED.get(exists)!, 'queue.declare')
    await settle()
  }

  /** What Warren itself told the broker to delete, each with the declaration before it, if there was one. */
  const deletions = (upstream = world.upstream): string[] =>
    upstream.log.methods.flatMap(({ name, channel, args }, at, all) => {
      if (name !== 'queue.delete' || !(args as Args<'queue.delete'>).nowait) return []
      const { queue } = args as Args<'queue.delete'>
      const before = all[at - 1]
      return [
        before.name === 'queue.declare' && before.channel === channel ? `declare+delete ${queue}` : queue,
      ]
    })

  const refusals = (client: FakeClient): { code: number; text: string }[] =>
    client
      .received(1)
      .filter(({ name }) => name === 'channel.close')
      .map(({ args }) => args as Args<'channel.close'>)
      .map(({ code, text }) => ({ code, text }))

  describe('that delete themselves behind their last consumer', () => {
    const TEMPORARY = { exclusive: true, autoDelete: true }
    const consume = (queue: string, args: Partial<Args<'basic.consume'>> = {}): Buffer =>
      method(1, 'basic.consume', { queue, consumerTag: `t-${queue}`, ...args })
    const cancel = (queue: string): Buffer => method(1, 'basic.cancel', { consumerTag: `t-${queue}` })

    const answer = async (name: 'basic.consume-ok' | 'basic.cancel-ok', queue: string): Promise<void> => {
      world.upstream.method(1, name, { consumerTag: `t-${queue}` })
      await settle()
    }

    /** Declares, consumes and cancels, as for each call of a remote procedure. */
    const use = async (queue: string): Promise<void> => {
      await own(queue, TEMPORARY)
      await send(owner, consume(queue))
      await answer('basic.consume-ok', queue)
      await send(owner, cancel(queue))
      await answer('basic.cancel-ok', queue)
    }

    it('are forgotten, however many there were', async () => {
      for (let n = 0; n < 10; n++) await use(`q${n}`)
      await world.advance(1000)
      await use('last')
      await send(neighbour, bind('q3'))
      expect([asked(2), probes()]).to.deep.equal([['queue.bind'], []])
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['declare+delete last'])
    })

    it('are forgotten also when they are consumed from before the broker has made them, or from all at once', async () => {
      await send(owner, declare('q', TEMPORARY), consume('q'))
      expect(asked(1)).to.deep.equal(['queue.declare'])
      await declareOk(1, 'q')
      expect(asked(1)).to.deep.equal(['queue.declare', 'basic.consume'])
      await answer('basic.consume-ok', 'q')
      owner.closeChannel(1)
      await settle()
      await world.advance(1000)
      await owner.openChannels(1)
      await use('last')
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['declare+delete last'])
    })

    it('stay their owner’s if nobody has consumed from them, as the broker refused it', async () => {
      await own('q', TEMPORARY)
      await owner.openChannels(2)
      await send(owner, method(2, 'basic.consume', { queue: 'q', consumerTag: 'refused' }))
      world.upstream.closeChannel(3, { code: 403, text: 'ACCESS_REFUSED - no' }, 'basic.consume')
      await settle()
      await world.advance(1000)
      await use('last')
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['declare+delete q', 'declare+delete last'])
    })

    it('stay their owner’s while it consumes from them, also silently', async () => {
      await own('q', TEMPORARY)
      await send(owner, consume('q', { nowait: true, consumerTag: '' }), consume('q'))
      await answer('basic.consume-ok', 'q')
      await send(owner, cancel('q'))
      await answer('basic.cancel-ok', 'q')
      await world.advance(1000)
      await use('last')
      await send(neighbour, method(1, 'queue.purge', { queue: 'q' }))
      expect(asked(2)).to.deep.equal([])
      await answerProbe(true)
      expect(refusals(neighbour)[0].code).to.equal(405)
    })
  })

  describe('that the broker names', () => {
    const unnamed = (name: MethodName): Buffer => method(1, name, { queue: '' })

    it('are told apart when one is declared and deleted in a breath: the other goes with its owner', async () => {
      await send(owner, declare(''))
      await declareOk(1, 'amq.gen-1')
      await send(owner, declare(''), method(1, 'queue.delete', { queue: '', nowait: true }))
      await declareOk(1, 'amq.gen-2')
      await deleteOk(1)
      owner.peer.reset()
      await settle()
      expect(deletions().slice(-1)).to.deep.equal(['amq.gen-1'])
    })

    it('are current only until another is declared, in whatever order that is answered', async () => {
      await send(owner, declare(''), declare('q'))
      await declareOk(1, 'amq.gen-1')
      await declareOk(1, 'q')
      await send(owner, unnamed('queue.delete'))
      await deleteOk(1)
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['amq.gen-1'])
    })
  })

  describe('of a client', () => {
    for (const [name, frame] of REQUESTS)
      it(`are locked for ${name} of others, as soon as the broker has said that they are still there`, async () => {
        await own()
        await send(neighbour, frame('q'))
        expect(refusals(neighbour)).to.deep.equal([])
        expect(probes().map(({ args }) => args.queue)).to.deep.equal(['q'])
        await answerProbe(true)
        expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
        const close = neighbour.received(1).at(-1)!.args as Args<'channel.close'>
        expect(method(1, name).readUInt32BE(7)).to.equal((close.classId << 16) | close.methodId)
        expect(asked(2)).to.deep.equal(['channel.close'])
        expect(world.upstream.openChannels, 'the question is over, too').to.deep.equal([1])
      })

    it('are locked no longer when another queue has their name by now, that is everybody’s', async () => {
      await own()
      await send(neighbour, method(1, 'basic.get', { queue: 'q' }))
      await answerProbe('shared')
      expect(refusals(neighbour)).to.deep.equal([])
      expect(asked(2)).to.deep.equal(['basic.get'])
      expect(world.upstream.openChannels).to.deep.equal([1, 2])
      world.upstream.method(2, 'basic.get-empty')
      await send(neighbour, method(1, 'basic.get', { queue: 'q' }))
      expect(probes(), 'nobody asks again').to.have.length(1)
    })

    it('are locked if the broker agrees to the question, that can’t be agreed to', async () => {
      await own()
      await send(neighbour, method(1, 'basic.get', { queue: 'q' }))
      world.upstream.method(probes()[0].channel, 'queue.declare-ok', { queue: 'q' })
      await settle()
      expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
      expect(world.upstream.openChannels, 'the question is over, too').to.deep.equal([1])
    })

    it('with a name of the broker’s are not locked for a declaration of others: the broker refuses the name', async () => {
      await send(owner, declare(''))
      await declareOk(1, 'amq.gen-1')
      await send(neighbour, declare('amq.gen-1'))
      expect(asked(2)).to.deep.equal(['queue.declare'])
      const refusal = {
        code: 403,
        text: "ACCESS_REFUSED - queue name 'amq.gen-1' contains reserved prefix 'amq.*'",
      }
      world.upstream.closeChannel(2, refusal, 'queue.declare')
      await settle()
      expect(refusals(neighbour)).to.deep.equal([refusal])
      await neighbour.openChannels(1)
      await send(neighbour, declare('amq.gen-1', { passive: true }))
      await answerProbe(true)
      expect(refusals(neighbour)[1].code).to.equal(405)
      await send(owner, bind('amq.gen-1'))
      expect(asked(1).at(-1)).to.equal('queue.bind')
    })

    it('are its own on all its channels, without any question', async () => {
      await own()
      await owner.openChannels(2)
      await send(owner, bind('q'), method(2, 'basic.consume', { queue: 'q' }))
      expect(asked(1)).to.deep.equal(['queue.declare', 'queue.bind'])
      expect(asked(3)).to.deep.equal(['basic.consume'])
      expect(probes()).to.deep.equal([])
    })

    it('keep no others from queues of their own', async () => {
      await own()
      await send(neighbour, declare('other'))
      await declareOk(2, 'other')
      await send(neighbour, bind('other'), method(1, 'queue.purge', { queue: 'third' }))
      expect(asked(2)).to.deep.equal(['queue.declare', 'queue.bind', 'queue.purge'])
      expect(probes()).to.deep.equal([])
    })

    it('are asked about anew each time that somebody wants them', async () => {
      await own()
      for (let count = 1; count <= 3; count++) {
        await send(neighbour, remove('q'))
        expect(probes()).to.have.length(count)
        await answerProbe(true)
        expect(refusals(neighbour)).to.have.length(count)
        await neighbour.openChannels(1)
      }
    })

    it('that are gone, by auto-delete or expiry, are gone for Warren as well', async () => {
      await own()
      await send(neighbour, declare('q'), bind('q'))
      expect(asked(2)).to.deep.equal([])
      await answerProbe(false)
      expect(asked(2)).to.deep.equal(['queue.declare', 'queue.bind'])
      await declareOk(2, 'q')
      expect(neighbour.names(1).at(-1)).to.equal('queue.declare-ok')
      await send(owner, remove('q'))
      await answerProbe(true)
      expect(refusals(owner)).to.deep.equal([{ code: 405, text: LOCKED }])
      await send(neighbour, bind('q'))
      expect(asked(2).at(-1)).to.equal('queue.bind')
    })

    it('that are gone keep nobody from what the client has declared under that name for all since', async () => {
      for (const nowait of [false, true]) {
        await own()
        const before = owner.names(1).length
        await send(owner, declare('q', { durable: true, nowait }))
        // RabbitMQ would refuse this if the exclusive one were still there.
        await declareOk(1, 'q')
        expect(owner.names(1)).to.have.length(nowait ? before : before + 1)
        await send(neighbour, bind('q'))
        expect(probes()).to.deep.equal([])
        expect(asked(2).at(-1)).to.equal('queue.bind')
        world.upstream.method(2, 'queue.bind-ok')
        await settle()
      }
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal([])
    })

    it('are the client’s again when it has declared them again, even if the broker was just asked about the former', async () => {
      await own()
      await send(neighbour, remove('q'))
      const [{ channel }] = probes()
      // The answer about the former comes last: it was given on another channel.
      await own()
      world.upstream.closeChannel(channel, { code: 404, text: 'NOT_FOUND - no queue' }, 'queue.declare')
      await settle()
      expect(asked(2)).to.deep.equal([])
      await answerProbe(true)
      expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
    })

    it('are still the client’s after a passive declaration', async () => {
      await own()
      await send(owner, declare('q', { passive: true }))
      await declareOk(1, 'q')
      await send(neighbour, remove('q'))
      await answerProbe(true)
      expect(refusals(neighbour)).to.have.length(1)
    })

    it('that are gone are not deleted when the client goes', async () => {
      await own()
      await send(neighbour, remove('q'))
      await answerProbe(false)
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal([])
    })

    it('may be asked about by several at once', async () => {
      await own()
      const third = await world.connectWithChannels(1)
      await send(neighbour, remove('q'))
      await send(third, remove('q'))
      expect(probes()).to.have.length(2)
      const [first, second] = probes()
      await answerProbe(true, world.upstream, second)
      expect(refusals(third)).to.have.length(1)
      await answerProbe(true, world.upstream, first)
      expect(refusals(neighbour)).to.have.length(1)
    })

    it('cannot be named by way of line ends, which RabbitMQ drops', async () => {
      await own()
      await send(neighbour, remove('\r\nq\n'))
      await answerProbe(true)
      expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
    })

    it('are claimed under the name that the broker gives them, when the client’s has line ends', async () => {
      await send(owner, declare('q\r\n'))
      await declareOk(1, 'q')
      await send(neighbour, remove('q'))
      await answerProbe(true)
      expect(refusals(neighbour)).to.have.length(1)
    })

    it('cannot be reached as the current queue of a neighbour’s channel', async () => {
      await own()
      await send(neighbour, declare('q', {}))
      await answerProbe(false)
      await declareOk(2, 'q')
      await own()
      await send(neighbour, remove(''))
      expect(asked(2)).to.deep.equal(['queue.declare'])
      await answerProbe(true)
      expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
    })

    it('are claimed under the broker’s name when it chose one', async () => {
      await send(owner, declare(''))
      await declareOk(1, 'amq.gen-1')
      await send(owner, bind(''))
      await send(neighbour, remove('amq.gen-1'))
      await answerProbe(true)
      expect(asked(1)).to.deep.equal(['queue.declare', 'queue.bind'])
      expect(refusals(neighbour)[0].code).to.equal(405)
    })

    it('are taken to be there when the broker has no channel left for the question', async () => {
      world = await World.start({ broker: ({ tune }) => (tune.channelMax = 2) })
      await connectBoth()
      await own()
      await send(neighbour, remove('q'))
      expect(probes()).to.deep.equal([])
      expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
    })

    it('do not concern clients of other pools', async () => {
      const other = await world.connectWithChannels(1, { vhost: 'other' })
      await own()
      await send(other, bind('q'))
      expect(world.upstream.virtualHost).to.equal('other')
      expect(asked(1, world.upstream)).to.deep.equal(['queue.bind'])
    })
  })

  describe('of a client, bound or unbound by others', () => {
    let shared: BrokerConnection

    beforeEach(async () => {
      world.broker.holdsCloseOk = true
      shared = world.upstream
      await own()
    })

    const request = (name: 'queue.bind' | 'queue.unbind', queue = 'q', routingKey = 'k'): Buffer =>
      method(1, name, { queue, exchange: 'e', routingKey })

    /** The connection on which the broker is asked. */
    const stranger = (): BrokerConnection => {
      expect(world.upstream, 'a connection of its own').to.not.equal(shared)
      return world.upstream
    }

    /** The neighbour has asked, and the broker has said that the queue is there. */
    const ask = async (...frames: Buffer[]): Promise<void> => {
      await send(neighbour, ...frames)
      await answerProbe(true)
    }

    /** The broker has ended the channel that is refused. */
    const endChannel = async (): Promise<void> => {
      await settle()
      shared.answerCloses()
      await settle()
    }

    for (const name of ['queue.bind', 'queue.unbind'] as const) {
      it(`are the broker’s to judge, which hears of ${name} as from a connection that isn’t their owner’s`, async () => {
        await ask(request(name), declare('behind', {}))
        expect(stranger().names(1)[1]).to.equal(name)
        expect(stranger().received(1)[1].args).to.deep.include({ queue: 'q', exchange: 'e', routingKey: 'k' })
        expect([refusals(neighbour), asked(2, shared)]).to.deep.equal([[], []])
        const refusal = { code: 404, text: "NOT_FOUND - no exchange 'e' in vhost '/'" }
        stranger().closeChannel(1, refusal, name)
        await endChannel()
        expect(refusals(neighbour)).to.deep.equal([refusal])
        expect(stranger().isOpen, 'needed no longer').to.equal(false)
        expect(asked(2, shared)).to.deep.equal(['channel.close'])
      })

      it(`are locked for ${name} when the broker cannot be asked`, async () => {
        world.brokerDown()
        await ask(request(name))
        await endChannel()
        expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
      })
    }

    it('are named when the broker is asked, also where the request means the current queue', async () => {
      await send(neighbour, declare('q', {}))
      await answerProbe(false)
      await declareOk(2, 'q')
      await own()
      await ask(request('queue.bind', '', ''))
      expect(stranger().received(1)[1].args).to.deep.include({ queue: 'q', routingKey: 'q' })
    })

    it('stay bound as their owner has bound them since the broker said that there was nothing to unbind', async () => {
      await ask(request('queue.unbind'), declare('behind', {}))
      stranger().answerCloses()
      await settle()
      const [unbind, behind] = shared.received(2).slice(-2)
      expect([unbind.name, behind.name]).to.deep.equal(['queue.unbind', 'queue.declare'])
      const { queue, exchange, routingKey, arguments: args } = unbind.args as Args<'queue.unbind'>
      expect([queue, exchange, routingKey]).to.deep.equal(['q', 'e', 'k'])
      expect(args, 'no binding has these').to.deep.equal({ 'x-warren-nowhere': '' })
    })

    it('may be bound after all if they are somebody else’s by now', async () => {
      await ask(request('queue.bind'), request('queue.bind', 'other'))
      stranger().answerCloses()
      await settle()
      expect(asked(2, shared)).to.deep.equal(['queue.bind', 'queue.bind'])
      expect(shared.received(2).map(({ args }) => (args as Args<'queue.bind'>).arguments)[2]).to.deep.equal(
        {},
      )
    })

    it('are asked about anew for each request', async () => {
      for (let count = 1; count <= 2; count++) {
        const before = world.broker.connections.length
        await send(neighbour, request('queue.bind'))
        await answerProbe(true, shared)
        expect(world.broker.connections).to.have.length(before + 1)
        stranger().closeChannel(1, { code: 405, text: LOCKED }, 'queue.bind')
        await endChannel()
        expect(refusals(neighbour)).to.have.length(count)
        await neighbour.openChannels(1)
      }
    })

    it('leave nothing behind with a neighbour who dies while the broker is asked', async () => {
      await ask(request('queue.bind'))
      neighbour.peer.reset()
      await settle()
      stranger().answerCloses()
      shared.answerCloses()
      await settle()
      expect(stranger().isOpen).to.equal(false)
      expect(shared.openChannels).to.deep.equal([1])
    })
  })

  describe('that the broker has not answered yet', () => {
    it('make a neighbour wait who names them; the broker’s yes means 405, after the question', async () => {
      await send(owner, declare('q'))
      await send(neighbour, remove('q'), method(1, 'basic.get', { queue: 'other' }))
      expect(asked(2)).to.deep.equal([])
      expect(neighbour.peer.isPaused).to.equal(true)
      expect(probes()).to.deep.equal([])
      await declareOk(1, 'q')
      expect(owner.names(1).at(-1)).to.equal('queue.declare-ok')
      await answerProbe(true)
      expect(refusals(neighbour)).to.deep.equal([{ code: 405, text: LOCKED }])
      expect(neighbour.peer.isPaused).to.equal(false)
    })

    it('let the neighbour through when the broker says no', async () => {
      await send(owner, declare('q'))
      await send(neighbour, bind('q'), method(1, 'basic.get', { queue: 'other' }))
      await refuseDeclare(1)
      expect(refusals(owner)[0].code).to.equal(406)
      expect(asked(2)).to.deep.equal(['queue.bind', 'basic.get'])
      expect(probes()).to.deep.equal([])
    })

    it('may be used by the one who asked, at once', async () => {
      await send(owner, declare('q'), bind('q'), declare('q'))
      expect(asked(1)).to.deep.equal(['queue.declare', 'queue.bind', 'queue.declare'])
    })

    it('keep nobody from other queues', async () => {
      await send(owner, declare('q'))
      await send(neighbour, bind('other'))
      expect(asked(2)).to.deep.equal(['queue.bind'])
    })

    describe('of which a neighbour has asked for something before', () => {
      const get = method(1, 'basic.get', { queue: 'q' })

      for (const [name, frame] of [...REQUESTS, ['queue.bind', bind]] as typeof REQUESTS)
        it(`are made behind ${name}: the broker would let it in once they are there`, async () => {
          await send(neighbour, frame('q'))
          await send(owner, declare('q'))
          expect(asked(1)).to.deep.equal([])
          world.upstream.closeChannel(2, { code: 404, text: "NOT_FOUND - no queue 'q'" }, name)
          await settle()
          expect(asked(1)).to.deep.equal(['queue.declare'])
        })

      it('are made before it asks again', async () => {
        await send(neighbour, get, get)
        await send(owner, declare('q'))
        await send(neighbour, get)
        world.upstream.method(2, 'basic.get-empty')
        await settle()
        expect([asked(1), asked(2)]).to.deep.equal([[], ['basic.get', 'basic.get']])
        world.upstream.method(2, 'basic.get-empty')
        await settle()
        expect([asked(1), asked(2)]).to.deep.equal([['queue.declare'], ['basic.get', 'basic.get']])
        await declareOk(1, 'q')
        await answerProbe(true)
        expect(refusals(neighbour)[0].code).to.equal(405)
      })

      it('wait for nothing that gets no answer, for other queues, or for what their client has asked', async () => {
        await send(neighbour, method(1, 'queue.purge', { queue: 'q', nowait: true }), bind('other'))
        await owner.openChannels(2)
        await send(owner, method(2, 'basic.get', { queue: 'q' }))
        await send(owner, declare('q'))
        expect(asked(1)).to.deep.equal(['queue.declare'])
      })

      it('keep nobody waiting if their client leaves before it has its turn', async () => {
        await send(neighbour, get)
        await send(owner, bind('other'), declare('q'))
        await send(neighbour, get)
        owner.peer.reset()
        await settle()
        expect(asked(2)).to.deep.equal(['basic.get', 'basic.get'])
        expect(deletions()).to.deep.equal([])
      })

      it('go on if it leaves without its answer', async () => {
        await send(neighbour, get)
        await send(owner, declare('q'))
        neighbour.peer.reset()
        await settle()
        expect(asked(1)).to.deep.equal(['queue.declare'])
      })
    })

    it('stay their owner’s who has deleted one and declared another, whichever answer comes first', async () => {
      await own()
      await owner.openChannels(2)
      await send(owner, remove('q'), method(2, 'queue.declare', { queue: 'q', exclusive: true }))
      await declareOk(3, 'q')
      await deleteOk(1)
      await send(neighbour, method(1, 'queue.purge', { queue: 'q' }))
      await answerProbe(true)
      expect(refusals(neighbour)[0].code).to.equal(405)
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['declare+delete q'])
    })

    it('are free once the last one is deleted that was declared and deleted in a breath', async () => {
      await own()
      await send(owner, declare('q'), remove('q'))
      await declareOk(1, 'q')
      await deleteOk(1)
      await send(neighbour, method(1, 'queue.purge', { queue: 'q' }))
      expect([probes(), asked(2)]).to.deep.equal([[], ['queue.purge']])
    })

    it('are decided only by the last of several answers', async () => {
      await send(owner, declare('q'), declare('q'))
      await send(neighbour, remove('q'))
      await declareOk(1, 'q')
      await answerProbe(true)
      expect(refusals(neighbour)).to.have.length(1)
      await neighbour.openChannels(1)
      await send(neighbour, remove('q'))
      await declareOk(1, 'q')
      await answerProbe(true)
      expect(refusals(neighbour)).to.have.length(2)
    })

    it('are won by who asked first, when two do', async () => {
      await send(owner, declare('q'))
      await send(neighbour, declare('q'))
      expect(asked(2)).to.deep.equal([])
      await declareOk(1, 'q')
      await answerProbe(true)
      expect(refusals(neighbour)[0].code).to.equal(405)
    })

    it('leave nothing behind with a neighbour who dies while it waits', async () => {
      await send(owner, declare('q'))
      await send(neighbour, remove('q'))
      neighbour.peer.reset()
      await settle()
      await declareOk(1, 'q')
      expect(asked(2)).to.deep.equal(['channel.close'])
      expect(probes()).to.deep.equal([])
      expect(world.upstream.openChannels).to.deep.equal([1])
    })

    it('leave nothing behind with a neighbour who dies while the broker is asked', async () => {
      await own()
      await send(neighbour, remove('q'))
      neighbour.peer.reset()
      await settle()
      await answerProbe(true)
      expect(world.upstream.openChannels).to.deep.equal([1])
    })

    it('are still decided when the owner’s channel has ended before the answer', async () => {
      await send(owner, declare('q'), method(1, 'channel.close'))
      await send(neighbour, bind('q'))
      expect(asked(2)).to.deep.equal(['queue.bind'])
    })
  })

  describe('whose owner wants no answer', () => {
    it('are asked about all the same, and claimed; the client does not see it', async () => {
      const before = owner.names(1).length
      await send(owner, declare('q', { exclusive: true, nowait: true }))
      const request = world.upstream.received(1).at(-1)!.args as Args<'queue.declare'>
      expect([request.queue, request.exclusive, request.nowait]).to.deep.equal(['q', true, false])
      await declareOk(1, 'q')
      expect(owner.names(1)).to.have.length(before)
      await send(neighbour, remove('q'))
      await answerProbe(true)
      expect(refusals(neighbour)[0].code).to.equal(405)
    })

    it('are claimed also if the broker chose their name', async () => {
      const before = owner.names(1).length
      await send(owner, declare('', { exclusive: true, nowait: true }))
      await declareOk(1, 'amq.gen-1')
      expect(owner.names(1)).to.have.length(before)
      await send(neighbour, remove('amq.gen-1'))
      await answerProbe(true)
      expect(refusals(neighbour)).to.have.length(1)
    })

    it('hide no answers but their own', async () => {
      await send(
        owner,
        declare('hidden', { exclusive: true, nowait: true }),
        declare('seen'),
        declare('shared', { nowait: true }),
        declare('shared', {}),
        declare('', { nowait: true }),
        declare('', {}),
      )
      for (const queue of ['hidden', 'seen', 'shared', 'amq.gen-1', 'amq.gen-2']) await declareOk(1, queue)
      const seen = owner.received(1).filter(({ name }) => name === 'queue.declare-ok')
      expect(seen.map(({ args }) => (args as Args<'queue.declare-ok'>).queue)).to.deep.equal([
        ...['seen', 'shared', 'amq.gen-2'],
      ])
    })

    it('are given up by a deletion without answer', async () => {
      await own()
      await send(owner, method(1, 'queue.delete', { queue: 'q', nowait: true }))
      expect(world.upstream.received(1).at(-1)!.args).to.deep.include({ queue: 'q', nowait: false })
      await deleteOk(1)
      expect(owner.names(1).at(-1)).to.equal('queue.declare-ok')
      await send(neighbour, declare('q'))
      expect(asked(2)).to.deep.equal(['queue.declare'])
    })

    it('hide no answer to another deletion', async () => {
      await own()
      await send(
        owner,
        method(1, 'queue.delete', { queue: 'q', nowait: true }),
        method(1, 'queue.delete', { queue: 'other' }),
        method(1, 'queue.delete', { queue: 'third', nowait: true }),
      )
      expect(world.upstream.received(1).at(-1)!.args).to.deep.include({ queue: 'third', nowait: false })
      for (let count = 0; count < 3; count++) await deleteOk(1)
      expect(owner.names(1).filter((name) => name === 'queue.delete-ok')).to.have.length(1)
    })
  })

  describe('that their owner deletes', () => {
    it('are free for others with the broker’s answer, and not before', async () => {
      await own()
      await send(owner, method(1, 'queue.delete', { queue: 'q', ifUnused: true, ifEmpty: true }))
      expect(world.upstream.received(1).at(-1)!.args).to.deep.include({ ifUnused: true, ifEmpty: true })
      await send(neighbour, bind('q'))
      expect(probes(), 'it is still claimed').to.have.length(1)
      await answerProbe(false)
      await deleteOk(1)
      expect(owner.names(1).at(-1)).to.equal('queue.delete-ok')
      expect(asked(2)).to.deep.equal(['queue.bind'])
    })

    it('are not asked about any more, nor deleted when the owner goes', async () => {
      await own()
      await send(owner, method(1, 'queue.delete', { queue: 'q' }))
      await deleteOk(1)
      await send(neighbour, declare('q'))
      await declareOk(2, 'q')
      owner.peer.reset()
      await settle()
      expect(probes()).to.deep.equal([])
      expect(deletions()).to.deep.equal([])
    })

    it('by an empty name, as the current queue, are free as well', async () => {
      await own()
      await send(owner, method(1, 'queue.delete'))
      await deleteOk(1)
      await send(neighbour, bind('q'))
      expect([asked(2), probes()]).to.deep.equal([['queue.bind'], []])
    })

    it('stay theirs when the broker refuses', async () => {
      await own()
      await send(owner, method(1, 'queue.delete', { queue: 'q', ifUnused: true }))
      world.upstream.closeChannel(1, { code: 406, text: 'PRECONDITION_FAILED - in use' }, 'queue.delete')
      await settle()
      await send(neighbour, remove('q'))
      await answerProbe(true)
      expect(refusals(neighbour)).to.have.length(1)
    })
  })

  describe('whose owner says goodbye', () => {
    beforeEach(async () => {
      await own('q')
      owner.closeChannel(1)
      await settle()
      world.broker.holdsCloseOk = true
      owner.close()
      await settle()
    })

    it('are deleted before the owner hears Close-Ok, as RabbitMQ does it', async () => {
      expect(owner.names(0)).not.to.include('connection.close-ok')
      world.upstream.answerCloses()
      await settle()
      expect(owner.names(0).at(-1)).to.equal('connection.close-ok')
    })

    it('keep it waiting for a second at most', async () => {
      await world.advance(1000)
      expect(owner.names(0).at(-1)).to.equal('connection.close-ok')
      world.upstream.answerCloses()
      await settle()
      expect(owner.names(0).filter((name) => name === 'connection.close-ok')).to.have.length(1)
    })

    it('may lose it meanwhile', async () => {
      owner.peer.reset()
      await settle()
      world.upstream.answerCloses()
      await settle()
      expect(world.proxy.clients).to.equal(1)
    })
  })

  describe('whose owner is gone', () => {
    it('are deleted: those with a name of its choice after they were declared again, the others by name', async () => {
      await own('q', { durable: true, arguments: { 'x-expires': 1000 } })
      await send(owner, declare(''))
      await declareOk(1, 'amq.gen-1')
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['declare+delete q', 'amq.gen-1'])
      const again = world.upstream.log.methods.filter(({ name }) => name === 'queue.declare').at(-1)!
      const declaration = { queue: 'q', durable: true, exclusive: true, arguments: { 'x-expires': 1000 } }
      expect(again.args).to.deep.include(declaration)
      expect(world.upstream.openChannels).to.deep.equal([2])
    })

    it('are deleted on a channel of their own each, so that one that resists does not save the others', async () => {
      for (const queue of ['q', 'r', 's']) await own(queue)
      owner.peer.reset()
      await settle()
      const channels = world.upstream.log.methods.filter(
        ({ name, channel }) => name === 'queue.delete' && channel > 2,
      )
      expect(new Set(channels.map(({ channel }) => channel)).size).to.equal(3)
    })

    for (const [how, leave] of [
      ['dies', (client: FakeClient) => client.peer.reset()],
      ['leaves', (client: FakeClient) => client.close()],
    ] as const)
      for (const [what, name, answer] of [
        ['a named one', 'q', 'q'],
        ['one that the broker names', '', 'amq.gen-1'],
      ])
        it(`before the broker has made them are deleted then: ${what}, of a client that ${how}`, async () => {
          world.broker.holdsCloseOk = true
          await send(owner, declare(name))
          leave(owner)
          await settle()
          expect(deletions()).to.deep.equal([])
          await declareOk(1, answer)
          world.upstream.answerCloses()
          await settle()
          expect(deletions()).to.deep.equal([name === '' ? answer : `declare+delete ${answer}`])
        })

    it('before the broker has made them are nobody’s, when it says no', async () => {
      await send(owner, declare('q'))
      world.broker.holdsCloseOk = true
      owner.peer.reset()
      await settle()
      await send(neighbour, bind('q'))
      await refuseDeclare(1)
      expect(asked(2), 'our own Close is still to be answered').to.deep.equal([])
      world.upstream.answerCloses()
      await settle()
      expect(asked(2)).to.deep.equal(['queue.bind'])
      expect(deletions()).to.deep.equal([])
    })

    it('are nobody else’s before the broker has deleted them: on this connection it would let everybody in', async () => {
      await own()
      world.broker.holdsCloseOk = true
      owner.peer.reset()
      await settle()
      expect(deletions()).to.deep.equal(['declare+delete q'])
      await send(neighbour, declare('q'))
      expect(asked(2)).to.deep.equal([])
      world.upstream.answerCloses()
      await settle()
      expect(asked(2)).to.deep.equal(['queue.declare'])
    })

    it('are free for a neighbour that waited for the answer, once they are deleted', async () => {
      world.broker.holdsCloseOk = true
      await send(owner, declare('q'))
      await send(neighbour, declare('q'))
      owner.peer.reset()
      await settle()
      await declareOk(1, 'q')
      expect(deletions()).to.deep.equal(['declare+delete q'])
      expect(asked(2)).to.deep.equal([])
      world.upstream.answerCloses()
      await settle()
      world.upstream.answerCloses()
      await settle()
      expect(asked(2)).to.deep.equal(['queue.declare'])
    })

    it('are not made again if they are gone already', async () => {
      await own()
      world.broker.holdsCloseOk = true
      owner.peer.reset()
      await settle()
      const last = world.upstream.log.methods.slice(-4)
      expect(last.map(({ name }) => name)).to.deep.equal([
        'queue.declare',
        'queue.declare',
        'queue.delete',
        'channel.close',
      ])
      expect((last[0].args as Args<'queue.declare'>).passive, 'the channel ends there').to.equal(true)
      expect(new Set(last.map(({ channel }) => channel))).to.have.length(1)
    })

    it('are deleted when there is room for it', async () => {
      world = await World.start({ broker: ({ tune }) => (tune.channelMax = 2) })
      await connectBoth()
      await own('q')
      await own('r')
      world.broker.holdsCloseOk = true
      owner.peer.reset()
      await settle()
      const asksToDelete = (): number =>
        world.upstream.log.methods.filter(({ name }) => name === 'queue.delete').length
      expect(asksToDelete()).to.equal(0)
      world.upstream.answerCloses()
      await settle()
      expect(asksToDelete()).to.equal(1)
      world.upstream.answerCloses()
      await settle()
      expect(asksToDelete()).to.equal(2)
      world.upstream.answerCloses()
      await settle()
      expect(world.upstream.openChannels).to.deep.equal([2])
    })
  })

  describe('whose owner stays, but not the channel on which it declared them', () => {
    /** For it Warren refuses the owner's channel. */
    const tooLarge = publishFrames(1, { body: 'x'.repeat(11) })

    beforeEach(async () => {
      world = await World.start({ settings: { client: { ...World.defaults.client, maxMessageBytes: 10 } } })
      await connectBoth()
    })

    it('are not deleted: neither that which was being declared nor the others', async () => {
      await own('other')
      world.broker.holdsCloseOk = true
      await send(owner, declare('q'), tooLarge)
      await declareOk(1, 'q')
      world.upstream.answerCloses()
      await settle()
      world.broker.holdsCloseOk = false
      expect(refusals(owner)[0].code).to.equal(406)
      expect(deletions()).to.deep.equal([])
      await owner.openChannels(1)
      await send(owner, bind('q'), bind('other'))
      expect(asked(1)).to.deep.equal(['queue.bind', 'queue.bind'])
      await send(neighbour, remove('q'))
      await answerProbe(true)
      expect(refusals(neighbour)[0].code).to.equal(405)
    })

    it('are deleted when the owner goes, also that which was being declared', async () => {
      await own('other')
      world.broker.holdsCloseOk = true
      await send(owner, declare('q'), tooLarge)
      await declareOk(1, 'q')
      owner.peer.reset()
      await settle()
      expect(deletions().sort()).to.deep.equal(['declare+delete other', 'declare+delete q'])
    })

    it('are nobody’s, if the broker had not made them before it ended the channel', async () => {
      world.broker.holdsCloseOk = true
      await send(owner, declare('q'), tooLarge)
      await send(neighbour, bind('q'))
      expect(asked(2)).to.deep.equal([])
      world.upstream.answerCloses()
      await settle()
      expect(asked(2)).to.deep.equal(['queue.bind'])
    })
  })

  describe('on an upstream connection for consumers', () => {
    let client: FakeClient
    let publishers: BrokerConnection
    let consumers: BrokerConnection

    beforeEach(async () => {
      world = await World.start({ settings: { pool: { ...World.defaults.pool, separateRoles: true } } })
      const publisher = await world.connectWithChannels(1)
      await send(publisher, publishFrames(1, { body: 'first' }))
      client = await world.connectWithChannels(3)
      await send(client, declare('q'))
      ;[publishers, consumers] = world.broker.open
      consumers.method(1, 'queue.declare-ok', { queue: 'q' })
      await settle()
      expect(client.names(1).at(-1)).to.equal('queue.declare-ok')
    })

    const ask = method(2, 'queue.bind', { queue: 'q' })

    it('are reached by a channel of their owner that has published, and goes on publishing where publishers do', async () => {
      await send(client, publishFrames(2, { body: 'before' }))
      expect(publishers.published()).to.deep.equal(['first', 'before'])
      await send(client, method(2, 'queue.bind', { queue: 'q', exchange: 'amq.topic' }))
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.bind'])
      consumers.method(2, 'queue.bind-ok')
      await send(client, publishFrames(2, { body: 'after' }))
      expect(publishers.published()).to.deep.equal(['first', 'before', 'after'])
      expect(consumers.published()).to.deep.equal([])
    })

    it('are reached only after the broker has processed what the channel did before', async () => {
      world.broker.holdsCloseOk = true
      await send(client, publishFrames(2, { body: 'before' }), method(2, 'queue.purge', { queue: 'q' }))
      expect(consumers.names(2)).to.deep.equal(['channel.open'])
      publishers.answerCloses()
      await settle()
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.purge'])
    })

    it('are reached by a channel that has declared something else; its current queue comes along', async () => {
      await send(client, publishFrames(2, { body: 'x' }), method(2, 'queue.declare', { queue: 'mine' }))
      publishers.method(2, 'queue.declare-ok', { queue: 'mine' })
      await settle()
      await send(client, method(2, 'queue.bind', { queue: 'q' }), method(2, 'queue.bind', { queue: '' }))
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.bind', 'queue.bind'])
      expect(consumers.received(2)[2].args).to.deep.include({ queue: 'mine', routingKey: 'mine' })
      await send(client, method(2, 'queue.bind', { queue: '', exchange: 'amq.topic', routingKey: 'k' }))
      expect(consumers.received(2)[3].args).to.deep.include({
        ...{ queue: 'mine', exchange: 'amq.topic', routingKey: 'k' },
      })
      await send(
        client,
        method(2, 'queue.purge', { queue: '' }),
        method(2, 'queue.declare', { queue: 'new' }),
      )
      await send(client, method(2, 'queue.purge', { queue: '' }))
      expect(
        consumers
          .received(2)
          .slice(4)
          .map(({ args }) => (args as Args<'queue.purge'>).queue),
      ).to.deep.equal(['mine', 'new', ''])
      expect(client.names(2).slice(1)).to.deep.equal(['queue.declare-ok'])
    })

    it('are reached by a channel whose prefetch the broker has had, and has again when it is needed', async () => {
      await send(client, publishFrames(2, { body: 'x' }))
      for (const prefetch of [{ prefetchCount: 5 }, { prefetchCount: 9, global: true }, { prefetchCount: 7 }])
        await send(client, method(2, 'basic.qos', prefetch))
      for (let count = 0; count < 3; count++) publishers.method(2, 'basic.qos-ok')
      await send(client, method(2, 'basic.consume', { queue: 'q', consumerTag: 'tag' }))
      expect(publishers.names(2).at(-1)).to.equal('channel.flow')
      const [, ...requests] = consumers.received(2)
      expect(requests.map(({ name }) => name)).to.deep.equal(['basic.qos', 'basic.qos', 'basic.consume'])
      expect(requests.slice(0, 2).map(({ args }) => args)).to.deep.equal([
        { prefetchSize: 0, prefetchCount: 9, global: true },
        { prefetchSize: 0, prefetchCount: 7, global: false },
      ])
      for (let count = 0; count < 2; count++) consumers.method(2, 'basic.qos-ok')
      consumers.method(2, 'basic.consume-ok', { consumerTag: 'tag' })
      await settle()
      expect(client.names(2).slice(1)).to.deep.equal([
        ...['basic.qos-ok', 'basic.qos-ok', 'basic.qos-ok', 'basic.consume-ok'],
      ])
    })

    it('and a current queue whose name no longer fits its request end the connection of that client alone', async () => {
      await send(client, publishFrames(2, { body: 'x' }), method(2, 'queue.declare', { queue: 'mine' }))
      publishers.method(2, 'queue.declare-ok', { queue: 'mine' })
      await settle()
      const args = { text: 'x'.repeat(130_700) }
      await send(client, ask, method(2, 'queue.bind', { queue: '', arguments: args }))
      expect(client.refusal?.code).to.equal(501)
      expect(world.broker.open).to.have.length(2)
    })

    const confirm = (tag: number, multiple = false): void =>
      publishers.method(2, 'basic.ack', { deliveryTag: tag, multiple })

    it('are reached by a channel in confirm mode, which goes on counting', async () => {
      world.broker.confirms = false
      await send(client, method(2, 'confirm.select'))
      publishers.method(2, 'confirm.select-ok')
      for (const body of ['1', '2', '3']) await send(client, publishFrames(2, { body }))
      await send(client, ask)
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.bind'])
      confirm(2)
      confirm(3)
      confirm(1)
      await settle()
      consumers.method(2, 'queue.bind-ok')
      await send(client, publishFrames(2, { body: '4' }), publishFrames(2, { body: '5' }))
      publishers.method(2, 'basic.nack', { deliveryTag: 4, multiple: false, requeue: false })
      confirm(5, true)
      await settle()
      expect(client.names(2).slice(1)).to.deep.equal([
        ...['confirm.select-ok', 'basic.ack', 'basic.ack', 'basic.ack'],
        ...['queue.bind-ok', 'basic.nack', 'basic.ack'],
      ])
      const tags = client.received(2).map(({ args }) => (args as { deliveryTag?: bigint }).deliveryTag)
      expect(tags.filter((tag) => tag !== undefined).map(Number)).to.deep.equal([2, 3, 1, 4, 5])
    })

    it('are reached by a channel with an empty transaction, which is begun anew there', async () => {
      await send(client, method(2, 'tx.select'), publishFrames(2, { body: 'x' }), method(2, 'tx.commit'))
      publishers.method(2, 'tx.select-ok')
      publishers.method(2, 'tx.commit-ok')
      await settle()
      await send(client, ask)
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'tx.select', 'queue.bind'])
      consumers.method(2, 'tx.select-ok')
      consumers.method(2, 'queue.bind-ok')
      await settle()
      expect(client.names(2).slice(1)).to.deep.equal(['tx.select-ok', 'tx.commit-ok', 'queue.bind-ok'])
    })

    it('are not reached from the middle of a transaction, which stays where it is: the broker’s answer is its own', async () => {
      await send(client, method(2, 'tx.select'), publishFrames(2, { body: 'x' }), ask)
      expect(publishers.names(2).slice(1)).to.deep.equal(['tx.select', 'basic.publish', 'queue.bind'])
      expect(consumers.names(2)).to.deep.equal([])
    })

    it('nor when the transaction is asked for once more, which changes nothing', async () => {
      await send(client, method(2, 'tx.select'), publishFrames(2, { body: 'x' }), method(2, 'tx.select'), ask)
      expect(publishers.names(2).at(-1)).to.equal('queue.bind')
    })

    it('have the client’s further ones made beside them, so that its channels reach them all', async () => {
      await send(client, publishFrames(2, { body: 'x' }), method(2, 'queue.declare', { exclusive: true }))
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.declare'])
    })

    it('are made there by a channel that has published, too', async () => {
      const other = await world.connectWithChannels(1)
      await send(other, publishFrames(1, { body: 'x' }), method(1, 'queue.declare', { exclusive: true }))
      expect(publishers.names(2).slice(1)).to.deep.equal(['basic.publish', 'channel.flow'])
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.declare'])
    })

    it('have one made beside them also when they are with publishers, for a transaction, and the broker has not named them yet', async () => {
      const other = await world.connectWithChannels(2)
      await send(other, method(1, 'tx.select'))
      publishers.method(2, 'tx.select-ok')
      await send(other, declare(''), method(2, 'queue.declare', { exclusive: true }))
      expect(publishers.names(2).slice(1)).to.deep.equal(['tx.select', 'queue.declare'])
      expect(publishers.names(3)).to.deep.equal(['channel.open', 'queue.declare'])
    })

    it('but not when the broker has refused to make those', async () => {
      const other = await world.connectWithChannels(2)
      await send(other, method(1, 'tx.select'))
      publishers.method(2, 'tx.select-ok')
      await send(other, declare(''))
      publishers.closeChannel(2, { code: 406, text: 'PRECONDITION_FAILED - no' }, 'queue.declare')
      await settle()
      await send(other, method(2, 'queue.declare', { exclusive: true }))
      expect(publishers.openChannels).to.deep.equal([1])
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.declare'])
    })

    it('have their owner’s channels without a role come to them', async () => {
      await send(client, method(2, 'queue.bind', { queue: 'q' }))
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.bind'])
      expect(publishers.openChannels).to.deep.equal([1])
    })

    it('keep others out who are on the publishers’ connection, as the broker does', async () => {
      const other = await world.connectWithChannels(1)
      await send(other, publishFrames(1, { body: 'x' }), bind('q'))
      expect(publishers.names(2).at(-1)).to.equal('queue.bind')
      expect(probes(consumers)).to.deep.equal([])
    })

    it('are reached also while their connection retires', async () => {
      await send(client, publishFrames(2, { body: 'x' }))
      expect(world.operations.reconnectPool('p1')).to.deep.include({ done: { pool: 'p1', retiring: 2 } })
      await settle()
      await send(client, ask)
      expect(consumers.names(2)).to.deep.equal(['channel.open', 'queue.bind'])
    })

    it('let a client go whose channel is about to reach them, which leaves nothing on either connection', async () => {
      world.broker.holdsCloseOk = true
      await send(client, publishFrames(2, { body: 'x' }), method(2, 'queue.bind', { queue: 'q' }))
      client.peer.reset()
      await settle()
      world.broker.holdsCloseOk = false
      for (const upstream of [publishers, consumers]) upstream.answerCloses()
      await settle()
      expect(consumers.openChannels).to.deep.equal([])
      expect(publishers.openChannels).to.deep.equal([1])
      expect(deletions(consumers)).to.deep.equal(['declare+delete q'])
      expect(consumers.names(3).at(-1)).to.equal('channel.close')
    })
  })

  describe('on another upstream connection, where publishers are, too', () => {
    it('are reached by a channel in confirm mode once all is confirmed, which moves there and goes on counting', async () => {
      world = await World.start({ settings: { pool: { ...World.defaults.pool, maxChannels: 2 } } })
      world.broker.answersRequests = true
      const client = await world.connectWithChannels(2)
      await send(client, method(1, 'queue.purge', { queue: 'a' }))
      const other = await world.connectWithChannels(1)
      await send(other, method(1, 'queue.purge', { queue: 'b' }))
      await send(client, method(2, 'confirm.select'))
      const [near, far] = world.broker.open
      other.close()
      await send(client, declare('q'))

      world.broker.confirms = false
      for (const body of ['1', '2', '3']) await send(client, publishFrames(2, { body }))
      await send(client, method(2, 'queue.bind', { queue: 'q' }))
      for (const deliveryTag of [2, 3]) far.method(1, 'basic.ack', { deliveryTag, multiple: false })
      await settle()
      expect(near.names(2)).to.not.include('confirm.select')
      far.method(1, 'basic.ack', { deliveryTag: 1, multiple: false })
      await settle()
      expect(near.names(2).slice(-3)).to.deep.equal(['channel.open', 'confirm.select', 'queue.bind'])

      await send(client, publishFrames(2, { body: '4' }), publishFrames(2, { body: '5' }))
      near.method(2, 'basic.nack', { deliveryTag: 1, multiple: false, requeue: false })
      near.method(2, 'basic.ack', { deliveryTag: 2, multiple: true })
      await settle()
      const tags = client.received(2).map(({ args }) => (args as { deliveryTag?: bigint }).deliveryTag)
      expect(tags.filter((tag) => tag !== undefined).map(Number)).to.deep.equal([2, 3, 1, 4, 5])
    })
  })

  it('go with an owner who is gone before the broker has made them, also if the broker has yet to confirm what it published', async () => {
    const { pool } = World.defaults
    world = await World.start({
      settings: { pool: { ...pool, publishBufferSize: 100, publishGuarantee: 'confirmed' } },
    })
    world.broker.confirms = false
    const neighbour = await world.connectWithChannels(1)
    const owner = await world.connectWithChannels(1)
    await send(owner, publishFrames(1, { body: 'x' }), declare('q'))
    const channel = [1, 2].find((number) => world.upstream.names(number).includes('queue.declare'))!
    world.broker.holdsCloseOk = true
    owner.peer.reset()
    await settle()
    await send(neighbour, method(1, 'queue.declare', { queue: 'q', passive: true }))
    world.upstream.method(channel, 'queue.declare-ok', { queue: 'q' })
    world.broker.holdsCloseOk = false
    world.upstream.answerCloses()
    await settle()
    const asked = world.upstream.log.methods.filter(({ name }) => /^queue.de(clare|lete)$/.test(name))
    expect(asked.map(({ name }) => name)).to.include('queue.delete')
    expect(world.upstream.published(), 'published again').to.deep.equal(['x', 'x'])
    // The one who waited for what becomes of it.
    expect(asked.some(({ args }) => (args as Args<'queue.declare'>).passive === true)).to.equal(true)
  })
})
