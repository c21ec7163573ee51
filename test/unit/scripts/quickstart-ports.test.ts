import { expect } from 'chai'
import { Failure } from '../../../scripts/quickstart/failure.js'
import { choosePorts, type Ports } from '../../../scripts/quickstart/ports.js'

/** The system gives out port 40000 where any will do. */
function choose(env: Record<string, string> = {}, ...taken: number[]): Promise<Ports> {
  return choosePorts(env, async (port) =>
    taken.includes(port) ? undefined : Promise.resolve(port === 0 ? 40_000 : port),
  )
}

async function failure(env: Record<string, string>, ...taken: number[]): Promise<string> {
  const error: unknown = await choose(env, ...taken).catch((thrown: unknown) => thrown)
  expect(error).to.be.instanceOf(Failure)
  return (error as Failure).message
}

describe("the quickstart's ports", () => {
  it('are the usual ones, or others where those are taken', async () => {
    expect(await choose()).to.deep.equal({ port: 5673, management: 6673 })
    expect(await choose({ AMQP_LISTEN_PORT: '' }, 6673)).to.deep.equal({ port: 5673, management: 40_000 })
    expect(await choose({}, 5673)).to.deep.equal({ port: 40_000, management: 41_000 })
  })

  it('are those that the environment names, and the status page follows the clients', async () => {
    expect(await choose({ AMQP_LISTEN_PORT: '7000' })).to.deep.equal({ port: 7000, management: 8000 })
    expect(await choose({ AMQP_MANAGEMENT_PORT: '9000' })).to.deep.equal({ port: 5673, management: 9000 })
    expect(await choose({ AMQP_LISTEN_PORT: '0', AMQP_MANAGEMENT_PORT: 'auto' })).to.deep.equal({
      port: 40_000,
      management: 41_000,
    })
    expect(await choose({ AMQP_LISTEN_PORT: '65000' })).to.deep.equal({ port: 65_000, management: 40_000 })
  })

  it('are refused with the name of the variable where they cannot be had', async () => {
    expect(await failure({ AMQP_LISTEN_PORT: '7000' }, 7000)).to.equal(
      'AMQP_LISTEN_PORT: something listens on port 7000 already.',
    )
    expect(await failure({ AMQP_MANAGEMENT_PORT: '7000' }, 7000)).to.contain('AMQP_MANAGEMENT_PORT')
    for (const port of ['x', '70000', '-1'])
      expect(await failure({ AMQP_LISTEN_PORT: port })).to.contain(`not "${port}"`)
  })
})
