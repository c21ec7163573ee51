import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { announceReady } from '../../../../src/adapters/signals/service-manager.js'

describe('announceReady', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'warren-notify-'))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** A systemd-notify that notes how it was called, and ends with `code`. */
  const installTool = (code: number): void => {
    const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${join(folder, 'calls')}\nexit ${code}\n`
    writeFileSync(join(folder, 'systemd-notify'), script, { mode: 0o755 })
  }
  const calls = (): string => readFileSync(join(folder, 'calls'), 'utf8')

  it('says READY to the manager that the environment names', async () => {
    installTool(0)
    await announceReady({ PATH: folder, NOTIFY_SOCKET: '/run/systemd/notify' })
    expect(calls()).to.equal('/run/systemd/notify --ready\n')
  })

  it('starts nothing where no manager waits', async () => {
    installTool(1)
    await announceReady({ PATH: folder })
    await announceReady({ PATH: folder, NOTIFY_SOCKET: '' })
    expect(calls).to.throw('ENOENT')
  })

  it('rejects where the manager cannot be told', async () => {
    const failure = (): Promise<unknown> =>
      announceReady({ PATH: folder, NOTIFY_SOCKET: '/run/systemd/notify' }).catch((error: Error) => error)
    expect(await failure())
      .to.be.instanceOf(Error)
      .with.nested.property('cause.code', 'ENOENT')
    installTool(1)
    expect(await failure())
      .to.be.instanceOf(Error)
      .with.nested.property('cause.code', 1)
  })
})
