/** Warren as the first process of a container, where signals without a listener are lost. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import { pathOf } from '../support/project-files.js'

const FIRST = ['--pid', '--fork', '--kill-child']

describe('Warren as process 1', function () {
  this.timeout(180_000)
  let folder: string
  let child: ChildProcess | undefined

  before(function () {
    // Root alone may, and not in every container.
    if (spawnSync('unshare', [...FIRST, 'true']).status !== 0) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'warren-process-one-'))
  })

  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  afterEach(() => child?.kill('SIGKILL'))

  /** Starts it; resolves when it has logged `message`, with what ends it and gives its exit code. */
  async function start(
    message: string,
    ...args: string[]
  ): Promise<(signal: NodeJS.Signals) => Promise<unknown>> {
    const usual = ['--listen-address', '127.0.0.1', '--listen-port', '0', '--log-format', 'json']
    const program = [process.execPath, pathOf('dist/main.js'), ...usual, ...args, 'amqp://127.0.0.1:1']
    const outer = spawn('unshare', [...FIRST, ...program], { stdio: ['ignore', 'pipe', 'inherit'] })
    child = outer
    for await (const text of createInterface(outer.stdout))
      if ((JSON.parse(text) as { message: string }).message === message) break
    const inner = Number(readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8'))
    expect(readFileSync(`/proc/${inner}/status`, 'utf8')).to.match(/^NSpid:\t\d+\t1$/m)
    return async (signal) => {
      const exit = once(outer, 'exit')
      process.kill(inner, signal)
      const [code] = (await exit) as [number | null]
      return code
    }
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`ends in order on ${signal}`, async () => {
      const end = await start('listening')
      expect(await end(signal)).to.equal(0)
    })

  it('can be stopped while it waits for the journal of one that may still be there', async () => {
    const elsewhere = {
      pid: 1,
      host: 'another-machine',
      started: 'another-boot/1',
      space: 'another',
      token: 'x',
    }
    writeFileSync(join(folder, 'lock'), JSON.stringify(elsewhere))
    const waiting = 'the journal may be in use: waiting whether its lock is renewed'
    const end = await start(waiting, '--pool-publish-buffer-size', '10', '--pool-publish-buffer-dir', folder)
    expect(await end('SIGTERM')).to.equal(143)
  })
})
