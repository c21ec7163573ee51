import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { ConfigurationError } from '../../../../src/adapters/config/configuration-error.js'
import { loadSettings, type LoadedSettings } from '../../../../src/adapters/config/load-settings.js'
import { readText } from '../../../../src/adapters/config/read-file.js'

const examples = fileURLToPath(new URL('../../../../deploy/config/', import.meta.url))

describe('files on the disk', () => {
  let directory: string
  before(() => (directory = mkdtempSync(join(tmpdir(), 'warren-config-'))))
  after(() => rmSync(directory, { recursive: true }))

  const load = (file: string, env: Record<string, string> = {}): LoadedSettings =>
    loadSettings({ argv: [], env: { ...env, AMQP_CONFIG: file }, cwd: directory })

  it('are read as UTF-8, with or without a byte order mark', () => {
    writeFileSync(
      join(directory, 'a.toml'),
      '\uFEFF[pool]\npublish_buffer_dir = "/bücher"\npublish_buffer_size = 1\n',
    )
    expect(load('a.toml').settings.pool.publishBufferDir).to.equal('/bücher')
  })

  it('are refused with the reason, and nothing of what is in them', () => {
    writeFileSync(join(directory, 'utf16.toml'), '\uFEFF[listen]\nport = 1\n', 'utf16le')
    writeFileSync(join(directory, 'latin1.toml'), '# hunter2 \u00fc\n', 'latin1')
    mkdirSync(join(directory, 'directory.toml'))
    const reasons = {
      'utf16.toml': 'it is not UTF-8',
      'latin1.toml': 'it is not UTF-8',
      'directory.toml': 'it is a directory',
      'none.toml': 'no such file',
      'latin1.toml/x.toml': 'no such file',
    }
    for (const [name, reason] of Object.entries(reasons))
      expect(() => load(name)).to.throw(
        ConfigurationError,
        `can't read configuration file ${join(directory, name)} (environment AMQP_CONFIG): ${reason}`,
      )
    const env = { AMQP_MANAGEMENT_TOKEN_FILE: join(directory, 'directory.toml') }
    writeFileSync(join(directory, 'empty.toml'), '')
    expect(() => load('empty.toml', env)).to.throw(ConfigurationError, "can't be read: it is a directory")
  })

  describe('the examples in deploy/config', () => {
    const readFile = (path: string): string =>
      path.startsWith('/run/secrets/') ? `${path}!` : readText(path)

    for (const name of ['warren.toml', 'warren.json']) {
      it(`can be used: ${name}`, () => {
        const { warnings, sources } = loadSettings({
          argv: ['--config', name],
          env: {},
          cwd: examples,
          readFile,
        })
        expect(warnings).to.deep.equal([])
        expect(Object.values(sources).filter((source) => source !== 'default')).to.have.length.above(5)
      })
    }

    it('are the ones that the documentation names', () => {
      const page = readFileSync(join(examples, '../../docs/configuration.md'), 'utf8')
      for (const name of ['warren.toml', 'warren.json'])
        expect(page).to.contain(`](../deploy/config/${name})`)
    })
  })
})
