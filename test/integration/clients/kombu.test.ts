import { expect } from 'chai'
import { eventually } from '../../support/eventually.js'
import { describeClient } from '../../support/client-routes.js'
import { expectSessions } from '../../support/sessions.js'

describeClient('kombu', (route) => {
  it('publishes to a topic exchange and consumes what was published', async () => {
    const received = await route.run('kombu/producer_consumer.py', 'orders', 100)
    expect(received).to.deep.equal([...Array(100).keys()])
    await eventually(async () => expect(await route.queue('orders')).to.equal(undefined))
  })

  it('keeps a list of jobs in a SimpleQueue, with a connection for each job that is put there', async () => {
    expect(await route.run('kombu/simple_queue.py', 'jobs', 20)).to.deep.equal({
      before: 20,
      taken: [...Array(18).keys()],
    })
    await route.expectOpened(21)
    await route.holds('jobs', 2)
  })

  it('publishes with confirms from the threads of a pool', async () => {
    await route.run('kombu/pool.py', 'requests', 100)
    await route.holds('requests', 100)
    expectSessions(await route.drain('requests'), 100, 1)
  })
})
