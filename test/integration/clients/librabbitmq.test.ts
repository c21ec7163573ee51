import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClientProgram, programPath } from '../../support/client-program.js'
import { describeClient } from '../../support/client-routes.js'

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
})
