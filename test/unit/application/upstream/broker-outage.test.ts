import { expect } from 'chai'
import { settle } from '../../../support/fake-byte-stream.js'
import type { FakeClient } from '../../../support/fake-client.js'
import { World } from '../../../support/fake-world.js'
import { PROTOCOL_HEADER } from '../../../support/wire-format.js'

describe('While the broker is down', () => {
  let world: World

  beforeEach(async () => {
    world = await World.start()
  })

  afterEach(function () {
    world.expectNoComplaints(this)
  })

  const knock = async (user = 'guest'): Promise<FakeClient> => {
    const client = world.dial()
    client.send(PROTOCOL_HEADER)
    client.startOk({ user })
    await settle()
    return client
  }
  const answerTo = async (user?: string): Promise<string | undefined> => (await knock(user)).refusal?.text

  /** How often the broker is dialled while `act` runs. */
  const dials = async (act: () => Promise<unknown>): Promise<number> => {
    const before = world.dialer.dials.length
    await act()
    return world.dialer.dials.length - before
  }

  describe('clients', () => {
    beforeEach(() => world.brokerDown())

    it('are told the reason and when the next try is, whatever their credentials, and nothing is dialled for them', async () => {
      expect(await answerTo('first')).to.equal(
        'upstream unreachable: connect ECONNREFUSED rabbit:5672; next try in 0.5 s',
      )
      await world.advance(200)
      const dialled = await dials(async () => {
        for (const user of ['first', 'second', 'third'])
          expect(await answerTo(user)).to.equal(
            'upstream unreachable: connect ECONNREFUSED rabbit:5672; next try in 0.3 s',
          )
      })
      expect(dialled).to.equal(0)
    })

    it('bring about one try for all when it is time, at longer and longer intervals, but within 4 s', async () => {
      const triedAt: number[] = []
      for (let tick = 0; tick < 400; tick++) {
        const count = await dials(async () => {
          for (const user of ['first', 'second', 'third']) await knock(user)
        })
        expect(count).to.be.at.most(1)
        if (count === 1) triedAt.push(world.clock.now())
        await world.advance(50)
      }
      const waits = triedAt.slice(1).map((at, index) => at - triedAt[index])
      expect(waits).to.deep.equal([500, 1000, 2000, 4000, 4000, 4000, 4000])
    })

    it('are let in within 4 s of its return, and then all at once', async () => {
      await world.advance(1000)
      for (let second = 0; second < 60; second++) {
        await knock()
        await world.advance(1000)
      }
      world.brokerUp()
      const upAt = world.clock.now()
      while ((await knock('first')).refusal !== undefined) await world.advance(100)
      expect(world.clock.now() - upAt).to.be.at.most(4000)
      expect(await answerTo('second')).to.equal(undefined)
      expect(world.lines('broker answers again')).to.have.length(1)
    })

    it('are let in again after each of several outages', async () => {
      for (let outage = 0; outage < 3; outage++) {
        world.brokerDown()
        await knock(`before ${outage}`)
        world.brokerUp()
        await world.advance(500)
        expect(await answerTo(`after ${outage}`)).to.equal(undefined)
      }
    })

    it('are let in as soon as others have got through', async () => {
      world.dialer.silence(world.endpoint)
      const slow = await knock('first')
      await world.advance(500)
      world.brokerDown()
      expect(await answerTo('second')).to.contain('next try in 0.5 s')
      world.brokerUp()
      await world.advance(500)
      expect(await answerTo('third')).to.equal(undefined)
      // Its dialling began before, and says nothing about now.
      await world.advance(9500)
      expect(slow.refusal?.code).to.equal(503)
      expect(await answerTo('fourth')).to.equal(undefined)
    })

    it('do not wait for a try that takes long, not even those with the same credentials', async () => {
      await knock('first')
      await world.advance(500)
      world.dialer.silence(world.endpoint)
      const trying = await knock('first')
      expect(trying.refusal).to.equal(undefined)
      const dialled = await dials(async () => {
        for (const user of ['first', 'second'])
          expect(await answerTo(user)).to.equal(
            'upstream unreachable: connect ECONNREFUSED rabbit:5672; trying again now',
          )
      })
      expect(dialled).to.equal(0)
    })

    it('are served over upstream connections that have stayed', async () => {
      world.brokerUp()
      await world.connect()
      world.brokerDown()
      await knock('other')
      expect(await answerTo('guest')).to.equal(undefined)
    })

    it('are told so once in the log, not each', async () => {
      for (const user of ['first', 'second', 'third']) await knock(user)
      await world.advance(500)
      await knock()
      expect(world.lines('broker unreachable: clients are told so until it answers')).to.have.length(1)
    })
  })

  describe('a refusal of the broker', () => {
    it('shows that it is there', async () => {
      world.brokerDown()
      await knock()
      world.brokerUp()
      world.broker.refusesLogin = (user) => (user === 'stranger' ? 'close' : false)
      await world.advance(500)
      expect(await answerTo('stranger')).to.match(/^ACCESS_REFUSED/)
      expect(await answerTo()).to.equal(undefined)
    })

    it('does not keep other clients out', async () => {
      world.broker.refusesLogin = (user) => (user === 'stranger' ? 'hang up' : false)
      for (let count = 0; count < 3; count++) await knock('stranger')
      expect(await answerTo()).to.equal(undefined)
    })
  })

  it("a login that the broker doesn't answer keeps no others from theirs", async () => {
    world.broker.silentBefore = 'tune'
    const client = await knock('first')
    await world.advance(10_000)
    expect(client.refusal?.code).to.equal(503)
    world.broker.silentBefore = undefined
    expect(await answerTo('second')).to.equal(undefined)
  })

  describe('pools', () => {
    const USERS = Array.from({ length: 20 }, (_, at) => `user${at}`)

    const loseAll = async (): Promise<void> => {
      for (const user of USERS) await world.connect({ user })
      world.brokerDown()
      for (const connection of world.broker.open) connection.peer.reset()
      await settle()
    }

    it('share their tries', async () => {
      await loseAll()
      // The first attempts are made at the same moment; then one is made for all, by the backoff.
      await world.advance(400)
      const dialled = await dials(() => world.advance(60_000))
      expect(dialled).to.be.at.most(USERS.length + 8)
      const later = await dials(() => world.advance(60_000))
      expect(later).to.be.within(2, 3)
    })

    it('come back within a second once a client has found the broker', async () => {
      await loseAll()
      await world.advance(20_000)
      // Until one of them has tried in vain: the next try is 16 s away for them, 4 s for clients.
      while ((await dials(() => world.advance(50))) === 0);
      world.brokerUp()
      await world.advance(4000)
      expect(world.broker.open).to.deep.equal([])
      await knock('somebody else')
      await world.advance(1000)
      expect(world.broker.open.map(({ user }) => user)).to.have.members(USERS)
    })

    it('try within 30 s of the last try of a client', async () => {
      await world.connect()
      world.brokerDown()
      world.upstream.peer.reset()
      await world.advance(61_000)
      expect(await dials(() => knock('somebody else'))).to.equal(1)
      await world.advance(19_000)
      expect(await dials(() => knock('somebody else'))).to.equal(1)
      world.brokerUp()
      await world.advance(30_000)
      expect(world.broker.open.map(({ user }) => user)).to.deep.equal(['guest'])
    })

    it('find the broker without any client', async () => {
      await loseAll()
      await world.advance(60_000)
      world.brokerUp()
      const { length } = world.broker.opened
      await world.advance(31_000)
      // Nobody uses them: the sweep may have closed them again.
      expect(world.broker.opened.slice(length).map(({ user }) => user)).to.have.members(USERS)
      expect(world.lines('pool reconnected')).to.have.length(USERS.length)
    })

    it('log only attempts that were made', async () => {
      await loseAll()
      await world.advance(60_000)
      const { length } = world.lines('reconnecting failed')
      expect(length).to.be.at.most(USERS.length + 8)
      for (const { fields } of world.lines('reconnecting failed'))
        expect(fields.reason).to.equal('connect ECONNREFUSED rabbit:5672')
    })
  })
})
