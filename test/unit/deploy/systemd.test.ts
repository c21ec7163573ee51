import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadSettings } from '../../../src/adapters/config/load-settings.js'
import { entries } from '../../../src/adapters/config/schema.js'
import { blocksOf } from '../../support/documents.js'
import { pathOf, textOf } from '../../support/project-files.js'

const UNIT = textOf('deploy/systemd/warren.service')
const INSTALLED = '/opt/warren/bin/warren'

/** The values of a directive, in order. */
function valuesOf(directive: string): string[] {
  return [...UNIT.matchAll(new RegExp(`^${directive}=(.*)$`, 'gm'))].map(([, value]) => value)
}

describe('deploy/systemd', () => {
  it('has a unit that systemd understands', function () {
    const folder = mkdtempSync(join(tmpdir(), 'warren-unit-'))
    try {
      const path = join(folder, 'warren.service')
      // Warren itself isn't installed where the unit looks for it.
      writeFileSync(path, UNIT.replace(INSTALLED, process.execPath))
      const verify = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
      if (verify.error !== undefined) return this.skip()
      expect(verify.stderr.split('\n').filter((line) => line.includes('warren'))).to.deep.equal([])
      expect(verify.status).to.equal(0)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('starts the program with its configuration, waits until it is ready, and reloads it', () => {
    expect(valuesOf('ExecStart')).to.deep.equal([`${INSTALLED} --config /etc/warren/config.toml`])
    expect(valuesOf('Type')).to.deep.equal(['notify'])
    expect(valuesOf('NotifyAccess')).to.deep.equal(['all'])
    expect(valuesOf('ExecReload')).to.deep.equal(['/bin/kill -HUP $MAINPID'])
  })

  it('gives a shutdown the time that it may take', () => {
    const timeout = entries.find(({ key }) => key === 'shutdown.timeout')?.default
    expect(Number.parseInt(valuesOf('TimeoutStopSec')[0])).to.be.above(Number(timeout))
  })

  it('does not start again what is configured wrongly', () => {
    expect(valuesOf('RestartPreventExitStatus')).to.deep.equal(['78'])
  })

  it('takes secrets that Warren knows, from a file whose example has none', () => {
    expect(valuesOf('EnvironmentFile')).to.deep.equal(['-/etc/warren/secrets.env'])
    const names = [...textOf('deploy/systemd/secrets.env.example').matchAll(/^#(\w+)=$/gm)].map(
      ([, name]) => name,
    )
    expect(names).not.to.be.empty
    expect(entries.map(({ env }) => env)).to.include.members(names)
  })

  it('lets its own user into the folder of its configuration, which systemd makes for root', () => {
    expect(valuesOf('User')).not.to.deep.equal(['root'])
    const others = Number.parseInt(valuesOf('ConfigurationDirectoryMode')[0], 8) & 0o5
    expect(others).to.equal(0o5)
  })

  it('has a configuration to start from that is taken where the unit looks for it, also with all that it suggests', () => {
    const name = '/etc/warren/config.toml'
    expect(valuesOf('ExecStart')[0]).to.contain(name)
    const example = textOf('deploy/systemd/config.toml')
    const suggested = example.replace(/^#(?=\[|\w+ = )/gm, '')
    expect(suggested).to.contain('\npublish_buffer_dir =')
    const env = { AMQP_MANAGEMENT_TOKEN: 'a-token-of-the-test' }
    for (const [text, given] of [
      [example, {}],
      [suggested, env],
    ] as const) {
      const readFile = (path: string): string => (path === name ? text : expect.fail(path))
      const { warnings } = loadSettings({ argv: ['--config', name], env: given, cwd: '/', readFile })
      expect(warnings).to.deep.equal([])
    }
  })

  it('is installed by the documented commands so that its user may read its configuration, and not its secrets', function () {
    const known = spawnSync('systemd-sysusers', ['--version'])
    if (known.error !== undefined || process.getuid?.() !== 0) return this.skip()
    const { text } = blocksOf('docs/deployment.md').find((block) => block.text.includes('systemd-sysusers'))!
    const root = mkdtempSync(join(tmpdir(), 'warren-installed-'))
    try {
      chmodSync(root, 0o755)
      mkdirSync(join(root, 'etc'))
      for (const name of ['passwd', 'group']) writeFileSync(join(root, 'etc', name), '')
      let group = ''
      for (const line of text.trim().split('\n')) {
        const command = line
          .replace('systemd-sysusers', `systemd-sysusers --root=${root}`)
          .replace('--group warren', `--group ${group}`)
          .replace(/ (?=\/(?:etc|usr)\/)/g, ` ${root}`)
        const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: pathOf('.'), encoding: 'utf8' })
        expect(status, `${command}: ${stderr}`).to.equal(0)
        group = /^warren:x:(\d+):/m.exec(readFileSync(join(root, 'etc/group'), 'utf8'))?.[1] ?? ''
      }
      const [, uid] = /^warren:x:(\d+):/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8'))!
      const reads = (name: string): boolean =>
        spawnSync('cat', [join(root, name)], { uid: Number(uid), gid: Number(group) }).status === 0
      expect(reads('etc/warren/config.toml')).to.equal(true)
      expect(reads('etc/warren/secrets.env')).to.equal(false)
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })

  it('runs as the user that sysusers makes', () => {
    const [user] = valuesOf('User')
    expect(textOf('deploy/systemd/warren.sysusers')).to.match(new RegExp(`^u ${user} `, 'm'))
  })
})
