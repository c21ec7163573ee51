import { expect } from 'chai'
import { describeClient } from '../../support/client-routes.js'
import { expectSessions, numbered } from '../../support/sessions.js'

const PUBLISH = 'php-amqp/publish.php'

describeClient('php-amqp', (route) => {
  it('publishes from 20 requests that are processes of their own', async () => {
    const requests = Array.from({ length: 20 }, (_, n) => route.run(PUBLISH, 'orders', `p${n}`, 1, 5))
    await Promise.all(requests)
    await route.expectOpened(20)
    await route.holds('orders', 100)
    expectSessions(await route.drain('orders'), 20, 5)
  })

  it('publishes from 100 requests of one process', async () => {
    await route.run(PUBLISH, 'orders', 'worker', 100, 3)
    await route.expectOpened(100)
    await route.holds('orders', 300)
    expectSessions(await route.drain('orders'), 100, 3)
  })

  it('gets, consumes and acknowledges; what it leaves unacknowledged is back in the queue', async () => {
    await route.run(PUBLISH, 'orders', 'x', 1, 10)
    expect(await route.run('php-amqp/consume.php', 'orders', 8)).to.deep.equal(numbered('x-0:', 8))
    await route.holds('orders', 3)
  })

  it('gets every confirm, and back what nobody takes', async () => {
    expect(await route.run('php-amqp/confirm.php', 'orders', 50)).to.deep.equal({
      unconfirmed: 0,
      returned: [[312, 'NO_ROUTE', 'nowhere']],
    })
    await route.holds('orders', 50)
  })

  it('commits and rolls back transactions', async () => {
    await route.run('php-amqp/transaction.php', 'orders')
    await route.holds('orders', 2)
    expect((await route.drain('orders')).map(({ body }) => body)).to.deep.equal(['c', 'd'])
  })

  it('raises the exceptions of RabbitMQ for a wrong password, a missing queue and a locked one', async () => {
    type Refusals = Record<string, [exception: string, code: number, text: string]>
    const refusals = (await route.run('php-amqp/errors.php', 'q')) as Refusals
    const codes = Object.fromEntries(Object.entries(refusals).map(([what, [, code]]) => [what, code]))
    expect(codes).to.deep.equal({ password: 403, missing: 404, locked: 405 })
    expect(refusals).to.deep.equal(await route.runDirectly('php-amqp/errors.php', 'q'))
  })
})
