import { expect } from 'chai'
import { ClientProgram } from '../../support/client-program.js'
import { describeClient } from '../../support/client-routes.js'
import { numbered } from '../../support/sessions.js'

describeClient('amqp-tools', (route) => {
  const tool = (name: string, ...args: string[]): ClientProgram =>
    ClientProgram.start(name, [`--url=${route.url}`, ...args])
  const run = (name: string, ...args: string[]): Promise<string[]> => tool(name, ...args).succeeds()

  it('declare, publish, get, consume and delete, each command a connection of its own', async () => {
    expect(await run('amqp-declare-queue', '--queue=jobs', '--durable')).to.deep.equal(['jobs'])
    for (const body of numbered('job ', 12))
      await run('amqp-publish', '--routing-key=jobs', '--persistent', `--body=${body}`)
    await route.expectOpened(13)
    await route.holds('jobs', 12)
    expect(await run('amqp-get', '--queue=jobs')).to.deep.equal(['job 0'])
    // Each body goes to a command, here one that ends it with a line feed.
    const consumed = await run('amqp-consume', '--queue=jobs', '--count=9', '--', 'sh', '-c', 'cat; echo')
    expect(consumed).to.deep.equal(numbered('job ', 10).slice(1))
    await route.holds('jobs', 2)
    await run('amqp-delete-queue', '--queue=jobs')
    expect(await route.queue('jobs')).to.equal(undefined)
  })

  it('publish each line of a file as a message, and a body larger than a frame whole', async () => {
    await run('amqp-declare-queue', '--queue=lines')
    const lines = [`--url=${route.url}`, '--routing-key=lines', '--line-buffered']
    await ClientProgram.start('amqp-publish', lines, { input: 'one\ntwo\nthree\n' }).succeeds()
    await route.holds('lines', 3)
    expect((await route.drain('lines')).map(({ body }) => body)).to.deep.equal(['one\n', 'two\n', 'three\n'])
    const large = 'x'.repeat(500_000)
    await ClientProgram.start('amqp-publish', lines.slice(0, 2), { input: large }).succeeds()
    await route.holds('lines', 1)
    expect(await run('amqp-get', '--queue=lines')).to.deep.equal([large])
  })

  it('fail where RabbitMQ refuses: an empty queue, a missing one, a wrong password', async () => {
    await run('amqp-declare-queue', '--queue=empty')
    const failures = [
      ['amqp-get', `--url=${route.url}`, '--queue=empty'],
      ['amqp-get', `--url=${route.url}`, '--queue=missing'],
      ['amqp-publish', `--url=${route.url.replace(':guest@', ':wrong@')}`, '--routing-key=empty', '--body=x'],
    ]
    const reasons = ['ended with 2', 'NOT_FOUND', 'ACCESS_REFUSED']
    for (const [index, [name, ...args]] of failures.entries()) {
      const failure = await ClientProgram.start(name, args)
        .succeeds()
        .then(() => 'nothing', String)
      expect(failure).to.contain(reasons[index])
    }
    await route.holds('empty', 0)
  })
})
