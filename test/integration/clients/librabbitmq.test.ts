import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClientProgram, programPath } from '../../support/client-program.js'
import { describeClient } from '../../support/client-routes.js'
import { WireClient } from '../../support/wire-client.js'

describeClient('librabbitmq', (route) => {
  let directory: string
  let program: string

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'warren-librabbitmq-'))
    program = join(directory, 'confirm_and_consume')
    const source = programPath('librabbitmq/confirm_and_consume.c')
    await ClientProgram.start('gcc', ['-o', program, source, '-lrabbitmq']).succeeds()
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('publishes bodies of 100 kB in frames of 4 KiB with confirms, and gets them back whole', async () => {
    expect(await route.run(program, 'large', 40, 100_000)).to.deep.equal({ confirmed: 40, whole: 40 })
    await route.holds('large', 0)
  })

  it('publishes and consumes thousands of small messages', async () => {
    expect(await route.run(program, 'small', 5000, 10)).to.deep.equal({ confirmed: 5000, whole: 5000 })
    await route.holds('small', 0)
  })

  // Warren cuts what the broker sends in larger frames; the neighbour has the upstream channel of the same number.
  it('gets bodies cut to its small frames on its own channel while a neighbour uses that number too', async () => {
    const neighbour = await WireClient.connect(route.port)
    await neighbour.openChannel(1)
    neighbour.publish(1, { routingKey: 'nowhere', body: 'x' })
    neighbour.method(1, 'channel.flow', { active: true })
    await neighbour.expectMethod('channel.flow-ok')
    expect(await route.run(program, 'large', 10, 100_000)).to.deep.equal({ confirmed: 10, whole: 10 })
    await neighbour.close()
  })
})
