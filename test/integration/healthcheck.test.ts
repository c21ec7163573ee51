/** The health check of the container image, which isn't compiled with the rest. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { pathOf } from '../support/project-files.js'
import { WarrenProcess } from '../support/warren-process.js'

/** The exit code of the check. */
async function check(env: NodeJS.ProcessEnv): Promise<number | null> {
  const child = spawn(process.execPath, [pathOf('deploy/docker/healthcheck.mjs')], {
    env: { PATH: process.env.PATH, ...env },
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

describe('the health check of the container', function () {
  this.timeout(180_000)
  let warren: WarrenProcess

  before(async () => {
    // Nobody listens there: alive isn't ready.
    warren = await WarrenProcess.start('amqp://127.0.0.1:1')
  })

  after(() => warren.stop())

  it('finds Warren alive at the port that the environment tells, in each of its ways', async () => {
    const port = warren.managementPort
    expect(await check({ AMQP_MANAGEMENT_PORT: String(port) })).to.equal(0)
    expect(await check({ AMQP_MANAGEMENT_PORT: 'auto', AMQP_LISTEN_PORT: String(port - 1000) })).to.equal(0)
    expect(await check({ WARREN_URL: `http://127.0.0.1:${port}`, AMQP_MANAGEMENT_PORT: '1' })).to.equal(0)
  })

  it('ends with 1 where nothing answers', async () => {
    expect(await check({ AMQP_MANAGEMENT_PORT: '1' })).to.equal(1)
  })
})
