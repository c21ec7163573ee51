import { expect } from 'chai'
import { describeClient } from '../../support/client-routes.js'
import { expectSessions, numbered } from '../../support/sessions.js'

describeClient('pika', (route) => {
  it('publishes with confirms from 20 sessions, and hears of each message that nobody takes', async () => {
    expect(await route.run('pika/publish.py', 'orders', 20, 10)).to.equal(20)
    await route.expectOpened(20)
    await route.holds('orders', 200)
    expectSessions(await route.drain('orders'), 20, 10)
  })

  it('consumes from a generator, and gives back what it had prefetched', async () => {
    await route.run('pika/publish.py', 'orders', 1, 30)
    expect(await route.run('pika/consume.py', 'orders', 12)).to.deep.equal(numbered('0:', 12))
    await route.holds('orders', 18)
  })

  it('publishes and consumes on one asynchronous connection', async () => {
    const outcome = await route.run('pika/asynchronous.py', 'events', 500)
    expect(outcome).to.deep.equal({ confirmed: 500, received: numbered('', 500) })
    await route.holds('events', 0)
  })

  it('calls a server by direct reply-to', async () => {
    const squares = Array.from({ length: 50 }, (_, n) => [n, n * n])
    expect(await route.run('pika/rpc.py', 'squares', 50)).to.deep.equal(squares)
  })

  it('has exclusive queues for itself alone', async () => {
    expect(await route.run('pika/exclusive.py', 'own')).to.deep.equal({
      locked: [405, 405, 405],
      received: ['from the other'],
      gone: 404,
    })
  })

  it('is told when an alarm at the broker blocks it and when that ends, and loses nothing', async () => {
    const program = route.start('pika/blocked.py', 'orders')
    await program.says('ready')
    await route.broker.eval('rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []})')
    try {
      await program.says('blocked')
    } finally {
      await route.broker.eval('rabbit_alarm:clear_alarm({resource_limit, memory, node()})')
    }
    const outcome = JSON.parse((await program.succeeds()).at(-1)!) as { calls: string[]; published: number }
    expect(outcome.calls).to.deep.equal(['blocked', 'unblocked'])
    await route.holds('orders', outcome.published)
  })
})
