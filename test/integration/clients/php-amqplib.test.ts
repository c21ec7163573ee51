import { expect } from 'chai'
import { describeClient } from '../../support/client-routes.js'
import { expectSessions } from '../../support/sessions.js'

const PUBLISH = 'php-amqplib/publish.php'

describeClient('php-amqplib', (route) => {
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

  it('gets, consumes, acknowledges, and sees again what it refused', async () => {
    await route.run(PUBLISH, 'orders', 'x', 1, 6)
    const seen = ['x-0:0', 'x-0:1', 'x-0:1 again', 'x-0:2', 'x-0:3']
    expect(await route.run('php-amqplib/consume.php', 'orders', 5)).to.deep.equal(seen)
    await route.holds('orders', 2)
  })

  it('gets every confirm, and back what nobody takes', async () => {
    expect(await route.run('php-amqplib/confirm.php', 'orders', 200)).to.deep.equal({
      confirmed: 201,
      returned: [[312, 'NO_ROUTE', 'nowhere', 'to nobody']],
    })
    await route.holds('orders', 200)
  })

  it('commits and rolls back transactions', async () => {
    await route.run('php-amqplib/transaction.php', 'orders')
    await route.holds('orders', 2)
    expect((await route.drain('orders')).map(({ body }) => body)).to.deep.equal(['c', 'd'])
  })

  it('sends and receives batches of messages that are larger than a frame', async () => {
    expect(await route.run('php-amqplib/large.php', 'large', 10, 300_000)).to.equal(10)
  })

  it('keeps an idle connection with heartbeats', async () => {
    expect(await route.run('php-amqplib/heartbeat.php', 'idle', 5)).to.equal('still here')
  })

  it('raises the exceptions of RabbitMQ for a wrong password or virtual host, a missing queue and a locked one', async () => {
    type Refusals = Record<string, [exception: string, code: number, text: string]>
    const refusals = (await route.run('php-amqplib/errors.php', 'q')) as Refusals
    const codes = Object.fromEntries(Object.entries(refusals).map(([what, [, code]]) => [what, code]))
    expect(codes).to.deep.equal({ password: 403, vhost: 530, missing: 404, locked: 405 })
    expect(refusals).to.deep.equal(await route.runDirectly('php-amqplib/errors.php', 'q'))
  })
})
